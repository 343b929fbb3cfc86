// Package live joins the core of command-relay to the bus and to the exchanges. Any replica may carry out any command: what
// keeps two from doing so is the record of the command, which is changed by compare-and-set before anything is sent.
package live

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/oklog/run"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/call"
	"github.com/switchhook/switchhook/pkg/command"
	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/service"
	"github.com/switchhook/switchhook/pkg/vendors"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/command-relay/commands"
)

// Name is what the service is called.
const Name = "command-relay"

const (
	// lookback is from how long ago calls are followed at the start: a call that goes on may be ended or transferred.
	lookback = 4 * time.Hour
	// settling is how often it is looked what became of commands whose answer was lost.
	settling = time.Second
	// settledWithin is how long that is done for each.
	settledWithin = time.Hour
	// repeatedWithin is how young outcomes are published again at the start: JetStream still remembers the ids of those that were.
	repeatedWithin = 90 * time.Second
	// answered is how long whoever asks waits for the decision about their command.
	answered = 5 * time.Second
)

// Part returns the service.
func Part() service.Part {
	return service.Part{Name: Name, Check: check, Start: func(env service.Env) (http.Handler, error) {
		r, err := New(Options{
			Bus: env.Bus, Log: env.Log, Metrics: env.Metrics, Config: env.Settings.Get().Config,
			Replicas: func() int { return env.Settings.Get().Config.Streams.Replicas },
		})
		if err != nil {
			return nil, err
		}
		env.Settings.OnChange(func(s *service.Settings) {
			if err := r.Configure(s.Config); err != nil {
				env.Log.Error("commands not configured anew, the old settings stay", "err", err)
			}
		})
		env.AddReady(r.Ready)
		r.Join(env.Group)
		return nil, nil
	}}
}

// Options are what a Relay works with. Metrics and Now may be nil.
type Options struct {
	Bus      *bus.Bus
	Log      *slog.Logger
	Metrics  prometheus.Registerer
	Replicas func() int // servers that keep a copy of what is written
	Config   *config.Config
	Now      func() time.Time
}

// Relay carries commands out.
type Relay struct {
	Options
	metrics metrics
	records *bus.Table[*pbxv1.CommandRecord]
	agents  *bus.Table[*pbxv1.AgentStatus]

	mu       sync.Mutex
	settings settings
	tracker  *call.Tracker
	clock    time.Time // of the stream
	live     bool      // the calls that were stored at the start have been read
}

// settings are what the configuration says, by tenant.
type settings struct {
	tenants    map[string]*config.Tenant
	policies   map[string]commands.Policy
	commanders map[event.Origin]command.Exchange
}

func check(c *config.Config) error {
	_, err := read(c)
	return err
}

func read(c *config.Config) (settings, error) {
	s := settings{tenants: map[string]*config.Tenant{}}
	for _, t := range c.Tenants {
		s.tenants[t.Name] = t
	}
	policies, err := commands.Policies(c)
	commanders, errCommanders := vendors.Commanders(c)
	s.policies, s.commanders = policies, commanders
	return s, errors.Join(err, errCommanders)
}

// New returns a relay that does nothing before its actors run.
func New(o Options) (*Relay, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	r := &Relay{Options: o, metrics: newMetrics(o.Metrics), tracker: call.NewTracker(call.Options{})}
	r.records, r.agents = o.Bus.CommandRecords(o.Replicas), o.Bus.Agents(o.Replicas)
	return r, r.Configure(o.Config)
}

// Configure takes up a changed configuration. Commands under way finish with the one that they began with.
func (r *Relay) Configure(c *config.Config) error {
	s, err := read(c)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settings = s
	return nil
}

// Ready returns nil once it is known what goes on.
func (r *Relay) Ready() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.live || !r.records.Loaded() {
		return fault.New(fault.Unavailable, "command-relay is still reading the calls that go on")
	}
	return nil
}

// Join adds the actors that a relay consists of to a group.
func (r *Relay) Join(g *run.Group) {
	g.Add(r.carry())
	g.Add(r.Bus.Follow(bus.Following{
		Name: Name, Since: r.Now().Add(-lookback), Subjects: []string{event.Root + ".*.*.call.*"},
		Handle: r.handle, CaughtUp: r.caughtUp,
	}))
	g.Add(r.settle())
	g.Add(r.records.Maintain())
	g.Add(r.agents.Maintain())
}

// carry takes no commands before it is known what goes on.
func (r *Relay) carry() (execute func() error, interrupt func(error)) {
	ctx, cancel := context.WithCancel(context.Background())
	carrying, stop := r.Bus.Commands(Name, r)
	return func() error {
			for r.Ready() != nil {
				if !service.Sleep(ctx, 20*time.Millisecond) {
					return nil
				}
			}
			return carrying()
		}, func(err error) {
			cancel()
			stop(err)
		}
}

func (r *Relay) handle(s bus.Stored[*pbxv1.Event]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.At.After(r.clock) {
		r.clock = s.At
	}
	r.tracker.Apply(s.Message, r.clock)
	r.tracker.Advance(r.clock)
}

func (r *Relay) caughtUp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.live = true
}
