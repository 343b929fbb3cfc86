package live_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/oklog/run"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/agent-state/live"
)

const tenants = `tenants:
  - name: acme
    region: CZ
    timezone: Europe/Prague
    agents: {wrap_up: 300ms}
    exchanges: [{vendor: ipex}]
`

// replica is a keeper that runs until the test ends, or is stopped.
type replica struct {
	*live.Keeper
	stop func()
}

func startReplica(t testing.TB, server *bustest.Server) *replica {
	t.Helper()
	return startConfigured(t, server, tenants, nil)
}

func startConfigured(t testing.TB, server *bustest.Server, yaml string, metrics prometheus.Registerer) *replica {
	t.Helper()
	c, err := config.Parse([]byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	k := live.New(live.Options{
		Bus: server.Connect(), Log: slog.New(slog.DiscardHandler), Replicas: bustest.Replicas, Tenants: c.Tenants,
		DaysEvery: 100 * time.Millisecond, Metrics: metrics,
	})
	stop := bustest.Run(t, k.Join)
	bustest.Eventually(t, "the replica ready", func() bool { return k.Ready() == nil })
	return &replica{k, stop}
}

// publish publishes what happened to Karel.
func publish(t testing.TB, b *bus.Bus, payload any) {
	t.Helper()
	now := timestamppb.Now()
	ev := &pbxv1.Event{
		Id: event.NewID(), Time: now, ReceivedAt: now, Vendor: "ipex", Tenant: "acme", Exchange: "ipex",
	}
	switch p := payload.(type) {
	case *pbxv1.Agent:
		p.User, p.Extension = &pbxv1.User{Login: "karel"}, "20"
		ev.Payload = &pbxv1.Event_Agent{Agent: p}
	case *pbxv1.Call:
		p.Id = cmp.Or(p.GetId(), "1")
		p.Key, p.Direction, p.From = p.GetId(), pbxv1.Call_INCOMING, event.Party("777888999", "CZ")
		ev.Payload = &pbxv1.Event_Call{Call: p}
	}
	if err := b.Publish(t.Context(), ev); err != nil {
		t.Fatal(err)
	}
}

// aDay is what Karel does: log in, take a call of the queue, finish work, pause.
func aDay(t testing.TB, b *bus.Bus, call string) {
	publish(t, b, &pbxv1.Agent{Kind: pbxv1.Agent_LOGIN, Queue: "NOC"})
	publish(t, b, &pbxv1.Call{Id: call, Kind: pbxv1.Call_NEW, Queue: "NOC"})
	publish(t, b, &pbxv1.Call{Id: call, Kind: pbxv1.Call_RINGING, Queue: "NOC", Extension: "20"})
	publish(t, b, &pbxv1.Call{Id: call, Kind: pbxv1.Call_ANSWERED, Queue: "NOC", Extension: "20"})
	publish(t, b, &pbxv1.Call{Id: call, Kind: pbxv1.Call_ENDED, Queue: "NOC", Extension: "20", Cause: pbxv1.Call_NORMAL})
}

// states returns the states that were published, in order.
func states(t testing.TB, b *bus.Bus) (all []pbxv1.AgentState) {
	t.Helper()
	last := pbxv1.AgentState_UNKNOWN
	for s, err := range b.Events(t.Context(), bus.Filter{Subject: "pbx.events.*.acme.agent.state_changed"}) {
		if err != nil {
			t.Fatal(err)
		}
		a := s.Message.GetAgent()
		if a.GetPreviousState() != last {
			t.Errorf("want each state to follow the one before, %v, have %v", last, a)
		}
		last = a.GetState()
		all = append(all, last)
	}
	return all
}

func list(t testing.TB, b *bus.Bus) *pbxv1.AgentListResponse {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	var have pbxv1.AgentListResponse
	bustest.Eventually(t, "an answer", func() bool {
		return b.Ask(ctx, event.QueryAgentList, &pbxv1.AgentListRequest{Tenant: "acme"}, &have) == nil
	})
	return &have
}

// The end of a wrap-up comes by time alone, since no event follows it.
func TestStates(t *testing.T) {
	server := bustest.Start(t)
	b := server.Bus()
	startReplica(t, server)
	startReplica(t, server)
	aDay(t, b, "1")
	bustest.Eventually(t, "available again", func() bool { return len(states(t, b)) == 5 })
	want := []pbxv1.AgentState{
		pbxv1.AgentState_AVAILABLE, pbxv1.AgentState_RINGING, pbxv1.AgentState_ON_CALL, pbxv1.AgentState_WRAP_UP, pbxv1.AgentState_AVAILABLE,
	}
	for i, have := range states(t, b) {
		if have != want[i] {
			t.Fatalf("want %v, have %v", want, states(t, b))
		}
	}
	publish(t, b, &pbxv1.Agent{Kind: pbxv1.Agent_PAUSED, PauseReason: "Oběd"})
	bustest.Eventually(t, "paused", func() bool { return len(states(t, b)) == 6 })
	agents := list(t, b).GetAgents()
	if len(agents) != 1 || agents[0].GetState() != pbxv1.AgentState_PAUSED || agents[0].GetPauseReason() != "Oběd" {
		t.Errorf("want Karel paused for lunch, have %v", agents)
	}
	if n := len(states(t, b)); n != 6 {
		t.Errorf("want 6 transitions by two replicas, have %d", n)
	}
}

// A replica that hears nothing while a call comes in does not publish that the wrap-up ended by time: it did not.
func TestDeafReplica(t *testing.T) {
	server := bustest.Start(t)
	b := server.Bus()
	registry := prometheus.NewRegistry()
	startConfigured(t, server, strings.Replace(tenants, "300ms", "1s", 1), registry)
	publish(t, b, &pbxv1.Agent{Kind: pbxv1.Agent_LOGIN, Queue: "NOC"})
	bustest.Eventually(t, "the replica active", func() bool { return sum(t, registry, "switchhook_agent_state_transitions_total") == 1 })
	aDay(t, b, "1")
	bustest.Eventually(t, "wrap-up", func() bool { return len(states(t, b)) == 4 })
	_, js := server.Raw()
	stream, err := js.Stream(t.Context(), bus.EventStream)
	if err != nil {
		t.Fatal(err)
	}
	for name := range stream.ConsumerNames(t.Context()).Name() { // those of this test's readers are gone, or do no harm
		_, err = stream.PauseConsumer(t.Context(), name, time.Now().Add(time.Minute))
		if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			t.Fatal(err)
		}
	}
	publish(t, b, &pbxv1.Call{Id: "2", Kind: pbxv1.Call_RINGING, Extension: "20"})
	bustest.Eventually(t, "the replica to try", func() bool { return sum(t, registry, "switchhook_agent_state_conflicts_total") > 0 })
	if have := states(t, b); len(have) != 4 {
		t.Errorf("want nothing published by who hears nothing, have %v", have)
	}
	for name := range stream.ConsumerNames(t.Context()).Name() {
		_, _ = stream.ResumeConsumer(t.Context(), name)
	}
	bustest.Eventually(t, "ringing", func() bool { return len(states(t, b)) == 5 })
	if have := states(t, b); have[4] != pbxv1.AgentState_RINGING {
		t.Errorf("want the wrap-up cut short by the call, have %v", have)
	}
}

