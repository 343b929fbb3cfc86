package call_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/call"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/pbxsim/flow"
)

// BenchmarkApply follows orderly calls, a thousand at a time, each with the time going on and Advance called.
func BenchmarkApply(b *testing.B) {
	for _, name := range []string{"ipex-documents", "mcn-documents", "xvb-family-form"} {
		b.Run(name, func(b *testing.B) {
			v := variantNamed(b, name)
			events := v.events(b, v.call(flow.QueueAnswered, 7))
			rounds := b.N/len(events) + 1
			calls := make([][]*pbxv1.Event, rounds)
			for i := range calls {
				calls[i] = renamed(moved(events, time.Duration(i)*time.Second), i)
			}
			tracker := call.NewTracker(call.Options{})
			b.ReportAllocs()
			b.ResetTimer()
			const atOnce = 1000
			for begin := 0; begin < rounds; begin += atOnce {
				for step := range events {
					for i := begin; i < min(begin+atOnce, rounds); i++ {
						tracker.Apply(calls[i][step], morning.Add(time.Duration(begin)*time.Second))
					}
				}
				tracker.Advance(morning.Add(time.Duration(begin) * time.Second))
			}
			b.ReportMetric(float64(rounds*len(events))/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// renamed gives events to another call.
func renamed(events []*pbxv1.Event, i int) []*pbxv1.Event {
	number := fmt.Sprintf("%09d", 600000000+i)
	for _, ev := range events {
		c := ev.GetCall()
		if c.GetId() == "" {
			c.From.Number, c.From.E164 = number, "+420"+number
			c.Key = "acme/" + c.GetExtension() + "/+420" + number
		} else {
			c.Id += "-" + strconv.Itoa(i)
			c.Key = c.GetId()
		}
	}
	return events
}

// BenchmarkRingGroup is a call that a queue offers to fifty phones again and again: what an event costs must not grow.
func BenchmarkRingGroup(b *testing.B) {
	for _, rounds := range []int{10, 120} {
		b.Run(fmt.Sprintf("%d rounds", rounds), func(b *testing.B) {
			events := ringGroup(50, rounds)
			b.ReportAllocs()
			for b.Loop() {
				tracker := call.NewTracker(call.Options{})
				for _, ev := range events {
					tracker.Apply(ev, ev.GetTime().AsTime())
				}
			}
			b.ReportMetric(float64(b.N*len(events))/b.Elapsed().Seconds(), "events/s")
		})
	}
}

func ringGroup(phones, rounds int) []*pbxv1.Event {
	var events []*pbxv1.Event
	for round := range rounds {
		for _, kind := range []pbxv1.Call_Kind{pbxv1.Call_RINGING, pbxv1.Call_ENDED} {
			for phone := range phones {
				at := morning.Add(time.Duration(round)*30*time.Second + time.Duration(phone)*time.Millisecond)
				if kind == pbxv1.Call_ENDED {
					at = at.Add(20 * time.Second)
				}
				events = append(events, &pbxv1.Event{
					Vendor: "ipex", Tenant: "acme", Exchange: "ipex", Time: timestamppb.New(at), ReceivedAt: timestamppb.New(at),
					Payload: &pbxv1.Event_Call{Call: &pbxv1.Call{
						Kind: kind, Id: "1.1", Key: "1.1", Direction: pbxv1.Call_INCOMING, Extension: strconv.Itoa(100 + phone),
						Cause: map[bool]pbxv1.Call_Cause{true: pbxv1.Call_NO_ANSWER}[kind == pbxv1.Call_ENDED],
					}},
				})
			}
		}
	}
	return events
}
