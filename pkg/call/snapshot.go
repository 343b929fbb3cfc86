package call

import (
	"cmp"
	"slices"
	"time"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// snapshot returns the call as it is now; for one that expired, as it ended with the last that was told of it.
func (s *state) snapshot(expired bool) *Call {
	ended, over, told := s.ends()
	if expired {
		ended, over = s.last, true
	}
	c := &Call{
		Key: s.key, VendorID: s.vendorID, Direction: s.direction, Queue: s.queue,
		Transfers: s.transfers[:len(s.transfers):len(s.transfers)],
		Began:     s.start(), Ended: ended, Record: s.recorded, Expired: expired,
	}
	c.From, c.To = s.parties()
	var answerTold bool
	c.Answered, answerTold = s.answerTime(ended, over)
	if over {
		var e ending
		c.Outcome, e = s.judge()
		c.Cause, c.Reason = e.cause, e.reason
	}
	s.measure(c, told && answerTold)
	c.Legs = s.shownLegs(c)
	return c
}

// parties falls back on events that do not say which way the call goes, where the outside party is the caller.
func (s *state) parties() (from, to *pbxv1.Party) {
	switch {
	case s.from == nil && s.to == nil:
		return s.loose[0], s.loose[1]
	case s.from == nil && s.direction == pbxv1.Call_INCOMING:
		return s.loose[0], s.to
	case s.to == nil && s.direction == pbxv1.Call_OUTGOING:
		return s.from, cmp.Or(s.loose[1], s.loose[0])
	}
	return s.from, s.to
}

// answerTime returns when somebody picked up, and whether that was told. Otherwise it was as long before the end as the
// exchange measured, or, for an answer that was overtaken by the end, then.
func (s *state) answerTime(ended time.Time, over bool) (at time.Time, told bool) {
	switch overtaken := over && s.answered.After(ended); {
	case s.answerTold && !overtaken:
		return s.answered, true
	case over && s.proven && s.talk > 0:
		return later(s.start(), ended.Add(-s.talk)), false
	case overtaken:
		return ended, false
	}
	return s.answered, false
}

// measure sets the durations of what has happened so far. Where the moments were not all told, the exchange knows better how
// long people talked.
func (s *state) measure(c *Call, told bool) {
	answered, rang := c.Answered, s.rang
	// An event that was overtaken is told after what it must have come before.
	if !rang.IsZero() && !answered.IsZero() && answered.Before(rang) {
		rang = answered
	}
	if !rang.IsZero() && !c.Ended.IsZero() && c.Ended.Before(rang) {
		rang = c.Ended
	}
	until := answered // of the waiting
	if until.IsZero() && !s.proven {
		until = c.Ended
	}
	c.Wait = between(c.Began, cmp.Or(rang, until))
	c.Ring = between(rang, until)
	c.Talk = between(answered, c.Ended)
	if !c.Open() && s.talk > 0 && !told {
		c.Talk = s.talk
	}
}

// between returns the time between two moments, and nothing if either is not known.
func between(from, to time.Time) time.Duration {
	if from.IsZero() || to.IsZero() {
		return 0
	}
	return max(0, to.Sub(from))
}

// shownLegs returns the legs of a call, with whoever makes it without being told of. When the call is over, so are they.
func (s *state) shownLegs(c *Call) []Leg {
	legs := make([]Leg, 0, len(s.legs)+1)
	if l, ok := s.impliedCaller(c); ok {
		legs = append(legs, l)
	}
	for _, l := range s.legs {
		shown := l.Leg
		if shown.Direction == pbxv1.Call_DIRECTION_UNSPECIFIED {
			shown.Direction = c.Direction
		}
		shown.Spans = shown.Spans[:len(shown.Spans):len(shown.Spans)]
		if !c.Open() && l.state() != 0 {
			shown.Spans = slices.Clone(shown.Spans)
			last := &shown.Spans[len(shown.Spans)-1]
			last.To = later(last.From, c.Ended)
		}
		legs = append(legs, shown)
	}
	return legs
}

// impliedCaller returns the leg of the caller of an internal call, or of an outgoing one if no event names another leg. It
// follows the call.
func (s *state) impliedCaller(c *Call) (Leg, bool) {
	l := Leg{Cause: c.Cause, Reason: c.Reason}
	switch c.Direction {
	case pbxv1.Call_INTERNAL_INCOMING, pbxv1.Call_INTERNAL_OUTGOING:
		l.Direction = pbxv1.Call_INTERNAL_OUTGOING
	case pbxv1.Call_OUTGOING:
		l.Direction, l.Answered = pbxv1.Call_OUTGOING, s.proven
	}
	if l.Direction == pbxv1.Call_DIRECTION_UNSPECIFIED || s.caller != nil ||
		l.Direction == pbxv1.Call_OUTGOING && len(s.legs) > 0 {
		return Leg{}, false
	}
	l.Extension = extensionOf(s.from)
	if l.Extension == "" || s.find(l.Extension) != nil {
		return Leg{}, false
	}
	switch {
	case c.Answered.IsZero():
		l.Spans = []Span{{Dialing, c.Began, c.Ended}}
	default:
		l.Spans = []Span{{Dialing, c.Began, c.Answered}, {Talking, c.Answered, c.Ended}}
	}
	return l, true
}
