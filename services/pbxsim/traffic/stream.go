package traffic

import (
	"math/rand/v2"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// Stored is an event with when it was stored.
type Stored struct {
	At    time.Time
	Event *pbxv1.Event
}

// Stream returns all events in the order in which they happened, each stored at once.
func Stream(calls []*Call) []Stored {
	var all []Stored
	for _, c := range calls {
		for _, ev := range c.Events {
			all = append(all, Stored{ev.GetReceivedAt().AsTime(), ev})
		}
	}
	return inOrder(all)
}

// Shuffled returns the same with the events of each call in another order, and some of them again. Nothing is stored before
// it happens; what agents do between calls keeps its order, but may come again when it is no longer true.
func Shuffled(calls []*Call, rng *rand.Rand) []Stored {
	var all []Stored
	for _, c := range calls {
		var shifts, events []*pbxv1.Event
		for _, ev := range c.Events {
			if ev.GetAgent() != nil {
				shifts = append(shifts, ev)
				continue
			}
			events = append(events, ev)
			if rng.IntN(3) == 0 {
				events = append(events, proto.CloneOf(ev))
			}
		}
		rng.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		clock := time.Time{}
		for _, ev := range slices.Concat(shifts, events) {
			if at := ev.GetReceivedAt().AsTime(); at.After(clock) {
				clock = at
			}
			all = append(all, Stored{clock, ev})
			if ev.GetAgent() != nil && rng.IntN(3) == 0 {
				all = append(all, Stored{clock.Add(time.Duration(rng.IntN(600)) * time.Second), proto.CloneOf(ev)})
			}
		}
	}
	return inOrder(all)
}

func inOrder(all []Stored) []Stored {
	slices.SortStableFunc(all, func(x, y Stored) int { return x.At.Compare(y.At) })
	return all
}
