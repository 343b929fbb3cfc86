// Package deliver carries what alerts plans to channels: each telling at least once, whatever replica crashes when, and twice
// only after a crash, or when an answer or the bus was lost.
//
// Every replica has the whole plan. What keeps them from telling the same is a record of each telling in the bucket
// pbx_alerts, which is changed by compare-and-set: who sends first writes that it begins, then sends, and then writes what
// came of it. What somebody began and nobody finished is taken over after a lease. What a replica reads there, the plan
// learns, so that each knows what all have told.
//
// Each receiver has its own goroutine while there is something to send to it: one that is slow or down holds nobody up.
package deliver

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/oklog/run"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/notify"
	"github.com/switchhook/switchhook/pkg/service"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/missed-call/alerts"
	"github.com/switchhook/switchhook/services/missed-call/settings"
)

const (
	// tick is how often it is looked what is due, and how long what other replicas wrote may stay unread.
	tick = 250 * time.Millisecond
	// breath is the least time between two looks, so that a storm of events costs one.
	breath = 20 * time.Millisecond
	// retry is the pause before what could not be written is tried again.
	retry = time.Second
	// fresh is how old a plan may be to begin another sending by it: entries may be claimed or resolved meanwhile.
	fresh = 500 * time.Millisecond
	// grace is how long a sending, or the record of one, may go on after the end was asked for.
	grace = 5 * time.Second

	defaultLease    = 90 * time.Second
	defaultPatience = 2 * time.Second
)

// Options are what a Deliverer works with. All but Bus, Log and Replicas may be left out.
type Options struct {
	Bus      *bus.Bus
	Log      *slog.Logger
	Metrics  prometheus.Registerer
	Replicas func() int // servers that keep a copy of what is written
	Now      func() time.Time
	// Active reports whether this replica is the one that publishes for a tenant. The others begin a while later, to leave
	// it alone. Without it this one always is.
	Active func(tenant string) bool
	// Tokens are for channels of the type sms.
	Tokens notify.TokenSource
	// Lease is after how long a sending that nobody finished is taken over; 90 s by default. A sending may take two thirds
	// of it, and the clocks of replicas may differ by a sixth.
	Lease time.Duration
	// Patience is how much later a replica that is not active begins; 2 s by default.
	Patience time.Duration
}

// Deliverer tells people of missed calls. It is safe for concurrent use.
type Deliverer struct {
	Options
	id       string // begins the names of this one's sendings
	metrics  metrics
	records  *bus.Table[*pbxv1.AlertRecord]
	silences *bus.Table[*pbxv1.Silence]
	wake     chan struct{} // of capacity 1: there may be something to do
	workers  sync.WaitGroup

	mu       sync.Mutex
	tenants  map[string]*tenant
	machine  *alerts.Machine
	caughtUp bool
	ear      ear
	busy     map[address]bool      // receivers with a worker
	paused   map[address]time.Time // receivers left alone until then, since something could not be written
	due      map[alerts.Key]time.Time
	traces   map[string]map[string][]string // headers of events, by the entry
}

// tenant is a tenant with its channels, which never change.
type tenant struct {
	settings.Tenant
	channels map[string]notify.Named
}

// address is a receiver of a tenant.
type address struct {
	tenant string
	alerts.Receiver
}

// New returns a deliverer that does nothing before its actors run. Its errors are config.Problems.
func New(o Options, tenants []settings.Tenant) (*Deliverer, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Active == nil {
		o.Active = func(string) bool { return true }
	}
	if o.Lease == 0 {
		o.Lease = defaultLease
	}
	if o.Patience == 0 {
		o.Patience = defaultPatience
	}
	d := &Deliverer{
		Options: o, id: event.NewID(), metrics: newMetrics(o.Metrics),
		records: o.Bus.Alerts(o.Replicas), silences: o.Bus.Silences(o.Replicas), wake: make(chan struct{}, 1),
		tenants: map[string]*tenant{}, machine: alerts.New(), ear: newEar(),
		busy: map[address]bool{}, paused: map[address]time.Time{}, due: map[alerts.Key]time.Time{}, traces: map[string]map[string][]string{},
	}
	return d, d.Configure(tenants)
}

// Configure takes up a changed configuration; or returns config.Problems, and leaves all as it is. What is being sent is
// finished as it began.
func (d *Deliverer) Configure(tenants []settings.Tenant) error {
	opened := make(map[string]*tenant)
	var errs []error
	for _, t := range tenants {
		channels, err := notify.New(t.Channels, d.Tokens)
		errs = append(errs, err)
		opened[t.Name] = &tenant{t, byName(channels)}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, old := range d.tenants {
		if opened[name] == nil {
			d.machine.Configure(name, alerts.DefaultSettings(), nil)
			continue
		}
		for channel, heir := range opened[name].channels {
			heir.Inherit(old.channels[channel])
		}
	}
	d.tenants = opened
	for name, t := range opened {
		d.machine.Configure(name, t.Alerts, t.Hours)
		for channel := range t.channels {
			d.metrics.expect(name, channel)
		}
	}
	d.signal()
	return nil
}

func byName(channels []notify.Named) map[string]notify.Named {
	all := make(map[string]notify.Named)
	for _, c := range channels {
		all[c.Name] = c
	}
	return all
}

// Apply takes an event of a missed call, and when the stream stored it: all of them, in the stream's order. The event belongs to
// the deliverer from then on.
func (d *Deliverer) Apply(at time.Time, ev *pbxv1.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.machine.Apply(at, ev)
	d.signal()
}

// mostTraces is how many entries are remembered with their traces.
const mostTraces = 1000

// Trace says to which trace an event belongs, by its headers. Who is told of the missed call is part of that trace.
func (d *Deliverer) Trace(ev *pbxv1.Event, headers map[string][]string) {
	id := ev.GetMissedCall().GetId()
	if id == "" {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.traces) >= mostTraces { // nobody misses the old ones
		clear(d.traces)
	}
	d.traces[id] = headers
}

func (d *Deliverer) trace(j job) map[string][]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.traces[j.Entries[0].GetId()]
}

// CaughtUp says that all events which were stored have been applied. Nothing is sent before.
func (d *Deliverer) CaughtUp() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.caughtUp = true
	d.signal()
}

// Loaded reports whether the buckets have been read.
func (d *Deliverer) Loaded() bool { return d.records.Loaded() && d.silences.Loaded() }

// Join adds the actors that a deliverer consists of to a group.
func (d *Deliverer) Join(g *run.Group) {
	g.Add(d.records.Maintain())
	g.Add(d.silences.Maintain())
	g.Add(d.deliver())
}

// deliver returns the actor that looks what is due.
func (d *Deliverer) deliver() (execute func() error, interrupt func(error)) {
	ctx, cancel := context.WithCancel(context.Background())
	return func() error {
			defer d.workers.Wait()
			ticker := time.NewTicker(tick)
			defer ticker.Stop()
			for service.Sleep(ctx, breath) {
				select {
				case <-ctx.Done():
					return nil
				case <-d.wake:
				case <-ticker.C:
				}
				d.look(ctx)
			}
			return nil
		}, func(error) {
			cancel()
		}
}

func (d *Deliverer) signal() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}
