package agents_test

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

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

// TestContact shows who is outside, also to whoever is called by the same number meanwhile.
func TestContact(t *testing.T) {
	said := func(seconds int, number, name, supersedes string) *pbxv1.Event {
		c := &pbxv1.Contact{Kind: pbxv1.Contact_UNKNOWN, CallKey: "c", Party: &pbxv1.Party{E164: number}, Supersedes: supersedes}
		if name != "" {
			c.Kind, c.Match = pbxv1.Contact_RESOLVED, &pbxv1.ContactMatch{Name: name}
		}
		ev := tick(seconds)
		ev.Tenant, ev.Payload = "acme", &pbxv1.Event_Contact{Contact: c}
		return ev
	}
	s := tell(acme()).play(rings(10, "c", "petr", "107", "NOC"))
	_, calls, _ := s.Touched()
	for _, test := range []struct {
		name string
		said *pbxv1.Event
		want string
	}{
		{"nobody knows", said(11, "+420777888999", "", ""), ""},
		{"another's number", said(12, "+420777000000", "Eva", ""), ""},
		{"somebody", said(13, "+420777888999", "Jan", ""), "Jan"},
		{"an old question", said(14, "+420777888999", "", ""), "Jan"},
		{"better known", said(15, "+420777888999", "Jana", "x"), "Jana"},
		{"no longer known", said(16, "+420777888999", "", "y"), ""},
	} {
		s.play(test.said)
		if have := s.Call(calls[0]).GetContact().GetName(); have != test.want {
			t.Errorf("%s: want %q, have %q", test.name, test.want, have)
		}
	}
	if _, touched, _ := s.Touched(); !slices.Equal(calls, touched) {
		t.Errorf("want the call touched, have %q", touched)
	}
	s.play(said(17, "+420777888999", "Jan", ""), ends(60, "c", "petr", "107", "NOC"), rings(70, "d", "petr", "107", "NOC"))
	_, calls, _ = s.Touched()
	for _, key := range calls {
		if have := s.Call(key).GetContact(); have != nil {
			t.Errorf("want nothing known of the next call before it is asked for, have %v", have)
		}
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
