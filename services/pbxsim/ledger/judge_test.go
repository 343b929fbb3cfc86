package ledger_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/switchhook/switchhook/services/pbxsim/ledger"
)

// world is a ledger and what is stored; the zero value of story makes one without problems.
type world struct {
	entries    []ledger.Entry
	events     []ledger.Stored
	quarantine []ledger.Stored
}

const (
	ringing  = "pbx.events.ipex.acme.call.ringing"
	ended    = "pbx.events.ipex.acme.call.ended"
	recorded = "pbx.events.xvb.acme.call.recorded"
	kept     = "pbx.quarantine.ipex.acme.ingress"
)

func sent(seq int, event, id string) *ledger.Sent {
	s := &ledger.Sent{
		Call: 1, Seq: seq, Tenant: "acme", Vendor: "ipex", Want: 200, Event: event, Key: "k1", Status: 200,
	}
	if id != "" {
		s.IDs = []string{id}
	}
	return s
}

// whole returns a call of two requests with a broken one beside it, and a call whose record was sent twice.
func whole() world {
	broken := &ledger.Sent{
		Call: 1, Seq: 1, Tenant: "acme", Vendor: "ipex", Chaos: "malformed/wrong_shape",
		Want: 202, Status: 202, Quarantined: "q1",
	}
	history := ledger.Sent{
		Call: 2, Tenant: "acme", Vendor: "xvb", Want: 200, Event: "call.recorded", Named: true,
		Status: 200, IDs: []string{"n1"},
	}
	again := history
	again.Chaos = "duplicate"
	question := &ledger.Sent{Call: 2, Seq: 1, Tenant: "acme", Vendor: "xvb", VendorEvent: "contact", Want: 200, Status: 200}
	return world{
		entries: []ledger.Entry{
			&ledger.Run{Version: 1},
			sent(0, "call.ringing", "e1"), sent(1, "call.ended", "e2"), broken, &ledger.Call{Call: 1, Requests: 2},
			&history, &again, question, &ledger.Call{Call: 2, Requests: 2},
			&ledger.Done{},
		},
		events: []ledger.Stored{
			{ID: "e1", Subject: ringing, Sequence: 1, Key: "k1"},
			{ID: "e2", Subject: ended, Sequence: 2, Key: "k1"},
			{ID: "n1", Subject: recorded, Sequence: 3},
			{ID: "d1", Subject: "pbx.events.ipex.acme.contact.resolved", Sequence: 4},
			{ID: "d2", Subject: "pbx.events.ipex.acme.agent.state_changed", Sequence: 5},
		},
		quarantine: []ledger.Stored{{ID: "q1", Subject: kept, Sequence: 1}},
	}
}

func (w world) judge() ledger.Report {
	return ledger.Judge(slices.Values(w.entries), slices.Values(w.events), slices.Values(w.quarantine))
}

// request returns the request at that place of the ledger.
func (w world) request(i int) *ledger.Sent { return w.entries[i].(*ledger.Sent) }

func TestJudgeWhole(t *testing.T) {
	have := whole().judge()
	if !have.OK() || len(have.Examples) > 0 {
		t.Fatalf("want no problems, have\n%s", have)
	}
	want := ledger.Report{Calls: 2, Whole: 2, Requests: 6, Events: 3, Quarantined: 1, Derived: 2}
	if !reflect.DeepEqual(have, want) {
		t.Errorf("want %+v, have %+v", want, have)
	}
	if !strings.Contains(have.String(), "everything is as the ledger says") {
		t.Errorf("have %s", have)
	}
}

