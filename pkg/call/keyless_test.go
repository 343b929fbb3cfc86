package call_test

import (
	"slices"
	"testing"
	"time"

	"github.com/switchhook/switchhook/pkg/call"
	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// nameless takes the vendor's id from events, as classic MCN does.
func nameless(all ...*pbxv1.Event) events {
	for _, ev := range all {
		c := ev.GetCall()
		ev.Vendor, ev.Exchange, c.Id = "mcn", "mcn", ""
		c.Key = event.CallKey("", "acme", c.GetExtension(), event.Outside(c))
	}
	return all
}

// Events without an id are split into the calls that they are of.
func TestNameless(t *testing.T) {
	missed := because(pbxv1.Call_NO_ANSWER)
	normal := because(pbxv1.Call_NORMAL)
	withheld := parties("anonymous", "")
	tests := map[string]struct {
		events events
		want   []string
	}{
		"a ring group": {
			events{
				at(0, ring, in, "104"), at(0.1, ring, in, "105"), at(5, answer, in, "105"),
				at(5.1, end, in, "104", because(pbxv1.Call_ANSWERED_ELSEWHERE)), at(60, end, in, "105", normal),
			},
			[]string{"answered 0s+5s+55s; 104 ringing 0s-5.1s; 105! ringing 100ms-5s talking 5s-1m0s"},
		},
		"one after the other": {
			events{at(0, ring, in, "104"), at(5, end, in, "104", missed), at(7, ring, in, "104"), at(9, end, in, "104", missed)},
			[]string{"rang_out 0s+5s+0s; 104 ringing 0s-5s", "rang_out 0s+2s+0s; 104 ringing 7s-9s"},
		},
		"another phone afterwards": {
			events{at(0, ring, in, "104"), at(5, end, in, "104", missed), at(7, ring, in, "105"), at(9, answer, in, "105")},
			[]string{"rang_out 0s+5s+0s; 104 ringing 0s-5s", "open 0s+2s+0s; 105! ringing 7s-9s talking 9s-?"},
		},
		"end before the ring": {
			events{at(0, end, in, "104", missed), at(1, ring, in, "104")}, []string{"rang_out 0s+0s+0s; 104 ringing 0s-0s"},
		},
		"end before the ring, of the second": {
			events{at(0, ring, in, "104"), at(5, end, in, "104", missed), at(9, end, in, "104", missed), at(9.1, ring, in, "104")},
			[]string{"rang_out 0s+5s+0s; 104 ringing 0s-5s", "rang_out 0s+0s+0s; 104 ringing 9s-9s"},
		},
		"two ends at once": {
			events{at(0, ring, in, "104"), at(5, end, in, "104", normal), at(5.2, end, in, "104", normal)},
			[]string{"unknown 0s+5s+0s; 104 ringing 0s-5s"},
		},
		"ends only": {
			events{at(0, end, in, "104", missed), at(1, end, in, "105", missed), at(60, end, in, "104", missed)},
			[]string{"rang_out 1s+0s+0s; 104; 105", "rang_out 0s+0s+0s; 104"},
		},
		"answers and ends only": {
			events{at(0, answer, in, "104"), at(5, end, in, "104", normal), at(9, answer, in, "104"), at(20, end, in, "104", normal)},
			[]string{"answered 0s+0s+5s; 104! talking 0s-5s", "answered 0s+0s+11s; 104! talking 9s-20s"},
		},
		"rings at the phone that talks": {
			events{at(0, ring, in, "104"), at(5, answer, in, "104"), at(60, ring, in, "104")},
			[]string{"answered 0s+5s+0s; 104! ringing 0s-5s talking 5s-5s", "open 0s+0s+0s; 104 ringing 1m0s-?"},
		},
		"one that reaches another phone": {
			events{at(0, ring, in, "104"), at(5, end, in, "104", missed), at(7, enter, in, "105")},
			[]string{"rang_out 0s+5s+0s; 104 ringing 0s-5s", "open 0s+0s+0s; 105"},
		},
		"two without phones": {
			events{at(0, enter, in, ""), at(5, end, in, "", normal), at(7, enter, in, "")},
			[]string{"unknown 5s+0s+0s", "open 0s+0s+0s"},
		},
		"outgoing in a row": {
			events{at(0, enter, out, "104"), at(5, end, out, "104", missed), at(7, enter, out, "104"), at(9, answer, out, "104")},
			[]string{"rang_out 5s+0s+0s; 104 dialing 0s-5s", "open 2s+0s+0s; 104! dialing 7s-9s talking 9s-?"},
		},
		"outgoing, the end is lost": {
			events{at(0, enter, out, "104"), at(7, enter, out, "104")},
			[]string{"unknown 0s+0s+0s; 104 dialing 0s-0s", "open 0s+0s+0s; 104 dialing 7s-?"},
		},
		"out and in at the same time": {
			events{at(0, ring, in, "104"), at(1, enter, out, "105"), at(2, answer, in, "104"), at(3, end, silent, "105", missed), at(9, end, silent, "104", normal)},
			[]string{"answered 0s+2s+7s; 104! ringing 0s-2s talking 2s-9s", "rang_out 2s+0s+0s; 105 dialing 1s-3s"},
		},
		"in and out at the same time": {
			events{at(0, ring, in, "104"), at(1, enter, out, "105"), at(2, answer, in, "104"), at(3, end, silent, "104", normal), at(9, end, silent, "105", missed)},
			[]string{"answered 0s+2s+1s; 104! ringing 0s-2s talking 2s-3s", "rang_out 8s+0s+0s; 105 dialing 1s-9s"},
		},
		"end long before the ring": {
			events{at(0, end, in, "104", missed), at(40, ring, in, "104")}, []string{"rang_out 0s+0s+0s; 104", "open 0s+0s+0s; 104 ringing 40s-?"},
		},
		"called back": {
			events{at(0, ring, in, "104"), at(5, end, in, "104", missed), at(9, enter, out, "104"), at(12, answer, out, "104"), at(20, end, out, "104", normal)},
			[]string{"rang_out 0s+5s+0s; 104 ringing 0s-5s", "answered 3s+0s+8s; 104! dialing 9s-12s talking 12s-20s"},
		},
		"withheld": {
			events{at(0, ring, in, "104", withheld), at(1, ring, in, "105", withheld)},
			[]string{"open 0s+0s+0s; 104 ringing 0s-?", "open 0s+0s+0s; 105 ringing 1s-?"},
		},
		"a record of each": {
			events{
				at(0, ring, in, "104"), at(5, end, in, "104", normal), at(0, record, in, "104", said(0)),
				at(60, ring, in, "104"), at(65, end, in, "104", normal), at(60, record, in, "104", missed),
			},
			[]string{"answered 0s+0s+0s; 104! ringing 0s-5s", "rang_out 0s+5s+0s; 104 ringing 1m0s-1m5s"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			all := nameless(test.events...)
			calls := follow(t, all)
			var have []string
			for _, c := range calls {
				have = append(have, short(c))
			}
			if !slices.Equal(test.want, have) {
				t.Errorf("want %q\nhave %q", test.want, have)
			}
			for order := range orders(all) {
				demandEqual(t, calls, follow(t, order), order)
			}
		})
	}
}

// A call keeps its id whatever comes late; where that shows two calls to be one, the other is void.
func TestIdentity(t *testing.T) {
	tracker := call.NewTracker(call.Options{})
	apply := func(ev *pbxv1.Event) []*call.Call { return tracker.Apply(nameless(ev)[0], morning) }
	first := apply(at(5, ring, in, "104"))[0]
	late := apply(at(1, ring, in, "105"))
	if len(late) != 1 || late[0].ID != first.ID || !late[0].Began.Equal(morning.Add(time.Second)) {
		t.Fatalf("want the same call to begin earlier, have %s", describeAll(late))
	}
	if again := apply(at(1, ring, in, "105")); len(again) > 0 {
		t.Errorf("want nothing of a repetition, have %s", describeAll(again))
	}
	apply(at(20, end, in, "104"))
	apply(at(20, end, in, "105"))
	second := apply(at(40, ring, in, "105"))
	if len(second) != 1 || second[0].ID == first.ID {
		t.Fatalf("want another call, have %s", describeAll(second))
	}
	// A third phone rang all the time.
	joined := apply(at(19, ring, in, "106"))
	if len(joined) != 2 || joined[0].ID != second[0].ID || !joined[0].Void || joined[1].ID != first.ID || joined[1].Void || len(joined[1].Legs) != 3 {
		t.Fatalf("want the second void and the first with three legs, have %s", describeAll(joined))
	}
	if calls := slices.Collect(tracker.Calls()); len(calls) != 1 || calls[0] != joined[1] {
		t.Errorf("want one call, have %s", describeAll(calls))
	}
	// It did not.
	parted := apply(at(19.5, end, in, "106"))
	if len(parted) != 2 || !slices.ContainsFunc(parted, func(c *call.Call) bool { return c.ID == first.ID }) ||
		!slices.ContainsFunc(parted, func(c *call.Call) bool { return c.ID == second[0].ID }) {
		t.Errorf("want both again, have %s", describeAll(parted))
	}
	ids := map[string]bool{}
	for _, c := range tracker.Advance(morning.Add(24 * time.Hour)) {
		if ids[c.ID] {
			t.Errorf("want what was void forgotten, have %s twice", c.ID)
		}
		ids[c.ID] = true
	}
	other := call.NewTracker(call.Options{}).Apply(nameless(at(5, ring, in, "104"))[0], morning.Add(time.Hour))
	if other[0].ID != first.ID {
		t.Errorf("want the id %s from another tracker, have %s", first.ID, other[0].ID)
	}
}

// A call whose end was lost is over when the next with its key begins, also when that is told late.
func TestSuperseded(t *testing.T) {
	tracker := call.NewTracker(call.Options{})
	all := nameless(at(0, ring, in, "104"), at(5, answer, in, "104"), at(200, enter, out, "105"), at(120, ring, in, "104"))
	var changed []*call.Call
	for _, ev := range all {
		changed = tracker.Apply(ev, morning)
	}
	slices.SortFunc(changed, func(a, b *call.Call) int { return a.Began.Compare(b.Began) })
	if len(changed) != 2 || changed[0].Open() || changed[0].Outcome != call.Answered || !changed[1].Open() {
		t.Errorf("want the first over and the second open, have\n%s", describeAll(changed))
	}
}

// Nothing is joined over the borders of exchanges, vendors and tenants.
func TestBorders(t *testing.T) {
	for name, change := range map[string]func(*pbxv1.Event){
		"vendor":   func(ev *pbxv1.Event) { ev.Vendor = "xvb" },
		"tenant":   func(ev *pbxv1.Event) { ev.Tenant = "globex" },
		"exchange": func(ev *pbxv1.Event) { ev.Exchange = "brno" },
		"id":       func(ev *pbxv1.Event) { ev.GetCall().Id, ev.GetCall().Key = "2", "2" },
		"no id":    func(ev *pbxv1.Event) { ev.GetCall().Id = "" },
	} {
		other := at(1, ring, in, "105")
		change(other)
		calls := follow(t, events{at(0, ring, in, "104"), other})
		if len(calls) != 2 || calls[0].ID == calls[1].ID {
			t.Errorf("%s: want two calls, have %s", name, describeAll(calls))
		}
	}
}
