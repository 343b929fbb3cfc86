package flow

import (
	"math/rand/v2"
	"slices"
	"time"
)

// What turns a call in another direction while it goes on returns another call, with the same moments up to then; or nil
// if that cannot be done at that time.

// HangUp ends the call so long after its beginning, or only the part of one of its phones: one that consults a colleague
// hands the call over; a colleague who is consulted leaves it to who asked.
func (c *Call) HangUp(at time.Duration, phone *Agent) *Call {
	s := c.resume(at)
	if s == nil || phone != nil && s.leg(phone) == nil {
		return nil
	}
	from, to := s.consultation()
	switch {
	case phone == nil || from == nil:
	case phone == from && s.talks(to):
		s.handOver(from, to)
		return s.goOn()
	case phone == from:
		s.leave(Normal, from)
		s.after(2, 10)
		s.answer(to)
		return s.goOn()
	case phone == to:
		s.leave(s.parting(to), to)
		return s.goOn()
	}
	if s.answered < 0 {
		return s.over(Cancelled)
	}
	return s.over(Normal)
}

// Transfer lets a phone that talks give the call to another, which is not part of it: at once, or after a consultation,
// which the first phone ends itself after a while.
func (c *Call) Transfer(at time.Duration, from, to *Agent, attended bool, fate Fate) *Call {
	s := c.resume(at)
	if s == nil || !s.talks(from) || s.leg(to) != nil {
		return nil
	}
	if consults, _ := s.consultation(); consults != nil {
		return nil
	}
	if fate != IsBusy {
		s.add(Moment{Kind: Rang, Agent: to, To: from})
	}
	if !attended {
		return s.blind(from, to, fate)
	}
	switch fate {
	case IsBusy:
	case PicksUp:
		s.after(2, 12)
		s.answer(to)
		s.after(30, 60)
		s.handOver(from, to)
	default:
		s.after(15, 30)
		s.leave(NoAnswer, to)
	}
	return s.goOn()
}

func (s *script) blind(from, to *Agent, fate Fate) *Call {
	s.leave(Normal, from)
	switch fate {
	case IsBusy:
		return s.over(CauseBusy)
	case PicksUp:
		s.after(3, 15)
		s.answer(to)
		return s.goOn()
	default:
		s.after(20, 30)
		return s.over(NoAnswer)
	}
}

// TakeBack lets a phone that consults a colleague return to the call.
func (c *Call) TakeBack(at time.Duration, phone *Agent) *Call {
	s := c.resume(at)
	if s == nil {
		return nil
	}
	from, to := s.consultation()
	if from == nil || from != phone {
		return nil
	}
	s.add(Moment{Kind: TookBack, Agent: from, To: to})
	s.leave(s.parting(to), to)
	return s.goOn()
}

// Phones returns the phones that are part of the call so long after its beginning, and what they do; none once it is over.
func (c *Call) Phones(at time.Duration) map[*Agent]SpanKind {
	s := c.resume(at)
	if s == nil {
		return nil
	}
	phones := map[*Agent]SpanKind{}
	for _, l := range s.there() {
		phones[l.Agent] = l.Spans[len(l.Spans)-1].Kind
	}
	return phones
}

// resume returns a script with what has happened until then; nil when the call is over.
func (c *Call) resume(at time.Duration) *script {
	next := *c
	next.Wait, next.Ring, next.Talk = 0, 0, 0
	next.Moments = slices.Clone(c.Moments)
	next.Moments = slices.DeleteFunc(next.Moments, func(m Moment) bool { return m.At > at })
	s := &script{call: &next, now: at, rang: -1, answered: -1}
	s.rng = rand.New(rand.NewPCG(c.Salt, uint64(len(next.Moments))))
	for _, m := range next.Moments {
		switch {
		case m.Kind == Ended:
			return nil
		case m.Kind == Rang && s.rang < 0:
			s.rang = m.At
		case m.Kind == PickedUp && s.answered < 0:
			s.answered = m.At
		}
	}
	return s
}

// there returns the legs of the phones that are in the call now.
func (s *script) there() []*Leg {
	return slices.DeleteFunc(s.call.Legs(), func(l *Leg) bool { return !l.lasts() })
}

// leg returns the leg of a phone that is in the call now, or nil.
func (s *script) leg(a *Agent) *Leg {
	for _, l := range s.there() {
		if l.Agent == a {
			return l
		}
	}
	return nil
}

func (s *script) talks(a *Agent) bool {
	l := s.leg(a)
	return l != nil && l.Spans[len(l.Spans)-1].Kind == Talking
}

// consultation returns who asks whom whether to take the call; nil when nobody does.
func (s *script) consultation() (from, to *Agent) {
	for _, m := range s.call.Moments {
		switch {
		case m.Kind == Rang && m.To != nil:
			from, to = m.To, m.Agent
		case from != nil && (m.Kind == Left && (m.Agent == from || m.Agent == to)):
			from, to = nil, nil
		}
	}
	return from, to
}

func (s *script) handOver(from, to *Agent) {
	s.add(Moment{Kind: HandedOver, Agent: from, To: to})
	s.leave(Normal, from)
}

// parting is why a phone leaves that is no longer wanted.
func (s *script) parting(a *Agent) Cause {
	if s.talks(a) {
		return Normal
	}
	return Cancelled
}
