package agents_test

import (
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// TestTransitions says what each rule makes of a few events.
func TestTransitions(t *testing.T) {
	tests := map[string]struct {
		events []*pbxv1.Event
		want   []string
	}{
		"nothing": {nil, []string{}},
		"logs in and out": {
			[]*pbxv1.Event{login(0, "petr", "107", "NOC"), logout(60, "107", "NOC")},
			[]string{"0 petr AVAILABLE", "60 petr LOGGED_OUT"},
		},
		"logs in twice": {
			[]*pbxv1.Event{login(0, "petr", "107", "NOC"), login(5, "petr", "107", "NOC")},
			[]string{"0 petr AVAILABLE"},
		},
		"logs out of one queue of two": {
			[]*pbxv1.Event{
				login(0, "petr", "107", "NOC"), login(1, "petr", "107", "Sales"), logout(2, "107", "NOC"),
				logout(3, "107", "Sales"),
			},
			[]string{"0 petr AVAILABLE", "3 petr LOGGED_OUT"},
		},
		"logs out of all queues": {
			[]*pbxv1.Event{
				login(0, "petr", "107", "NOC"), login(1, "petr", "107", "Sales"), logout(2, "107", ""),
			},
			[]string{"0 petr AVAILABLE", "2 petr LOGGED_OUT"},
		},
		"pauses": {
			[]*pbxv1.Event{
				login(0, "petr", "107", "NOC"), pause(5, "NOC", "Oběd"), unpause(9, "NOC"),
			},
			[]string{"0 petr AVAILABLE", "5 petr PAUSED Oběd", "9 petr AVAILABLE"},
		},
		"pauses for another reason": {
			[]*pbxv1.Event{
				login(0, "petr", "107", "NOC"), pause(5, "NOC", "Oběd"), pause(9, "NOC", "WC"),
			},
			[]string{"0 petr AVAILABLE", "5 petr PAUSED Oběd", "9 petr PAUSED WC"},
		},
		"pauses in one queue of two": {
			[]*pbxv1.Event{
				login(0, "petr", "107", "NOC"), login(0, "petr", "107", "Sales"), pause(5, "NOC", "Oběd"),
				pause(6, "Sales", "WC"), unpause(8, "NOC"),
			},
			[]string{"0 petr AVAILABLE", "6 petr PAUSED WC", "8 petr AVAILABLE"},
		},
		"pauses in all queues": {
			[]*pbxv1.Event{
				login(0, "petr", "107", "NOC"), login(0, "petr", "107", "Sales"), pause(5, "", "Oběd"),
				unpause(8, ""),
			},
			[]string{"0 petr AVAILABLE", "5 petr PAUSED Oběd", "8 petr AVAILABLE"},
		},
		"a pause proves the login": {
			[]*pbxv1.Event{pause(5, "NOC", "Oběd"), unpause(8, "NOC")},
			[]string{"5 petr PAUSED Oběd", "8 petr AVAILABLE"},
		},
		"logging out ends the pause": {
			[]*pbxv1.Event{
				login(0, "petr", "107", "NOC"), pause(5, "NOC", "Oběd"), logout(6, "107", "NOC"),
				login(7, "petr", "107", "NOC"),
			},
			[]string{"0 petr AVAILABLE", "5 petr PAUSED Oběd", "6 petr LOGGED_OUT", "7 petr AVAILABLE"},
		},
		"a login that comes late": {
			[]*pbxv1.Event{logout(6, "107", "NOC"), login(1, "petr", "107", "NOC")},
			[]string{"6 petr LOGGED_OUT"},
		},
		"a pause of a queue after which everything was left": {
			[]*pbxv1.Event{login(0, "petr", "107", "NOC"), logout(6, "107", ""), pause(3, "NOC", "WC")},
			[]string{"0 petr AVAILABLE", "6 petr LOGGED_OUT"},
		},
		"a call without a queue": {
			[]*pbxv1.Event{
				login(0, "petr", "107", "NOC"), rings(10, "c", "petr", "107", ""), answers(20, "c", "petr", "107", ""),
				ends(50, "c", "petr", "107", ""),
			},
			[]string{"0 petr AVAILABLE", "10 petr RINGING", "20 petr ON_CALL", "50 petr AVAILABLE"},
		},
		"a call of a queue": {
			[]*pbxv1.Event{
				login(0, "petr", "107", "NOC"), rings(10, "c", "petr", "107", "NOC"),
				answers(20, "c", "petr", "107", "NOC"), ends(50, "c", "petr", "107", "NOC"), tick(79), tick(80),
			},
			[]string{
				"0 petr AVAILABLE", "10 petr RINGING", "20 petr ON_CALL", "50 petr WRAP_UP", "80 petr AVAILABLE",
			},
		},
		"a call of a queue without wrap-up": {
			[]*pbxv1.Event{
				login(0, "petr", "107", "NOC"), answers(20, "c", "petr", "107", "Sales"),
				ends(50, "c", "petr", "107", "Sales"),
			},
			[]string{"0 petr AVAILABLE", "20 petr ON_CALL", "50 petr AVAILABLE"},
		},
		"no wrap-up when somebody else answered": {
			[]*pbxv1.Event{
				login(0, "petr", "107", "NOC"), rings(10, "c", "petr", "107", "NOC"), rings(10, "c", "eva", "108", "NOC"),
				answers(20, "c", "eva", "108", "NOC"),
				because(ends(20, "c", "petr", "107", "NOC"), pbxv1.Call_ANSWERED_ELSEWHERE),
			},
			[]string{
				"0 petr AVAILABLE", "10 petr RINGING", "10 eva RINGING", "20 eva ON_CALL", "20 petr AVAILABLE",
			},
		},
		"a wrap-up is over late": {
			[]*pbxv1.Event{
				login(0, "petr", "107", "NOC"), answers(20, "c", "petr", "107", "NOC"),
				ends(50, "c", "petr", "107", "NOC"), rings(100, "d", "petr", "107", "NOC"),
			},
			[]string{"0 petr AVAILABLE", "20 petr ON_CALL", "50 petr WRAP_UP", "80 petr AVAILABLE", "100 petr RINGING"},
		},
		"the next call cuts a wrap-up short": {
			[]*pbxv1.Event{
				login(0, "petr", "107", "NOC"), answers(20, "c", "petr", "107", "NOC"),
				ends(50, "c", "petr", "107", "NOC"), rings(60, "d", "petr", "107", ""),
				because(ends(65, "d", "petr", "107", ""), pbxv1.Call_NO_ANSWER), tick(80),
			},
			[]string{
				"0 petr AVAILABLE", "20 petr ON_CALL", "50 petr WRAP_UP", "60 petr RINGING", "65 petr AVAILABLE",
			},
		},
		"a pause cuts a wrap-up short": {
			[]*pbxv1.Event{
				login(0, "petr", "107", "NOC"), answers(20, "c", "petr", "107", "NOC"),
				ends(50, "c", "petr", "107", "NOC"), pause(55, "NOC", "WC"), unpause(60, "NOC"), tick(80),
			},
			[]string{
				"0 petr AVAILABLE", "20 petr ON_CALL", "50 petr WRAP_UP", "55 petr PAUSED WC", "60 petr AVAILABLE",
			},
		},
		"a logout cuts a wrap-up short": {
			[]*pbxv1.Event{
				login(0, "petr", "107", "NOC"), answers(20, "c", "petr", "107", "NOC"),
				ends(50, "c", "petr", "107", "NOC"), logout(55, "107", "NOC"), tick(80),
			},
			[]string{"0 petr AVAILABLE", "20 petr ON_CALL", "50 petr WRAP_UP", "55 petr LOGGED_OUT"},
		},
		"no wrap-up for who pauses during the call": {
			[]*pbxv1.Event{
				login(0, "petr", "107", "NOC"), answers(20, "c", "petr", "107", "NOC"), pause(30, "NOC", "WC"),
				ends(50, "c", "petr", "107", "NOC"),
			},
			[]string{"0 petr AVAILABLE", "20 petr ON_CALL", "50 petr PAUSED WC"},
		},
		"a call while another rings": {
			[]*pbxv1.Event{
				rings(10, "c", "petr", "107", ""), rings(11, "d", "petr", "108", ""), answers(12, "d", "petr", "108", ""),
				ends(20, "d", "petr", "108", ""), ends(21, "c", "petr", "107", ""),
			},
			[]string{"10 petr RINGING", "12 petr ON_CALL", "20 petr RINGING", "21 petr UNKNOWN"},
		},
		"an outgoing call": {
			[]*pbxv1.Event{
				directed(leg(5, pbxv1.Call_NEW, "c", "", "107", ""), pbxv1.Call_OUTGOING),
				directed(answers(9, "c", "", "107", ""), pbxv1.Call_OUTGOING), ends(15, "c", "", "107", ""),
			},
			[]string{"5 107 ON_CALL", "15 107 UNKNOWN"},
		},
		"who listens in": {
			[]*pbxv1.Event{
				directed(rings(5, "c", "eva", "107", ""), pbxv1.Call_BARGE),
				directed(ends(15, "c", "eva", "107", ""), pbxv1.Call_BARGE),
			},
			[]string{"5 eva ON_CALL", "15 eva UNKNOWN"},
		},
		"an answer that was overtaken by the end": {
			[]*pbxv1.Event{
				login(0, "petr", "107", "NOC"), rings(10, "c", "petr", "107", "NOC"), ends(50, "c", "petr", "107", "NOC"),
				answers(51, "c", "petr", "107", "NOC"), tick(80),
			},
			[]string{"0 petr AVAILABLE", "10 petr RINGING", "50 petr AVAILABLE", "51 petr WRAP_UP", "80 petr AVAILABLE"},
		},
		"two calls at once, the incoming one first": {
			[]*pbxv1.Event{
				directed(leg(5, pbxv1.Call_NEW, "c", "petr", "107", ""), pbxv1.Call_OUTGOING), answers(9, "d", "petr", "108", "NOC"),
				ends(20, "d", "petr", "108", "NOC"), ends(25, "c", "petr", "107", ""),
			},
			[]string{"5 petr ON_CALL", "25 petr WRAP_UP"},
		},
		"a repetition after something of the same moment": {
			[]*pbxv1.Event{login(0, "petr", "107", "NOC"), pause(0, "NOC", "WC"), login(0, "petr", "107", "NOC")},
			[]string{"0 petr AVAILABLE", "0 petr PAUSED WC"},
		},
		"a call of who was at the phone when it began": {
			[]*pbxv1.Event{
				login(0, "petr", "107", "NOC"), answers(5, "c", "", "107", ""), logout(10, "107", "NOC"),
				login(15, "eva", "107", "NOC"), rings(17, "c", "ivan", "109", ""), ends(20, "c", "", "107", ""),
			},
			[]string{
				"0 petr AVAILABLE", "5 petr ON_CALL", "15 eva AVAILABLE", "17 ivan RINGING", "20 petr LOGGED_OUT",
			},
		},
		"what is told very late": {
			[]*pbxv1.Event{
				login(0, "petr", "107", "NOC"), logout(100, "107", "NOC"), tick(10_000), login(50, "petr", "107", "NOC"),
			},
			[]string{"0 petr AVAILABLE", "100 petr LOGGED_OUT"},
		},
		"a call that nobody heard of for too long": {
			[]*pbxv1.Event{login(0, "petr", "107", "NOC"), rings(10, "c", "petr", "107", ""), tick(3609), tick(3610)},
			[]string{"0 petr AVAILABLE", "10 petr RINGING", "10 petr AVAILABLE"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := tell(acme()).play(test.events...)
			if have := script(s.out); !slices.Equal(test.want, have) {
				t.Errorf("\nwant %q\nhave %q", test.want, have)
			}
			chained(t, s.out)
		})
	}
}

func TestTransitionWhole(t *testing.T) {
	s := tell(acme())
	s.play(login(0, "petr", "107", "NOC"))
	have := s.hear(at(12), rings(10, "c", "petr", "107", "NOC"))
	if len(have) != 1 {
		t.Fatalf("want one transition, have %v", have)
	}
	since := timestamppb.New(at(10))
	want := &pbxv1.Event{
		Id: have[0].GetId(), Time: since, ReceivedAt: timestamppb.New(at(12)), Vendor: "ipex", Tenant: "acme",
		Payload: &pbxv1.Event_Agent{Agent: &pbxv1.Agent{
			Kind: pbxv1.Agent_STATE_CHANGED, Id: "petr", User: &pbxv1.User{Login: "petr"}, Extension: "107", Queue: "NOC",
			State: pbxv1.AgentState_RINGING, PreviousState: pbxv1.AgentState_AVAILABLE, Since: since,
			PreviousDuration: have[0].GetAgent().GetPreviousDuration(), Direction: pbxv1.Call_INCOMING, CallKey: "c",
		}},
	}
	if !proto.Equal(want, have[0]) {
		t.Errorf("\nwant %v\nhave %v", want, have[0])
	}
	if want, have := 10*time.Second, have[0].GetAgent().GetPreviousDuration().AsDuration(); want != have {
		t.Errorf("want the previous state to have lasted %v, have %v", want, have)
	}
	again := tell(acme())
	again.play(login(0, "petr", "107", "NOC"))
	if repeated := again.hear(at(12), rings(10, "c", "petr", "107", "NOC")); !proto.Equal(have[0], repeated[0]) {
		t.Errorf("want the same of the same stream, have\n%v\n%v", have[0], repeated[0])
	}
}

// TestClocks has exchanges whose clocks are ahead, and records whose time is when the call began.
func TestClocks(t *testing.T) {
	s := tell(acme())
	s.hear(at(0), login(1000, "petr", "107", "NOC"))
	s.play(pause(10, "NOC", "WC"), unpause(15, "NOC"), rings(20, "c", "petr", "107", ""), answers(25, "c", "petr", "107", ""))
	record := leg(20, pbxv1.Call_RECORDED, "c", "", "", "")
	record.GetCall().Duration = durationpb.New(40 * time.Second)
	s.hear(at(70), record)
	want := []string{
		"0 petr AVAILABLE", "10 petr PAUSED WC", "15 petr AVAILABLE", "20 petr RINGING", "25 petr ON_CALL", "60 petr AVAILABLE",
	}
	if have := script(s.out); !slices.Equal(want, have) {
		t.Errorf("\nwant %q\nhave %q", want, have)
	}
}

// TestSeveralPhones shows which call, and which phone, a transition and a status are about.
func TestSeveralPhones(t *testing.T) {
	s := tell(acme()).play(login(0, "petr", "107", "NOC"), rings(1, "c", "petr", "109", ""))
	if have := s.out[1].GetAgent(); have.GetExtension() != "109" || have.GetCallKey() != "c" {
		t.Errorf("want the phone 109 that rings for c, have %v", have)
	}
	s.play(
		directed(leg(5, pbxv1.Call_NEW, "d", "petr", "107", ""), pbxv1.Call_OUTGOING), answers(9, "c", "petr", "109", ""),
		directed(answers(10, "b", "petr", "108", ""), pbxv1.Call_BARGE), answers(11, "a", "petr", "110", ""),
	)
	if have := s.Find("acme", "petr"); have.GetDirection() != pbxv1.Call_INCOMING || have.GetCallKey() != "c" {
		t.Errorf("want the first of the incoming calls, have %v", have)
	}
}