// TestJudgeProblems breaks the world in every way.
func TestJudgeProblems(t *testing.T) {
	cases := map[string]struct {
		change func(*world)
		want   map[ledger.Problem]int
	}{
		"missing event": {
			func(w *world) { w.events = w.events[1:] },
			map[ledger.Problem]int{ledger.Missing: 1},
		},
		"missing in quarantine": {
			func(w *world) { w.quarantine = nil },
			map[ledger.Problem]int{ledger.Missing: 1},
		},
		"doubled": {
			func(w *world) { w.events = append(w.events, w.events[0]) },
			map[ledger.Problem]int{ledger.Doubled: 1},
		},
		"doubled in quarantine": {
			func(w *world) { w.quarantine = append(w.quarantine, w.quarantine[0]) },
			map[ledger.Problem]int{ledger.Doubled: 1},
		},
		"repetition stored twice": {
			func(w *world) { w.events = append(w.events, w.events[2]) },
			map[ledger.Problem]int{ledger.Doubled: 1},
		},
		"wrong subject": {
			func(w *world) { w.events[0].Subject = ended },
			map[ledger.Problem]int{ledger.Misfiled: 1},
		},
		"other tenant": {
			func(w *world) { w.events[0].Subject = strings.Replace(ringing, "acme", "globex", 1) },
			map[ledger.Problem]int{ledger.Misfiled: 1},
		},
		"quarantined among the events": {
			func(w *world) {
				w.events, w.quarantine = append(w.events, ledger.Stored{ID: "q1", Subject: ringing}), nil
			},
			map[ledger.Problem]int{ledger.Misfiled: 1},
		},
		"wrong key": {
			func(w *world) { w.events[1].Key = "k2" },
			map[ledger.Problem]int{ledger.WrongKey: 1},
		},
		"unexplained": {
			func(w *world) { w.events = append(w.events, ledger.Stored{ID: "x", Subject: ringing}) },
			map[ledger.Problem]int{ledger.Unexplained: 1},
		},
		"unexplained, of no form": {
			func(w *world) { w.events = append(w.events, ledger.Stored{ID: "x", Subject: "pbx.events.x"}) },
			map[ledger.Problem]int{ledger.Unexplained: 1},
		},
		"unexplained in quarantine": {
			func(w *world) { w.quarantine = append(w.quarantine, ledger.Stored{ID: "x", Subject: kept}) },
			map[ledger.Problem]int{ledger.Unexplained: 1},
		},
		"refused": {
			func(w *world) {
				w.request(1).Status, w.request(1).IDs = 401, nil
				w.events = w.events[1:]
			},
			map[ledger.Problem]int{ledger.WrongAnswer: 1},
		},
		"quarantined instead of understood": {
			func(w *world) {
				w.request(1).Status, w.request(1).IDs, w.request(1).Quarantined = 202, nil, "q2"
				w.events = w.events[1:]
				w.quarantine = append(w.quarantine, ledger.Stored{ID: "q2", Subject: kept})
			},
			map[ledger.Problem]int{ledger.WrongAnswer: 1},
		},
		"understood instead of quarantined": {
			func(w *world) {
				w.request(3).Status, w.request(3).IDs, w.request(3).Quarantined = 200, []string{"e3"}, ""
				w.quarantine = nil
			},
			map[ledger.Problem]int{ledger.WrongAnswer: 1, ledger.Missing: 1},
		},
		"no id": {
			func(w *world) { w.request(1).IDs, w.events = nil, w.events[1:] },
			map[ledger.Problem]int{ledger.WrongAnswer: 1},
		},
		"id where no event is": {
			func(w *world) { w.request(7).IDs = []string{"e9"} },
			map[ledger.Problem]int{ledger.WrongAnswer: 1, ledger.Missing: 1},
		},
		"one id for two events": {
			func(w *world) { w.request(2).IDs, w.events = []string{"e1"}, slices.Delete(w.events, 1, 2) },
			map[ledger.Problem]int{ledger.Shared: 1},
		},
		"two ids for one event": {
			func(w *world) {
				w.request(6).IDs = []string{"n2"}
				w.events = append(w.events, ledger.Stored{ID: "n2", Subject: recorded})
			},
			map[ledger.Problem]int{ledger.Split: 1},
		},
		"request not in the ledger": {
			func(w *world) { w.entries = slices.Delete(w.entries, 1, 2); w.events = w.events[1:] },
			map[ledger.Problem]int{ledger.Incomplete: 1},
		},
		"second event of one lost request": {
			func(w *world) {
				w.request(1).Status, w.request(1).IDs = 0, nil
				w.events = append(w.events, ledger.Stored{ID: "x", Subject: ringing})
			},
			map[ledger.Problem]int{ledger.Unexplained: 1},
		},
		"event of a lost request twice": {
			func(w *world) {
				w.request(1).Status, w.request(1).IDs = 503, nil
				w.events = append(w.events, w.events[0])
			},
			map[ledger.Problem]int{ledger.Doubled: 1},
		},
		"event of a lost request elsewhere": {
			func(w *world) {
				w.request(1).Status, w.request(1).IDs = 503, nil
				w.events[0].Subject = ended
			},
			map[ledger.Problem]int{ledger.Unexplained: 1},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := whole()
			c.change(&w)
			have := w.judge()
			if !maps.Equal(have.Problems, c.want) || have.OK() {
				t.Errorf("want %v, have\n%s", c.want, have)
			}
		})
	}
}

