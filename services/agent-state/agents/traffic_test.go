package agents_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/vendors"
	"github.com/switchhook/switchhook/pkg/webhook"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/pbxsim/dialect"
	"github.com/switchhook/switchhook/services/pbxsim/flow"
)

const allVendors = `
tenants:
  - name: acme
    region: CZ
    timezone: Europe/Prague
    agents: {wrap_up: 30s, queues: [{name: NOC, service_level: 30s}, {name: Sales, wrap_up: 90s}]}
    exchanges:
      - {vendor: ipex, webhook: {username: webhook, password: hook-password}}
      - {vendor: mcn, webhook: {account_id: 10123, secret: SecretToken}}
      - {vendor: xvb, webhook: {access_code: "10019"}}
      - {vendor: xvb, name: family, webhook: {crm_token: family-token}}
`

const ipexAlone = `
tenants:
  - name: acme
    region: CZ
    timezone: Europe/Prague
    agents: {wrap_up: 30s, queues: [{name: NOC, service_level: 30s}, {name: Sales, wrap_up: 90s}]}
    exchanges:
      - {vendor: ipex, webhook: {username: webhook, password: hook-password}}
`

// traffic is what exchanges report during some hours, and what was true.
type traffic struct {
	tenants  []*config.Tenant
	episodes [][]*pbxv1.Event // of one call each, with what agents did before it
	calls    []*flow.Call
	shifts   []flow.Shift
	people   []*flow.Agent
}

// simulate lets so many teams work. Their exchanges take turns.
func simulate(tb testing.TB, file string, seed uint64, teams int, start time.Time, length time.Duration) *traffic {
	tb.Helper()
	c, err := config.Parse([]byte(file))
	if err != nil {
		tb.Fatal(err)
	}
	set, err := vendors.New(c)
	if err != nil {
		tb.Fatal(err)
	}
	tr := &traffic{tenants: c.Tenants}
	exchanges := c.Tenants[0].Exchanges
	for i := range teams {
		e, err := dialect.New(exchanges[i%len(exchanges)])
		if err != nil {
			tb.Fatal(err)
		}
		d := e.Variants()[(i/len(exchanges))%len(e.Variants())]
		_, shifts := d.(dialect.ShiftDialect)
		site := flow.Site{Tenant: e.Tenant, Region: e.Region, Scenarios: d.Scenarios(), Agents: shifts}
		team := flow.NewTeam(seed, site, i, i)
		tr.people = append(tr.people, team.Agents()...)
		for number := int64(i + 1); ; number += int64(teams) {
			episode := team.Next(number, start)
			last := episode.Call.Moments[len(episode.Call.Moments)-1]
			if episode.Call.Start.Add(last.At).After(start.Add(length)) {
				break
			}
			var messages []dialect.Message
			for _, s := range episode.Shifts {
				messages = append(messages, d.(dialect.ShiftDialect).Shift(s))
			}
			messages = append(messages, d.Call(episode.Call)...)
			tr.episodes = append(tr.episodes, receive(tb, set[e.Vendor], number, messages))
			tr.calls = append(tr.calls, episode.Call)
			tr.shifts = append(tr.shifts, episode.Shifts...)
		}
	}
	return tr
}

// receive reads the requests as an ingress does.
func receive(tb testing.TB, v webhook.Vendor, number int64, messages []dialect.Message) []*pbxv1.Event {
	tb.Helper()
	var events []*pbxv1.Event
	for i, m := range messages {
		r := webhook.Request{
			Method: m.Request.Method, Path: m.Request.Path, Query: m.Request.Query, Header: m.Request.Header,
			Body: m.Request.Body, ReceivedAt: m.At,
		}
		exchange, err := v.Authenticate(r)
		if err != nil {
			tb.Fatal(err)
		}
		reading, err := exchange.Read(r)
		if err != nil {
			tb.Fatal(err)
		}
		for j, ev := range reading.Events {
			exchange.Origin().Stamp(ev)
			ev.ReceivedAt = timestamppb.New(m.At)
			if ev.GetTime() == nil {
				ev.Time = ev.GetReceivedAt()
			}
			if ev.GetId() == "" {
				ev.Id = fmt.Sprintf("%d-%d-%d", number, i, j)
			}
			events = append(events, ev)
		}
	}
	return events
}

// stored is an event with when it was stored.
type stored struct {
	at time.Time
	ev *pbxv1.Event
}

// stream returns all events in the order in which they happened.
func (tr *traffic) stream() []stored {
	var all []stored
	for _, episode := range tr.episodes {
		for _, ev := range episode {
			all = append(all, stored{ev.GetReceivedAt().AsTime(), ev})
		}
	}
	slices.SortStableFunc(all, func(x, y stored) int { return x.at.Compare(y.at) })
	return all
}

