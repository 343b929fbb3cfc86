package call_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/call"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// received returns events as they come from an exchange that gives no times, all within moments: their times are those of
// their receipt. What has a time of its own keeps it.
func received(events []*pbxv1.Event) []*pbxv1.Event {
	events = slices.Clone(events)
	for i, ev := range events {
		at := timestamppb.New(morning.Add(time.Duration(i) * time.Millisecond))
		ev = proto.CloneOf(ev)
		if proto.Equal(ev.GetTime(), ev.GetReceivedAt()) {
			ev.Time = at
		}
		ev.ReceivedAt = at
		events[i] = ev
	}
	return events
}

// disorders returns what may become of the order of events: neighbours change places, or one comes after all others.
func disorders(events []*pbxv1.Event) map[string][]*pbxv1.Event {
	orders := map[string][]*pbxv1.Event{"none": events}
	for i := range events[1:] {
		swapped := slices.Clone(events)
		swapped[i], swapped[i+1] = swapped[i+1], swapped[i]
		orders[fmt.Sprintf("%d before %d", i+1, i)] = swapped
		late := slices.Delete(slices.Clone(events), i, i+1)
		orders[fmt.Sprintf("%d last", i)] = append(late, events[i])
	}
	return orders
}

// Where times are those of receipt, a disorder can make spans too short, but no call stays open, and no answer is lost.
func TestLyingTimes(t *testing.T) {
	for _, v := range variants(t) {
		for _, s := range v.Dialect.Scenarios() {
			t.Run(fmt.Sprintf("%s/%s", v.Variant, s), func(t *testing.T) {
				events := v.events(t, v.call(s, 7))
				want := answeredBy(followOne(t, events))
				for name, order := range disorders(events) {
					order = received(order)
					calls := follow(t, order)
					have := ""
					for _, c := range calls {
						if c.Open() {
							t.Errorf("%s: want no call open, have\n%safter\n%s", name, describe(c), describeEvents(order))
						}
						have += answeredBy(c)
					}
					if want != have {
						t.Errorf("%s: want answered by %s, have %s:\n%safter\n%s", name, want, have, describeAll(calls), describeEvents(order))
					}
				}
			})
		}
	}
}

// answeredBy returns the legs that answered, and a mark if anybody did.
func answeredBy(c *call.Call) string {
	if c.Outcome != call.Answered {
		return ""
	}
	return factsOf(c).answered + "!"
}
