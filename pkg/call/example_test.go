package call_test

import (
	"fmt"

	"github.com/switchhook/switchhook/pkg/call"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

func ExampleTracker() {
	tracker := call.NewTracker(call.Options{})
	for _, ev := range []*pbxv1.Event{
		at(9, pbxv1.Call_ANSWERED, pbxv1.Call_INCOMING, "104"), // it overtook the ring
		at(2, pbxv1.Call_RINGING, pbxv1.Call_INCOMING, "104"),
		at(60, pbxv1.Call_ENDED, pbxv1.Call_INCOMING, "104"),
	} {
		for _, c := range tracker.Apply(ev, ev.GetReceivedAt().AsTime()) {
			fmt.Println(c.Outside().GetE164(), c.Outcome, c.Ring, c.Talk)
		}
	}
	// Output:
	// +420777888999 open 0s 0s
	// +420777888999 open 7s 0s
	// +420777888999 answered 7s 51s
}
