package call_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/call"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

const (
	in     = pbxv1.Call_INCOMING
	out    = pbxv1.Call_OUTGOING
	inside = pbxv1.Call_INTERNAL_OUTGOING
	barge  = pbxv1.Call_BARGE
	silent = pbxv1.Call_DIRECTION_UNSPECIFIED

	enter    = pbxv1.Call_NEW
	ring     = pbxv1.Call_RINGING
	answer   = pbxv1.Call_ANSWERED
	end      = pbxv1.Call_ENDED
	transfer = pbxv1.Call_TRANSFERRED
	record   = pbxv1.Call_RECORDED
)

var (
	outside = &pbxv1.Party{Number: "777888999", E164: "+420777888999"}
	line    = &pbxv1.Party{Number: "222411864", E164: "+420222411864"}
)

// at is an event of the call "1" so many seconds after the morning.
func at(seconds float64, kind pbxv1.Call_Kind, direction pbxv1.Call_Direction, extension string, more ...func(*pbxv1.Call)) *pbxv1.Event {
	c := &pbxv1.Call{Kind: kind, Id: "1", Key: "1", Direction: direction, Extension: extension, From: outside, To: line}
	switch direction {
	case out:
		c.From, c.To = line, outside
	case inside:
		c.From, c.To = &pbxv1.Party{Number: "104"}, &pbxv1.Party{Number: "106"}
	}
	for _, m := range more {
		m(c)
	}
	moment := timestamppb.New(morning.Add(time.Duration(seconds * float64(time.Second))))
	return &pbxv1.Event{
		Id: fmt.Sprint(seconds, kind, extension), Vendor: "ipex", Tenant: "acme", Exchange: "ipex",
		Time: moment, ReceivedAt: moment, Payload: &pbxv1.Event_Call{Call: c},
	}
}

func because(cause pbxv1.Call_Cause) func(*pbxv1.Call) {
	return func(c *pbxv1.Call) { c.Cause = cause }
}

// said is the exchange's word that somebody picked up, and for how long.
func said(talk float64) func(*pbxv1.Call) {
	return func(c *pbxv1.Call) {
		c.Answered = proto.Bool(true)
		if talk > 0 {
			c.TalkTime = durationpb.New(time.Duration(talk) * time.Second)
		}
	}
}

func parties(from, to string) func(*pbxv1.Call) {
	return func(c *pbxv1.Call) { c.From, c.To = &pbxv1.Party{Number: from}, &pbxv1.Party{Number: to} }
}

// short describes a call in a few words.
func short(c *call.Call) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v %v+%v+%v", c.Outcome, c.Wait, c.Ring, c.Talk)
	for _, l := range c.Legs {
		mark := ""
		if l.Answered {
			mark = "!"
		}
		fmt.Fprintf(&b, "; %s%s%s", l.Extension, mark, spans(l.Spans))
	}
	return b.String()
}

type events []*pbxv1.Event