// TestJudgeAllows has what is not nice, and no problem.
func TestJudgeAllows(t *testing.T) {
	cases := map[string]struct {
		change func(*world)
		check  func(ledger.Report) bool
	}{
		"lost and not stored": {
			func(w *world) { w.request(1).Status, w.request(1).IDs, w.events = 0, nil, w.events[1:] },
			func(r ledger.Report) bool { return r.Lost == 1 && r.Uncertain == 0 && r.Whole == 1 && r.Events == 2 },
		},
		"lost and stored": {
			func(w *world) { w.request(1).Status, w.request(1).IDs = 503, nil },
			func(r ledger.Report) bool { return r.Lost == 1 && r.Uncertain == 1 && r.Whole == 1 && r.Events == 3 },
		},
		"broken, lost and quarantined": {
			func(w *world) { w.request(3).Status, w.request(3).Quarantined = 0, "" },
			func(r ledger.Report) bool { return r.Lost == 1 && r.Uncertain == 1 && r.Quarantined == 1 },
		},
		"names itself, lost at first": {
			func(w *world) { w.request(5).Status, w.request(5).IDs = 503, nil },
			func(r ledger.Report) bool { return r.Lost == 1 && r.Uncertain == 0 && r.Whole == 2 },
		},
		"names itself, always lost": {
			func(w *world) {
				w.request(5).Status, w.request(5).IDs = 0, nil
				w.request(6).Status, w.request(6).IDs = 0, nil
			},
			func(r ledger.Report) bool { return r.Lost == 2 && r.Uncertain == 1 && r.Whole == 1 },
		},
		"cut short": {
			func(w *world) {
				w.entries, w.events = slices.Delete(w.entries, 2, 3), slices.Delete(w.events, 1, 2)
				w.entries[3].(*ledger.Call).Cut = true
			},
			func(r ledger.Report) bool { return r.Cut == 1 && r.Whole == 1 },
		},
		"killed before the truth was written": {
			func(w *world) { w.entries = w.entries[:3]; w.events, w.quarantine = w.events[:2], nil },
			func(r ledger.Report) bool { return r.Calls == 0 && r.Events == 2 },
		},
		"two runs in one ledger": {
			func(w *world) {
				again := sent(0, "call.ringing", "e7")
				w.entries = append(w.entries, &ledger.Run{Version: 1}, again, &ledger.Call{Call: 1, Requests: 1})
				w.events = append(w.events, ledger.Stored{ID: "e7", Subject: ringing})
			},
			func(r ledger.Report) bool { return r.Calls == 3 && r.Whole == 3 },
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := whole()
			c.change(&w)
			if have := w.judge(); !have.OK() || !c.check(have) {
				t.Errorf("have %+v\n%s", have, have)
			}
		})
	}
}

func TestReportIsShort(t *testing.T) {
	w := whole()
	for range 1000 {
		w.events = append(w.events, ledger.Stored{ID: "x", Subject: ringing})
	}
	have := w.judge()
	if have.Problems[ledger.Unexplained] != 1000 || len(have.Examples) != ledger.Examples {
		t.Errorf("want 1000 problems and %d examples, have %d and %d",
			ledger.Examples, have.Problems[ledger.Unexplained], len(have.Examples))
	}
}
