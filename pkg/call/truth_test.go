package call_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/switchhook/switchhook/pkg/call"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/pbxsim/flow"
)

// facts are what the truth of pbxsim and a followed call can be compared by. Moments are since the call began; -1 is not known.
type facts struct {
	direction, outcome, caller, queue string
	rang, answered                    string // extensions
	transferredTo                     string
	cancelled                         int // consultations
	missed                            bool
	wait, ring, talk                  time.Duration
	open                              bool
}

// tells is what a variant tells of a call, by the table in the README of pbxsim.
type tells struct {
	begin  bool // when the call begins, before any phone rings
	ring   bool // that phones ring
	answer bool // when somebody picks up
	queue  bool
	talk   bool // how long people talked, or when they began and stopped
}

func tellsOf(v variant, c *flow.Call) tells {
	in := c.Direction == flow.Incoming
	out := c.Direction == flow.Outgoing
	switch name := v.Variant; {
	case v.Vendor == "ipex":
		return tells{true, true, true, true, true}
	case name == "mcn-documents" || name == "mcn-call-id":
		return tells{begin: out, ring: !out, answer: true, talk: true}
	case name == "mcn-line":
		return tells{begin: true, ring: !out, answer: true, talk: true}
	case strings.HasPrefix(name, "mcn-composed"):
		return tells{begin: true}
	case strings.HasPrefix(name, "xvb-family"):
		return tells{begin: out || c.Queue != "" || len(c.Rang) == 0 && in, ring: !out, answer: true, queue: in, talk: true}
	default:
		answer := in && (c.Queue != "" || name == "xvb-header")
		return tells{begin: true, answer: answer, talk: answer}
	}
}

// outcomes are those that a variant tells in another way; the others are as they are.
func outcomeOf(v variant, c *flow.Call) call.Outcome {
	truth := map[flow.Outcome]call.Outcome{
		flow.OutcomeAnswered: call.Answered, flow.OutcomeRangOut: call.RangOut, flow.OutcomeUnansweredOutgoing: call.RangOut,
		flow.OutcomeAbandonedRinging: call.Abandoned, flow.OutcomeAbandonedQueue: call.Abandoned,
		flow.OutcomeBusy: call.Busy, flow.OutcomeBusyOutgoing: call.Busy,
	}[c.Outcome]
	composed := strings.HasPrefix(v.Variant, "mcn-composed")
	noPhone := len(c.Rang) == 0 && c.Direction == flow.Incoming
	switch {
	case composed && (c.Direction == flow.Outgoing || truth != call.Answered), v.Vendor == "mcn" && noPhone:
		return call.Unknown
	case v.Vendor == "mcn" && truth != call.Answered:
		return call.RangOut // everything is missed
	case v.Vendor == "xvb" && c.Outcome == flow.OutcomeUnansweredOutgoing:
		return call.Failed // NotAvailable
	}
	return truth
}

func factsOfTruth(v variant, c *flow.Call) facts {
	tells := tellsOf(v, c)
	outcome := outcomeOf(v, c)
	f := facts{direction: string(c.Direction), outcome: outcome.String(), caller: c.Caller()}
	f.missed = c.Missed
	if tells.queue {
		f.queue = c.Queue
	}
	if tells.ring {
		f.rang = sorted(c.Rang)
	}
	switch {
	case c.Direction == flow.Outgoing && outcome == call.Answered:
		f.answered = c.From.Extension
	case c.Direction != flow.Outgoing:
		f.answered = sorted([]string{c.AnsweredBy, c.TransferredTo})
	}
	if v.Vendor == "ipex" || strings.HasPrefix(v.Variant, "xvb-family") {
		f.transferredTo = c.TransferredTo
		if c.Scenario == flow.TransferCancelled {
			f.cancelled = 1
		}
	}
	f.wait, f.ring, f.talk = durations(tells, c, outcome)
	return f
}

// durations are what can be told of those.
func durations(tells tells, c *flow.Call, outcome call.Outcome) (wait, ring, talk time.Duration) {
	const unknown = -1
	began, rang, until := time.Duration(0), time.Duration(unknown), time.Duration(unknown)
	if !tells.begin {
		began = c.Wait
	}
	if tells.ring && (len(c.Rang) > 0 || c.Ring > 0) {
		rang = c.Wait
	}
	switch {
	case c.Outcome != flow.OutcomeAnswered:
		until = c.Duration()
	case tells.answer:
		until = c.Wait + c.Ring
	case outcome != call.Answered:
		until = c.Duration() // nobody says that it is no waiting
	}
	switch {
	case rang >= 0:
		wait = rang - began
	case until >= 0:
		wait = until - began
	}
	if rang >= 0 && until >= 0 {
		ring = until - rang
	}
	if tells.talk {
		talk = c.Talk
	}
	return wait, ring, talk
}

