package flow

import (
	"math/rand/v2"
	"slices"
	"time"
)

// script plays one scenario: it moves the clock on, notes the moments, and keeps the truth in step with them.
type script struct {
	rng  *rand.Rand
	call *Call
	team *Team
	free []*Agent // who is not yet part of the call
	now  time.Duration

	rang, answered time.Duration // since the beginning; -1 before it happens
}

// part is a scenario and how often it happens.
type part struct {
	scenario  Scenario
	weight    int
	direction Direction
	outcome   Outcome
	play      func(*script)
}

// parts returns all scenarios. The weights add up to 100.
func parts() []part {
	return []part{
		{Answered, 26, Incoming, OutcomeAnswered, (*script).direct},
		{RangOut, 6, Incoming, OutcomeRangOut, (*script).rangOut},
		{AbandonedRinging, 4, Incoming, OutcomeAbandonedRinging, (*script).abandonedRinging},
		{QueueAnswered, 18, Incoming, OutcomeAnswered, (*script).queueAnswered},
		{QueueRetried, 5, Incoming, OutcomeAnswered, (*script).queueRetried},
		{QueueRangOut, 2, Incoming, OutcomeRangOut, (*script).queueRangOut},
		{AbandonedQueue, 4, Incoming, OutcomeAbandonedQueue, (*script).abandonedQueue},
		{Busy, 2, Incoming, OutcomeBusy, (*script).busy},
		{Transferred, 4, Incoming, OutcomeAnswered, (*script).transferred},
		{TransferCancelled, 2, Incoming, OutcomeAnswered, (*script).transferCancelled},
		{OutgoingAnswered, 15, Outgoing, OutcomeAnswered, (*script).outgoingAnswered},
		{OutgoingUnanswered, 5, Outgoing, OutcomeUnansweredOutgoing, (*script).outgoingUnanswered},
		{OutgoingBusy, 2, Outgoing, OutcomeBusyOutgoing, (*script).outgoingBusy},
		{InternalAnswered, 4, Internal, OutcomeAnswered, (*script).internalAnswered},
		{InternalUnanswered, 1, Internal, OutcomeRangOut, (*script).internalUnanswered},
	}
}

// Scenarios returns all scenarios.
func Scenarios() []Scenario {
	var all []Scenario
	for _, p := range parts() {
		all = append(all, p.scenario)
	}
	return all
}

// choose draws one of the scenarios that are allowed, by weight.
func choose(rng *rand.Rand, allowed []Scenario) part {
	possible := slices.DeleteFunc(parts(), func(p part) bool { return !slices.Contains(allowed, p.scenario) })
	total := 0
	for _, p := range possible {
		total += p.weight
	}
	at := rng.IntN(total)
	for _, p := range possible {
		if at -= p.weight; at < 0 {
			return p
		}
	}
	panic("flow: weights do not add up")
}

// call makes up one call for whoever of the team is available.
func (t *Team) call(rng *rand.Rand, number int64) *Call {
	s := &script{rng: rng, team: t, rang: -1, answered: -1}
	s.call = &Call{Number: number, Start: t.clock, Salt: rng.Uint64(), Line: t.line}
	s.free = t.available()
	rng.Shuffle(len(s.free), func(i, j int) { s.free[i], s.free[j] = s.free[j], s.free[i] })
	again := rng.IntN(16) == 0
	s.call.Outside = s.outside()

	allowed := t.site.Scenarios
	if direct := s.again(again); direct != nil {
		allowed = direct
	}
	p := choose(rng, allowed)
	s.call.Scenario, s.call.Direction, s.call.Outcome = p.scenario, p.direction, p.outcome
	switch {
	case p.direction == Internal:
		s.call.Outside = Number{}
	case p.direction == Incoming && !again && rng.IntN(32) == 0:
		s.call.Outside = Number{} // withheld
	}
	s.call.Recording = p.outcome == OutcomeAnswered && rng.IntN(4) > 0
	if p.outcome == OutcomeAnswered && p.direction == Incoming && rng.IntN(6) == 0 {
		s.call.Rating = 1 + rng.IntN(5)
	}
	p.play(s)
	s.file()
	return s.call
}

// again makes the same caller ring the same phone once more, if the last call allows it, and returns the scenarios that do
// so. Two such calls look alike to the byte where the vendor names no calls.
func (s *script) again(wanted bool) []Scenario {
	last := s.team.last
	if !wanted || last == nil || last.Direction != Incoming || last.Queue != "" || len(last.Rang) != 1 {
		return nil
	}
	i := slices.IndexFunc(s.free, func(a *Agent) bool { return a.Extension == last.Rang[0] })
	if i < 0 {
		return nil
	}
	direct := []Scenario{Answered, RangOut, AbandonedRinging}
	direct = slices.DeleteFunc(direct, func(d Scenario) bool { return !slices.Contains(s.team.site.Scenarios, d) })
	if len(direct) == 0 {
		return nil
	}
	s.call.Outside = last.Outside
	s.free[0], s.free[i] = s.free[i], s.free[0]
	return direct
}

// outside draws one of the team's customers. A few of them live abroad.
func (s *script) outside() Number {
	i := s.rng.IntN(customers)
	p := s.team.plan
	if i%20 == 19 {
		p = planOf(abroad(p.region))
	}
	return p.person(s.team.index(i))
}

// next returns an agent who is not yet part of the call.
func (s *script) next() *Agent {
	a := s.free[0]
	s.free = s.free[1:]
	return a
}

// several returns two or more such agents.
func (s *script) several() []*Agent {
	n := 2 + s.rng.IntN(len(s.free)-1)
	agents := s.free[:n]
	s.free = s.free[n:]
	return agents
}

// after lets some seconds pass.
func (s *script) after(least, most int) {
	s.now += time.Duration(least+s.rng.IntN(most-least+1)) * time.Second
}

func (s *script) add(m Moment) {
	m.At = s.now
	s.call.Moments = append(s.call.Moments, m)
}

func (s *script) ring(agents ...*Agent) {
	if s.rang < 0 {
		s.rang = s.now
	}
	for _, a := range agents {
		s.add(Moment{Kind: Rang, Agent: a})
		if s.call.Direction != Outgoing && !slices.Contains(s.call.Rang, a.Extension) {
			s.call.Rang = append(s.call.Rang, a.Extension)
		}
	}
}

func (s *script) answer(a *Agent) {
	s.add(Moment{Kind: PickedUp, Agent: a})
	if s.answered >= 0 {
		return // a consultation
	}
	s.answered = s.now
	if s.call.Direction != Outgoing {
		s.call.AnsweredBy = a.Extension
	}
}

func (s *script) leave(cause Cause, agents ...*Agent) {
	for _, a := range agents {
		s.add(Moment{Kind: Left, Agent: a, Cause: cause})
	}
}

// end closes the call and measures it.
func (s *script) end(cause Cause) {
	s.add(Moment{Kind: Ended, Cause: cause})
	c := s.call
	c.Missed = c.Direction == Incoming && c.Outcome != OutcomeAnswered
	switch {
	case s.answered >= 0:
		c.Wait, c.Ring, c.Talk = s.rang, s.answered-s.rang, s.now-s.answered
	case s.rang >= 0:
		c.Wait, c.Ring = s.rang, s.now-s.rang
	default:
		c.Wait = s.now
	}
}

// file is what the exchange does after the call.
func (s *script) file() {
	s.after(1, 3)
	s.add(Moment{Kind: Recorded})
	if s.call.Rating > 0 {
		s.after(1, 5)
		s.add(Moment{Kind: Rated})
	}
}
