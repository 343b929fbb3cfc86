package missed_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/pbxsim/flow"
	"github.com/switchhook/switchhook/services/pbxsim/traffic"
)

const allVendors = `
tenants:
  - name: acme
    region: CZ
    timezone: Europe/Prague
    exchanges:
      - {vendor: ipex, webhook: {username: webhook, password: hook-password}}
      - {vendor: mcn, webhook: {account_id: 10123, secret: SecretToken}}
      - {vendor: xvb, webhook: {access_code: "10019"}}
      - {vendor: xvb, name: family, webhook: {crm_token: family-token}}
`

// simulate makes up calls at all vendors, side by side. To some callers who were missed, somebody calls back a while later
// from an exchange that is drawn, without waiting for the verdict.
func simulate(tb testing.TB, seed uint64, count int) []*traffic.Call {
	tb.Helper()
	all := traffic.Speakers(tb, allVendors, traffic.Options{Seed: seed, Teams: 4})
	rng := rand.New(rand.NewPCG(seed, 1))
	var calls []*traffic.Call
	for number := int64(1); len(calls) < count; number++ {
		s := all[int(number)%len(all)]
		c := s.Tell(tb, s.Team.Next(number, noon))
		calls = append(calls, c)
		if c.Missed && !c.Withheld() && rng.IntN(3) == 0 {
			calls = append(calls, all[rng.IntN(len(all))].Tell(tb, back(c.Call, int64(1_000_000)+number, rng)))
		}
	}
	return calls
}

// back is a call to somebody who was missed.
func back(c *flow.Call, number int64, rng *rand.Rand) flow.Episode {
	scenarios := []flow.Scenario{flow.OutgoingAnswered, flow.OutgoingUnanswered, flow.OutgoingBusy}
	site := flow.Site{Tenant: "acme", Region: "CZ", Scenarios: scenarios}
	start := c.Start.Add(c.Duration() + time.Duration(1+rng.IntN(60))*time.Second)
	back := flow.NewTeam(rng.Uint64(), site, 9000, 200+int(number%100)).Next(number, start)
	back.Call.Outside, back.Call.Start = c.Outside, start
	return back
}

// follow applies a stream, with what is derived from it, and lets all windows end.
func follow(tb testing.TB, stream []traffic.Stored) *story {
	tb.Helper()
	s := tell(tb)
	for _, e := range stream {
		for _, derived := range s.hear(e.At, e.Event) {
			s.hear(s.clock, derived)
		}
	}
	s.hear(s.clock.Add(2*time.Hour), tick(0))
	return s
}

// compareLedgers demands the same entries. Entries of calls that their exchange does not name are named by what came first.
func compareLedgers(t *testing.T, want, have *story, unnamed map[string]bool) {
	t.Helper()
	lists := [2][]*pbxv1.MissedCall{}
	for i, s := range []*story{want, have} {
		for _, e := range s.all() {
			if e.GetResolution() == pbxv1.MissedCall_WITHDRAWN && unnamed != nil {
				continue // whether there was any doubt does depend on the order
			}
			if slices.ContainsFunc(e.GetCallKeys(), func(key string) bool { return unnamed[key] }) {
				e.Id = ""
			}
			lists[i] = append(lists[i], e)
		}
		slices.SortFunc(lists[i], func(x, y *pbxv1.MissedCall) int {
			if c := x.GetOpenedAt().AsTime().Compare(y.GetOpenedAt().AsTime()); c != 0 {
				return c
			}
			return strings.Compare(x.GetCallKeys()[0], y.GetCallKeys()[0])
		})
	}
	if len(lists[0]) != len(lists[1]) {
		t.Errorf("want %d entries, have %d", len(lists[0]), len(lists[1]))
		return
	}
	for i := range lists[0] {
		if !proto.Equal(lists[0][i], lists[1][i]) {
			t.Errorf("entry\nwant %v\nhave %v", lists[0][i], lists[1][i])
		}
	}
}

// TestTraffic simulates once, for all that is to be true of it.
func TestTraffic(t *testing.T) {
	calls := simulate(t, 1, 10_000)
	some := calls[:4000]
	t.Run("truth", func(t *testing.T) { checkTruth(t, calls) })
	t.Run("permutations", func(t *testing.T) { checkPermutations(t, some) })
	t.Run("chains", func(t *testing.T) { checkChains(t, some) })
	t.Run("due", func(t *testing.T) { checkDue(t, some) })
}

// checkPermutations demands the same entries of every order and repetition of each call's events.
func checkPermutations(t *testing.T, calls []*traffic.Call) {
	unnamed := map[string]bool{}
	for _, c := range calls {
		for _, ev := range c.Events {
			if ev.GetCall().GetId() == "" {
				unnamed[ev.GetCall().GetKey()] = true
			}
		}
	}
	plain := follow(t, traffic.Stream(calls))
	for seed := range uint64(3) {
		rng := rand.New(rand.NewPCG(seed, 7))
		compareLedgers(t, plain, follow(t, traffic.Shuffled(calls, rng)), unnamed)
	}
}

