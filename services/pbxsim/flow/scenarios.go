package flow

// enter begins a call; from is nil when it comes from outside.
func (s *script) enter(from *Agent) {
	s.call.From = from
	s.add(Moment{Kind: Entered, Agent: from})
	s.after(1, 2)
}

// wait begins a call that comes through the team's queue.
func (s *script) wait(most int) {
	s.call.Queue = s.team.agents[0].Queue
	s.add(Moment{Kind: Entered})
	s.after(1, most)
}

func (s *script) direct() {
	a := s.next()
	s.enter(nil)
	s.ring(a)
	s.after(3, 25)
	s.answer(a)
	s.talk(a)
}

// talk is a conversation that ends in the ordinary way.
func (s *script) talk(a *Agent) {
	s.after(20, 300)
	s.leave(Normal, a)
	s.end(Normal)
}

func (s *script) rangOut() {
	a := s.next()
	s.enter(nil)
	s.ring(a)
	s.after(20, 30)
	s.leave(NoAnswer, a)
	s.end(NoAnswer)
}

func (s *script) abandonedRinging() {
	a := s.next()
	s.enter(nil)
	s.ring(a)
	s.after(3, 20)
	s.leave(Cancelled, a)
	s.end(Cancelled)
}

func (s *script) queueAnswered() {
	agents := s.several()
	s.wait(40)
	s.ring(agents...)
	s.after(3, 20)
	winner := s.rng.IntN(len(agents))
	s.answer(agents[winner])
	for i, a := range agents {
		if i != winner {
			s.leave(Elsewhere, a)
		}
	}
	s.talk(agents[winner])
}

func (s *script) queueRetried() {
	a := s.next()
	s.wait(30)
	s.ring(a)
	s.after(15, 20)
	s.leave(NoAnswer, a)
	s.after(5, 5)
	s.ring(a)
	s.after(3, 14)
	s.answer(a)
	s.talk(a)
}

func (s *script) queueRangOut() {
	agents := s.several()
	s.wait(30)
	s.ring(agents...)
	s.after(20, 40)
	s.leave(NoAnswer, agents...)
	s.end(NoAnswer)
}

func (s *script) abandonedQueue() {
	s.wait(10)
	s.after(1, 170)
	s.end(Cancelled)
}

func (s *script) busy() {
	s.enter(nil)
	s.end(CauseBusy)
}

func (s *script) transferred() {
	a, b := s.next(), s.next()
	s.consult(a, b)
	s.after(2, 12)
	s.answer(b)
	s.after(3, 20)
	s.add(Moment{Kind: HandedOver, Agent: a, To: b})
	s.leave(Normal, a)
	s.call.TransferredTo = b.Extension
	s.talk(b)
}

func (s *script) transferCancelled() {
	a, b := s.next(), s.next()
	s.consult(a, b)
	s.after(5, 15)
	s.add(Moment{Kind: TookBack, Agent: a, To: b})
	s.leave(Cancelled, b)
	s.talk(a)
}

// consult lets a answer a call and then ring b.
func (s *script) consult(a, b *Agent) {
	s.enter(nil)
	s.ring(a)
	s.after(3, 15)
	s.answer(a)
	s.after(20, 90)
	s.ring(b)
}

func (s *script) outgoingAnswered() {
	a := s.next()
	s.enter(a)
	s.ring(a)
	s.after(4, 25)
	s.answer(a)
	s.talk(a)
}

func (s *script) outgoingUnanswered() {
	a := s.next()
	s.enter(a)
	s.ring(a)
	s.after(15, 40)
	s.leave(NoAnswer, a)
	s.end(NoAnswer)
}

func (s *script) outgoingBusy() {
	a := s.next()
	s.enter(a)
	s.leave(CauseBusy, a)
	s.end(CauseBusy)
}

// internal rings b for a.
func (s *script) internal() (b *Agent) {
	a, b := s.next(), s.next()
	s.call.To = b
	s.enter(a)
	s.ring(b)
	return b
}

func (s *script) internalAnswered() {
	b := s.internal()
	s.after(3, 15)
	s.answer(b)
	s.talk(b)
}

func (s *script) internalUnanswered() {
	b := s.internal()
	s.after(15, 30)
	s.leave(NoAnswer, b)
	s.end(NoAnswer)
}
