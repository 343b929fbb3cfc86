package call

import (
	"time"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// ending is why something was over.
type ending struct {
	cause  pbxv1.Call_Cause
	reason string
}

// state is what a call's observations add up to, applied in their order. It depends on nothing else.
type state struct {
	began, last time.Time // the first and the last moment that was told; zero with a record only
	vendorID    string
	key         string
	direction   pbxv1.Call_Direction
	from, to    *pbxv1.Party // of events that say which way the call goes
	loose       [2]*pbxv1.Party
	queue       string
	legs        []*leg
	caller      *leg // who makes the call, if an event says so
	transfers   []Transfer

	entered    time.Time // the last NEW
	rang       time.Time // the first RINGING
	proven     bool      // somebody picked up
	answered   time.Time
	answerTold bool // answered is when it happened
	talk       time.Duration

	closed   bool // the end of the whole call was told: nothing opens it again
	closedAt time.Time
	end      ending

	recorded      bool // nor after the exchange's record
	recordedBegin time.Time
	recordedFor   time.Duration
	record        ending

	superseded bool // the next call that has its key began
}

// apply applies the next observation.
func (s *state) apply(o *observation) {
	s.note(o)
	switch o.GetKind() {
	case pbxv1.Call_NEW:
		s.enter(o)
	case pbxv1.Call_RINGING:
		s.ring(o)
	case pbxv1.Call_ANSWERED:
		s.answer(o)
	case pbxv1.Call_TRANSFERRED, pbxv1.Call_TRANSFER_CANCELLED:
		s.transfer(o)
	case pbxv1.Call_ENDED:
		s.finish(o)
	case pbxv1.Call_RECORDED:
		s.file(o)
	}
}

// note takes what any event may tell. What is told first stays.
func (s *state) note(o *observation) {
	if !o.isRecord() {
		if s.began.IsZero() {
			s.began = o.at
		}
		s.last = o.at
	}
	if s.key == "" {
		s.key = o.GetKey()
	}
	if s.vendorID == "" {
		s.vendorID = o.GetId()
	}
	if s.queue == "" {
		s.queue = o.GetQueue()
	}
	if s.direction == pbxv1.Call_DIRECTION_UNSPECIFIED || s.direction == pbxv1.Call_BARGE && o.GetDirection() != 0 {
		s.direction = o.GetDirection()
	}
	s.noteParties(o)
}

// noteParties leaves out transfers, which name the colleague. Where an event does not say which way the call goes, its
// parties may be the wrong way round, so they count only if nothing else tells.
func (s *state) noteParties(o *observation) {
	from, to := &s.from, &s.to
	switch {
	case o.isTransfer():
		return
	case o.GetDirection() == pbxv1.Call_DIRECTION_UNSPECIFIED || o.isBarge():
		from, to = &s.loose[0], &s.loose[1]
	}
	if *from == nil {
		*from = o.GetFrom()
	}
	if *to == nil {
		*to = o.GetTo()
	}
}

// find returns the leg at an extension, or nil.
func (s *state) find(extension string) *leg {
	for _, l := range s.legs {
		if l.Extension == extension {
			return l
		}
	}
	return nil
}

// leg returns the leg that an observation is about. In a call that is over, a new one is over too.
func (s *state) leg(o *observation) *leg {
	l := s.find(o.GetExtension())
	if l == nil {
		l = &leg{Leg: Leg{Extension: o.GetExtension()}, ended: s.closed, endedAt: s.closedAt}
		s.legs = append(s.legs, l)
	}
	if l.User == nil {
		l.User = o.GetUser()
	}
	if l.Direction == pbxv1.Call_DIRECTION_UNSPECIFIED {
		l.Direction = o.GetDirection()
	}
	if s.makesCall(o) {
		s.caller = l
		l.dial(s.began)
		if s.answerTold && l.state() == Dialing {
			l.talk(s.answered, s.closed)
		}
	}
	return l
}

// makesCall reports whether an event shows that its leg makes the call: one leg does, the first that is told of.
func (s *state) makesCall(o *observation) bool {
	if s.caller != nil || o.isRecord() {
		return false
	}
	switch o.GetDirection() {
	case pbxv1.Call_OUTGOING, pbxv1.Call_INTERNAL_OUTGOING:
		return true
	case pbxv1.Call_DIRECTION_UNSPECIFIED:
		return o.GetKind() == pbxv1.Call_NEW
	}
	return false
}

func (s *state) enter(o *observation) {
	s.entered = o.at
	if o.GetExtension() != "" {
		s.leg(o)
	}
}

func (s *state) ring(o *observation) {
	if s.rang.IsZero() && !o.isBarge() {
		s.rang = o.at
	}
	if o.GetExtension() == "" {
		return
	}
	if l := s.leg(o); l != s.caller {
		l.ring(o.at, s.closed)
	}
}

func (s *state) answer(o *observation) {
	since, told := o.at, !s.closed
	if s.closed {
		since = s.closedAt
	}
	if o.GetExtension() != "" {
		l := s.leg(o)
		since, told = l.talk(o.at, s.closed)
		l.Answered = l.Answered || !o.isBarge()
	}
	if o.isBarge() {
		return
	}
	s.proven = true
	if told && !s.answerTold || s.answered.IsZero() {
		s.answered, s.answerTold = since, told
	}
	// Whoever makes the call is connected by any answer.
	if s.caller != nil && s.caller.state() == Dialing {
		s.caller.talk(o.at, s.closed)
	}
}

// transfer notes a transfer. IPEX names who hands over, and the colleague as the called number; the family of XVB names
// the colleague only. Who handed over is out of the call, and not every exchange says so again.
func (s *state) transfer(o *observation) {
	t := Transfer{At: o.at, From: o.GetExtension(), To: extensionOf(o.GetTo()), Cancelled: o.GetKind() == pbxv1.Call_TRANSFER_CANCELLED}
	if t.To == "" {
		t.From, t.To = "", o.GetExtension()
		if l := s.handsOver(t.To); l != nil {
			t.From = l.Extension
		}
	}
	s.transfers = append(s.transfers, t)
	if l := s.find(t.From); l != nil && !t.Cancelled && t.From != "" {
		l.end(o.at, pbxv1.Call_NORMAL, "", false)
	}
}

// handsOver returns the first leg other than the colleague's that goes on: one that talks, else one that rings.
func (s *state) handsOver(colleague string) *leg {
	for _, kind := range []SpanKind{Talking, Ringing} {
		for _, l := range s.legs {
			if l.state() == kind && l.Extension != colleague {
				return l
			}
		}
	}
	return nil
}

// finish ends a leg or, without an extension, the call.
func (s *state) finish(o *observation) {
	s.prove(o)
	if o.GetExtension() != "" {
		l := s.leg(o)
		l.end(o.at, o.GetCause(), o.GetReason(), true)
		if o.GetAnswered() && !o.isBarge() {
			l.Answered = true
			l.talked(o.GetTalkTime().AsDuration(), s.began)
		}
		return
	}
	if !s.closed {
		s.closed, s.closedAt = true, o.at
	}
	for _, l := range s.legs {
		l.end(o.at, o.GetCause(), o.GetReason(), false)
	}
	if !tells(s.end.cause) {
		s.end = ending{o.GetCause(), o.GetReason()}
	}
}

// file takes the exchange's own record, which comes after everything else. A leg that only the record tells of ended with
// the call.
func (s *state) file(o *observation) {
	s.prove(o)
	if !s.recorded {
		s.recorded, s.recordedBegin = true, o.at
	}
	s.recordedFor = max(s.recordedFor, o.GetDuration().AsDuration())
	if !tells(s.record.cause) {
		s.record = ending{o.GetCause(), o.GetReason()}
	}
	if o.GetExtension() == "" {
		return
	}
	ended, _, _ := s.ends()
	isNew := s.find(o.GetExtension()) == nil
	l := s.leg(o)
	l.Answered = l.Answered || o.GetAnswered() && !o.isBarge()
	if isNew {
		l.ended, l.endedAt = true, ended
	}
}

// prove takes what an end or a record says about an answer.
func (s *state) prove(o *observation) {
	if (o.GetAnswered() || o.GetCause() == pbxv1.Call_ANSWERED_ELSEWHERE) && !o.isBarge() {
		s.proven = true
	}
	s.talk = max(s.talk, o.GetTalkTime().AsDuration())
}

// ends returns when the call ended, and whether it did. Told is false when that is only the best guess.
func (s *state) ends() (at time.Time, over, told bool) {
	if s.closed {
		return s.closedAt, true, true
	}
	if at, ok := s.legsEnd(); ok {
		return at, true, true
	}
	if s.recorded || s.superseded {
		return later(s.last, s.start().Add(s.recordedFor)), true, false
	}
	return time.Time{}, false, false
}

// legsEnd returns when the last leg ended, if all have. Who listens in counts only when nobody else is there.
func (s *state) legsEnd() (at time.Time, all bool) {
	var aside time.Time
	counted := 0
	open := false
	for _, l := range s.legs {
		if l.Direction == pbxv1.Call_BARGE {
			aside = later(aside, l.endedAt)
			open = open || !l.ended
			continue
		}
		if !l.ended {
			return time.Time{}, false
		}
		counted++
		at = later(at, l.endedAt)
	}
	if counted > 0 {
		return at, true
	}
	return aside, len(s.legs) > 0 && !open
}

// start returns when the call began.
func (s *state) start() time.Time {
	if s.began.IsZero() {
		return s.recordedBegin
	}
	return s.began
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
