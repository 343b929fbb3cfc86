package call_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/call"
	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

const (
	mostPermuted = 7   // events; a call of more is shuffled
	shuffles     = 150 // that many times
)

// orders yields permutations of events: all of a few, many of many.
func orders(events []*pbxv1.Event) func(yield func([]*pbxv1.Event) bool) {
	return func(yield func([]*pbxv1.Event) bool) {
		if len(events) <= mostPermuted {
			permute(slices.Clone(events), 0, yield)
			return
		}
		someOrders(events)(yield)
	}
}

// someOrders yields events shuffled.
func someOrders(events []*pbxv1.Event) func(yield func([]*pbxv1.Event) bool) {
	return func(yield func([]*pbxv1.Event) bool) {
		rng := rand.New(rand.NewPCG(1, uint64(len(events))))
		for range shuffles {
			if !yield(shuffled(rng, events)) {
				return
			}
		}
	}
}

func permute(events []*pbxv1.Event, from int, yield func([]*pbxv1.Event) bool) bool {
	if from == len(events) {
		return yield(slices.Clone(events))
	}
	for i := from; i < len(events); i++ {
		events[from], events[i] = events[i], events[from]
		if !permute(events, from+1, yield) {
			return false
		}
		events[from], events[i] = events[i], events[from]
	}
	return true
}

func shuffled(rng *rand.Rand, events []*pbxv1.Event) []*pbxv1.Event {
	events = slices.Clone(events)
	rng.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	return events
}

// repeated adds repetitions anywhere: of the event itself, or as another one of the same content and time.
func repeated(rng *rand.Rand, events []*pbxv1.Event) []*pbxv1.Event {
	all := events
	for range all {
		again := events[rng.IntN(len(events))]
		if rng.IntN(2) == 0 {
			again = proto.CloneOf(again)
			again.Id = event.NewID()
			again.ReceivedAt = nil
		}
		events = slices.Insert(slices.Clone(events), rng.IntN(len(events)+1), again)
	}
	return events
}

// The state of a call is a function of the set of its events.
func TestOrder(t *testing.T) {
	for _, v := range variants(t) {
		for _, s := range v.Dialect.Scenarios() {
			t.Run(fmt.Sprintf("%s/%s", v.Variant, s), func(t *testing.T) {
				t.Parallel()
				rng := rand.New(rand.NewPCG(2, 3))
				events := v.events(t, v.call(s, 7))
				want := follow(t, events)
				orders := orders
				if v.isAlike() {
					orders = someOrders
				}
				for order := range orders(events) {
					demandEqual(t, want, follow(t, order), order)
					if rng.IntN(4) == 0 {
						order = repeated(rng, order)
						demandEqual(t, want, follow(t, order), order)
					}
				}
			})
		}
	}
}

// Calls without an id that follow each other are told apart, however the events of each come.
func TestConsecutive(t *testing.T) {
	v := variantNamed(t, "mcn-documents")
	for _, s := range v.Dialect.Scenarios() {
		for count := 2; count <= 3; count++ {
			t.Run(fmt.Sprintf("%d %s", count, s), func(t *testing.T) {
				t.Parallel()
				rng := rand.New(rand.NewPCG(4, 5))
				one := v.events(t, v.call(s, 7))
				for _, pause := range []time.Duration{2 * time.Second, time.Minute} {
					calls := inARow(one, count, pause)
					want := follow(t, slices.Concat(calls...))
					if len(want) != count {
						t.Fatalf("want %d calls, have %d:\n%s", count, len(want), describeAll(want))
					}
					for i := range want {
						if want, have := describeSince(want[0]), describeSince(want[i]); want != have {
							t.Errorf("want each call as the first:\n%s\nhave\n%s", want, have)
						}
					}
					for range shuffles {
						var order []*pbxv1.Event
						for _, c := range calls {
							order = append(order, shuffled(rng, c)...)
						}
						demandEqual(t, want, follow(t, order), order)
						order = shuffled(rng, order) // all of them
						demandEqual(t, want, follow(t, repeated(rng, order)), order)
					}
				}
			})
		}
	}
}

// inARow repeats the events of a call, each time a pause after the end of the one before.
func inARow(events []*pbxv1.Event, count int, pause time.Duration) [][]*pbxv1.Event {
	first, last := events[0].GetTime().AsTime(), events[len(events)-1].GetTime().AsTime()
	var calls [][]*pbxv1.Event
	for i := range count {
		calls = append(calls, moved(events, time.Duration(i)*(last.Sub(first)+pause)))
	}
	return calls
}

// describeSince describes a call as if it had begun in the morning.
func describeSince(c *call.Call) string {
	d := morning.Sub(c.Began)
	c = shifted(c, d)
	return describe(c)
}