// checkChains demands of the events about each entry that they begin with an opening, tell no resolution twice, carry what
// they tell, and end with what the ledger says.
func checkChains(t *testing.T, calls []*traffic.Call) {
	s := follow(t, traffic.Shuffled(calls, rand.New(rand.NewPCG(1, 9))))
	ids := map[string]bool{}
	last := map[string]*pbxv1.MissedCall{}
	for _, ev := range s.out {
		e := ev.GetMissedCall()
		before, resolved := last[e.GetId()], e.GetResolution() != 0
		switch {
		case ids[ev.GetId()]:
			t.Fatalf("want an id of its own, have %v", ev)
		case before == nil && e.GetKind() != pbxv1.MissedCall_OPENED:
			t.Fatalf("want an opening first, have %v", ev)
		case resolved != (e.GetKind() == pbxv1.MissedCall_RESOLVED) || resolved != (e.GetResolvedAt() != nil):
			t.Fatalf("want a resolution if, and only if, it is resolved, have %v", ev)
		case int(e.GetAttempts()) != len(e.GetCallKeys()) || e.GetAttempts() < 1 || e.GetReason() == 0 || e.GetVendor() == "":
			t.Fatalf("want the whole entry, have %v", ev)
		case resolved && before.GetResolution() == e.GetResolution():
			t.Fatalf("want no resolution twice, have %v", ev)
		case ev.GetTime().AsTime().After(ev.GetReceivedAt().AsTime()):
			t.Fatalf("want nothing told before it happened, have %v", ev)
		}
		ids[ev.GetId()] = true
		last[e.GetId()] = e
	}
	for _, e := range s.all() {
		told := last[e.GetId()]
		untold := slices.DeleteFunc(slices.Clone(e.GetCallKeys()), func(key string) bool {
			return slices.Contains(told.GetCallKeys(), key) // and perhaps one that turned out to be none
		})
		if told.GetResolution() != e.GetResolution() || len(untold) > 0 {
			t.Errorf("want the last event to tell of\n%v\nhave\n%v", e, told)
		}
	}
}

// checkDue looks at the time between all events, and demands the events that come without.
func checkDue(t *testing.T, calls []*traffic.Call) {
	plain, looking := tell(t), tell(t)
	for _, e := range traffic.Stream(calls) {
		plain.hear(e.At, e.Event)
		for due := looking.Due(e.At); due != nil; due = looking.Due(e.At) {
			derived := looking.hear(due.GetTime().AsTime(), due)
			if len(derived) == 0 || derived[0].GetId() != due.GetId() {
				t.Fatalf("want %v first, have %v", due, derived)
			}
		}
		looking.hear(e.At, e.Event)
	}
	// Causes that are events have another place in this stream, as it has more events.
	kinds := func(s *story) (all []string) {
		for _, ev := range s.out {
			all = append(all, ev.GetMissedCall().GetId()+ev.GetMissedCall().GetKind().String())
		}
		return all
	}
	if want, have := kinds(plain), kinds(looking); !slices.Equal(want, have) {
		t.Errorf("want %d events, have %d others", len(want), len(have))
	}
	compareLedgers(t, plain, looking, nil)
}

func BenchmarkApply(b *testing.B) {
	all := traffic.Stream(simulate(b, 1, 20_000))
	var s *story
	n := len(all)
	b.ReportAllocs()
	for b.Loop() {
		if n == len(all) {
			s, n = tell(b), 0
		}
		s.Apply(uint64(n+1), all[n].At, all[n].Event)
		n++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkBusyNumber is a caller such as a company, whose people call all day long.
func BenchmarkBusyNumber(b *testing.B) {
	var all []*pbxv1.Event
	for i := range 2000 {
		key := fmt.Sprint(i)
		all = append(all, rings(30*i, key, eva, "101"), answers(30*i+3, key, eva), hangsUp(30*i+20, key, eva, pbxv1.Call_NORMAL))
	}
	all = append(all, misses(1, "a", eva)...)
	slices.SortStableFunc(all, func(x, y *pbxv1.Event) int { return x.GetTime().AsTime().Compare(y.GetTime().AsTime()) })
	var s *story
	n := len(all)
	b.ReportAllocs()
	for b.Loop() {
		if n == len(all) {
			s, n = tell(b), 0
		}
		s.Apply(uint64(n+1), all[n].GetTime().AsTime(), all[n])
		n++
	}
}

func BenchmarkDue(b *testing.B) {
	s := follow(b, traffic.Stream(simulate(b, 1, 5000)))
	now := s.clock.Add(time.Hour)
	b.ReportAllocs()
	for b.Loop() {
		if ev := s.Due(now); ev != nil {
			b.Fatalf("want nothing, have %v", ev)
		}
	}
}
