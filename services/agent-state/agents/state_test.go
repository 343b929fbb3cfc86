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

// TestStatus shows an agent and a call in the middle of it.
func TestStatus(t *testing.T) {
	s := tell(acme())
	s.play(
		login(0, "petr", "107", "NOC"), login(0, "petr", "107", "Sales"), rings(10, "c", "petr", "107", "NOC"),
		rings(11, "c", "eva", "108", "NOC"), answers(15, "c", "petr", "107", "NOC"),
	)
	agents, calls, days := s.Touched()
	if want := []string{"acme.eva", "acme.petr"}; !slices.Equal(want, agents) {
		t.Errorf("want %q touched, have %q", want, agents)
	}
	if want := []string{"acme.2026-01-05"}; !slices.Equal(want, days) {
		t.Errorf("want %q touched, have %q", want, days)
	}
	if len(calls) != 1 {
		t.Fatalf("want one call touched, have %q", calls)
	}
	petr := &pbxv1.AgentStatus{
		User: &pbxv1.User{Login: "petr"}, Extensions: []string{"107"}, Queues: []string{"NOC", "Sales"}, Tenant: "acme",
		Id: "petr", State: pbxv1.AgentState_ON_CALL, Since: timestamppb.New(at(15)), Direction: pbxv1.Call_INCOMING,
		CallKey: "c",
	}
	if have := s.Agent("acme.petr"); !proto.Equal(petr, have) {
		t.Errorf("\nwant %v\nhave %v", petr, have)
	}
	call := &pbxv1.CallStatus{
		Vendor: "ipex", Exchange: "prague", Tenant: "acme", Id: s.Call(calls[0]).GetId(),
		StartedAt: timestamppb.New(at(10)), AnsweredAt: timestamppb.New(at(15)),
		Ringing: []string{"108"}, Talking: []string{"107"},
		Call: &pbxv1.Call{
			Kind: pbxv1.Call_ANSWERED, Id: "c", Key: "c", Direction: pbxv1.Call_INCOMING, Queue: "NOC",
			From: &pbxv1.Party{Number: "777888999", E164: "+420777888999"}, Extension: "107",
			To: &pbxv1.Party{Number: "222333444", E164: "+420222333444"}, User: &pbxv1.User{Login: "petr"},
		},
	}
	if have := s.Call(calls[0]); !proto.Equal(call, have) {
		t.Errorf("\nwant %v\nhave %v", call, have)
	}
	if have := s.Calls(&pbxv1.CallListRequest{Tenant: "acme", Queue: "NOC"}).GetCalls(); len(have) != 1 {
		t.Errorf("want the call in its queue, have %v", have)
	}
	if have := s.Calls(&pbxv1.CallListRequest{Tenant: "acme", Queue: "Sales"}).GetCalls(); len(have) != 0 {
		t.Errorf("want no call in another queue, have %v", have)
	}
	ringing := &pbxv1.AgentListRequest{Tenant: "acme", States: []pbxv1.AgentState{pbxv1.AgentState_RINGING}}
	if have := s.Agents(ringing).GetAgents(); len(have) != 1 || have[0].GetId() != "eva" {
		t.Errorf("want eva alone to ring, have %v", have)
	}
	members := &pbxv1.AgentListRequest{Tenant: "acme", Queue: "Sales"}
	if have := s.Agents(members).GetAgents(); len(have) != 1 || have[0].GetId() != "petr" {
		t.Errorf("want petr alone in Sales, have %v", have)
	}
	s.play(ends(60, "c", "petr", "107", "NOC"), ends(60, "c", "eva", "108", "NOC"))
	if have := s.Call(calls[0]); have != nil {
		t.Errorf("want no call that is over, have %v", have)
	}
	if agents, calls, _ := s.Touched(); len(agents) != 2 || len(calls) != 1 {
		t.Errorf("want both agents and the call touched, have %q, %q", agents, calls)
	}
	if agents, calls, days := s.Touched(); len(agents)+len(calls)+len(days) > 0 {
		t.Errorf("want nothing touched since, have %q, %q, %q", agents, calls, days)
	}
}

// TestDue publishes what time brought, and reads it back.
func TestDue(t *testing.T) {
	wrapping := func() *story {
		return tell(acme()).play(
			login(0, "petr", "107", "NOC"), login(0, "eva", "108", "NOC"),
			answers(20, "c", "petr", "107", "NOC"), ends(50, "c", "petr", "107", "NOC"),
			answers(52, "d", "eva", "108", "NOC"), ends(55, "d", "eva", "108", "NOC"),
		)
	}
	s := wrapping()
	if have := s.Due(at(79)); have != nil {
		t.Fatalf("want nothing due yet, have %v", have)
	}
	for _, test := range []struct {
		second int
		want   string
	}{{80, "80 petr AVAILABLE"}, {85, "85 eva AVAILABLE"}} {
		due := s.Due(at(test.second))
		if have := script([]*pbxv1.Event{due}); have[0] != test.want {
			t.Fatalf("want %s, have %s", test.want, have[0])
		}
		if again := s.Due(at(test.second)); !proto.Equal(due, again) {
			t.Errorf("want it due until it is applied, have %v", again)
		}
		if have := s.hear(at(test.second), due); len(have) != 1 || !proto.Equal(due, have[0]) {
			t.Errorf("want it as it was due\n%v\nhave %v", due, have)
		}
	}
	if have := s.Due(at(1000)); have != nil {
		t.Errorf("want nothing due any more, have %v", have)
	}
	// Nor does it change by what else is told of the agent.
	told := wrapping()
	due := told.Due(at(80))
	told.play(login(60, "petr", "107", "Sales"))
	if have := told.Due(at(80)); !proto.Equal(due, have) {
		t.Errorf("want the same due\n%v\nhave %v", due, have)
	}
	// Whatever is stored in between, and however late it is read back, its id is the same.
	late := wrapping()
	due = late.Due(at(90))
	late.play(rings(60, "e", "ivan", "109", ""))
	if have := late.hear(at(95), due); len(have) != 2 || have[0].GetId() != due.GetId() {
		t.Errorf("want the due one first of two\n%v\nhave %v", due, have)
	}
}