func TestRules(t *testing.T) {
	const (
		normal    = pbxv1.Call_NORMAL
		noAnswer  = pbxv1.Call_NO_ANSWER
		cancelled = pbxv1.Call_CANCELLED
		elsewhere = pbxv1.Call_ANSWERED_ELSEWHERE
	)
	tests := map[string]struct {
		events events
		want   string
	}{
		"nobody yet":        {events{at(0, enter, in, "")}, "open 0s+0s+0s"},
		"rings":             {events{at(0, enter, in, ""), at(2, ring, in, "104")}, "open 2s+0s+0s; 104 ringing 2s-?"},
		"rings still":       {events{at(2, ring, in, "104"), at(20, ring, in, "104")}, "open 0s+0s+0s; 104 ringing 2s-?"},
		"rings a colleague": {events{at(2, ring, in, "104"), at(5, answer, in, "104"), at(6, ring, in, "105")}, "open 0s+3s+0s; 104! ringing 2s-5s talking 5s-?; 105 ringing 6s-?"},
		"loser goes on": {
			events{at(2, ring, in, "104"), at(2, ring, in, "105"), at(5, answer, in, "104")},
			"open 0s+3s+0s; 104! ringing 2s-5s talking 5s-?; 105 ringing 2s-?",
		},
		"loser ends": {
			events{at(2, ring, in, "104"), at(2, ring, in, "105"), at(5, answer, in, "104"), at(9, end, in, "")},
			"answered 0s+3s+4s; 104! ringing 2s-5s talking 5s-9s; 105 ringing 2s-9s",
		},
		"rings anew": {
			events{at(2, ring, in, "104"), at(5, end, in, "104", because(noAnswer)), at(7, ring, in, "104")},
			"open 0s+0s+0s; 104 ringing 2s-5s ringing 7s-?",
		},
		"rings again at once": {
			events{at(2, ring, in, "104"), at(2.3, end, in, "104", because(noAnswer)), at(2.9, ring, in, "104")},
			"rang_out 0s+300ms+0s; 104 ringing 2s-2.3s",
		},
		"answers again at once": {
			events{at(5, answer, in, "104"), at(5.2, end, in, "104"), at(5.8, answer, in, "104")},
			"answered 0s+0s+200ms; 104! talking 5s-5.2s",
		},
		"answers anew": {
			events{at(5, answer, in, "104"), at(5.2, end, in, "104"), at(6.1, answer, in, "104")},
			"open 0s+0s+0s; 104! talking 5s-5.2s talking 6.1s-?",
		},
		"measured longer than it was": {
			events{at(0, enter, in, ""), at(60, end, in, "104", said(90))}, "answered 0s+0s+1m30s; 104! talking 0s-1m0s",
		},
		"two ends of one moment": {events{at(9, end, in, "104"), at(9, end, in, "104", said(0))}, "answered 0s+0s+0s; 104!"},
		"overtaken ring": {
			events{at(5, end, in, "104", because(noAnswer)), at(35, ring, in, "104")}, "rang_out 0s+0s+0s; 104 ringing 5s-5s",
		},
		"no overtaken ring": {
			events{at(5, end, in, "104", because(noAnswer)), at(36, ring, in, "104")}, "open 31s+0s+0s; 104 ringing 36s-?",
		},
		"ring overtaken by the answer": {
			events{at(5, answer, in, "104"), at(50, ring, in, "104")}, "open 0s+0s+0s; 104! ringing 5s-5s talking 5s-?",
		},
		"overtaken answer": {
			events{at(2, ring, in, "104"), at(5, end, in, "104"), at(34, answer, in, "104")},
			"answered 0s+3s+0s; 104! ringing 2s-5s talking 5s-5s",
		},
		"overtaken answer, measured": {
			events{at(2, ring, in, "104"), at(9, end, in, ""), at(10, answer, in, "104"), at(0, record, in, "", said(4))},
			"answered 0s+3s+4s; 104! ringing 2s-9s talking 9s-9s",
		},
		"no overtaken answer": {
			events{at(2, ring, in, "104"), at(5, end, in, "104"), at(36, answer, in, "104")},
			"open 0s+34s+0s; 104! ringing 2s-5s talking 36s-?",
		},
		"nothing opens it": {
			events{at(5, end, in, "", because(noAnswer)), at(60, ring, in, "104"), at(61, enter, in, "")},
			"rang_out 0s+0s+0s; 104 ringing 5s-5s",
		},
		"nothing opens it after the record": {
			events{at(0, record, in, "", because(noAnswer)), at(60, ring, in, "104")}, "rang_out 0s+0s+0s; 104 ringing 1m0s-1m0s",
		},
		"answer after the end": {
			events{at(2, ring, in, "104"), at(5, end, in, "", because(noAnswer)), at(60, answer, in, "105")},
			"answered 0s+3s+0s; 104 ringing 2s-5s; 105! talking 5s-5s",
		},
		"word at the end": {
			events{at(0, enter, in, ""), at(60, end, silent, "104", said(0))}, "answered 0s+0s+0s; 104!",
		},
		"word at the end, measured": {
			events{at(0, ring, in, "104"), at(60, end, silent, "104", said(40))},
			"answered 0s+20s+40s; 104! ringing 0s-20s talking 20s-1m0s",
		},
		"word of the record": {
			events{at(1, ring, in, "104"), at(60, end, in, ""), at(0, record, in, "104", said(0))},
			"answered 0s+0s+0s; 104! ringing 1s-1m0s",
		},
		"word of the record, of another phone": {
			events{at(1, ring, in, "104"), at(9, end, in, "104"), at(0, record, in, "105", said(4), func(c *pbxv1.Call) {
				c.Duration = durationpb.New(time.Minute)
			})},
			"answered 0s+4s+4s; 104 ringing 1s-9s; 105!",
		},
		"elsewhere": {
			events{at(0, ring, in, "104"), at(9, end, in, "104", because(elsewhere))}, "answered 0s+0s+0s; 104 ringing 0s-9s",
		},
		"record only": {
			events{at(0, record, in, "", said(40), func(c *pbxv1.Call) { c.Duration = durationpb.New(time.Minute) })},
			"answered 20s+0s+40s",
		},
		"record instead of the end": {
			events{at(1, ring, in, "104"), at(4, answer, in, "104"), at(-3600, record, in, "", said(56), func(c *pbxv1.Call) {
				c.Duration = durationpb.New(time.Minute)
			})},
			"answered 0s+3s+56s; 104! ringing 1s-4s talking 4s-1m1s",
		},
		"outgoing": {
			events{at(0, enter, out, "104"), at(9, answer, out, "104"), at(20, end, silent, "104", because(normal))},
			"answered 9s+0s+11s; 104! dialing 0s-9s talking 9s-20s",
		},
		"outgoing, the line is another one": {
			events{at(0, enter, out, "", parties("29", "777888999")), at(3, ring, out, "20", parties("29", "777888999"))},
			"open 3s+0s+0s; 20 dialing 0s-?",
		},
		"outgoing, no line": {
			events{at(0, enter, out, "", parties("29", "777888999")), at(3, answer, out, "", parties("29", "777888999")), at(9, end, out, "")},
			"answered 3s+0s+6s; 29! dialing 0s-3s talking 3s-9s",
		},
		"outgoing, to a colleague": {
			events{at(0, enter, out, "104"), at(9, answer, out, "104"), at(20, ring, out, "105"), at(22, answer, out, "105")},
			"open 9s+0s+0s; 104! dialing 0s-9s talking 9s-?; 105! ringing 20s-22s talking 22s-?",
		},
		"the phone that is called": {events{at(0, enter, in, "104")}, "open 0s+0s+0s; 104"},
		"no direction":             {events{at(0, enter, silent, "104")}, "open 0s+0s+0s; 104 dialing 0s-?"},
		"internal": {
			events{at(0, enter, inside, ""), at(1, ring, pbxv1.Call_INTERNAL_INCOMING, "106", parties("104", "106")), at(4, answer, silent, "106"), at(9, end, silent, "106", because(normal))},
			"answered 1s+3s+5s; 104 dialing 0s-4s talking 4s-9s; 106! ringing 1s-4s talking 4s-9s",
		},
		"internal, both told": {
			events{at(0, enter, inside, "104"), at(1, ring, pbxv1.Call_INTERNAL_INCOMING, "106", parties("104", "106")), at(4, answer, silent, "106"), at(9, end, silent, "106", because(normal))},
			"open 1s+3s+0s; 104 dialing 0s-4s talking 4s-?; 106! ringing 1s-4s talking 4s-9s",
		},
		"internal, overtaken by the answer": {
			events{at(4, answer, pbxv1.Call_INTERNAL_INCOMING, "106", parties("104", "106")), at(5, enter, inside, "104")},
			"open 0s+0s+0s; 106! talking 4s-?; 104 dialing 4s-4s talking 4s-?",
		},
		"barge rings": {
			events{at(1, ring, barge, "109"), at(3, ring, in, "104"), at(5, answer, in, "104")},
			"open 2s+2s+0s; 109 ringing 1s-?; 104! ringing 3s-5s talking 5s-?",
		},
		"transfer by who talks": {
			events{at(0, ring, in, "103"), at(1, answer, in, "104"), at(5, answer, in, "106"), at(7, transfer, in, "106")},
			"open 0s+1s+0s; 103 ringing 0s-?; 104! talking 1s-7s; 106! talking 5s-?",
		},
		"barge is no answer": {
			events{at(0, ring, in, "104"), at(3, answer, barge, "109"), at(9, end, in, "104", because(cancelled))},
			"abandoned 0s+9s+0s; 104 ringing 0s-9s; 109 talking 3s-9s",
		},
		"who answered is said to listen in": {
			events{at(0, ring, in, "104"), at(3, answer, in, "104"), at(5, answer, barge, "104"), at(9, end, in, "104", because(normal))},
			"answered 0s+3s+6s; 104! ringing 0s-3s talking 3s-9s",
		},
		"barge only": {events{at(3, answer, barge, "109"), at(5, end, silent, "109")}, "unknown 2s+0s+0s; 109 talking 3s-5s"},
		"transfer, who takes over is told": {
			events{
				at(0, answer, in, "104"), at(5, answer, in, "106"), at(7, transfer, in, "106"), at(9, end, in, "106", because(normal)),
			},
			"answered 0s+0s+9s; 104! talking 0s-7s; 106! talking 5s-9s",
		},
		"transfer, who hands over is told": {
			events{at(0, answer, in, "104"), at(5, answer, in, "106"), at(7, transfer, in, "104", parties("777888999", "106"))},
			"open 0s+0s+0s; 104! talking 0s-7s; 106! talking 5s-?",
		},
		"transfer after the end": {
			events{at(0, answer, in, "104"), at(5, answer, in, "106"), at(7, end, in, "106", because(normal)), at(7.1, transfer, in, "106")},
			"answered 0s+0s+7.1s; 104! talking 0s-7.1s; 106! talking 5s-7s",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := followOne(t, test.events)
			if have := short(c); test.want != have {
				t.Errorf("want %s\nhave %s", test.want, have)
			}
			for order := range orders(test.events) {
				demandEqual(t, []*call.Call{c}, follow(t, order), order)
			}
		})
	}
}