// sum returns the value of a counter.
func sum(t *testing.T, registry *prometheus.Registry, name string) (value float64) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			for _, m := range family.GetMetric() {
				value += m.GetCounter().GetValue()
			}
		}
	}
	return value
}

func TestBuckets(t *testing.T) {
	server := bustest.Start(t)
	b := server.Bus()
	startReplica(t, server)
	_, js := server.Raw()
	agents, calls := server.Connect().Agents(bustest.Replicas), server.Connect().Calls(bustest.Replicas)
	bustest.Run(t, func(g *run.Group) {
		g.Add(agents.Maintain())
		g.Add(calls.Maintain())
	})
	publish(t, b, &pbxv1.Agent{Kind: pbxv1.Agent_LOGIN, Queue: "NOC"})
	publish(t, b, &pbxv1.Call{Kind: pbxv1.Call_RINGING, Queue: "NOC", Extension: "20"})
	is := func(state pbxv1.AgentState) func() bool {
		return func() bool { return agents.Get("acme.karel").Value.GetState() == state }
	}
	bustest.Eventually(t, "Karel ringing in the bucket", is(pbxv1.AgentState_RINGING))
	bustest.Eventually(t, "the call in the bucket", func() bool { return len(calls.Rows()) == 1 })
	for _, row := range calls.Rows() {
		if c := row.Value; c.GetTenant() != "acme" || len(c.GetRinging()) != 1 || c.GetRinging()[0] != "20" {
			t.Errorf("want the call ringing at 20, have %v", c)
		}
	}

	// A replica that was paused knows an old revision.
	old := agents.Get("acme.karel").Revision
	publish(t, b, &pbxv1.Call{Kind: pbxv1.Call_ANSWERED, Queue: "NOC", Extension: "20"})
	bustest.Eventually(t, "Karel on the phone", is(pbxv1.AgentState_ON_CALL))
	if _, err := agents.Put(t.Context(), "acme.karel", &pbxv1.AgentStatus{}, old); !fault.Is(err, fault.Conflict) {
		t.Errorf("want a conflict, have %v", err)
	}

	// The bucket is lost: it is written anew.
	if err := js.DeleteKeyValue(t.Context(), "pbx_agents"); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(30 * time.Second)
	for tick := time.NewTicker(20 * time.Millisecond); agents.Get("acme.karel").Revision != 1 || !is(pbxv1.AgentState_ON_CALL)(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("want Karel on the phone in the new bucket, have %v", agents.Get("acme.karel"))
		}
	}
	publish(t, b, &pbxv1.Call{Kind: pbxv1.Call_ENDED, Queue: "NOC", Extension: "20", Cause: pbxv1.Call_NORMAL})
	bustest.Eventually(t, "no call in the bucket", func() bool { return len(calls.Rows()) == 0 })
}