func factsOf(c *call.Call) facts {
	f := facts{outcome: c.Outcome.String(), queue: c.Queue, open: c.Open(), wait: c.Wait, ring: c.Ring, talk: c.Talk}
	f.caller = c.From.GetE164()
	switch c.Direction {
	case pbxv1.Call_INCOMING:
		f.direction = "incoming"
		f.missed = c.Outcome != call.Answered
	case pbxv1.Call_OUTGOING:
		f.direction = "outgoing"
	case pbxv1.Call_INTERNAL_INCOMING, pbxv1.Call_INTERNAL_OUTGOING:
		f.direction = "internal"
	}
	var rang, answered []string
	for _, l := range c.Legs {
		if slices.ContainsFunc(l.Spans, func(s call.Span) bool { return s.Kind == call.Ringing }) {
			rang = append(rang, l.Extension)
		}
		if slices.ContainsFunc(l.Spans, func(s call.Span) bool { return s.Kind == call.Dialing }) {
			f.caller = l.Extension
		}
		if l.Answered {
			answered = append(answered, l.Extension)
		}
	}
	f.rang, f.answered = sorted(rang), sorted(answered)
	for _, t := range c.Transfers {
		if t.Cancelled {
			f.cancelled++
		} else {
			f.transferredTo = t.To
		}
	}
	return f
}

func sorted(extensions []string) string {
	extensions = slices.DeleteFunc(slices.Clone(extensions), func(e string) bool { return e == "" })
	slices.Sort(extensions)
	return strings.Join(slices.Compact(extensions), " ")
}

// Whatever pbxsim makes up is followed to the truth, as far as the variant can tell it.
func TestTruth(t *testing.T) {
	for _, v := range variants(t) {
		for _, s := range v.Dialect.Scenarios() {
			t.Run(fmt.Sprintf("%s/%s", v.Variant, s), func(t *testing.T) {
				for number := range int64(20) {
					made := v.call(s, number)
					if v.Variant == "mcn-documents" && made.Withheld() && len(made.Rang) > 1 {
						continue // nothing tells that these legs belong together
					}
					events := v.events(t, made)
					c := followOne(t, events)
					if want, have := factsOfTruth(v, made), factsOf(c); want != have {
						t.Fatalf("call %d:\nwant %+v\nhave %+v\n%safter\n%s", number, want, have, describe(c), describeEvents(events))
					}
				}
			})
		}
	}
}

// Where a variant tells of every phone, each is followed from moment to moment.
func TestSpans(t *testing.T) {
	kinds := map[flow.SpanKind]call.SpanKind{flow.Ringing: call.Ringing, flow.Dialing: call.Dialing, flow.Talking: call.Talking}
	untold := map[string][]flow.Scenario{
		"ipex-documents":  {flow.QueueRetried},                              // the end of the first ring
		"mcn-line":        {flow.AbandonedQueue, flow.Busy},                 // nothing
		"xvb-family-form": {flow.InternalAnswered, flow.InternalUnanswered}, // when the caller begins
	}
	for name, untold := range untold {
		v := variantNamed(t, name)
		for _, s := range v.Dialect.Scenarios() {
			if slices.Contains(untold, s) {
				continue
			}
			t.Run(name+"/"+string(s), func(t *testing.T) {
				for number := range int64(20) {
					made := v.call(s, number)
					want := map[string]string{}
					for _, l := range made.Legs() {
						for _, span := range l.Spans {
							want[l.Agent.Extension] += fmt.Sprintf(" %v %v-%v", kinds[span.Kind], span.From, span.To)
						}
					}
					have := map[string]string{}
					for _, l := range followOne(t, v.events(t, made)).Legs {
						have[l.Extension] = spans(l.Spans)
					}
					if !maps.Equal(want, have) {
						t.Fatalf("call %d: want %v\nhave %v", number, want, have)
					}
				}
			})
		}
	}
}
