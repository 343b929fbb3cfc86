package call_test

import (
	"slices"
	"testing"
	"time"

	"github.com/switchhook/switchhook/pkg/call"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

var options = call.Options{Ringing: time.Minute, Talking: time.Hour, Keep: 10 * time.Minute}

// kept returns what a tracker keeps.
func kept(tracker *call.Tracker) []*call.Call { return slices.Collect(tracker.Calls()) }

func TestExpiry(t *testing.T) {
	tests := map[string]struct {
		events events
		after  time.Duration
		want   string
	}{
		"ringing":  {events{at(0, ring, in, "104"), at(9, ring, in, "105")}, time.Minute, "unknown 0s+9s+0s; 104 ringing 0s-9s; 105 ringing 9s-9s"},
		"talking":  {events{at(0, ring, in, "104"), at(9, answer, in, "104")}, time.Hour, "answered 0s+9s+0s; 104! ringing 0s-9s talking 9s-9s"},
		"internal": {events{at(0, ring, inside, "106", parties("104", "106"))}, time.Minute, "unknown 0s+0s+0s; 106 dialing 0s-0s"},
		"one missed": {
			events{at(0, ring, in, "104"), at(1, ring, in, "105"), at(9, end, in, "104", because(pbxv1.Call_NO_ANSWER))},
			time.Minute,
			"rang_out 0s+9s+0s; 104 ringing 0s-9s; 105 ringing 1s-9s",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			tracker := call.NewTracker(options)
			for _, ev := range test.events {
				tracker.Apply(ev, morning.Add(-time.Minute))
				tracker.Apply(ev, morning.Add(-30*time.Second)) // a repetition is no news
			}
			if early := tracker.Advance(morning.Add(-time.Minute + test.after - 1)); len(early) > 0 {
				t.Fatalf("want it to go on, have %s", describeAll(early))
			}
			expired := tracker.Advance(morning.Add(-time.Minute + test.after))
			if len(expired) != 1 || !expired[0].Expired || expired[0].Open() || test.want != short(expired[0]) {
				t.Fatalf("want %s\nhave %s", test.want, describeAll(expired))
			}
			checkForm(t, expired[0])
			last := test.events[len(test.events)-1].GetTime().AsTime()
			if !expired[0].Ended.Equal(last) {
				t.Errorf("want it ended at %v, have %v", last, expired[0].Ended)
			}
			if calls := kept(tracker); len(calls) != 1 || calls[0] != expired[0] {
				t.Errorf("want it kept, have %s", describeAll(calls))
			}
			tracker.Advance(morning.Add(-time.Minute + test.after + options.Keep))
			if calls := kept(tracker); len(calls) > 0 {
				t.Errorf("want it forgotten, have %s", describeAll(calls))
			}
		})
	}
}

// News put the end off, and what comes after it takes it back.
func TestExpiryTakenBack(t *testing.T) {
	tracker := call.NewTracker(options)
	tracker.Apply(at(0, ring, in, "104"), morning)
	tracker.Apply(at(50, ring, in, "105"), morning.Add(50*time.Second))
	if have := tracker.Advance(morning.Add(109 * time.Second)); len(have) > 0 {
		t.Fatalf("want the news counted, have %s", describeAll(have))
	}
	if have := tracker.Advance(morning.Add(110 * time.Second)); len(have) != 1 {
		t.Fatalf("want it expired, have %s", describeAll(have))
	}
	back := tracker.Apply(at(120, answer, in, "104"), morning.Add(2*time.Minute))
	if len(back) != 1 || back[0].Expired || !back[0].Open() {
		t.Fatalf("want it open again, have %s", describeAll(back))
	}
	if have := tracker.Advance(morning.Add(2*time.Minute + options.Talking)); len(have) != 1 || !have[0].Expired {
		t.Fatalf("want it expired again, have %s", describeAll(have))
	}
}

// A call that is over is kept for a while from the last that was heard of it, also when it had been waited for longer.
func TestForget(t *testing.T) {
	for name, named := range map[string]bool{"with an id": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			tracker := call.NewTracker(options)
			flow := []*pbxv1.Event{at(0, ring, in, "104"), at(9, answer, in, "104"), at(200, end, in, "104")}
			if !named {
				flow = nameless(flow...)
			}
			var id string
			for _, ev := range flow {
				now := ev.GetTime().AsTime()
				tracker.Advance(now)
				id = tracker.Apply(ev, now)[0].ID
			}
			over := morning.Add(200 * time.Second)
			if have := tracker.Advance(over.Add(options.Keep - 1)); len(have) > 0 || len(kept(tracker)) != 1 {
				t.Fatalf("want it kept, and nothing expired, have %s", describeAll(have))
			}
			if have := tracker.Advance(over.Add(options.Keep)); len(have) > 0 || len(kept(tracker)) != 0 {
				t.Fatalf("want it forgotten, and nothing expired, have %s", describeAll(have))
			}
			late := tracker.Apply(at(0, record, in, "", said(11)), over.Add(time.Hour))
			if len(late) != 1 || late[0].Outcome != call.Answered || !late[0].Record {
				t.Fatalf("want a call that is over at once, have %s", describeAll(late))
			}
			if named && late[0].ID != id {
				t.Errorf("want the id %s, have %s", id, late[0].ID)
			}
		})
	}
}

// What was returned is never changed.
func TestSnapshots(t *testing.T) {
	tracker := call.NewTracker(call.Options{})
	var snapshots []*call.Call
	var described []string
	for _, ev := range append(ringGroup(3, 5), at(900, answer, in, "104"), at(901, ring, in, "105"), at(0, record, in, "")) {
		for _, c := range tracker.Apply(ev, morning) {
			snapshots, described = append(snapshots, c), append(described, describe(c))
		}
	}
	for i, c := range snapshots {
		if want, have := described[i], describe(c); want != have {
			t.Fatalf("want\n%s\nhave\n%s", want, have)
		}
	}
}

func TestDefaults(t *testing.T) {
	tracker := call.NewTracker(call.Options{})
	tracker.Apply(at(0, ring, in, "104"), morning)
	if have := tracker.Advance(morning.Add(time.Hour - 1)); len(have) > 0 {
		t.Errorf("want an hour of patience, have %s", describeAll(have))
	}
	tracker.Apply(at(1, answer, in, "104"), morning.Add(time.Hour-1))
	if have := tracker.Advance(morning.Add(5*time.Hour - 2)); len(have) > 0 {
		t.Errorf("want four hours more, have %s", describeAll(have))
	}
	if have := tracker.Advance(morning.Add(5*time.Hour - 1)); len(have) != 1 {
		t.Errorf("want it expired, have %s", describeAll(have))
	}
	tracker.Advance(morning.Add(6*time.Hour - 1))
	if have := kept(tracker); len(have) > 0 {
		t.Errorf("want it forgotten an hour later, have %s", describeAll(have))
	}
}