// Nobody was there while things happened: what is published afterwards is the same, and nothing is published twice.
func TestRestart(t *testing.T) {
	server := bustest.Start(t)
	b := server.Bus()
	first := startReplica(t, server)
	publish(t, b, &pbxv1.Agent{Kind: pbxv1.Agent_LOGIN, Queue: "NOC"})
	bustest.Eventually(t, "available", func() bool { return len(states(t, b)) == 1 })
	before := list(t, b)
	first.stop()
	publish(t, b, &pbxv1.Call{Kind: pbxv1.Call_RINGING, Queue: "NOC", Extension: "20"})
	publish(t, b, &pbxv1.Call{Kind: pbxv1.Call_ANSWERED, Queue: "NOC", Extension: "20"})
	startReplica(t, server)
	bustest.Eventually(t, "ringing and on the phone", func() bool { return len(states(t, b)) == 3 })
	after := list(t, b)
	if len(before.GetAgents()) != 1 || len(after.GetAgents()) != 1 || proto.Equal(before, after) {
		t.Errorf("want one agent, first available and then on the phone, have %v and %v", before, after)
	}
}

// Karel logged in so long ago that the stream has forgotten it; the bucket has not.
func TestBeforeTheStream(t *testing.T) {
	server := bustest.Start(t)
	b := server.Bus()
	first := startReplica(t, server)
	publish(t, b, &pbxv1.Agent{Kind: pbxv1.Agent_LOGIN, Queue: "NOC"})
	_, js := server.Raw()
	bustest.Eventually(t, "Karel in the bucket", func() bool {
		kv, err := js.KeyValue(t.Context(), "pbx_agents")
		if err != nil {
			return false
		}
		_, err = kv.Get(t.Context(), "acme.karel")
		return err == nil
	})
	first.stop()
	stream, err := js.Stream(t.Context(), bus.EventStream)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	startReplica(t, server)
	agents := list(t, b).GetAgents()
	if len(agents) != 1 || agents[0].GetState() != pbxv1.AgentState_AVAILABLE || len(agents[0].GetQueues()) != 1 {
		t.Errorf("want Karel still available in queue NOC, have %v", agents)
	}
}