// What becomes of a call that nobody answered, by who says why.
func TestOutcome(t *testing.T) {
	causes := map[pbxv1.Call_Cause]call.Outcome{
		pbxv1.Call_NO_ANSWER: call.RangOut, pbxv1.Call_BUSY: call.Busy, pbxv1.Call_REJECTED: call.Rejected,
		pbxv1.Call_FAILED: call.Failed, pbxv1.Call_CANCELLED: call.Abandoned,
		pbxv1.Call_NORMAL: call.Unknown, pbxv1.Call_CAUSE_UNSPECIFIED: call.Unknown,
	}
	phones := func(causes ...pbxv1.Call_Cause) events {
		var all events
		for i, cause := range causes {
			all = append(all, at(1, ring, in, fmt.Sprint(104+i)), at(9, end, in, fmt.Sprint(104+i), because(cause)))
		}
		return all
	}
	for cause, want := range causes {
		for name, all := range map[string]events{
			"of the call":   {at(9, end, in, "", because(cause))},
			"of the record": {at(0, enter, in, ""), at(9, record, in, "", because(cause))},
			"of the legs":   phones(cause, cause),
			"before a call": {at(9, end, in, "", because(pbxv1.Call_NORMAL)), at(10, end, in, "", because(cause))},
		} {
			if have := followOne(t, all); want != have.Outcome || want != call.Unknown && have.Cause != cause {
				t.Errorf("%v %s: want %v, have %v by %v", cause, name, want, have.Outcome, have.Cause)
			}
		}
	}
	const cancelled, noAnswer, busy = pbxv1.Call_CANCELLED, pbxv1.Call_NO_ANSWER, pbxv1.Call_BUSY
	mixed := map[string]struct {
		events events
		want   call.Outcome
	}{
		"IPEX, the caller gave up":  {events{at(9, end, in, "", because(cancelled)), at(0, record, in, "", because(noAnswer))}, call.Abandoned},
		"family, busy":              {events{at(9, end, in, "", because(cancelled)), at(0, record, in, "", because(busy))}, call.Busy},
		"family, rang out":          {append(phones(cancelled, cancelled), at(0, record, in, "", because(noAnswer))), call.RangOut},
		"family, no record yet":     {phones(cancelled, cancelled), call.Abandoned},
		"one of them is missed":     {phones(cancelled, noAnswer, busy), call.RangOut},
		"busy counts before failed": {phones(pbxv1.Call_FAILED, busy), call.Busy},
		"not all cancelled":         {phones(cancelled, pbxv1.Call_NORMAL), call.Unknown},
		"answered, then missed":     {append(phones(noAnswer), at(2, answer, in, "105"), at(9, end, in, "105")), call.Answered},
	}
	for name, test := range mixed {
		if have := followOne(t, test.events).Outcome; test.want != have {
			t.Errorf("%s: want %v, have %v", name, test.want, have)
		}
	}
}

