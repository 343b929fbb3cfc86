package traffic_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/switchhook/switchhook/services/pbxsim/traffic"
)

var morning = time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)

const bothTenants = `
tenants:
  - name: acme
    region: CZ
    exchanges:
      - {vendor: ipex, webhook: {username: acme, password: hook-password}}
      - {vendor: mcn, webhook: {account_id: 10123, secret: SecretToken}}
  - name: globex
    region: CZ
    exchanges:
      - {vendor: ipex, webhook: {username: globex, password: other-password}}
      - {vendor: xvb, webhook: {access_code: "10020"}}
`

func simulate(t *testing.T, count int) (calls []*traffic.Call) {
	t.Helper()
	all := traffic.Speakers(t, bothTenants, traffic.Options{Seed: 1, Teams: 2, Shifts: true})
	for n := range count {
		s := all[n%len(all)]
		calls = append(calls, s.Tell(t, s.Team.Next(int64(n+1), morning)))
	}
	return calls
}

// TestEvents demands events that are whole, each with an id of its own, of the tenant whose call it is.
func TestEvents(t *testing.T) {
	ids, shifts := map[string]bool{}, 0
	for _, c := range simulate(t, 1000) {
		for _, ev := range c.Events {
			if ev.GetId() == "" || ids[ev.GetId()] || ev.GetTenant() != c.Tenant || ev.GetTime() == nil || ev.GetReceivedAt() == nil {
				t.Fatalf("want a whole event of %s, have %v", c.Tenant, ev)
			}
			ids[ev.GetId()] = true
			if ev.GetAgent() != nil {
				shifts++
			}
		}
		shifts -= len(c.Shifts)
	}
	if shifts != 0 || len(ids) < 3000 {
		t.Errorf("want an event of each shift, and more events of calls, have %d shifts too many and %d events", shifts, len(ids))
	}
}

// TestShuffled demands what tests of permutations rely on: all events, others than before, and none before it happens.
func TestShuffled(t *testing.T) {
	calls := simulate(t, 1000)
	plain, other := traffic.Stream(calls), traffic.Shuffled(calls, rand.New(rand.NewPCG(1, 1)))
	times := map[string]int{}
	for _, all := range [][]traffic.Stored{plain, other} {
		if !slices.IsSortedFunc(all, func(x, y traffic.Stored) int { return x.At.Compare(y.At) }) {
			t.Error("want events in the order in which they are stored")
		}
		for _, s := range all {
			times[s.Event.GetId()]++
			if s.At.Before(s.Event.GetReceivedAt().AsTime()) {
				t.Errorf("want nothing stored before it happens, have %v at %v", s.Event, s.At)
			}
		}
	}
	again, late := 0, 0
	for _, n := range times {
		if n < 2 {
			t.Fatal("want every event in both")
		}
		again += n - 2
	}
	for _, s := range other {
		if s.At.After(s.Event.GetReceivedAt().AsTime()) {
			late++
		}
	}
	if again < len(plain)/4 || late < len(plain)/4 {
		t.Errorf("want many of %d events again, and many late, have %d and %d", len(plain), again, late)
	}
}
