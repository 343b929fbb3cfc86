package e2e_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/oklog/run"
	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// books are what is owed at each tenant.
type books struct {
	*truth
	*night
	rows    *bus.Table[*pbxv1.MissedCall]
	keys    map[string]bool // of calls that have a name, behind their tenant
	owes    map[string][]*owed
	courses map[string]course
}

func newBooks(t *testing.T, r *night, path string) *books {
	t.Helper()
	rows := r.bus.MissedCalls(bustest.Replicas)
	bustest.Run(t, func(g *run.Group) { g.Add(rows.Maintain()) })
	n := &books{newTruth(t, r, path), r, rows, map[string]bool{}, map[string][]*owed{}, readCourses(t, path)}
	for _, tenant := range r.tenants {
		for _, c := range n.told[tenant.Name] {
			n.keys[tenant.Name+" "+c.Key] = c.Key != ""
		}
		n.owes[tenant.Name] = n.owed(tenant)
	}
	return n
}

// checkEntries compares the entries that the service lists, resolved ones too.
func (n *books) checkEntries(t *testing.T, _ *truth) (wrong []string) {
	for _, tenant := range n.night.tenants {
		want := map[string][]*owed{}
		for _, e := range n.owes[tenant.Name] {
			last := e.attempts[len(e.attempts)-1]
			keys := slices.DeleteFunc([]string{last.Key}, func(key string) bool { return key == "" })
			name := nameOf(e.number, keys, last.Ended)
			want[name] = append(want[name], e)
		}
		silent, _ := n.belated(tenant.Name)
		for _, e := range n.entries(t, tenant.Name) {
			name := nameOf(e.GetFrom().GetE164(), n.namedIn(tenant.Name, e.GetCallKeys()), e.GetMissedAt().AsTime())
			have := n.shown(tenant.Name, e)
			i := slices.IndexFunc(want[name], func(w *owed) bool { return slices.Contains(n.ways(tenant, w), have) })
			switch {
			case i >= 0:
				want[name] = slices.Delete(want[name], i, i+1)
			case len(want[name]) > 0:
				wrong = append(wrong, fmt.Sprintf("%s %s\nwant %s\nhave %s", tenant.Name, name, n.ways(tenant, want[name][0])[0], have))
				want[name] = want[name][1:]
			case e.GetResolution() == pbxv1.MissedCall_WITHDRAWN && isIn(e, silent):
			default:
				wrong = append(wrong, fmt.Sprintf("%s %s\nwant no such entry\nhave %s", tenant.Name, name, have))
			}
		}
		for name, left := range want {
			for _, w := range left {
				wrong = append(wrong, fmt.Sprintf("%s %s\nwant %s\nhave none", tenant.Name, name, n.ways(tenant, w)[0]))
			}
		}
	}
	return few(wrong)
}

// checkNight demands that all happened that may happen.
func (n *books) checkNight(t *testing.T) {
	t.Helper()
	scenarios, reasons, fates := map[string]int{}, map[string]int{}, map[string]int{}
	for _, tenant := range n.night.tenants {
		for _, c := range n.told[tenant.Name] {
			switch {
			case c.Missed:
				scenarios[c.Scenario]++
			case c.Scenario == "queue_answered":
				scenarios["ring-all"]++
			}
		}
		for _, e := range n.owes[tenant.Name] {
			first, last := e.attempts[0], e.attempts[len(e.attempts)-1]
			reasons[n.reasonOf(last, rulesOf(tenant.Name)).String()]++
			for fate, is := range map[string]bool{
				"several attempts":              len(e.attempts) > 1,
				"attempts at several exchanges": first.Exchange != last.Exchange,
				"attempts of several entries":   e.today > len(e.attempts),
				"attempts on two days":          e.today < len(e.attempts),
				"failed calls back":             e.failed > 0,
				"waits":                         len(e.reached) == 0,
				"withheld":                      e.number == "",
				"called back":                   len(e.reached) > 0 && e.reached[0].made,
				"got through":                   len(e.reached) > 0 && !e.reached[0].made,
				"reached at another exchange":   len(e.reached) > 0 && e.reached[0].Exchange != last.Exchange,
			} {
				fates[fate] += map[bool]int{true: 1}[is]
			}
		}
	}
	t.Logf("calls: %v\nreasons: %v\nentries: %v", scenarios, reasons, fates)
	if len(scenarios) != 6 || len(reasons) != 6 || slices.Min(slices.Collect(maps.Values(fates))) == 0 {
		t.Error("want all of it, have some of it never")
	}
}

// checkBucket demands the entries that the service lists.
func (n *books) checkBucket(t *testing.T, _ *truth) (wrong []string) {
	rows := n.rows.Rows()
	for _, tenant := range n.night.tenants {
		for _, e := range n.entries(t, tenant.Name) {
			key := tenant.Name + "." + e.GetId()
			if have := rows[key].Value; !proto.Equal(e, have) {
				wrong = append(wrong, fmt.Sprintf("bucket pbx_missed_calls: want %s: %v, have %v", key, e, have))
			}
			delete(rows, key)
		}
	}
	for key, row := range rows {
		wrong = append(wrong, fmt.Sprintf("bucket pbx_missed_calls: want no %s, have %v", key, row.Value))
	}
	return few(wrong)
}

