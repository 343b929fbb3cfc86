package sockets_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/web-gateway/frames"
)

func TestCommands(t *testing.T) {
	w := start(t)
	for tenant, id := range map[string]string{"acme": "a1", "globex": "g1"} {
		w.tell(rings(tenant, id, "102"))
	}
	w.tell(rings("acme", "a2", "103"))
	own, foreign, neighbours := uniqueID("acme", "a1"), uniqueID("globex", "g1"), uniqueID("acme", "a2")
	me := event.User("karel", "karel@example.com")
	for name, test := range map[string]struct {
		token   string
		request frames.Request
		refused bool
		want    *pbxv1.CommandRequest
	}{
		"originate": {
			karel,
			frames.Request{Action: "originate", To: "777", CallerID: `"Acme" <+420222>`},
			false,
			&pbxv1.CommandRequest{User: me, Extension: "101", Action: &pbxv1.CommandRequest_Originate{
				Originate: &pbxv1.Originate{To: "777", CallerId: "+420222", CallerIdName: "Acme"},
			}},
		},
		"originate from the other line": {
			karel,
			frames.Request{Action: "originate", To: "777", Line: "102"},
			false,
			&pbxv1.CommandRequest{User: me, Extension: "102", Action: &pbxv1.CommandRequest_Originate{
				Originate: &pbxv1.Originate{To: "777"},
			}},
		},
		"originate from another's": {karel, frames.Request{Action: "originate", To: "777", Line: "103"}, true, nil},
		"originate without a line": {"acme/login/boss/commands", frames.Request{Action: "originate", To: "777"}, true, nil},
		"originate without right":  {"acme/login/karel/calls", frames.Request{Action: "originate", To: "777"}, true, nil},
		"hang up": {
			karel,
			frames.Request{Action: "hangupcall", UniqueID: own},
			false,
			&pbxv1.CommandRequest{User: me, Extension: "102", Action: &pbxv1.CommandRequest_Hangup{Hangup: &pbxv1.Hangup{CallId: "a1"}}},
		},
		"hang up the current call": {
			karel,
			frames.Request{Action: "hangupcall"},
			false,
			&pbxv1.CommandRequest{User: me, Extension: "102", Action: &pbxv1.CommandRequest_Hangup{Hangup: &pbxv1.Hangup{}}},
		},
		"hang up a neighbour's":      {karel, frames.Request{Action: "hangupcall", UniqueID: neighbours}, true, nil},
		"hang up another tenant's":   {karel, frames.Request{Action: "hangupcall", UniqueID: foreign}, true, nil},
		"hang up nothing":            {karel, frames.Request{Action: "hangupcall", UniqueID: "x"}, true, nil},
		"hang up, on another's line": {karel, frames.Request{Action: "hangupcall", Line: "103"}, true, nil},
		"transfer": {
			karel,
			frames.Request{Action: "transfer", To: "105", Type: "attended"},
			false,
			&pbxv1.CommandRequest{User: me, Extension: "102", Action: &pbxv1.CommandRequest_Transfer{
				Transfer: &pbxv1.Transfer{To: "105", Mode: pbxv1.Transfer_ATTENDED},
			}},
		},
		"complete": {
			karel,
			frames.Request{Action: "transfer", Type: "complete"},
			false,
			&pbxv1.CommandRequest{User: me, Extension: "102", Action: &pbxv1.CommandRequest_Transfer{
				Transfer: &pbxv1.Transfer{Mode: pbxv1.Transfer_ATTENDED_COMPLETE},
			}},
		},
		"at which exchange is not known": {"two/line/101/commands", frames.Request{Action: "originate", To: "777"}, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(w.commands())
			c, _ := w.auth(test.token, 0)
			c.want("snapshot")
			test.request.ActionID = name
			c.send(test.request)
			f := c.want(test.request.Action + "response")
			if want := map[bool]string{true: "refused", false: "accepted"}[test.refused]; f.Result != want || f.ActionID != name {
				t.Fatalf("want %s, have %+v", want, f)
			}
			if test.refused {
				if have := w.commands()[before:]; len(have) > 0 || f.Reason == "" {
					t.Errorf("want a reason and nothing sent, have %q, %v", f.Reason, have)
				}
				return
			}
			have := w.commands()[before]
			if have.vendor != "ipex" || have.tenant != "acme" || have.request.GetExchange() != "prague" ||
				have.request.GetIdempotencyKey() == "" || have.request.GetActionId() != name {
				t.Errorf("want it at the line's exchange, have %v", have)
			}
			have.request.IdempotencyKey, have.request.ActionId, have.request.Exchange = "", "", ""
			if !proto.Equal(test.want, have.request) {
				t.Errorf("want %v, have %v", test.want, have.request)
			}
		})
	}
}

func uniqueID(tenant, id string) string {
	return event.DerivedID(event.Origin{Vendor: "ipex", Tenant: tenant, Exchange: "prague"}, "call", id)
}

// TestExchangeOfLine learns where a line is from its calls.
func TestExchangeOfLine(t *testing.T) {
	w := start(t)
	ev := rings("two", "a", "101")
	ev.Vendor, ev.Exchange = "mcn", "brno"
	w.tell(ev)
	c, _ := w.auth("two/line/101/commands", 0)
	c.want("snapshot")
	c.send(frames.Request{Action: "originate", To: "777"})
	c.want("originateresponse")
	if have := w.commands(); len(have) != 1 || have[0].vendor != "mcn" || have[0].request.GetExchange() != "brno" {
		t.Errorf("want it at mcn, have %v", have)
	}
}

