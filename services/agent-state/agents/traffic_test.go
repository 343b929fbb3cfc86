package agents_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/config"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/pbxsim/flow"
	"github.com/switchhook/switchhook/services/pbxsim/traffic"
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

// simulation is what exchanges report during some hours, and what was true.
type simulation struct {
	tenants []*config.Tenant
	calls   []*traffic.Call
	people  []*flow.Agent
}

// simulate lets so many teams of each variant work.
func simulate(tb testing.TB, file string, seed uint64, teams int, start time.Time, length time.Duration) *simulation {
	tb.Helper()
	c, err := config.Parse([]byte(file))
	if err != nil {
		tb.Fatal(err)
	}
	sim := &simulation{tenants: c.Tenants}
	speakers := traffic.Speakers(tb, file, traffic.Options{Seed: seed, Teams: teams, Shifts: true})
	for i, s := range speakers {
		sim.people = append(sim.people, s.Team.Agents()...)
		for number := int64(i + 1); ; number += int64(len(speakers)) {
			episode := s.Team.Next(number, start)
			last := episode.Call.Moments[len(episode.Call.Moments)-1]
			if episode.Call.Start.Add(last.At).After(start.Add(length)) {
				break
			}
			sim.calls = append(sim.calls, s.Tell(tb, episode))
		}
	}
	return sim
}

// follow applies a stream.
func (sim *simulation) follow(stream []traffic.Stored) *story {
	s := tell(sim.tenants)
	s.clock = time.Time{}
	for _, e := range stream {
		s.hear(e.At, e.Event)
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
		sim := simulate(t, allVendors, seed, 1, noon, time.Hour)
		chained(t, sim.follow(traffic.Stream(sim.calls)).out)
		rng := rand.New(rand.NewPCG(seed, 7))
		s := sim.follow(traffic.Shuffled(sim.calls, rng))
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
		sim := simulate(t, allVendors, seed, 1, noon, 2*time.Hour)
		rng := rand.New(rand.NewPCG(seed, 11))
		now := noon.Add(3 * time.Hour)
		end := &pbxv1.Event{Id: "end", Time: timestamppb.New(now)}
		plain, other := sim.follow(traffic.Stream(sim.calls)), sim.follow(traffic.Shuffled(sim.calls, rng))
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
	sim := simulate(b, allVendors, 1, 8, noon, 3*time.Hour)
	stream := traffic.Stream(sim.calls)
	var s *story
	n := len(stream)
	b.ReportAllocs()
	for b.Loop() {
		if n == len(stream) {
			s, n = tell(sim.tenants), 0
		}
		s.Apply(uint64(n+1), stream[n].At, stream[n].Event)
		n++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
