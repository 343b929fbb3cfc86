package flow_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/switchhook/switchhook/services/pbxsim/flow"
)

var morning = time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)

func site(scenarios ...flow.Scenario) flow.Site {
	if scenarios == nil {
		scenarios = flow.Scenarios()
	}
	return flow.Site{Tenant: "acme", Region: "CZ", Scenarios: scenarios, Agents: true}
}

// episodes plays the first calls of a team.
func episodes(seed uint64, s flow.Site, n int64) []flow.Episode {
	team := flow.NewTeam(seed, s, 3, 1)
	var all []flow.Episode
	for number := range n {
		all = append(all, team.Next(number+1, morning))
	}
	return all
}

// each calls a function with the calls of thousands of seeds.
func each(t *testing.T, check func(t *testing.T, all []flow.Episode)) {
	t.Helper()
	for seed := range uint64(2000) {
		check(t, episodes(seed, site(), 12))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func TestSameSeedSameCalls(t *testing.T) {
	if !reflect.DeepEqual(episodes(7, site(), 50), episodes(7, site(), 50)) {
		t.Error("want the same calls of the same seed, have others")
	}
	if reflect.DeepEqual(episodes(7, site(), 50), episodes(8, site(), 50)) {
		t.Error("want other calls of another seed, have the same")
	}
}

func TestCallsFollowTheClock(t *testing.T) {
	team := flow.NewTeam(1, site(), 0, 0)
	first := team.Next(1, morning).Call
	if want := first.Start.Add(first.Duration()); !team.Next(2, morning).Call.Start.After(want) {
		t.Errorf("want the second call after the first has ended at %v, have it before", want)
	}
	late := morning.Add(24 * time.Hour)
	if have := team.Next(3, late).Call.Start; have.Before(late) || have.After(late.Add(time.Minute)) {
		t.Errorf("want a call now, at %v, have it at %v", late, have)
	}
}

// TestMoments checks that each call makes sense as a sequence of moments.
func TestMoments(t *testing.T) {
	each(t, func(t *testing.T, all []flow.Episode) {
		for _, e := range all {
			checkMoments(t, e.Call)
		}
	})
}

func checkMoments(t *testing.T, c *flow.Call) {
	t.Helper()
	if c.Moments[0].Kind != flow.Entered || c.Moments[0].At != 0 {
		t.Errorf("call %d %s: want it to begin by entering, have %v", c.Number, c.Scenario, c.Moments[0])
	}
	ringing, talking := map[*flow.Agent]bool{}, map[*flow.Agent]bool{}
	last, ended := time.Duration(0), false
	for _, m := range c.Moments {
		if m.At < last || m.At%time.Second != 0 {
			t.Errorf("call %d %s: want whole seconds, never back, have %v after %v", c.Number, c.Scenario, m.At, last)
		}
		last = m.At
		if ended != (m.Kind == flow.Recorded || m.Kind == flow.Rated) {
			t.Errorf("call %d %s: want only records after the end, have %v", c.Number, c.Scenario, m)
		}
		switch m.Kind {
		case flow.Rang:
			ringing[m.Agent] = true
		case flow.PickedUp:
			if !ringing[m.Agent] {
				t.Errorf("call %d %s: %s answers without ringing", c.Number, c.Scenario, m.Agent.Extension)
			}
			delete(ringing, m.Agent)
			talking[m.Agent] = true
		case flow.Left:
			if !ringing[m.Agent] && !talking[m.Agent] && c.Scenario != flow.OutgoingBusy {
				t.Errorf("call %d %s: %s leaves without being there", c.Number, c.Scenario, m.Agent.Extension)
			}
			delete(ringing, m.Agent)
			delete(talking, m.Agent)
		case flow.Ended:
			ended = true
			if len(ringing)+len(talking) > 0 {
				t.Errorf("call %d %s: want nobody left at the end, have %v and %v", c.Number, c.Scenario, ringing, talking)
			}
		}
	}
	if !ended {
		t.Errorf("call %d %s has no end", c.Number, c.Scenario)
	}
}

// TestTruth computes the truth from the moments in another way.
func TestTruth(t *testing.T) {
	each(t, func(t *testing.T, all []flow.Episode) {
		for _, e := range all {
			checkTruth(t, e.Call)
		}
	})
}

func checkTruth(t *testing.T, c *flow.Call) {
	t.Helper()
	at := func(kind flow.Kind) time.Duration {
		i := slices.IndexFunc(c.Moments, func(m flow.Moment) bool { return m.Kind == kind })
		if i < 0 {
			return -1
		}
		return c.Moments[i].At
	}
	rang, answered, ended := at(flow.Rang), at(flow.PickedUp), at(flow.Ended)
	wantMissed := c.Direction == flow.Incoming && answered < 0
	if c.Missed != wantMissed {
		t.Errorf("call %d %s: want missed %v, have %v", c.Number, c.Scenario, wantMissed, c.Missed)
	}
	if (answered >= 0) != (c.Outcome == flow.OutcomeAnswered) {
		t.Errorf("call %d %s: answered at %v, have outcome %s", c.Number, c.Scenario, answered, c.Outcome)
	}
	if c.Duration() != ended {
		t.Errorf("call %d %s: want wait, ring and talk to be %v, have %v", c.Number, c.Scenario, ended, c.Duration())
	}
	switch {
	case answered >= 0:
		if c.Talk != ended-answered || c.Ring != answered-rang || c.Wait != rang {
			t.Errorf("call %d %s: have wait %v, ring %v, talk %v", c.Number, c.Scenario, c.Wait, c.Ring, c.Talk)
		}
	case rang >= 0 && c.Ring != ended-rang, rang < 0 && c.Wait != ended, c.Talk != 0:
		t.Errorf("call %d %s: have wait %v, ring %v, talk %v", c.Number, c.Scenario, c.Wait, c.Ring, c.Talk)
	}
	wantBy := answered >= 0 && c.Direction != flow.Outgoing
	if (c.AnsweredBy != "") != wantBy || wantBy && !slices.Contains(c.Rang, c.AnsweredBy) {
		t.Errorf("call %d %s: rang %v, answered by %q", c.Number, c.Scenario, c.Rang, c.AnsweredBy)
	}
	if c.Direction == flow.Outgoing && len(c.Rang) > 0 {
		t.Errorf("call %d %s: want no phone of ours to ring, have %v", c.Number, c.Scenario, c.Rang)
	}
	if c.Callee() == "" || c.Caller() == "" && !c.Withheld() {
		t.Errorf("call %d %s: from %q to %q", c.Number, c.Scenario, c.Caller(), c.Callee())
	}
}

// TestAgents follows every agent through shifts and calls: they do only what they can, take calls only when they are
// there, and have one call at a time.
func TestAgents(t *testing.T) {
	each(t, func(t *testing.T, all []flow.Episode) {
		state := map[string]flow.ShiftKind{}
		busyUntil := map[string]time.Time{}
		for _, e := range all {
			for _, s := range e.Shifts {
				from := map[flow.ShiftKind][]flow.ShiftKind{
					flow.LoggedIn: {"", flow.LoggedOut}, flow.LoggedOut: {flow.LoggedIn, flow.Unpaused, flow.Paused},
					flow.Paused: {flow.LoggedIn, flow.Unpaused}, flow.Unpaused: {flow.Paused},
				}[s.Kind]
				if was := state[s.Agent.Login]; !slices.Contains(from, was) {
					t.Errorf("%s: want one of %v before %s, have %q", s.Agent.Login, from, s.Kind, was)
				}
				if (s.Kind == flow.Paused) != (s.Reason != "") {
					t.Errorf("%s: %s with reason %q", s.Agent.Login, s.Kind, s.Reason)
				}
				state[s.Agent.Login] = s.Kind
			}
			for _, m := range e.Call.Moments {
				if m.Agent == nil {
					continue
				}
				at := e.Call.Start.Add(m.At)
				if s := state[m.Agent.Login]; s != flow.LoggedIn && s != flow.Unpaused {
					t.Errorf("call %d: %s takes part, and is %q", e.Call.Number, m.Agent.Login, s)
				}
				if at.Before(busyUntil[m.Agent.Extension]) {
					t.Errorf("call %d: %s is still in another call", e.Call.Number, m.Agent.Extension)
				}
			}
			for _, m := range e.Call.Moments {
				if m.Kind == flow.Left {
					busyUntil[m.Agent.Extension] = e.Call.Start.Add(m.At)
				}
			}
		}
	})
}

func TestAgentsAreAlwaysThereWhereNobodyTells(t *testing.T) {
	s := site()
	s.Agents = false
	for _, e := range episodes(1, s, 100) {
		if len(e.Shifts) > 0 {
			t.Fatalf("want no shifts, have %v", e.Shifts)
		}
	}
}

// TestMixture checks that every scenario happens, and that most calls are answered.
func TestMixture(t *testing.T) {
	count, outcomes, withheld, abroad, again := map[flow.Scenario]int{}, map[flow.Outcome]int{}, 0, 0, 0
	var last *flow.Call
	const n = 20_000
	for _, e := range episodes(1, site(), n) {
		c := e.Call
		count[c.Scenario]++
		outcomes[c.Outcome]++
		if c.Withheld() {
			withheld++
		}
		if c.Outside.Country == "421" {
			abroad++
		}
		if last != nil && c.Direction == flow.Incoming && !c.Withheld() && last.Direction == flow.Incoming &&
			c.Outside == last.Outside && len(c.Rang) == 1 && slices.Equal(c.Rang, last.Rang) {
			again++
		}
		last = c
	}
	for _, s := range flow.Scenarios() {
		if count[s] < n/200 {
			t.Errorf("%s: want at least one of 200, have %d of %d", s, count[s], n)
		}
	}
	if share := outcomes[flow.OutcomeAnswered] * 100 / n; share < 65 || share > 85 {
		t.Errorf("want 65 to 85 %% answered, have %d %%", share)
	}
	for name, have := range map[string]int{"withheld": withheld, "abroad": abroad, "again": again} {
		if have < n/200 || have > n/10 {
			t.Errorf("%s: want a few of %d, have %d", name, n, have)
		}
	}
}

func TestOnlyAllowedScenarios(t *testing.T) {
	for _, want := range flow.Scenarios() {
		for _, e := range episodes(1, site(want), 40) {
			if e.Call.Scenario != want {
				t.Fatalf("want only %s, have %s", want, e.Call.Scenario)
			}
		}
	}
}

// TestTeamsShareNobody checks that no two teams have an extension, a login, or an outside number in common.
func TestTeamsShareNobody(t *testing.T) {
	seen := map[string]int{}
	for number := range 300 {
		team := flow.NewTeam(1, site(), number, number)
		mine := map[string]bool{}
		for _, a := range team.Agents() {
			mine["extension "+a.Extension], mine["login "+a.Login] = true, true
		}
		for call := range int64(40) {
			if c := team.Next(call+1, morning).Call; c.Outside != (flow.Number{}) {
				mine[c.Outside.E164()], mine[c.Line.E164()] = true, true
			}
		}
		for what := range mine {
			if other, ok := seen[what]; ok {
				t.Fatalf("%s is of team %d and of team %d", what, other, number)
			}
			seen[what] = number
		}
	}
}

func TestNumberForms(t *testing.T) {
	n := flow.Number{Region: "SK", Country: "421", Trunk: "0", Subscriber: "905123456"}
	cases := map[string]struct{ local, bare string }{
		"SK": {"0905123456", "421905123456"},
		"CZ": {"+421905123456", "421905123456"},
		"DE": {"+421905123456", "+421905123456"},
	}
	for region, want := range cases {
		if local, bare := n.Local(region), n.Bare(region); local != want.local || bare != want.bare {
			t.Errorf("in %s: want %s and %s, have %s and %s", region, want.local, want.bare, local, bare)
		}
	}
	if have := (flow.Number{}).E164(); have != "" {
		t.Errorf("withheld: want nothing, have %s", have)
	}
}
