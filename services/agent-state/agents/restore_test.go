package agents_test

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/config"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/agent-state/agents"
)

// TestConfigure joins and renames people whose agents are known already.
func TestConfigure(t *testing.T) {
	s := tell(acme(config.Person{Login: "gone"})).play(
		login(0, "petr", "107", "NOC"), of(rings(1, "c", "", "909", ""), "mcn"), login(2, "eva", "108", "NOC"),
	)
	s.Configure(acme(config.Person{Name: "Petr", Login: "petr", Email: "petr@acme.example", Extensions: []string{"909"}}))
	want := []string{"eva: eva, , 108", "petr: petr, petr@acme.example, 107 909"}
	if have := roster(s); !slices.Equal(want, have) {
		t.Errorf("\nwant %q\nhave %q", want, have)
	}
	transitions := script(s.hear(at(5), tick(5)))
	if want := []string{"5 909 UNKNOWN", "5 petr RINGING"}; !slices.Equal(want, transitions) {
		t.Errorf("want the phone's agent to end with the next event: %q, have %q", want, transitions)
	}
	chained(t, s.out)
	if have := s.Find("acme", "petr").GetName(); have != "Petr" {
		t.Errorf("want the configured name, have %q", have)
	}
}

// TestConfigureAddress gives somebody an address that others had.
func TestConfigureAddress(t *testing.T) {
	s := tell(acme()).play(
		as(login(0, "", "108", "NOC"), "eva", "office@acme.example"), as(login(1, "", "109", "NOC"), "", "petr@acme.example"),
		login(2, "petr", "107", "NOC"), login(3, "ivan", "110", "NOC"),
	)
	s.Configure(acme(
		config.Person{Login: "petr", Email: "petr@acme.example"}, config.Person{Login: "ivan", Email: "office@acme.example"},
	))
	want := []string{
		"eva: eva, , 108", "ivan: ivan, office@acme.example, 110", "petr: petr, petr@acme.example, 107 109",
	}
	if have := roster(s); !slices.Equal(want, have) {
		t.Errorf("\nwant %q\nhave %q", want, have)
	}
}

func TestRestore(t *testing.T) {
	tests := map[string]struct {
		was    *pbxv1.AgentStatus
		events []*pbxv1.Event
		want   []string
	}{
		"logged in": {
			&pbxv1.AgentStatus{State: pbxv1.AgentState_AVAILABLE, Queues: []string{"NOC"}},
			[]*pbxv1.Event{pause(5, "NOC", "WC")},
			[]string{"5 petr PAUSED WC, after AVAILABLE"},
		},
		"logged in to a second queue": {
			&pbxv1.AgentStatus{State: pbxv1.AgentState_AVAILABLE, Queues: []string{"NOC", "Sales"}},
			[]*pbxv1.Event{pause(5, "NOC", "WC"), logout(6, "", "Sales")},
			[]string{"6 petr PAUSED WC, after AVAILABLE"},
		},
		"paused": {
			&pbxv1.AgentStatus{State: pbxv1.AgentState_PAUSED, Queues: []string{"NOC"}, PauseReason: "Oběd"},
			[]*pbxv1.Event{rings(5, "c", "petr", "107", ""), ends(9, "c", "petr", "107", "")},
			[]string{"5 petr RINGING, after PAUSED", "9 petr PAUSED Oběd, after RINGING"},
		},
		"logged out": {
			&pbxv1.AgentStatus{State: pbxv1.AgentState_LOGGED_OUT},
			[]*pbxv1.Event{login(5, "petr", "", "NOC")},
			[]string{"5 petr AVAILABLE, after LOGGED_OUT"},
		},
		"talking, which is over": {
			&pbxv1.AgentStatus{State: pbxv1.AgentState_ON_CALL, Queues: []string{"NOC"}},
			[]*pbxv1.Event{rings(5, "c", "", "107", "")},
			[]string{"5 petr RINGING, after AVAILABLE"},
		},
		"never told": {
			&pbxv1.AgentStatus{State: pbxv1.AgentState_UNKNOWN},
			[]*pbxv1.Event{rings(5, "c", "", "107", "")},
			[]string{"5 petr RINGING, after UNKNOWN"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			was := proto.CloneOf(test.was)
			was.Tenant, was.Id, was.Since = "acme", "petr", timestamppb.New(at(-600))
			was.User, was.Extensions = &pbxv1.User{Login: "petr"}, []string{"107"}
			s := tell(acme())
			s.Restore(was)
			again := proto.CloneOf(was)
			again.State, again.PauseReason, again.Queues = pbxv1.AgentState_PAUSED, "again", []string{"Other"}
			s.Restore(again)
			s.play(test.events...)
			have := script(s.out)
			for i, ev := range s.out {
				have[i] += ", after " + ev.GetAgent().GetPreviousState().String()
			}
			if !slices.Equal(test.want, have) {
				t.Errorf("\nwant %q\nhave %q", test.want, have)
			}
			if want, have := s.out[0].GetAgent().GetSince().AsTime().Sub(at(-600)), s.out[0].GetAgent().GetPreviousDuration().AsDuration(); want != have {
				t.Errorf("want the previous state to have lasted %v, have %v", want, have)
			}
		})
	}
}

// TestRestoreUnheard takes an agent of whom nothing but names was known.
func TestRestoreUnheard(t *testing.T) {
	s := tell(acme())
	s.Restore(&pbxv1.AgentStatus{
		Tenant: "acme", Id: "petr", User: &pbxv1.User{Login: "petr"}, State: pbxv1.AgentState_UNKNOWN,
	})
	if have := s.Agent("acme.petr"); have.GetState() != pbxv1.AgentState_UNKNOWN || have.GetSince() != nil {
		t.Errorf("want nobody to know since when, have %v", have)
	}
	chained(t, s.play(login(0, "petr", "107", "NOC")).out)
}

// TestRestoreConfigured keeps the id of an agent that a person is configured for now.
func TestRestoreConfigured(t *testing.T) {
	m := agents.New(acme(config.Person{Name: "Petr", Login: "petr", Extensions: []string{"107"}}))
	m.Restore(&pbxv1.AgentStatus{
		Tenant: "acme", Id: "petr", User: &pbxv1.User{Login: "petr"}, Extensions: []string{"107", "109"},
		State: pbxv1.AgentState_AVAILABLE, Queues: []string{"NOC"}, Since: timestamppb.New(at(-60)),
	})
	want := &pbxv1.AgentStatus{
		Tenant: "acme", Id: "petr", User: &pbxv1.User{Login: "petr"}, Extensions: []string{"107", "109"}, Name: "Petr",
		State: pbxv1.AgentState_AVAILABLE, Queues: []string{"NOC"}, Since: timestamppb.New(at(-60)),
	}
	if have := m.Agent("acme.petr"); !proto.Equal(want, have) {
		t.Errorf("\nwant %v\nhave %v", want, have)
	}
}
