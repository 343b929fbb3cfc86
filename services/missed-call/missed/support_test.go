package missed_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/missed-call/missed"
)

// noon is when most tests begin: a Monday in winter.
var noon = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

const (
	eva  = "+420777888999" // who calls
	adam = "+420602111222"
	line = "+420222333444" // the tenant's own number
)

// story feeds a machine with events, one after the other, stored when they happen unless it says otherwise.
type story struct {
	*missed.Machine
	t        testing.TB
	sequence uint64
	clock    time.Time
	out      []*pbxv1.Event
}

func tell(t testing.TB, settings ...missed.Settings) *story {
	return &story{Machine: missed.New(settings), t: t, clock: noon}
}

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

// play applies events at the times when they happen. What the machine derives is stored behind.
func (s *story) play(events ...*pbxv1.Event) *story {
	for _, ev := range events {
		s.hear(ev.GetTime().AsTime(), ev)
	}
	return s
}

// act lets a person do something, and stores it.
func (s *story) act(seconds int, kind missed.ActionKind, who, note string) *story {
	s.t.Helper()
	s.play(tick(seconds))
	id := s.list(&pbxv1.MissedCallListRequest{Tenant: "acme"})[0].GetId()
	ev, err := s.Act(at(seconds), missed.Action{Kind: kind, Tenant: "acme", ID: id, User: user(who), Note: note})
	if err != nil {
		s.t.Fatal(err)
	}
	return s.play(ev)
}

// all returns the entries, oldest first.
func (s *story) all() []*pbxv1.MissedCall {
	return s.list(&pbxv1.MissedCallListRequest{Tenant: "acme", IncludeResolved: true})
}

// list returns what a query asks for, from the first page to the last.
func (s *story) list(q *pbxv1.MissedCallListRequest) (all []*pbxv1.MissedCall) {
	s.t.Helper()
	for q := proto.CloneOf(q); ; {
		page, err := s.Entries(q)
		if err != nil {
			s.t.Fatal(err)
		}
		n := len(page.GetMissedCalls())
		if most := int(q.GetPageSize()); most > 0 && n > most || proto.Size(page) > 1<<20 || n == 0 && len(all) > 0 {
			s.t.Fatalf("want a page of 1 to %d entries that NATS carries, have %d in %d bytes", most, n, proto.Size(page))
		}
		all = append(all, page.GetMissedCalls()...)
		if q.PageToken = page.GetNextPageToken(); q.GetPageToken() == "" {
			return all
		}
	}
}

func user(login string) *pbxv1.User { return &pbxv1.User{Login: login, Email: login + "@acme.example"} }

// tick is an event that says nothing but what time it is.
func tick(seconds int) *pbxv1.Event {
	return &pbxv1.Event{Id: fmt.Sprint("tick", seconds), Time: timestamppb.New(at(seconds)), Vendor: "ipex", Tenant: "acme"}
}

// leg is an event of a call; the number is the outside party's.
func leg(seconds int, kind pbxv1.Call_Kind, key, number string, direction pbxv1.Call_Direction, extension string) *pbxv1.Event {
	outside := &pbxv1.Party{Number: "anonymous"}
	if number != "" {
		outside = &pbxv1.Party{Number: strings.TrimPrefix(number, "+420"), E164: number}
	}
	c := &pbxv1.Call{Kind: kind, Id: key, Key: key, Direction: direction, Extension: extension}
	c.From, c.To = outside, &pbxv1.Party{Number: line[4:], E164: line}
	if direction == pbxv1.Call_OUTGOING {
		c.From, c.To = &pbxv1.Party{Number: extension}, outside
	}
	if extension != "" {
		c.User = user("agent" + extension)
	}
	return &pbxv1.Event{
		Id:   fmt.Sprintf("%s-%d-%s-%s", kind, seconds, key, extension),
		Time: timestamppb.New(at(seconds)), Vendor: "ipex", Tenant: "acme", Exchange: "prague",
		Payload: &pbxv1.Event_Call{Call: c},
	}
}

const in, out = pbxv1.Call_INCOMING, pbxv1.Call_OUTGOING

func ended(ev *pbxv1.Event, cause pbxv1.Call_Cause) *pbxv1.Event {
	ev.GetCall().Kind, ev.GetCall().Cause = pbxv1.Call_ENDED, cause
	ev.Id += "-ended"
	return ev
}