// shuffled returns the same with the events of each call in another order, and some of them again. Nothing is stored before
// it happens; what agents do between calls keeps its order.
func (tr *traffic) shuffled(rng *rand.Rand) []stored {
	var all []stored
	for _, episode := range tr.episodes {
		var shifts, calls []*pbxv1.Event
		for _, ev := range episode {
			if ev.GetAgent() != nil {
				shifts = append(shifts, ev)
				continue
			}
			calls = append(calls, ev)
			if rng.IntN(3) == 0 {
				calls = append(calls, proto.CloneOf(ev))
			}
		}
		rng.Shuffle(len(calls), func(i, j int) { calls[i], calls[j] = calls[j], calls[i] })
		clock := time.Time{}
		for _, ev := range slices.Concat(shifts, calls) {
			if at := ev.GetReceivedAt().AsTime(); at.After(clock) {
				clock = at
			}
			all = append(all, stored{clock, ev})
			if ev.GetAgent() != nil && rng.IntN(3) == 0 {
				all = append(all, stored{clock.Add(time.Duration(rng.IntN(600)) * time.Second), proto.CloneOf(ev)})
			}
		}
	}
	slices.SortStableFunc(all, func(x, y stored) int { return x.at.Compare(y.at) })
	return all
}

// follow applies a stream.
func (tr *traffic) follow(stream []stored) *story {
	s := tell(tr.tenants)
	s.clock = time.Time{}
	for _, e := range stream {
		s.hear(e.at, e.ev)
	}
	return s
}

func prague(tb testing.TB) *time.Location {
	tb.Helper()
	l, err := time.LoadLocation("Europe/Prague")
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// TestChain lets all vendors' exchanges report in any order, and demands that the transitions fit one another.
func TestChain(t *testing.T) {
	for seed := range uint64(2) {
		tr := simulate(t, allVendors, seed, 16, noon, time.Hour)
		chained(t, tr.follow(tr.stream()).out)
		rng := rand.New(rand.NewPCG(seed, 7))
		s := tr.follow(tr.shuffled(rng))
		chained(t, s.out)
		last := map[string]pbxv1.AgentState{}
		for _, ev := range s.out {
			last[ev.GetAgent().GetId()] = ev.GetAgent().GetState()
		}
		for id, state := range last {
			if have := s.Agent("acme." + id); have != nil && have.GetState() != state {
				t.Errorf("agent %s: want the state of the last transition, %v, have %v", id, state, have.GetState())
			}
		}
	}
}

// TestPermutations demands the same agents and figures of every order and repetition of each call's events.
func TestPermutations(t *testing.T) {
	for seed := range uint64(2) {
		tr := simulate(t, allVendors, seed, 16, noon, 2*time.Hour)
		rng := rand.New(rand.NewPCG(seed, 11))
		now := noon.Add(3 * time.Hour)
		end := &pbxv1.Event{Id: "end", Time: timestamppb.New(now)}
		plain, other := tr.follow(tr.stream()), tr.follow(tr.shuffled(rng))
		plain.hear(now, end)
		other.hear(now, end)
		compareAll(t, plain, other, now)
	}
}

func compareAll(t *testing.T, plain, other *story, now time.Time) {
	t.Helper()
	want := plain.Agents(&pbxv1.AgentListRequest{Tenant: "acme"}).GetAgents()
	have := other.Agents(&pbxv1.AgentListRequest{Tenant: "acme"}).GetAgents()
	if len(want) != len(have) {
		t.Fatalf("want %d agents, have %d", len(want), len(have))
	}
	for i := range want {
		if !proto.Equal(want[i], have[i]) {
			t.Errorf("agent\nwant %v\nhave %v", want[i], have[i])
		}
	}
	w, h := plain.Day("acme", "2026-01-05", now), other.Day("acme", "2026-01-05", now)
	if len(w.GetAgents()) != len(h.GetAgents()) || len(w.GetQueues()) != len(h.GetQueues()) {
		t.Fatalf("want %d agents and %d queues in the day, have %d and %d",
			len(w.GetAgents()), len(w.GetQueues()), len(h.GetAgents()), len(h.GetQueues()))
	}
	for i := range w.GetAgents() {
		if !proto.Equal(w.GetAgents()[i], h.GetAgents()[i]) {
			t.Errorf("agent's day\nwant %v\nhave %v", w.GetAgents()[i], h.GetAgents()[i])
		}
	}
	if !proto.Equal(w, h) {
		t.Errorf("day\nwant %v\nhave %v", w.GetQueues(), h.GetQueues())
	}
}

func BenchmarkApply(b *testing.B) {
	tr := simulate(b, allVendors, 1, 128, noon, 3*time.Hour)
	stream := tr.stream()
	var s *story
	n := len(stream)
	b.ReportAllocs()
	for b.Loop() {
		if n == len(stream) {
			s, n = tell(tr.tenants), 0
		}
		s.Apply(uint64(n+1), stream[n].at, stream[n].ev)
		n++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
