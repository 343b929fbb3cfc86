package derive_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/derive"
	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// ringsFor is after which time the core says that a phone rang too long.
const ringsFor = 500 * time.Millisecond

// core tells of each new call, and of each that rings for too long. What it tells is an agent's change of state whose agent
// is named like the call. It counts what people did.
type core struct {
	salt  string // makes the ids those of one replica
	rings []*pbxv1.Event

	applied, counted int
	clock            time.Time
	heard            []string // of whom was told, as read back
}

func (c *core) Apply(_ uint64, at time.Time, ev *pbxv1.Event) (out []*pbxv1.Event) {
	for len(c.rings) > 0 && !c.rings[0].GetTime().AsTime().After(at) {
		out, c.rings = append(out, c.rings[0]), c.rings[1:]
	}
	c.applied, c.clock = c.applied+1, at
	switch key := ev.GetCall().GetKey(); ev.GetCall().GetKind() {
	case pbxv1.Call_NEW:
		out = append(out, c.tell(ev, key, ev.GetTime().AsTime()))
	case pbxv1.Call_RINGING:
		c.rings = append(c.rings, c.tell(ev, key, ev.GetTime().AsTime().Add(ringsFor)))
	case pbxv1.Call_ANSWERED:
		c.rings = slices.DeleteFunc(c.rings, func(due *pbxv1.Event) bool { return due.GetAgent().GetId() == key })
	}
	if id := ev.GetAgent().GetId(); id != "" {
		c.heard = append(c.heard, id)
		if id == "counter" {
			c.counted++
		}
	}
	return out
}

func (c *core) Due(now time.Time) *pbxv1.Event {
	if len(c.rings) == 0 || c.rings[0].GetTime().AsTime().After(now) {
		return nil
	}
	return c.rings[0]
}

func (c *core) tell(ev *pbxv1.Event, key string, at time.Time) *pbxv1.Event {
	vendor := ev.GetVendor()
	if key == "broken" {
		vendor = "no vendor at all"
	}
	id := event.DerivedID(event.Origin{Tenant: ev.GetTenant()}, key, c.salt)
	return told(id, vendor, ev.GetTenant(), key, at)
}

// told returns that something was told of a call.
func told(id, vendor, tenant, key string, at time.Time) *pbxv1.Event {
	return &pbxv1.Event{
		Id: id, Time: timestamppb.New(at), ReceivedAt: timestamppb.New(at), Vendor: vendor, Tenant: tenant,
		Payload: &pbxv1.Event_Agent{Agent: &pbxv1.Agent{Kind: pbxv1.Agent_STATE_CHANGED, Id: key}},
	}
}

// counts returns what a person does: the counter goes up by one.
func (c *core) counts() *pbxv1.Event {
	ev := told(event.NewID(), "ipex", "acme", "counter", time.Now())
	ev.GetAgent().PauseReason = strconv.Itoa(c.counted + 1)
	return ev
}

// sameCall takes what was told of one call for the same, whoever told it.
func sameCall(derived, read *pbxv1.Event) bool {
	return derived.GetAgent().GetId() == read.GetAgent().GetId()
}

// clock is a replica's, that can be stopped.
type clock struct{ stopped atomic.Pointer[time.Time] }

func (c *clock) now() time.Time {
	if at := c.stopped.Load(); at != nil {
		return *at
	}
	return time.Now()
}

func (c *clock) stop() { now := time.Now(); c.stopped.Store(&now) }
func (c *clock) run()  { c.stopped.Store(nil) }

// replica is a keeper that runs until the test ends, or is stopped.
type replica struct {
	*derive.Keeper
	core    *core
	metrics *prometheus.Registry
	stop    func()
}

// start starts a replica; change, if there is one, changes its options.
func start(t testing.TB, b *bus.Bus, change func(*derive.Options, *core)) *replica {
	t.Helper()
	r := &replica{core: &core{}, metrics: prometheus.NewRegistry()}
	o := derive.Options{
		Bus: b, Log: discard(), Metrics: r.metrics,
		Name: "switch-board", Derives: "changes", Own: "agent.state_changed", Core: r.core,
	}
	if change != nil {
		change(&o, r.core)
	}
	r.Keeper = derive.New(o)
	r.stop = bustest.Run(t, r.Join)
	bustest.Eventually(t, "the replica ready", func() bool { return r.Ready() == nil })
	return r
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// salted gives the events of a replica ids of their own, so that JetStream does not drop what is published twice.
func salted(salt string) func(*derive.Options, *core) {
	return func(o *derive.Options, c *core) { c.salt, o.Same = salt, sameCall }
}

// ask returns something that the core knows.
func ask[T any](r *replica, question func(*core) T) (answer T) {
	r.Do(func() { answer = question(r.core) })
	return answer
}

func applied(c *core) int { return c.applied }

// has reports whether it was read back that a call was told of.
func (r *replica) has(key string) bool {
	return ask(r, func(c *core) bool { return slices.Contains(c.heard, key) })
}

// metric returns the value of a metric.
func (r *replica) metric(t testing.TB, name string) (value float64) {
	t.Helper()
	families, err := r.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "switchhook_switch_board_"+name {
			for _, m := range family.GetMetric() {
				value += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return value
}

// call publishes an event of a call.
func call(t testing.TB, b *bus.Bus, tenant, key string, kind pbxv1.Call_Kind, at time.Time) {
	t.Helper()
	publish(t, b, &pbxv1.Event{
		Id: event.NewID(), Time: timestamppb.New(at), ReceivedAt: timestamppb.New(at), Vendor: "ipex", Tenant: tenant,
		Payload: &pbxv1.Event_Call{Call: &pbxv1.Call{Kind: kind, Key: key}},
	})
}

func publish(t testing.TB, b *bus.Bus, ev *pbxv1.Event) {
	t.Helper()
	if err := b.Publish(t.Context(), ev); err != nil {
		t.Fatal(err)
	}
}

// published returns what was told at a tenant, in order.
func published(t testing.TB, b *bus.Bus, tenant string) string {
	t.Helper()
	var all []string
	for s, err := range b.Events(t.Context(), bus.Filter{Subject: fmt.Sprintf("pbx.events.*.%s.agent.state_changed", tenant)}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s.Message.GetAgent().GetId()+s.Message.GetAgent().GetPauseReason())
	}
	return strings.Join(all, " ")
}

// eventually waits until that is what was told at acme.
func eventually(t testing.TB, b *bus.Bus, want string) {
	t.Helper()
	bustest.Eventually(t, "told of "+want, func() bool { return published(t, b, "acme") == want })
}
