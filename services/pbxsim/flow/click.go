package flow

import (
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Fate is what becomes of it when somebody is called.
type Fate int

// The fates.
const (
	// PicksUp is answered.
	PicksUp Fate = iota
	// RingsOut rings, and is not answered.
	RingsOut
	// IsBusy does not even ring.
	IsBusy
	// CallerAbsent: who asked for the call does not pick up their own phone, so nobody else is called. In a transfer it
	// is as RingsOut.
	CallerAbsent
)

// FateOf is a rule for tests: the last digit of the called number says what becomes of it. It is CallerAbsent for 7, IsBusy
// for 8, RingsOut for 9, and PicksUp for all others.
func FateOf(called string) Fate {
	switch {
	case strings.HasSuffix(called, "7"):
		return CallerAbsent
	case strings.HasSuffix(called, "8"):
		return IsBusy
	case strings.HasSuffix(called, "9"):
		return RingsOut
	default:
		return PicksUp
	}
}

// Click is what an agent asks an exchange to dial.
type Click struct {
	Caller    *Agent
	Outside   Number // whom to call; zero for a colleague
	Colleague *Agent
	Line      Number // the exchange's own, which is shown to the outside
	Fate      Fate
}

// Call makes up the call: the caller's phone rings and is picked up, the other side rings, they talk. The same seed and
// number make the same call.
func (k Click) Call(seed uint64, number int64, start time.Time) *Call {
	rng := rand.New(rand.NewPCG(seed, uint64(number)))
	c := &Call{
		Number: number, Start: start, Salt: rng.Uint64(), Scenario: Clicked,
		Direction: Outgoing, Outside: k.Outside, Line: k.Line, From: k.Caller, To: k.Colleague,
	}
	called := k.Caller // who hears the far side ring
	if k.Colleague != nil {
		c.Direction, called = Internal, k.Colleague
	}
	s := &script{rng: rng, call: c, rang: -1, answered: -1}
	s.add(Moment{Kind: Entered, Agent: k.Caller})
	s.add(Moment{Kind: Alerted, Agent: k.Caller})
	if k.Fate == CallerAbsent {
		s.after(20, 30)
		return s.over(NoAnswer)
	}
	s.after(2, 6)
	if k.Fate == IsBusy {
		return s.over(CauseBusy)
	}
	s.ring(called)
	if k.Fate == RingsOut {
		s.after(15, 40)
		return s.over(NoAnswer)
	}
	s.after(4, 15)
	s.answer(called)
	return s.goOn()
}

// goOn lets those who are there talk until one of them hangs up.
func (s *script) goOn() *Call {
	s.after(20, 300)
	return s.over(Normal)
}

// over ends the call for all who are there, and completes the truth. Of an internal call the called side tells.
func (s *script) over(cause Cause) *Call {
	for _, l := range s.there() {
		switch {
		case l.Agent == s.call.From && s.call.Direction == Internal:
		case cause == Normal:
			s.leave(s.parting(l.Agent), l.Agent)
		default:
			s.leave(cause, l.Agent)
		}
	}
	s.call.Outcome = s.outcome(cause)
	s.end(cause)
	s.file()
	s.settle()
	return s.call
}

func (s *script) outcome(cause Cause) Outcome {
	outgoing := s.call.Direction == Outgoing
	switch {
	case s.answered >= 0:
		return OutcomeAnswered
	case cause == CauseBusy && outgoing:
		return OutcomeBusyOutgoing
	case cause == CauseBusy:
		return OutcomeBusy
	case outgoing:
		return OutcomeUnansweredOutgoing
	case cause == Cancelled:
		return OutcomeAbandonedRinging
	default:
		return OutcomeRangOut
	}
}

// settle says who rang, who answered and who took over, from the moments alone: what was planned may not have happened.
func (s *script) settle() {
	c := s.call
	c.Rang, c.AnsweredBy, c.TransferredTo = nil, "", ""
	c.Recording = c.Outcome == OutcomeAnswered && c.Salt%4 > 0
	offeredBy, gone := map[*Agent]*Agent{}, map[*Agent]bool{}
	for _, m := range c.Moments {
		switch {
		case m.Kind == Rang && m.Agent != c.From:
			if !slices.Contains(c.Rang, m.Agent.Extension) {
				c.Rang = append(c.Rang, m.Agent.Extension)
			}
			offeredBy[m.Agent] = m.To
		case m.Kind == PickedUp && offeredBy[m.Agent] != nil && gone[offeredBy[m.Agent]]:
			c.TransferredTo = m.Agent.Extension
		case m.Kind == PickedUp && c.Direction == Internal && c.AnsweredBy == "":
			c.AnsweredBy = m.Agent.Extension
		case m.Kind == HandedOver:
			c.TransferredTo = m.To.Extension
		case m.Kind == Left:
			gone[m.Agent] = true
		}
	}
}
