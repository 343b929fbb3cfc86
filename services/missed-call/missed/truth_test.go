package missed_test

import (
	"cmp"
	"slices"
	"strings"
	"testing"
	"time"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/pbxsim/flow"
	"github.com/switchhook/switchhook/services/pbxsim/traffic"
)

// The truth is found by a plain loop over the simulated calls: by what happened, and by the table in the README of pbxsim of
// what the variants tell of it.

// tellsAnswer reports whether a variant tells that an outgoing call was answered, and when.
func tellsAnswer(c *traffic.Call) (whether, when bool) {
	switch {
	case strings.HasPrefix(c.Variant, "mcn-composed"):
		return false, false
	case strings.HasPrefix(c.Variant, "xvb-family"):
		return true, true
	default:
		return true, !strings.HasPrefix(c.Variant, "xvb-")
	}
}

// talkedAt is when a call was answered or, if its exchange does not tell, began.
func talkedAt(c *traffic.Call) time.Time {
	_, when := tellsAnswer(c)
	if c.Direction == flow.Incoming {
		when = !strings.HasPrefix(c.Variant, "mcn-composed") &&
			(c.Variant != "xvb-body" && c.Variant != "xvb-both" || c.Queue != "")
	}
	if !when {
		return c.Start
	}
	return c.Start.Add(c.Wait + c.Ring)
}

func overAt(c *traffic.Call) time.Time { return c.Start.Add(c.Duration()) }

// reasons are how a call was missed, as its variant tells it.
func reasonOf(c *traffic.Call) pbxv1.MissedCall_Reason {
	rings := strings.HasPrefix(c.Variant, "ipex") || strings.HasPrefix(c.Variant, "xvb-family")
	switch {
	case strings.HasPrefix(c.Variant, "mcn-composed"), c.Variant == "mcn-line" && len(c.Rang) == 0:
		return pbxv1.MissedCall_NEVER_REACHED // over, and nobody said how
	case strings.HasPrefix(c.Variant, "mcn"):
		return pbxv1.MissedCall_RANG_OUT // everything is missed
	case c.Outcome == flow.OutcomeRangOut:
		return pbxv1.MissedCall_RANG_OUT
	case c.Outcome == flow.OutcomeBusy:
		return pbxv1.MissedCall_BUSY
	case !rings:
		return pbxv1.MissedCall_NEVER_REACHED // the caller gave up, and nobody said where
	case c.Outcome == flow.OutcomeAbandonedQueue:
		return pbxv1.MissedCall_ABANDONED_QUEUE
	default:
		return pbxv1.MissedCall_ABANDONED_RINGING
	}
}

// truth is an entry as it should be.
type truth struct {
	calls      []*traffic.Call
	failed     int
	resolution pbxv1.MissedCall_Resolution
	by         *traffic.Call
}

// happening is a moment that matters to the ledger.
type happening struct {
	at   time.Time
	what string // missed, failed or talked
	call *traffic.Call
}

// ledgerOf walks over the moments in their order.
func ledgerOf(calls []*traffic.Call) []*truth {
	kinds := []string{"missed", "failed", "talked"}
	var moments []happening
	for _, c := range calls {
		answered := c.Outcome == flow.OutcomeAnswered
		told, _ := tellsAnswer(c)
		switch {
		case c.Direction == flow.Internal:
		case c.Missed:
			moments = append(moments, happening{overAt(c), "missed", c})
		case c.Direction == flow.Outgoing && !told:
		case answered:
			moments = append(moments, happening{talkedAt(c), "talked", c})
		default:
			moments = append(moments, happening{overAt(c), "failed", c})
		}
	}
	slices.SortStableFunc(moments, func(x, y happening) int { // at the same second, first who is missed
		return cmp.Or(x.at.Compare(y.at), slices.Index(kinds, x.what)-slices.Index(kinds, y.what))
	})
	var all []*truth
	open := map[string]*truth{}
	for _, m := range moments {
		number := m.call.Outside.E164()
		e := open[number]
		switch {
		case m.what == "missed" && e != nil && number != "":
			e.calls = append(e.calls, m.call)
		case m.what == "missed":
			e = &truth{calls: []*traffic.Call{m.call}}
			all = append(all, e)
			open[number] = e
		case e == nil || number == "":
		case m.what == "failed":
			e.failed++
		default:
			e.by, e.resolution = m.call, pbxv1.MissedCall_GOT_THROUGH
			if m.call.Direction == flow.Outgoing {
				e.resolution = pbxv1.MissedCall_CALLED_BACK
			}
			delete(open, number)
		}
	}
	return all
}

// nameOf names a missed call by who called and when it ended; a withheld one by its key.
func nameOf(number, key string, ended time.Time) string {
	if number != "" {
		key = ""
	}
	return number + key + " " + ended.UTC().Format(time.RFC3339)
}

func nameOfCall(c *traffic.Call) string {
	return nameOf(c.Outside.E164(), c.Events[0].GetCall().GetKey(), overAt(c))
}

// lastOf names the last attempt of an entry.
func lastOf(e *pbxv1.MissedCall) string {
	keys := e.GetCallKeys()
	return nameOf(e.GetFrom().GetE164(), keys[len(keys)-1], e.GetMissedAt().AsTime())
}

