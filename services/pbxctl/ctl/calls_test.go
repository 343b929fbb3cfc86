package ctl_test

import (
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// someCalls are calls of every sort.
func someCalls() *pbxv1.CallListResponse {
	customer := &pbxv1.Party{Number: "777123456", E164: "+420777123456"}
	line := &pbxv1.Party{Number: "222333444", E164: "+420222333444"}
	status := func(c *pbxv1.Call, started *timestamppb.Timestamp) *pbxv1.CallStatus {
		return &pbxv1.CallStatus{Vendor: "ipex", Exchange: "prague", Tenant: "acme", StartedAt: started, Call: c}
	}
	incoming := func(kind pbxv1.Call_Kind, queue string) *pbxv1.Call {
		return &pbxv1.Call{Kind: kind, Direction: pbxv1.Call_INCOMING, From: customer, To: line, Queue: queue}
	}
	transferred := status(incoming(pbxv1.Call_ANSWERED, "NOC"), timestamppb.New(time.Date(2026, 3, 9, 23, 0, 0, 0, time.UTC)))
	transferred.AnsweredAt, transferred.Talking, transferred.Ringing = at(0, 0, 0), []string{"200", "201"}, []string{"202"}
	talking := status(incoming(pbxv1.Call_ANSWERED, ""), at(13, 50, 0))
	talking.Talking = []string{"203"}
	talking.Contact = &pbxv1.ContactMatch{Name: "Jan Novák", Organisation: "Novák a synové"}
	ringing := status(incoming(pbxv1.Call_RINGING, "Sales \x1b[2J"), at(13, 59, 30))
	ringing.Ringing = []string{"200", "201"}
	return &pbxv1.CallListResponse{Calls: []*pbxv1.CallStatus{
		transferred, talking, ringing,
		status(incoming(pbxv1.Call_NEW, "NOC"), at(13, 58, 0)),
		status(&pbxv1.Call{
			Kind: pbxv1.Call_NEW, Direction: pbxv1.Call_OUTGOING, From: &pbxv1.Party{Number: "204"}, To: customer, Extension: "204",
		}, at(13, 59, 57)),
		status(&pbxv1.Call{
			Kind: pbxv1.Call_NEW, Direction: pbxv1.Call_INTERNAL_OUTGOING, From: &pbxv1.Party{Number: "205"},
			To: &pbxv1.Party{Number: "206"},
		}, at(13, 59, 58)),
		status(&pbxv1.Call{Kind: pbxv1.Call_NEW, From: &pbxv1.Party{Number: "anonymous"}}, nil),
	}}
}

func TestCalls(t *testing.T) {
	_, b := start(t)
	asked := serveFixed[*pbxv1.CallListRequest](t, b, event.QueryCallList, someCalls())
	r := run(t, world(), "calls", "--tenant", "acme", "--queue", "NOC")
	r.want(t, 0, "talking", "")
	golden(t, "calls.txt", r.stdout)
	wantAsked(t, &pbxv1.CallListRequest{Tenant: "acme", Queue: "NOC"}, asked)
	r = run(t, world(), "calls", "--tenant", "acme", "--color", "always")
	r.want(t, 0, "talking", "")
	golden(t, "calls-in-colour.txt", r.stdout)
}

func TestNoCalls(t *testing.T) {
	_, b := start(t)
	serveFixed[*pbxv1.CallListRequest](t, b, event.QueryCallList, &pbxv1.CallListResponse{})
	run(t, world(), "calls", "--tenant", "acme").want(t, 0, "no calls\n", "")
}

func TestCallsJSON(t *testing.T) {
	_, b := start(t)
	serveFixed[*pbxv1.CallListRequest](t, b, event.QueryCallList, someCalls())
	r := run(t, world(), "calls", "--tenant", "acme", "--json")
	have := new(pbxv1.CallListResponse)
	if err := protojson.Unmarshal([]byte(r.stdout), have); err != nil || !proto.Equal(someCalls(), have) || len(r.lines()) != 1 {
		t.Errorf("want %v, have %v: %s", someCalls(), err, r.stdout)
	}
}