func TestQuestions(t *testing.T) {
	server := bustest.Start(t)
	b := server.Bus()
	startReplica(t, server)
	publish(t, b, &pbxv1.Agent{Kind: pbxv1.Agent_LOGIN, Queue: "NOC"})
	bustest.Eventually(t, "Karel", func() bool { return len(list(t, b).GetAgents()) == 1 })
	ask := func(subject string, question, answer proto.Message) error {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		return b.Ask(ctx, subject, question, answer)
	}
	var one pbxv1.AgentGetResponse
	for _, name := range []string{"karel", "20"} {
		if err := ask(event.QueryAgentGet, &pbxv1.AgentGetRequest{Tenant: "acme", Agent: name}, &one); err != nil || one.GetAgent().GetUser().GetLogin() != "karel" {
			t.Errorf("%s: want Karel, have %v, %v", name, &one, err)
		}
	}
	if err := ask(event.QueryAgentGet, &pbxv1.AgentGetRequest{Tenant: "acme", Agent: "jana"}, &one); !fault.Is(err, fault.NotFound) {
		t.Errorf("want nobody of that name, have %v", err)
	}
	var calls pbxv1.CallListResponse
	if err := ask(event.QueryCallList, &pbxv1.CallListRequest{Tenant: "globex"}, &calls); !fault.Is(err, fault.NotFound) {
		t.Errorf("want an unknown tenant not found, have %v", err)
	}
	var figures pbxv1.AgentStatisticsResponse
	if err := ask(event.QueryAgentStatistics, &pbxv1.AgentStatisticsRequest{Tenant: "acme"}, &figures); err != nil {
		t.Error(err)
	} else if agents := figures.GetStatistics().GetAgents(); len(agents) != 1 || agents[0].GetStates()[0].GetState() != pbxv1.AgentState_AVAILABLE {
		t.Errorf("want the time in which Karel is available, have %v", agents)
	}
	for day, want := range map[string]fault.Kind{"yesterday": fault.Invalid, "2020-01-31": fault.NotFound} {
		if err := ask(event.QueryAgentStatistics, &pbxv1.AgentStatisticsRequest{Tenant: "acme", Day: day}, &figures); !fault.Is(err, want) {
			t.Errorf("%s: want %v, have %v", day, want, err)
		}
	}
}

// A day that the stream has forgotten is what was written then.
func TestOldDay(t *testing.T) {
	server := bustest.Start(t)
	b := server.Bus()
	startReplica(t, server)
	days := b.Days(bustest.Replicas)
	bustest.Run(t, func(g *run.Group) { g.Add(days.Maintain()) })
	bustest.Eventually(t, "the bucket of days", days.Loaded)
	want := &pbxv1.DayStatistics{
		Tenant: "acme", Day: "2020-01-31", Agents: []*pbxv1.AgentDay{{Id: "karel", Outgoing: 7}},
	}
	if _, err := days.Put(t.Context(), "acme.2020-01-31", want, 0); err != nil {
		t.Fatal(err)
	}
	bustest.Eventually(t, "the figures of the old day", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		var have pbxv1.AgentStatisticsResponse
		err := b.Ask(ctx, event.QueryAgentStatistics, &pbxv1.AgentStatisticsRequest{Tenant: "acme", Day: "2020-01-31"}, &have)
		return err == nil && proto.Equal(want, have.GetStatistics())
	})
}

// The figures of today are written again and again, so that they outlive the stream.
func TestDayIsWritten(t *testing.T) {
	server := bustest.Start(t)
	b := server.Bus()
	startReplica(t, server)
	_, js := server.Raw()
	written := func() int32 {
		kv, err := js.KeyValue(t.Context(), "pbx_statistics")
		if err != nil {
			return 0
		}
		entry, err := kv.Get(t.Context(), "acme."+time.Now().In(prague(t)).Format(time.DateOnly))
		if err != nil {
			return 0
		}
		var day pbxv1.DayStatistics
		if err := proto.Unmarshal(entry.Value(), &day); err != nil || len(day.GetAgents()) == 0 {
			return 0
		}
		return day.GetAgents()[0].GetCalls().GetAnswered()
	}
	for call := range int32(2) {
		aDay(t, b, fmt.Sprint(call))
		bustest.Eventually(t, "one more call in the bucket", func() bool { return written() == call+1 })
	}
}

func prague(t *testing.T) *time.Location {
	t.Helper()
	location, err := time.LoadLocation("Europe/Prague")
	if err != nil {
		t.Fatal(err)
	}
	return location
}
