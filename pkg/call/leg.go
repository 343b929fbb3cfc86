package call

import (
	"slices"
	"time"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

const (
	// gap is how long after the end of a leg its own ring or answer may come, when it had none, without being another one:
	// most exchanges send no times, so an event that was overtaken by the end has a later time than the end.
	gap = 30 * time.Second
	// repetition is how soon after an event the same one at the same leg says nothing new.
	repetition = time.Second
)

// leg is a Leg while its observations are applied. Its spans are shared with snapshots: none that was shown is changed.
type leg struct {
	Leg
	ended   bool
	endedAt time.Time
	told    bool                   // its own end said why; else the end of the call may
	last    [Talking + 1]time.Time // when it was told to ring, and to talk
}

// state returns what the phone does now; zero for nothing.
func (l *leg) state() SpanKind {
	if n := len(l.Spans); n > 0 && l.Spans[n-1].To.IsZero() {
		return l.Spans[n-1].Kind
	}
	return 0
}

func (l *leg) has(kind SpanKind) bool {
	return slices.ContainsFunc(l.Spans, func(s Span) bool { return s.Kind == kind })
}

// repeats reports whether the leg was told the same a moment ago.
func (l *leg) repeats(kind SpanKind, at time.Time) bool {
	return !l.last[kind].IsZero() && at.Sub(l.last[kind]) <= repetition
}

// overtaken reports whether the leg's end came before it was told what it must have done earlier.
func (l *leg) overtaken(kind SpanKind, at time.Time) bool {
	return l.ended && l.last[kind].IsZero() && at.Sub(l.endedAt) <= gap
}

// begin changes what the phone does.
func (l *leg) begin(kind SpanKind, at time.Time) {
	l.stop(at)
	l.Spans = append(l.Spans, Span{Kind: kind, From: at})
	if l.ended {
		l.ended, l.told, l.Cause, l.Reason = false, false, pbxv1.Call_CAUSE_UNSPECIFIED, ""
	}
}

// stop ends what the phone does.
func (l *leg) stop(at time.Time) {
	if l.state() != 0 {
		l.Spans = slices.Clone(l.Spans)
		l.Spans[len(l.Spans)-1].To = at
	}
}

// insert adds a span that nobody told in time.
func (l *leg) insert(i int, s Span) {
	l.Spans = slices.Insert(slices.Clone(l.Spans), i, s)
}

// dial lets the leg make the call since the beginning. It does so once.
func (l *leg) dial(began time.Time) {
	switch {
	case l.has(Dialing):
	case len(l.Spans) > 0:
		l.insert(0, Span{Dialing, began, l.Spans[0].From})
	case l.ended:
		l.insert(0, Span{Dialing, began, l.endedAt})
	default:
		l.begin(Dialing, began)
	}
}

// ring lets the phone ring, unless it does, or talks. Closed is the call's: then nothing begins any more, but a ring can be
// filled in.
func (l *leg) ring(at time.Time, closed bool) {
	switch {
	case l.state() != 0 || l.overtaken(Ringing, at) || closed:
		l.fillRing()
	case l.ended && l.repeats(Ringing, at):
	default:
		l.begin(Ringing, at)
	}
	l.last[Ringing] = at
}

// fillRing adds a ring of no length before the talk, or at the end, unless the phone is known to have rung.
func (l *leg) fillRing() {
	if l.has(Ringing) {
		return
	}
	i := slices.IndexFunc(l.Spans, func(s Span) bool { return s.Kind == Talking })
	if i >= 0 {
		l.insert(i, Span{Ringing, l.Spans[i].From, l.Spans[i].From})
	} else if l.ended {
		l.insert(len(l.Spans), Span{Ringing, l.endedAt, l.endedAt})
	}
}

// talk lets the leg talk, and returns since when, and whether that is when it was told.
func (l *leg) talk(at time.Time, closed bool) (since time.Time, told bool) {
	defer func() { l.last[Talking] = at }()
	switch {
	case l.state() == Talking:
		return at, true
	case closed || l.overtaken(Talking, at):
		if !l.has(Talking) {
			l.insert(len(l.Spans), Span{Talking, l.endedAt, l.endedAt})
		}
		return l.endedAt, false
	case l.ended && l.repeats(Talking, at):
		return l.endedAt, false
	}
	l.begin(Talking, at)
	return at, true
}

// talked adds the talk that the exchange measured, if nobody told when it began; not before the call did.
func (l *leg) talked(talk time.Duration, began time.Time) {
	if talk <= 0 || l.has(Talking) {
		return
	}
	since := later(began, l.endedAt.Add(-talk))
	if n := len(l.Spans); n > 0 {
		since = later(since, l.Spans[n-1].From)
		l.Spans = slices.Clone(l.Spans)
		l.Spans[n-1].To = since
	}
	l.insert(len(l.Spans), Span{Talking, since, l.endedAt})
}

// end ends the leg, if it has not. Why is said by its own end, else by that of the call.
func (l *leg) end(at time.Time, cause pbxv1.Call_Cause, reason string, own bool) {
	if !l.ended {
		l.stop(at)
		l.ended, l.endedAt = true, at
	}
	says := cause != pbxv1.Call_CAUSE_UNSPECIFIED
	if !l.told && (says || reason != "") {
		l.Cause, l.Reason, l.told = cause, reason, own && says
	}
}
