package flow

import (
	"slices"
	"time"
)

// SpanKind is what a phone does for a while.
type SpanKind int

// The kinds of span.
const (
	// Ringing: the phone is called, and does not answer yet.
	Ringing SpanKind = iota + 1
	// Dialing: the phone calls, and nobody has answered yet.
	Dialing
	// Talking: it is in a conversation.
	Talking
)

// Span is a stretch of a call's time, since the call began.
type Span struct {
	Kind     SpanKind
	From, To time.Duration // To is the first moment after it
}

// Leg is the part of one phone of the exchange in a call.
type Leg struct {
	Agent *Agent
	Spans []Span // one after the other
}

// Answered reports whether the phone picked up, or, if it calls, whether the other side did.
func (l *Leg) Answered() bool {
	return slices.ContainsFunc(l.Spans, func(s Span) bool { return s.Kind == Talking })
}

// Legs returns the legs of the call in the order of their first moment. A call that reaches no phone has none.
func (c *Call) Legs() []*Leg {
	var all []*Leg
	of := func(a *Agent) *Leg {
		if i := slices.IndexFunc(all, func(l *Leg) bool { return l.Agent == a }); i >= 0 {
			return all[i]
		}
		all = append(all, &Leg{Agent: a})
		return all[len(all)-1]
	}
	for _, m := range c.Moments {
		switch {
		case m.Kind == Entered && m.Agent != nil:
			of(m.Agent).turn(Dialing, m.At)
		case m.Kind == Rang && m.Agent != c.From:
			of(m.Agent).turn(Ringing, m.At)
		case m.Kind == PickedUp:
			of(m.Agent).turn(Talking, m.At)
			if c.From != nil && of(c.From).lasts() {
				of(c.From).turn(Talking, m.At)
			}
		case m.Kind == Left:
			of(m.Agent).stop(m.At)
		case m.Kind == Ended:
			for _, l := range all {
				l.stop(m.At)
			}
		}
	}
	return all
}

// lasting is the end of a span that has not ended yet.
const lasting = -1

// turn ends what the phone does, and begins something else.
func (l *Leg) turn(kind SpanKind, at time.Duration) {
	if l.lasts() && l.Spans[len(l.Spans)-1].Kind == kind {
		return
	}
	l.stop(at)
	l.Spans = append(l.Spans, Span{kind, at, lasting})
}

func (l *Leg) stop(at time.Duration) {
	if l.lasts() {
		l.Spans[len(l.Spans)-1].To = at
	}
}

// lasts reports whether the phone is in the call.
func (l *Leg) lasts() bool {
	n := len(l.Spans)
	return n > 0 && l.Spans[n-1].To == lasting
}