// entered, rings, answers, stops and hangsUp are what an incoming call does; only Eva's call a stops at single phones.
func entered(seconds int, key, number string) *pbxv1.Event {
	return leg(seconds, pbxv1.Call_NEW, key, number, in, "")
}

func rings(seconds int, key, number, extension string) *pbxv1.Event {
	return leg(seconds, pbxv1.Call_RINGING, key, number, in, extension)
}

func answers(seconds int, key, number string) *pbxv1.Event {
	return leg(seconds, pbxv1.Call_ANSWERED, key, number, in, "101")
}

func stops(seconds int, extension string, cause pbxv1.Call_Cause) *pbxv1.Event {
	return ended(leg(seconds, pbxv1.Call_ENDED, "a", eva, in, extension), cause)
}

func hangsUp(seconds int, key, number string, cause pbxv1.Call_Cause) *pbxv1.Event {
	return ended(leg(seconds, pbxv1.Call_ENDED, key, number, in, ""), cause)
}

// record is the exchange's own of Eva's call a, which began at noon.
func record(cause pbxv1.Call_Cause, answered bool) *pbxv1.Event {
	ev := leg(0, pbxv1.Call_RECORDED, "a", eva, in, "")
	ev.GetCall().Cause, ev.GetCall().Answered = cause, proto.Bool(answered)
	return ev
}

// misses is a whole call that rings for 20 s.
func misses(seconds int, key, number string) []*pbxv1.Event {
	return []*pbxv1.Event{
		entered(seconds, key, number), rings(seconds+1, key, number, "101"),
		hangsUp(seconds+20, key, number, pbxv1.Call_NO_ANSWER),
	}
}

// dials is a whole outgoing call of 30 s; it is answered after 10.
func dials(seconds int, key, number string) []*pbxv1.Event {
	return []*pbxv1.Event{
		leg(seconds, pbxv1.Call_NEW, key, number, out, "107"),
		leg(seconds+10, pbxv1.Call_ANSWERED, key, number, out, "107"),
		ended(leg(seconds+30, pbxv1.Call_ENDED, key, number, out, "107"), pbxv1.Call_NORMAL),
	}
}

// fails is an outgoing call of 15 s to Eva that nobody answers.
func fails(seconds int, key string) []*pbxv1.Event {
	return []*pbxv1.Event{
		leg(seconds, pbxv1.Call_NEW, key, eva, out, "107"),
		ended(leg(seconds+15, pbxv1.Call_ENDED, key, eva, out, "107"), pbxv1.Call_NO_ANSWER),
	}
}

// of moves events to a vendor, whose exchange has its name.
func of(vendor string, events ...*pbxv1.Event) []*pbxv1.Event {
	for _, ev := range events {
		ev.Vendor, ev.Exchange = vendor, vendor
	}
	return events
}

// queued lets a call come through the queue NOC.
func queued(events ...*pbxv1.Event) []*pbxv1.Event {
	for _, ev := range events {
		ev.GetCall().Queue = "NOC"
	}
	return events
}

func flat(lists ...[]*pbxv1.Event) []*pbxv1.Event { return slices.Concat(lists...) }

// script writes events down as "seconds KIND attempts REASON", with what is special.
func script(events []*pbxv1.Event) []string {
	lines := []string{}
	for _, ev := range events {
		e := ev.GetMissedCall()
		text := fmt.Sprintf("%d %s %d %s", int(ev.GetTime().AsTime().Sub(noon)/time.Second), e.GetKind(), e.GetAttempts(), e.GetReason())
		if e.GetClaimedBy() != nil {
			text += " claimed by " + e.GetClaimedBy().GetLogin()
		}
		if e.GetResolution() != 0 {
			text += " " + e.GetResolution().String()
		}
		if e.GetResolvedBy() != nil {
			text += " by " + e.GetResolvedBy().GetLogin()
		}
		lines = append(lines, text)
	}
	return lines
}

// wantScript also demands that no id comes twice.
func wantScript(t *testing.T, want []string, have []*pbxv1.Event) {
	t.Helper()
	ids := map[string]bool{}
	for _, ev := range have {
		if ids[ev.GetId()] {
			t.Errorf("want an id of its own, have %v", ev)
		}
		ids[ev.GetId()] = true
	}
	if want == nil {
		want = []string{}
	}
	if have := script(have); !slices.Equal(want, have) {
		t.Errorf("\nwant %q\nhave %q", want, have)
	}
}
