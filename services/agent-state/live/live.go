// Package live joins the core of agent-state to the bus. Every replica follows the whole stream and knows the same; one of
// them at a time publishes and writes, and any other takes over when it falls silent.
//
// No election decides who that is. What the core derives waits until it is read back from the stream: whoever is active
// publishes it at once, the others only when nobody has for a while. Publishing is fenced by the sequence of the tenant's
// last transition, so a replica that was paused, and does not know what came meanwhile, cannot publish at all.
package live

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/oklog/run"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/service"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/agent-state/agents"
)

// Name is what the service is called.
const Name = "agent-state"

const (
	// patience is how long a replica waits for another to publish or write what both know.
	patience = time.Second
	// retry is the pause before what did not work is tried again.
	retry = 200 * time.Millisecond
	// publishLimit is how long the acknowledgement of one transition may take.
	publishLimit = 2 * time.Second
	// tick is how often it is looked what time alone has brought, and what is still to be published.
	tick = 100 * time.Millisecond
	// writeEvery is how often the buckets are written while something changes.
	writeEvery = 250 * time.Millisecond
	// forgottenAfter is from which age on nobody is told of a transition, if nobody was told of any before: the service is
	// new here, and finds a stream that has been filling for days.
	forgottenAfter = time.Hour
)

// Part returns the service.
func Part() service.Part {
	return service.Part{Name: Name, Start: func(env service.Env) (http.Handler, error) {
		replicas := func() int { return env.Settings.Get().Config.Streams.Replicas }
		k := New(Options{
			Bus: env.Bus, Log: env.Log, Metrics: env.Metrics, Replicas: replicas, Tenants: env.Settings.Get().Config.Tenants,
		})
		env.Settings.OnChange(func(s *service.Settings) { k.Configure(s.Config.Tenants) })
		env.AddReady(k.Ready)
		k.Join(env.Group)
		return nil, nil
	}}
}

// Options are what a Keeper works with. Metrics, Clock and Now may be nil.
type Options struct {
	Bus      *bus.Bus
	Log      *slog.Logger
	Metrics  prometheus.Registerer
	Replicas func() int // servers that keep a copy of what is written
	Tenants  []*config.Tenant
	// Clock says what time the stream is at an event; by default, when it was stored.
	Clock func(bus.Stored[*pbxv1.Event]) time.Time
	Now   func() time.Time
	// DaysEvery is how often the figures of a day are written while they change; zero means 10 s.
	DaysEvery time.Duration
}

// Keeper keeps the agents' state up to date, publishes its transitions and answers questions.
type Keeper struct {
	Options
	metrics metrics
	tables  *tables

	mu      sync.Mutex
	machine *agents.Machine
	tenants map[string]*config.Tenant
	chains  map[string]*chain // by tenant
	first   time.Time         // of the oldest event, by the stream's clock; zero before it was read
	lost    bool              // there were events before it
	last    uint64            // sequence of the last event read
	clock   time.Time         // of the stream
	live    bool              // all that was stored at the start has been read
	wake    chan struct{}     // of capacity 1: there may be something to publish

	publishing sync.WaitGroup
}

// New returns a keeper that does nothing before its actors run.
func New(o Options) *Keeper {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Clock == nil {
		o.Clock = func(s bus.Stored[*pbxv1.Event]) time.Time { return s.At }
	}
	if o.DaysEvery == 0 {
		o.DaysEvery = 10 * time.Second
	}
	k := &Keeper{
		Options: o, metrics: newMetrics(o.Metrics), machine: agents.New(o.Tenants), tenants: byName(o.Tenants),
		chains: map[string]*chain{}, wake: make(chan struct{}, 1),
	}
	k.tables = newTables(k)
	return k
}

func byName(tenants []*config.Tenant) map[string]*config.Tenant {
	known := make(map[string]*config.Tenant)
	for _, t := range tenants {
		known[t.Name] = t
	}
	return known
}

// Configure takes up a changed configuration.
func (k *Keeper) Configure(tenants []*config.Tenant) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tenants = byName(tenants)
	k.machine.Configure(tenants)
}

