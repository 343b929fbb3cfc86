// Package live joins the core of agent-state to the bus. How replicas share the work is package derive's business; what is
// here is which buckets agents, calls and days are kept in, and which questions are answered.
package live

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/oklog/run"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/derive"
	"github.com/switchhook/switchhook/pkg/service"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/agent-state/agents"
)

// Name is what the service is called.
const Name = "agent-state"

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
	tables
	replica *derive.Keeper

	// The replica guards what follows.
	machine *agents.Machine
	tenants map[string]*config.Tenant
	first   time.Time // of the oldest event, by the stream's clock; zero before it was read
	lost    bool      // there were events before it
}

// New returns a keeper that does nothing before its actors run.
func New(o Options) *Keeper {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.DaysEvery == 0 {
		o.DaysEvery = 10 * time.Second
	}
	k := &Keeper{Options: o, machine: agents.New(o.Tenants), tenants: byName(o.Tenants)}
	k.replica = derive.New(derive.Options{
		Bus: o.Bus, Log: o.Log, Metrics: o.Metrics, Clock: o.Clock, Now: o.Now,
		Name: Name, Derives: "transitions", Own: "agent.state_changed", Core: k.machine,
		Same: isSame, About: func(ev *pbxv1.Event) string { return ev.GetAgent().GetId() },
		Restore: k.restore, Note: k.note,
	})
	k.tables = newTables(k)
	return k
}

// isSame reports whether two transitions are one. Replicas that differ in what came before name it differently.
func isSame(derived, read *pbxv1.Event) bool {
	want, have := derived.GetAgent(), read.GetAgent()
	return want.GetId() == have.GetId() && want.GetState() == have.GetState() &&
		want.GetSince().AsTime().Equal(have.GetSince().AsTime())
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
	k.replica.Do(func() {
		k.tenants = byName(tenants)
		k.machine.Configure(tenants)
	})
}

// Ready returns nil once all that was stored at the start has been read.
func (k *Keeper) Ready() error { return k.replica.Ready() }

// Join adds the actors that a keeper consists of to a group.
func (k *Keeper) Join(g *run.Group) {
	k.replica.Join(g)
	g.Add(k.serve())
}

// restore tells the core what the bucket knows of agents from before the stream begins.
func (k *Keeper) restore(first time.Time, cut bool) {
	k.first, k.lost = first, cut
	for _, row := range k.agents.Rows() {
		if row.Value.GetSince().AsTime().Before(first) {
			k.machine.Restore(row.Value)
		}
	}
}
