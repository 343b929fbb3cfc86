package agents

import (
	"cmp"
	"maps"
	"slices"
	"time"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// word is what the exchanges said about an agent's logins and pauses. The last thing said about each queue counts, by the
// time when it happened; what is said without a queue is about all of the agent's queues.
type word struct {
	base    membership // of what is too old to be reordered
	recent  []told     // the rest, by time
	changes []change   // what follows from both, by time; never empty
}

// told is one such event.
type told struct {
	id            string
	at            time.Time
	sequence      uint64
	kind          pbxv1.Agent_Kind
	queue, reason string
}

func (e told) compare(other told) int {
	return cmp.Or(e.at.Compare(other.at), cmp.Compare(e.sequence, other.sequence))
}

// change is the beginning of what the exchange's word makes of an agent. The first of a list began at an unknown time.
type change struct {
	at time.Time
	activity
}

// activity is a state, and for PAUSED why.
type activity struct {
	state  pbxv1.AgentState
	reason string
}

// away reports whether it ends a wrap-up.
func (a activity) away() bool {
	return a.state == pbxv1.AgentState_PAUSED || a.state == pbxv1.AgentState_LOGGED_OUT
}

// place is the last word about one queue.
type place struct {
	told
	in, paused bool
}

// membership has the last word about each queue; the empty name is for what was said without one.
type membership map[string]place

// apply takes what happened, unless something later is known of that queue.
func (m membership) apply(e told) {
	if e.queue == "" {
		for queue, p := range m {
			if queue != "" && p.in {
				m.set(queue, e)
			}
		}
	}
	m.set(e.queue, e)
}

func (m membership) set(queue string, e told) {
	if p, ok := m[queue]; ok && e.compare(p.told) <= 0 {
		return
	}
	m[queue] = place{told: e, in: e.kind != pbxv1.Agent_LOGOUT, paused: e.kind == pbxv1.Agent_PAUSED}
}

// queues returns those that the agent is logged in to, sorted.
func (m membership) queues() []string {
	var names []string
	for queue, p := range m {
		if queue != "" && p.in {
			names = append(names, queue)
		}
	}
	slices.Sort(names)
	return names
}

// activity says what follows: paused is who is paused in every queue. Where no queue is named, what was said without one
// counts. The reason is that of the pause that began last.
func (m membership) activity() activity {
	queues := m.queues()
	if len(queues) == 0 {
		queues = []string{""}
	}
	if len(m) == 0 {
		return activity{state: pbxv1.AgentState_UNKNOWN}
	}
	var last place
	for _, queue := range queues {
		p := m[queue]
		if !p.in {
			return activity{state: pbxv1.AgentState_LOGGED_OUT}
		}
		if !p.paused {
			return activity{state: pbxv1.AgentState_AVAILABLE}
		}
		if last.compare(p.told) <= 0 {
			last = p
		}
	}
	return activity{pbxv1.AgentState_PAUSED, last.reason}
}

func newWord() word {
	w := word{base: membership{}}
	w.conclude()
	return w
}

// hear takes an event, which may be late or have been heard before.
func (w *word) hear(e told) {
	at, known := slices.BinarySearchFunc(w.recent, e, told.compare)
	known = known || e.id != "" && slices.ContainsFunc(w.recent, func(r told) bool { return r.id == e.id })
	if !known {
		w.recent = slices.Insert(w.recent, at, e)
		w.conclude()
	}
}

// conclude draws the changes from the events.
func (w *word) conclude() {
	now := maps.Clone(w.base)
	w.changes = append(w.changes[:0], change{activity: now.activity()})
	for _, e := range w.recent {
		now.apply(e)
		if next := now.activity(); next != w.changes[len(w.changes)-1].activity {
			w.changes = append(w.changes, change{e.at, next})
		}
	}
}

// now returns where the agent is logged in.
func (w *word) now() membership {
	now := maps.Clone(w.base)
	for _, e := range w.recent {
		now.apply(e)
	}
	return now
}

// last returns what holds now.
func (w *word) last() activity { return w.changes[len(w.changes)-1].activity }

// away returns when the pause or logout began that lasts at a time, or is the first after it; the zero time for none.
func (w *word) away(from time.Time) time.Time {
	for i, c := range w.changes {
		over := i+1 < len(w.changes) && !w.changes[i+1].at.After(from)
		if c.away() && !over {
			return c.at
		}
	}
	return time.Time{}
}

// settle makes a base of what happened before a time.
func (w *word) settle(before time.Time) {
	n := 0
	for n < len(w.recent) && w.recent[n].at.Before(before) {
		w.base.apply(w.recent[n])
		n++
	}
	if n > 0 {
		w.recent = slices.Delete(w.recent, 0, n)
		w.conclude()
	}
}

// join adds what was said about the same person under another name.
func (w *word) join(other *word) {
	for queue, p := range other.base {
		w.base.set(queue, p.told)
	}
	for _, e := range other.recent {
		w.hear(e)
	}
	w.conclude()
}
