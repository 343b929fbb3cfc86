package alerts

import (
	"cmp"
	"slices"
	"strings"
	"time"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// Notification is what is sent to one receiver at once.
type Notification struct {
	// Key is the first of Keys: who has that may send it.
	Key Key
	// Keys are all that it tells, in order. They are what Sent, Failed, Began and Dropped are told.
	Keys   []Key
	Tenant string
	Receiver
	// Step is the furthest of its keys, as in Key.Step.
	Step string
	// Entries are as they are now, oldest first, each once. They must not be changed.
	Entries []*pbxv1.MissedCall
	// Resolved says that it is about nothing that is still open. Only a digest is about both.
	Resolved bool
	// Digest says that it was held while it was closed.
	Digest bool
	// Dead says that it is not to be sent but to be put into the quarantine; Dropped settles it. Err is why, nil if it was never
	// tried since its receiver was not reached for so long.
	Dead bool
	Err  error
	// Thread names what it goes on with: "entry.<id>", "queue.<name>", "tenant" or, for more than one entry of a digest, "digest".
	Thread string
}

// batch is what is told together.
type batch struct {
	address
	group          string
	digest, closed bool
	dead           bool
}

// Due returns what is to be sent now, oldest first. It is due until it is settled; only what failed is due less often. Of what
// is for a receiver that fails there is only one at a time, the one that was tried least lately, until the receiver is
// reached. Time never goes back: an earlier one is taken for the last.
func (m *Machine) Due(now time.Time) []Notification {
	m.clock = later(m.clock, now)
	m.forget(m.clock)
	var all []*telling
	for n, e := range m.active {
		if (e.stale || !e.wake.IsZero() && !e.wake.After(m.clock)) && !e.assess(m.clock) {
			delete(m.active, n)
		}
		for i := range e.due {
			all = append(all, &e.due[i])
		}
	}
	slices.SortFunc(all, compare)
	return m.pack(m.probes(all))
}

// compare orders by entry, the oldest first, and then in a way that is always the same.
func compare(a, b *telling) int {
	return cmp.Or(a.entry.opened.Compare(b.entry.opened), strings.Compare(a.Tenant, b.Tenant), strings.Compare(a.Entry, b.Entry),
		strings.Compare(a.Receiver.Name, b.Receiver.Name), strings.Compare(a.Receiver.Whom, b.Receiver.Whom),
		cmp.Compare(a.rank(), b.rank()), strings.Compare(a.Step, b.Step))
}

// rank orders the steps of an entry by how far they are: escalation, repetition, end.
func (k Key) rank() time.Duration {
	d, err := time.ParseDuration(k.Step)
	switch {
	case err == nil:
		return d
	case strings.HasPrefix(k.Step, stepRepeat):
		return 1<<62 + time.Duration(len(k.Step)) // repeat-10 comes after repeat-9.
	default:
		return 1<<63 - 1
	}
}

// probes leaves out what waits, and all but one batch of what is for a receiver that fails.
func (m *Machine) probes(all []*telling) []*telling {
	ready := all[:0:0]
	probe := make(map[address]*telling)
	tried := func(t *telling) time.Time {
		if tr := t.entry.trials[t.Key]; tr != nil {
			return tr.last
		}
		return time.Time{}
	}
	for _, t := range all {
		if m.dead(t, m.clock) {
			ready = append(ready, t)
			continue
		}
		if m.waits(t).After(m.clock) {
			continue
		}
		ready = append(ready, t)
		if first := probe[t.address()]; m.channels[t.address()] != nil && (first == nil || tried(t).Before(tried(first))) {
			probe[t.address()] = t
		}
	}
	return slices.DeleteFunc(ready, func(t *telling) bool {
		first := probe[t.address()]
		return first != nil && !m.dead(t, m.clock) && m.batch(t) != m.batch(first)
	})
}

func (m *Machine) batch(t *telling) batch {
	b := batch{address: t.address(), digest: t.held, dead: m.dead(t, m.clock)}
	if !t.held {
		b.group, b.closed = t.group, t.Step == stepResolved
	}
	return b
}

// pack makes notifications of what is told together.
func (m *Machine) pack(all []*telling) []Notification {
	var packed []Notification
	places := make(map[batch]int)
	for _, t := range all {
		b := m.batch(t)
		i, known := places[b]
		if !known {
			i = len(packed)
			places[b] = i
			packed = append(packed, Notification{
				Key: t.Key, Tenant: t.Tenant, Receiver: t.Receiver, Step: t.Step,
				Resolved: true, Digest: b.digest, Dead: b.dead, Thread: t.group,
			})
		}
		packed[i].add(t)
	}
	return packed
}

func (n *Notification) add(t *telling) {
	if k := len(n.Keys); k == 0 || n.Keys[k-1].Entry != t.Entry {
		n.Entries = append(n.Entries, t.entry.call)
	}
	n.Keys = append(n.Keys, t.Key)
	n.Resolved = n.Resolved && t.Step == stepResolved
	if t.rank() > (Key{Step: n.Step}).rank() {
		n.Step = t.Step
	}
	if tr := t.entry.trials[t.Key]; n.Dead && tr != nil {
		n.Err = tr.err
	}
	if n.Digest && len(n.Entries) > 1 {
		n.Thread = "digest"
	}
}

// Next returns the first moment after the last Due at which more may be due, or again; zero if time alone brings nothing. What
// it was told since, by events or of what was sent, may make something due at once: ask Due first.
func (m *Machine) Next() time.Time {
	var next time.Time
	sooner := func(t time.Time) {
		if t.After(m.clock) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for n, e := range m.active {
		if e.stale && !e.assess(m.clock) {
			delete(m.active, n)
		}
		sooner(e.wake)
		for i := range e.due {
			sooner(m.waits(&e.due[i]))
		}
	}
	return next
}
