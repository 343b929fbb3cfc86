package e2e_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/pbxsim/ledger"
	"github.com/switchhook/switchhook/test/process"
)

// course is how a call was told: its requests that make events, in the order in which they were sent.
type course []telling

type telling struct {
	event    string
	happened time.Time
	told     time.Time // later where the request came late
}

func courseName(tenant, exchange string, call int64) string {
	return fmt.Sprint(tenant, " ", exchange, " ", call)
}

func (n *books) courseOf(c *told) course {
	return n.courses[courseName(c.Tenant, c.Exchange, c.Call.Call)]
}

// readCourses returns how calls were told, by their courseName.
func readCourses(t *testing.T, path string) map[string]course {
	t.Helper()
	var text []byte
	for line := range bytes.Lines([]byte(process.ReadFile(t, path))) {
		if bytes.HasPrefix(line, []byte(`{"type":"sent"`)) {
			text = append(text, line...)
		}
	}
	courses := map[string]course{}
	for entry, err := range ledger.Read(bytes.NewReader(text)) {
		if err != nil {
			t.Fatal(err)
		}
		if e := entry.(*ledger.Sent); e.Event != "" && e.Agent == "" {
			name := courseName(e.Tenant, e.Exchange, e.Call)
			c, told := courses[name], e.At
			if len(c) > 0 && c[len(c)-1].told.After(told) {
				told = c[len(c)-1].told
			}
			courses[name] = append(c, telling{e.Event, e.At, told})
		}
	}
	return courses
}

// first is what happened first, of one kind of event or, without one, of all.
func (c course) first(event string) (first telling, ok bool) {
	for _, t := range c {
		if (event == "" || t.event == event) && (!ok || t.happened.Before(first.happened)) {
			first, ok = t, true
		}
	}
	return first, ok
}

// fellSilent reports whether a call looked as if it was over for so long, only since requests about it were late: a phone had
// stopped, nobody was known to have answered, and nothing else came.
func (c course) fellSilent(long time.Duration) bool {
	stopped := false
	for i, t := range c[:len(c)-1] {
		stopped = stopped || t.event == "call.ended"
		if t.event == "call.answered" {
			return false
		}
		for _, later := range c[i+1:] {
			if until := t.told.Add(long); stopped && !c[i+1].told.Before(until) && later.happened.Before(until) {
				return true
			}
		}
	}
	return false
}

// window is a time in which what is told of a caller can be wrong.
type window struct{ from, to time.Time }

// belated returns when what was told of a tenant's callers could be wrong, since requests were late, or since their exchange
// tells only at the end of a call that it was answered: callers seemed to have given up, or to wait still when they had been
// reached, and were then called or missed once more. What was told is corrected afterwards.
func (n *books) belated(tenant string) (silent, surprising map[string][]window) {
	silent, surprising = map[string][]window{}, map[string][]window{}
	settle := rulesOf(tenant).settle
	for _, c := range n.told[tenant] {
		if number := c.outside(); c.Direction == "incoming" && n.courseOf(c).fellSilent(settle[c.Vendor]) {
			silent[number] = append(silent[number], window{c.Start, c.Ended})
			surprising[number] = append(surprising[number], window{c.Start, c.Ended})
		}
	}
	callers := map[string][]happening{}
	for _, h := range n.happenings(tenant) {
		if number := h.call.outside(); h.kind != hasFailed {
			callers[number] = append(callers[number], h)
		}
	}
	for number, all := range callers {
		for i, talk := range all {
			known, misdated := n.knownAt(tenant, talk)
			resolves := i > 0 && all[i-1].kind == wasMissed
			if talk.kind != talked || !resolves && !misdated {
				continue
			}
			if slices.ContainsFunc(all[i+1:], func(later happening) bool {
				at, _ := n.knownAt(tenant, later)
				return at.Before(known)
			}) {
				surprising[number] = append(surprising[number], window{all[max(0, i-1)].at, known})
			}
		}
	}
	return silent, surprising
}

// knownAt is when all was known of what happened; and whether it seemed to have happened later before.
func (n *books) knownAt(tenant string, h happening) (at time.Time, misdated bool) {
	if h.kind == wasMissed {
		return h.at.Add(rulesOf(tenant).settle[h.call.Vendor]), false
	}
	c := n.courseOf(h.call)
	answer, ok := c.first("call.answered")
	if !ok {
		answer = c[len(c)-1]
	}
	began, _ := c.first("")
	if misdated = h.call.answered.IsZero() && began.told.After(began.happened); misdated && began.told.After(answer.told) {
		return began.told, true
	}
	return answer.told, misdated
}

// isIn reports whether an entry was open in one of the windows of its caller.
func isIn(e *pbxv1.MissedCall, windows map[string][]window) bool {
	return slices.ContainsFunc(windows[e.GetFrom().GetE164()], func(w window) bool {
		first := e.GetOpenedAt().AsTime().Add(-time.Minute) // the longest settle window
		return !first.After(w.to) && (e.GetResolvedAt() == nil || !e.GetResolvedAt().AsTime().Before(w.from))
	})
}
