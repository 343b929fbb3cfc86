package alerts

import "time"

// telling is one that is due.
type telling struct {
	Key
	entry *entry
	since time.Time // it is due
	held  bool      // over hours that were closed
	group string
}

// plan finds out what is due of an entry.
type plan struct {
	*entry
	now    time.Time
	blocks []span // when nobody is told that the entry is open
	taken  map[Key]bool
}

// assess finds out what is due of an entry now, and when that may change by time alone. It reports whether there may ever be
// something again.
func (e *entry) assess(now time.Time) bool {
	e.due, e.wake, e.stale = nil, time.Time{}, false
	p := plan{entry: e, now: now, taken: map[Key]bool{}}
	switch {
	case e.call == nil:
		return false
	case e.resolved.IsZero():
		p.open()
	default:
		p.closed()
	}
	for k := range e.trials {
		if !p.taken[k] {
			delete(e.trials, k) // Who can wait so long begins anew.
		}
	}
	return e.resolved.IsZero() || len(e.due) > 0 || !e.wake.IsZero()
}

func (p *plan) open() {
	p.blocks = append(p.blocks, p.claims...)
	for _, s := range p.tenant.silences {
		if s.Match.matches(p.vendor, p.call) && s.From.Before(s.Until) {
			p.blocks = append(p.blocks, span{s.From, s.Until})
		}
	}
	for i := range p.alerts {
		a := &p.alerts[i]
		p.tell(a, 0, a.route.Receivers)
		for _, step := range a.route.Escalation {
			p.tell(a, step.After, step.To)
		}
		if a.route.Repeat > 0 {
			p.repeat(a)
		}
	}
}

func (p *plan) tell(a *alert, after time.Duration, names []string) {
	begins, missed := a.flush, a.at
	if after > 0 {
		begins = p.elapsed(a, after)
		missed = begins
	}
	for _, name := range names {
		p.add(a, stepAfter(after), p.receiver(name), begins, missed)
	}
}

func (p *plan) repeat(a *alert) {
	for _, name := range a.route.Receivers {
		to := p.receiver(name)
		if last, repeated := p.told(to); !last.IsZero() {
			begins := last.Add(a.route.Repeat)
			p.add(a, stepAgain(repeated+1), to, begins, begins)
		}
	}
}

// closed tells those who were told that the entry is open.
func (p *plan) closed() {
	for to := range p.receivers() {
		a := alert{group: "entry." + p.entry.entry, hours: p.tenant.hours.Of(p.call.GetQueue())}
		for _, by := range p.alerts {
			if by.route.names(to) && (a.route == nil || by.route.OutsideHours == Send) {
				a = by
			}
		}
		p.add(&a, stepResolved, to, p.resolved, p.resolved)
	}
}

// add adds a telling if it is due. It begins at a time, and was caused at another that decides whether it is held.
func (p *plan) add(a *alert, step string, to Receiver, begins, caused time.Time) {
	k := Key{p.name.tenant, p.name.entry, step, to}
	since, free := p.free(begins)
	if p.taken[k] || p.receipts[k].state > began || !free {
		return
	}
	held := !a.hours.Open(since) && (!since.Equal(begins) || !a.hours.Open(caused))
	if held {
		since = a.hours.NextOpen(since)
	}
	if p.until(since) {
		return
	}
	p.taken[k] = true
	p.due = append(p.due, telling{k, p.entry, since, held, a.group})
}

// free returns since when nothing keeps back what begins at a time, and whether that is so now.
func (p *plan) free(begins time.Time) (since time.Time, free bool) {
	if p.until(begins) {
		return begins, false
	}
	since, free = begins, true
	for _, b := range p.blocks {
		switch {
		case p.until(b.from):
		case b.to.IsZero() || p.until(b.to):
			free = false
		default:
			since = later(since, b.to)
		}
	}
	return since, free
}

// until reports whether a time is still to come, and if so has the entry assessed again by then.
func (p *plan) until(t time.Time) bool {
	if !t.After(p.now) {
		return false
	}
	if p.wake.IsZero() || t.Before(p.wake) {
		p.wake = t
	}
	return true
}