// Why a leg ended is what was said of it last; the end of the call says it only for legs of which nothing was said.
func TestCauses(t *testing.T) {
	const missed, normal, busy = pbxv1.Call_NO_ANSWER, pbxv1.Call_NORMAL, pbxv1.Call_BUSY
	rounds := events{at(0, ring, in, "104"), at(5, end, in, "104", because(missed)), at(9, ring, in, "104")}
	over := append(slices.Clone(rounds), at(20, end, in, "104", because(busy)), at(20.5, end, in, "104", because(missed)))
	tests := map[string]struct {
		events events
		want   []pbxv1.Call_Cause
	}{
		"rings anew":   {rounds, []pbxv1.Call_Cause{0}},
		"of its own":   {over, []pbxv1.Call_Cause{busy}},
		"of the call":  {append(slices.Clone(rounds), at(30, end, in, "", because(normal))), []pbxv1.Call_Cause{normal}},
		"of both":      {append(slices.Clone(over), at(30, end, in, "", because(normal))), []pbxv1.Call_Cause{busy}},
		"of it, later": {append(slices.Clone(rounds), at(30, end, in, "", because(normal)), at(31, end, in, "104", because(busy))), []pbxv1.Call_Cause{busy}},
	}
	for name, test := range tests {
		var have []pbxv1.Call_Cause
		for _, l := range followOne(t, test.events).Legs {
			have = append(have, l.Cause)
		}
		if !slices.Equal(test.want, have) {
			t.Errorf("%s: want %v, have %v", name, test.want, have)
		}
	}
}