// TestRepeatedCommand repeats a command after a reconnect: both have one key, and another one has another.
func TestRepeatedCommand(t *testing.T) {
	w := start(t)
	keys := map[string]int{}
	for _, r := range []frames.Request{
		{Action: "originate", To: "777", ActionID: "1"},
		{Action: "originate", To: "777", ActionID: "1"},
		{Action: "originate", To: "777", ActionID: "2"},
		{Action: "originate", To: "778", ActionID: "1"},
		{Action: "originate", To: "777"},
		{Action: "originate", To: "777"},
	} {
		c, _ := w.auth(karel, 0)
		c.want("snapshot")
		c.send(r)
		c.want("originateresponse")
	}
	for _, s := range w.commands() {
		keys[s.request.GetIdempotencyKey()]++
	}
	if len(keys) != 5 || keys[w.commands()[0].request.GetIdempotencyKey()] != 2 {
		t.Errorf("want one key twice and four others, have %v", keys)
	}
	other, _ := w.auth("acme/line/101/commands", 0)
	other.want("snapshot")
	other.send(frames.Request{Action: "originate", To: "777", ActionID: "1"})
	other.want("originateresponse")
	if key := w.commands()[6].request.GetIdempotencyKey(); keys[key] != 0 {
		t.Errorf("want a key of its own, have %s", key)
	}
}

func TestReplies(t *testing.T) {
	w := start(t)
	c, _ := w.auth(karel, 0)
	c.want("snapshot")
	for want, test := range map[string]struct {
		reply *pbxv1.CommandReply
		err   error
	}{
		"accepted":  {&pbxv1.CommandReply{Accepted: true}, nil},
		"refused":   {&pbxv1.CommandReply{Reason: "not allowed"}, nil},
		"succeeded": {&pbxv1.CommandReply{Accepted: true, Previous: &pbxv1.Command{Outcome: pbxv1.Command_DONE}}, nil},
		"failed":    {&pbxv1.CommandReply{Accepted: true, Previous: &pbxv1.Command{Outcome: pbxv1.Command_EXCHANGE_ERROR}}, nil},
		"unknown":   {nil, fault.New(fault.Unavailable, "no answer")},
	} {
		w.mu.Lock()
		w.reply, w.err = test.reply, test.err
		w.mu.Unlock()
		c.send(frames.Request{Action: "originate", To: "777"})
		if f := c.want("originateresponse"); f.Result != want || f.Seq != 0 {
			t.Errorf("want %s, have %+v", want, f)
		}
	}
	w.mu.Lock()
	w.reply, w.err = nil, errors.New("nats: secret")
	w.mu.Unlock()
	c.send(frames.Request{Action: "originate", To: "777"})
	if f := c.want("originateresponse"); f.Result != "unknown" || f.Reason != "something went wrong" {
		t.Errorf("want nothing from inside, have %+v", f)
	}
}

// TestOutcome tells what came of a command to the pages of who sent it.
func TestOutcome(t *testing.T) {
	w := start(t)
	mine, _ := w.auth(karel, 0)
	also, _ := w.auth(karel, 0)
	other, _ := w.auth("acme/line/101/calls,commands", 0)
	for _, c := range []*client{mine, also, other} {
		c.want("snapshot")
	}
	mine.send(frames.Request{Action: "originate", To: "777", ActionID: "1"})
	mine.want("originateresponse")
	request := w.commands()[0].request
	now := timestamppb.Now()
	w.tell(&pbxv1.Event{
		Time: now, ReceivedAt: now, Vendor: "ipex", Tenant: "acme", Payload: &pbxv1.Event_Command{Command: &pbxv1.Command{
			Kind: pbxv1.Command_SUCCEEDED, Outcome: pbxv1.Command_DONE, Action: "originate", Extension: request.GetExtension(),
			IdempotencyKey: request.GetIdempotencyKey(), ActionId: request.GetActionId(),
		}},
	})
	w.tell(rings("acme", "a", "101"))
	for _, c := range []*client{mine, also} {
		if f := c.want("originateresponse"); f.Result != "succeeded" || f.ActionID != "1" || f.Seq != 1 {
			t.Errorf("want the outcome, have %+v", f)
		}
		c.want("Ringing")
	}
	other.want("Ringing")
}

// TestManyCommands sends more commands than are carried out at once.
func TestManyCommands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startInside(t)
		w.answer = make(chan struct{})
		c, _ := w.auth(karel, 0)
		c.want("snapshot")
		for range 4 {
			c.send(frames.Request{Action: "originate", To: "777"})
		}
		c.send(frames.Request{Action: "originate", To: "777"})
		if f := c.want("originateresponse"); f.Result != "refused" {
			t.Errorf("want the fifth refused, have %+v", f)
		}
		for range 4 { // nobody answers for 5s
			if f := c.want("originateresponse"); f.Result != "unknown" {
				t.Errorf("want nothing known, have %+v", f)
			}
		}
		c.send(frames.Request{Action: "hangupcall"})
		close(w.answer)
		if f := c.want("hangupcallresponse"); f.Result != "accepted" {
			t.Errorf("want it accepted, have %+v", f)
		}
		w.end(c)
	})
}