// scattered reports whether nothing tells that the legs of a call belong together.
func scattered(c *traffic.Call) bool {
	return c.Variant == "mcn-documents" && c.Withheld() && len(c.Rang) > 1
}

// checkTruth compares the ledger with what was simulated, at all variants of all vendors, with calls back at any of them.
func checkTruth(t *testing.T, calls []*traffic.Call) {
	calls = slices.DeleteFunc(slices.Clone(calls), scattered)
	s := follow(t, traffic.Stream(calls))
	want := map[string]*truth{}
	resolutions := map[pbxv1.MissedCall_Resolution]int{}
	scenarios := map[flow.Scenario]int{}
	for _, e := range ledgerOf(calls) {
		want[nameOfCall(e.calls[len(e.calls)-1])] = e
		resolutions[e.resolution]++
		for _, c := range e.calls {
			scenarios[c.Scenario]++
		}
	}
	for _, e := range s.all() {
		w := want[lastOf(e)]
		if w == nil {
			t.Errorf("want no such entry, have %v", e)
			continue
		}
		delete(want, lastOf(e))
		compareTruth(t, w, e)
	}
	for name, w := range want {
		t.Errorf("want an entry %s of %d calls, have none", name, len(w.calls))
	}
	checkTold(t, calls, s)
	t.Logf("entries by resolution: %v; missed calls by scenario: %v", resolutions, scenarios)
	if len(resolutions) != 3 || len(scenarios) != 5 {
		t.Errorf("want all resolutions and scenarios, have %v and %v", resolutions, scenarios)
	}
}

func compareTruth(t *testing.T, want *truth, have *pbxv1.MissedCall) {
	t.Helper()
	last := want.calls[len(want.calls)-1]
	var keys []string
	for _, c := range want.calls {
		keys = append(keys, c.Events[0].GetCall().GetKey())
	}
	if last.Variant == "mcn-documents" { // legs have keys of their own
		keys = have.GetCallKeys()
	}
	queue := ""
	for _, c := range want.calls {
		if strings.HasPrefix(c.Variant, "ipex") || strings.HasPrefix(c.Variant, "xvb-family") {
			queue = cmp.Or(c.Queue, queue)
		}
	}
	switch {
	case len(want.calls) != int(have.GetAttempts()), len(keys) != len(have.GetCallKeys()):
		t.Errorf("want %d attempts, have %v", len(want.calls), have)
	case !slices.Equal(keys, have.GetCallKeys()):
		t.Errorf("want the calls %q, have %v", keys, have)
	case want.failed != int(have.GetFailedCallbacks()):
		t.Errorf("want %d failed calls back, have %v", want.failed, have)
	case want.resolution != have.GetResolution():
		t.Errorf("want it resolved by %v, have %v", want.resolution, have)
	case reasonOf(last) != have.GetReason():
		t.Errorf("want the reason %v of %s at %s, have %v", reasonOf(last), last.Scenario, last.Variant, have)
	case queue != have.GetQueue():
		t.Errorf("want the queue %q, have %v", queue, have)
	case waitOf(last) != have.GetWait().AsDuration():
		t.Errorf("want a wait of %v at %s, have %v", waitOf(last), last.Variant, have)
	case byOf(want) != have.GetResolvedBy().GetLogin():
		t.Errorf("want it resolved by %q, have %v", byOf(want), have)
	}
}

// waitOf is how long a caller waited, as far as is told when the call began.
func waitOf(c *traffic.Call) time.Duration {
	began := c.Variant != "mcn-documents" && c.Variant != "mcn-call-id"
	if strings.HasPrefix(c.Variant, "xvb-family") {
		began = c.Queue != "" || len(c.Rang) == 0 // else only its record tells, which is not asked
	}
	if !began {
		return c.Ring
	}
	return c.Duration()
}

// byOf is the login of who resolved it, where logins are told.
func byOf(e *truth) string {
	if e.by == nil || !strings.HasPrefix(e.by.Variant, "ipex") && !strings.HasPrefix(e.by.Variant, "xvb-family") {
		return ""
	}
	if e.by.From != nil {
		return e.by.From.Login
	}
	for _, m := range e.by.Moments {
		if m.Kind == flow.PickedUp {
			return m.Agent.Login
		}
	}
	return ""
}

// checkTold demands that each missed call was told of by an opening, and nothing else was; and that nothing was taken back.
func checkTold(t *testing.T, calls []*traffic.Call, s *story) {
	t.Helper()
	untold := map[string]*traffic.Call{}
	wanted := map[string]bool{}
	for _, c := range calls {
		if c.Missed {
			untold[nameOfCall(c)] = c
			wanted[nameOfCall(c)] = true
		}
	}
	for _, ev := range s.out {
		e := ev.GetMissedCall()
		switch name := lastOf(e); {
		case e.GetKind() == pbxv1.MissedCall_OPENED && !wanted[name]:
			t.Errorf("false alarm: %v", ev)
		case e.GetKind() == pbxv1.MissedCall_OPENED:
			delete(untold, name)
		case e.GetResolution() == pbxv1.MissedCall_WITHDRAWN:
			t.Errorf("taken back: %v", ev)
		}
	}
	for name, c := range untold {
		t.Errorf("forgotten: %s, %s at %s", name, c.Scenario, c.Variant)
	}
}
