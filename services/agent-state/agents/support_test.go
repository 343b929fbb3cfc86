package agents_test

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/config"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/agent-state/agents"
)

// noon is when most tests begin: a Monday in winter.
var noon = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

// acme is a tenant with a wrap-up of 30 s, but none in the queue Sales.
func acme(people ...config.Person) []*config.Tenant {
	none := time.Duration(0)
	return []*config.Tenant{{Name: "acme", Region: "CZ", Location: time.UTC, Agents: config.Agents{
		WrapUp: 30 * time.Second, ServiceLevel: 20 * time.Second, People: people,
		Queues: []config.Queue{{Name: "Sales", WrapUp: &none}},
	}}}
}

// story feeds a machine with events, one after the other, stored when they happen unless it says otherwise.
type story struct {
	*agents.Machine
	sequence uint64
	clock    time.Time
	out      []*pbxv1.Event
}

func tell(tenants []*config.Tenant) *story { return &story{Machine: agents.New(tenants), clock: noon} }

// hear applies an event.
func (s *story) hear(stored time.Time, ev *pbxv1.Event) []*pbxv1.Event {
	s.sequence++
	if stored.After(s.clock) {
		s.clock = stored
	}
	out := s.Apply(s.sequence, s.clock, ev)
	s.out = append(s.out, out...)
	return out
}

// play applies events at the times when they happen.
func (s *story) play(events ...*pbxv1.Event) *story {
	for _, ev := range events {
		s.hear(ev.GetTime().AsTime(), ev)
	}
	return s
}

// tick is an event that says nothing but what time it is.
func tick(seconds int) *pbxv1.Event {
	return &pbxv1.Event{
		Id: fmt.Sprint("tick", seconds), Time: timestamppb.New(at(seconds)), Vendor: "ipex", Tenant: "acme",
		Payload: &pbxv1.Event_Contact{Contact: &pbxv1.Contact{Kind: pbxv1.Contact_UNKNOWN}},
	}
}

// word is an event about an agent, whose e-mail address follows from the login.
func word(seconds int, kind pbxv1.Agent_Kind, login, extension, queue, reason string) *pbxv1.Event {
	a := &pbxv1.Agent{Kind: kind, Extension: extension, Queue: queue, PauseReason: reason}
	if login != "" {
		a.User = &pbxv1.User{Login: login}
	}
	return &pbxv1.Event{
		Id:   fmt.Sprintf("%s-%d-%s-%s-%s", kind, seconds, login, extension, queue),
		Time: timestamppb.New(at(seconds)), Vendor: "ipex", Tenant: "acme", Exchange: "prague",
		Payload: &pbxv1.Event_Agent{Agent: a},
	}
}

func login(seconds int, who, extension, queue string) *pbxv1.Event {
	return word(seconds, pbxv1.Agent_LOGIN, who, extension, queue, "")
}

// Only petr logs out and pauses.
func logout(seconds int, extension, queue string) *pbxv1.Event {
	return word(seconds, pbxv1.Agent_LOGOUT, "petr", extension, queue, "")
}

func pause(seconds int, queue, reason string) *pbxv1.Event {
	return word(seconds, pbxv1.Agent_PAUSED, "petr", "", queue, reason)
}

func unpause(seconds int, queue string) *pbxv1.Event {
	return word(seconds, pbxv1.Agent_UNPAUSED, "petr", "", queue, "")
}

// leg is an event of an incoming call at somebody's phone.
func leg(seconds int, kind pbxv1.Call_Kind, key, who, extension, queue string) *pbxv1.Event {
	c := &pbxv1.Call{
		Kind: kind, Id: key, Key: key, Direction: pbxv1.Call_INCOMING, Extension: extension, Queue: queue,
		From: &pbxv1.Party{Number: "777888999", E164: "+420777888999"},
		To:   &pbxv1.Party{Number: "222333444", E164: "+420222333444"},
	}
	if who != "" {
		c.User = &pbxv1.User{Login: who}
	}
	if kind == pbxv1.Call_ENDED {
		c.Cause = pbxv1.Call_NORMAL
	}
	return &pbxv1.Event{
		Id:   fmt.Sprintf("%s-%d-%s-%s", kind, seconds, key, extension),
		Time: timestamppb.New(at(seconds)), Vendor: "ipex", Tenant: "acme", Exchange: "prague",
		Payload: &pbxv1.Event_Call{Call: c},
	}
}

func rings(seconds int, key, who, extension, queue string) *pbxv1.Event {
	return leg(seconds, pbxv1.Call_RINGING, key, who, extension, queue)
}

func answers(seconds int, key, who, extension, queue string) *pbxv1.Event {
	return leg(seconds, pbxv1.Call_ANSWERED, key, who, extension, queue)
}

func ends(seconds int, key, who, extension, queue string) *pbxv1.Event {
	return leg(seconds, pbxv1.Call_ENDED, key, who, extension, queue)
}

func because(ev *pbxv1.Event, cause pbxv1.Call_Cause) *pbxv1.Event {
	ev.GetCall().Cause = cause
	return ev
}

func directed(ev *pbxv1.Event, direction pbxv1.Call_Direction) *pbxv1.Event {
	ev.GetCall().Direction = direction
	return ev
}

// script writes transitions down as "seconds id STATE", with the reason of a pause.
func script(events []*pbxv1.Event) []string {
	lines := []string{}
	for _, ev := range events {
		a := ev.GetAgent()
		line := fmt.Sprintf("%d %s %s", int(a.GetSince().AsTime().Sub(noon)/time.Second), a.GetId(), a.GetState())
		if a.GetPauseReason() != "" {
			line += " " + a.GetPauseReason()
		}
		lines = append(lines, line)
	}
	return lines
}

// chained demands of transitions that each begins where the agent's last one ended.
func chained(t *testing.T, events []*pbxv1.Event) {
	t.Helper()
	type end struct {
		state pbxv1.AgentState
		since time.Time
	}
	last := map[string]end{}
	ids := map[string]bool{}
	for i, ev := range events {
		a := ev.GetAgent()
		key := ev.GetTenant() + "." + a.GetId()
		before, known := last[key]
		if !known {
			before.state = pbxv1.AgentState_UNKNOWN
		}
		if before.state != a.GetPreviousState() {
			t.Fatalf("transition %d of %s: want the previous state %v, have %v", i, key, before.state, a.GetPreviousState())
		}
		var want *durationpb.Duration
		since := a.GetSince().AsTime()
		if known {
			want = durationpb.New(since.Sub(before.since))
		}
		if want.AsDuration() != a.GetPreviousDuration().AsDuration() || (want == nil) != (a.GetPreviousDuration() == nil) {
			t.Fatalf("transition %d of %s: want it to have lasted %v, have %v", i, key, want, a.GetPreviousDuration())
		}
		if since.Before(before.since) || since.After(ev.GetReceivedAt().AsTime()) {
			t.Fatalf("transition %d of %s: want since from %v to %v, have %v",
				i, key, before.since, ev.GetReceivedAt().AsTime(), since)
		}
		if ids[ev.GetId()] {
			t.Fatalf("transition %d of %s: want an id of its own, have %s again", i, key, ev.GetId())
		}
		ids[ev.GetId()] = true
		last[key] = end{a.GetState(), since}
	}
}