// checkAlarms demands that people were told of each call that was missed, and of no other: not of one that somebody answered
// while other phones rang, and of each that was abandoned in a queue. Excused is who could not know.
func (n *books) checkAlarms(t *testing.T, _ *truth) (wrong []string) {
	alarms := map[string]bool{}
	for _, ev := range n.events(t) {
		for _, key := range ev.GetMissedCall().GetCallKeys() {
			alarms[ev.GetTenant()+" "+key] = true
		}
	}
	excused := 0
	for _, tenant := range n.night.tenants {
		r := rulesOf(tenant.Name)
		for _, c := range n.told[tenant.Name] {
			want, have := c.Missed && c.Ended.Sub(c.start) >= r.shortest, alarms[tenant.Name+" "+c.Key]
			switch {
			case c.Key == "" || want == have:
			case have && n.courseOf(c).fellSilent(r.settle[c.Vendor]):
				excused++
			default:
				wrong = append(wrong, fmt.Sprintf("%s, %s: want an alarm: %v, have one: %v: %+v", tenant.Name, c.Scenario, want, have, c.Call))
			}
		}
	}
	if excused > 20 {
		wrong = append(wrong, fmt.Sprintf("want hardly a false alarm, have %d", excused))
	}
	if len(wrong) == 0 {
		t.Logf("%d calls looked missed for a while, since all that came after was late", excused)
	}
	return few(wrong)
}

// checkEvents demands of what was told of each entry that each attempt was told once, as an opening; that a resolution was
// told if, and only if, the entry was open; and that the last event tells what is so in the end. Of callers of whom something
// became known too late, more may have been told.
func (n *books) checkEvents(t *testing.T, _ *truth) (wrong []string) {
	stories, ids := map[string][]*pbxv1.MissedCall{}, map[string]bool{}
	for _, ev := range n.events(t) {
		id := ev.GetTenant() + " " + ev.GetMissedCall().GetId()
		stories[id] = append(stories[id], ev.GetMissedCall())
		if ids[ev.GetId()] {
			wrong = append(wrong, fmt.Sprintf("want each event once, have %s again", ev.GetId()))
		}
		ids[ev.GetId()] = true
	}
	late, entries := 0, 0
	for _, tenant := range n.night.tenants {
		_, surprising := n.belated(tenant.Name)
		for _, e := range n.entries(t, tenant.Name) {
			story := stories[tenant.Name+" "+e.GetId()]
			delete(stories, tenant.Name+" "+e.GetId())
			entries++
			corrected := isIn(e, surprising)
			if corrected {
				late++
			}
			if why := misses(e, story, corrected); why != "" {
				wrong = append(wrong, fmt.Sprintf("%s: want %s\nhave %v\nof %v", tenant.Name, why, story, e))
			}
		}
	}
	for id, story := range stories {
		wrong = append(wrong, fmt.Sprintf("want no events of %s, have %v", id, story))
	}
	if late > entries/10 {
		wrong = append(wrong, fmt.Sprintf("want nearly all callers' calls told in time, have those of %d of %d entries late", late, entries))
	}
	if len(wrong) == 0 {
		t.Logf("%d events of %d entries, %d of them of callers of whom something was told late", len(ids), entries, late)
	}
	return few(wrong)
}

// misses says what is wrong with the events of an entry.
func misses(e *pbxv1.MissedCall, story []*pbxv1.MissedCall, late bool) string {
	openings, open := 0, false
	for _, told := range story {
		switch told.GetKind() {
		case pbxv1.MissedCall_OPENED:
			openings++
			open = true
		case pbxv1.MissedCall_RESOLVED:
			if !open && !late {
				return "no resolution twice"
			}
			open = false
		default:
			return "nobody to claim anything"
		}
	}
	last := story[max(0, len(story)-1):]
	switch {
	case len(last) == 0 || story[0].GetKind() != pbxv1.MissedCall_OPENED:
		return "an opening first"
	case openings < int(e.GetAttempts()) || openings > int(e.GetAttempts()) && !late:
		return fmt.Sprintf("%d openings", e.GetAttempts())
	case last[0].GetResolution() != e.GetResolution() || !late && !slices.Equal(last[0].GetCallKeys(), e.GetCallKeys()):
		return "the last event to tell how it is"
	default:
		return ""
	}
}

// entries returns what the service lists.
func (n *books) entries(t *testing.T, tenant string) []*pbxv1.MissedCall {
	t.Helper()
	var list pbxv1.MissedCallListResponse
	n.ask(t, event.QueryMissedCallList, &pbxv1.MissedCallListRequest{Tenant: tenant, IncludeResolved: true}, &list)
	return list.GetMissedCalls()
}

// events returns what was told of missed calls.
func (n *books) events(t *testing.T) (all []*pbxv1.Event) {
	t.Helper()
	for s, err := range n.bus.Events(t.Context(), bus.Filter{Subject: event.Root + ".*.*.missed_call.*"}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s.Message)
	}
	return all
}

// few keeps the first of what is wrong.
func few(wrong []string) []string {
	slices.Sort(wrong)
	if n := len(wrong) - 10; n > 0 {
		wrong = append(wrong[:10], fmt.Sprintf("~ and %d more", n))
	}
	return wrong
}