// Ready returns nil once all that was stored at the start has been read.
func (k *Keeper) Ready() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.live {
		return fault.New(fault.Unavailable, "agent-state is still reading the stream, at event %d", k.last)
	}
	return nil
}

// Join adds the actors that a keeper consists of to a group.
func (k *Keeper) Join(g *run.Group) {
	k.tables.join(g)
	g.Add(k.follow())
	announce, stop := k.every(tick, k.announce, k.wake)
	g.Add(func() error { defer k.publishing.Wait(); return announce() }, stop)
	g.Add(k.every(tick, k.pass, nil))
	g.Add(k.every(writeEvery, k.tables.write, nil))
	g.Add(k.serve())
}

// follow reads the stream, once it is known what the buckets hold of the time before it.
func (k *Keeper) follow() (execute func() error, interrupt func(error)) {
	ctx, cancel := context.WithCancel(context.Background())
	following, stop := k.Bus.Follow(bus.Following{
		Name: Name, Subjects: []string{event.Root + ".>"}, Handle: k.handle, CaughtUp: k.caughtUp,
	})
	return func() error {
			for !k.tables.loaded() {
				select {
				case <-ctx.Done():
					return nil
				case <-time.After(tick):
				}
			}
			return following()
		}, func(err error) {
			cancel()
			stop(err)
		}
}

// handle takes the next event of the stream.
func (k *Keeper) handle(s bus.Stored[*pbxv1.Event]) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.first.IsZero() {
		k.lost = s.Sequence > 1
		k.restore(k.Clock(s))
	}
	if s.Sequence <= k.last { // the stream was made anew
		for _, c := range k.chains {
			c.last = 0
		}
	}
	ev := s.Message
	k.last = s.Sequence
	if now := k.Clock(s); now.After(k.clock) {
		k.clock = now
	}
	announced := ev.GetAgent().GetKind() == pbxv1.Agent_STATE_CHANGED
	if since := ev.GetAgent().GetSince(); announced && since.AsTime().After(k.clock) {
		k.clock = since.AsTime() // whoever published it saw that time pass
	}
	k.metrics.events.Inc()
	for _, transition := range k.machine.Apply(s.Sequence, k.clock, ev) {
		k.chain(transition.GetTenant()).expect(transition, k.Now())
	}
	if announced {
		k.chain(ev.GetTenant()).confirm(ev, s.Sequence)
	}
	if k.live {
		k.signal()
	}
}

// restore tells the core what the bucket knows of agents from before the stream begins.
func (k *Keeper) restore(first time.Time) {
	k.first = first
	for _, row := range k.tables.agents.Rows() {
		if row.Value.GetSince().AsTime().Before(first) {
			k.machine.Restore(row.Value)
		}
	}
}

func (k *Keeper) caughtUp() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.first.IsZero() {
		k.restore(k.Now())
	}
	k.live = true
	for tenant, c := range k.chains {
		if dropped := c.forget(k.clock.Add(-forgottenAfter)); dropped > 0 {
			k.Log.Info("nobody was told before what agents do, so nobody is told of what is old", "tenant", tenant, "left_out", dropped)
		}
	}
	k.signal()
}

func (k *Keeper) chain(tenant string) *chain {
	c := k.chains[tenant]
	if c == nil {
		c = &chain{tenant: tenant}
		k.chains[tenant] = c
	}
	return c
}

func (k *Keeper) signal() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// every returns an actor that does something each interval, and when it is woken.
func (k *Keeper) every(
	interval time.Duration, do func(context.Context), wake <-chan struct{},
) (execute func() error, interrupt func(error)) {
	ctx, cancel := context.WithCancel(context.Background())
	return func() error {
			ticker := time.NewTicker(interval)
			defer ticker.Stop()
			for {
				select {
				case <-ctx.Done():
					return nil
				case <-wake:
				case <-ticker.C:
				}
				do(ctx)
			}
		}, func(error) {
			cancel()
		}
}