// What no event says is not made up, and what says nothing about a call's course is left out.
func TestOther(t *testing.T) {
	tracker := call.NewTracker(call.Options{})
	rated := at(0, pbxv1.Call_RATED, in, "")
	for _, ev := range []*pbxv1.Event{
		nil, {}, rated, at(0, 0, in, ""), at(0, 99, in, ""), {Payload: &pbxv1.Event_Agent{Agent: &pbxv1.Agent{Kind: pbxv1.Agent_LOGIN}}},
	} {
		if have := tracker.Apply(ev, morning); len(have) > 0 {
			t.Errorf("want nothing of %v, have %s", ev, describeAll(have))
		}
	}
	if n := len(slices.Collect(tracker.Calls())); n > 0 {
		t.Errorf("want no call, have %d", n)
	}
}

// Parties of an event that does not say which way the call goes may be the wrong way round.
func TestParties(t *testing.T) {
	short := &pbxv1.Party{Number: "104"}
	tests := map[string]struct {
		events   events
		from, to *pbxv1.Party
		outside  *pbxv1.Party
	}{
		"incoming": {events{at(0, enter, in, "")}, outside, line, outside},
		"outgoing, then an end": {
			events{at(0, enter, out, "104", func(c *pbxv1.Call) { c.From = nil }), at(5, end, silent, "104", func(c *pbxv1.Call) { c.To = nil })},
			nil, outside, outside,
		},
		"outgoing, told by an end": {
			events{at(0, enter, out, "104", func(c *pbxv1.Call) { c.From, c.To = short, nil }), at(5, end, silent, "104", func(c *pbxv1.Call) { c.To = nil })},
			short, outside, outside,
		},
		"end only": {events{at(5, end, silent, "104", func(c *pbxv1.Call) { c.To = nil })}, outside, nil, outside},
		"transfer": {
			events{at(0, answer, in, "104", func(c *pbxv1.Call) { c.To = nil }), at(5, transfer, in, "104", parties("777888999", "106"))},
			outside, nil, outside,
		},
		"record":      {events{at(0, record, in, "", parties("1", "2")), at(5, answer, in, "104")}, outside, line, outside},
		"internal":    {events{at(0, ring, inside, "106")}, short, &pbxv1.Party{Number: "106"}, nil},
		"barge":       {events{at(0, answer, barge, "109")}, outside, line, nil},
		"withheld":    {events{at(0, ring, in, "104", parties("anonymous", "222411864"))}, &pbxv1.Party{Number: "anonymous"}, &pbxv1.Party{Number: "222411864"}, nil},
		"barge, then": {events{at(0, answer, barge, "109", parties("109", "104")), at(1, ring, in, "104")}, outside, line, outside},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := followOne(t, test.events)
			if !proto.Equal(test.from, c.From) || !proto.Equal(test.to, c.To) || !proto.Equal(test.outside, c.Outside()) {
				t.Errorf("want %v, %v and outside %v, have %v, %v and %v", test.from, test.to, test.outside, c.From, c.To, c.Outside())
			}
		})
	}
}
