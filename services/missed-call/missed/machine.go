// Package missed decides which calls were missed, and keeps the ledger of the callers who wait to be called back. It has no
// I/O and no clock: everything follows from the events of the stream, their order and the time when each was stored, so every
// replica that reads the stream comes to the same.
//
// The verdict is about a call, and falls a settle window after its end. What is known of a caller's calls then makes entries:
// an attempt opens one, further ones join it, and whoever of the tenant talks to the caller resolves it. That is found anew
// from the same facts whenever one of them changes, so it does not matter in which order they became known. An event tells
// what differs from what was told before:
//
//   - OPENED, of each attempt, also when the caller was reached before the verdict fell; and of an entry that is open again.
//   - ACKNOWLEDGED, when a claim ends by time, or when two people claimed at once. What people do, they tell themselves.
//   - RESOLVED, when it was called back, got through, was given up or taken back; right behind OPENED if it is so already.
//
// No event tells of a failed call back, which makes a claim hold longer, of a contact, or of one attempt less: only the entry
// does, and the next event.
package missed

import (
	"cmp"
	"container/heap"
	"maps"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/call"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

const (
	// late is how long calls that are over are followed: what comes later is believed only if it proves an answer.
	late = time.Hour
	// sweep is how often, by the stream's clock, what is of no use any more is dropped.
	sweep = 10 * time.Minute
	// remembered is how long it is known at least which calls were judged.
	remembered = 12 * time.Hour
)

// Machine keeps the ledgers of all tenants. It is not safe for concurrent use.
type Machine struct {
	tracker *call.Tracker
	tenants map[string]*tenant
	records map[string]*record // by the call's id
	judged  [2]map[string]struct{}
	alarms  alarms
	clock   time.Time // the stream's
	seen    time.Time // to where it is being moved
	swept   time.Time
	rotated time.Time

	derived map[string]time.Time // ids of events that were derived, and not read back yet, and since when
	touched map[string]struct{}
	out     []*pbxv1.Event
}

// tenant is one with its callers.
type tenant struct {
	settings Settings
	callers  map[string]*caller // by E.164; who withholds it, by the id of their entry
	entries  map[string]*entry  // by id
	real     *tenant            // where this one is only foreseen
}

// has reports whether an entry has that id.
func (t *tenant) has(id string) bool { return t.entries[id] != nil || t.real != nil && t.real.has(id) }

// New returns a machine with empty ledgers. Tenants without settings have the default ones.
func New(tenants []Settings) *Machine {
	m := &Machine{
		tracker: call.NewTracker(call.Options{Keep: late}), tenants: map[string]*tenant{}, records: map[string]*record{},
		derived: map[string]time.Time{}, touched: map[string]struct{}{},
	}
	m.Configure(tenants)
	return m
}

// Configure takes changed settings. Windows that were begun before keep their length. Tenants that are no longer configured
// keep their settings.
func (m *Machine) Configure(tenants []Settings) {
	for _, s := range tenants {
		m.tenant(s.Tenant).settings = s
	}
}

func (m *Machine) tenant(name string) *tenant {
	t := m.tenants[name]
	if t == nil {
		t = &tenant{settings: Settings{Tenant: name}, callers: map[string]*caller{}, entries: map[string]*entry{}}
		m.tenants[name] = t
	}
	return t
}

// cause is why entries change: an event, or that time passed.
type cause struct {
	name string // the same in every replica
	at   time.Time
}

// Apply takes the next event of the stream: its sequence, and the time it was stored, which never goes back. It first lets
// pass what time brings until then, or, for an event of missed calls, until whoever published it saw. Then it applies the
// event; others than those of calls, contacts and missed calls only show the time. It returns what is to be published, in
// order. The same stream always makes the same events.
//
// An event of missed calls that this machine derived itself says nothing new, so what Act made should be stored only when
// nothing that was derived for its tenant before waits to be. Any other is taken for what a person did, as
// made by Act, or for an entry from before the stream began.
func (m *Machine) Apply(sequence uint64, at time.Time, ev *pbxv1.Event) []*pbxv1.Event {
	m.out = nil
	if ev.GetMissedCall() != nil {
		at = later(at, ev.GetTime().AsTime())
	}
	m.seen = later(at, m.clock)
	m.pass(m.seen)
	why := cause{"event " + strconv.FormatUint(sequence, 10), m.clock}
	switch {
	case ev.GetTenant() == "":
	case ev.GetCall() != nil:
		for _, c := range m.tracker.Apply(ev, m.clock) {
			m.take(c, why)
		}
	case ev.GetContact() != nil:
		m.introduce(ev, why)
	case ev.GetMissedCall() != nil:
		m.hear(ev, why)
	}
	return m.out
}

// pass lets time pass until then.
func (m *Machine) pass(at time.Time) {
	for len(m.alarms) > 0 && !m.alarms[0].at.After(at) {
		m.ring(m.alarms[0])
	}
	m.clock = at
	for _, c := range m.tracker.Advance(at) {
		m.take(c, cause{"silence of " + c.ID, at})
	}
	if now := at.Truncate(sweep); !now.Equal(m.swept) {
		m.swept = now
		m.sweep()
	}
}

// ring does what time brings at a moment.
func (m *Machine) ring(a *alarm) {
	m.clock = later(m.clock, a.at)
	m.alarms.remove(a)
	if a.record != nil {
		a.record.judged, a.record.alarm = m.clock, nil
	}
	m.conclude(a.caller, cause{"time " + a.name + " " + a.at.UTC().Format(time.RFC3339Nano), m.clock})
}

// Due returns the event that time alone has brought by now, and that Apply with the next event would return first: a settle
// window that ended, a claim or an entry that expired; nil for none. It changes nothing: whoever publishes it reads it back
// from the stream, and Apply then returns the same, with the same id, and what follows from it. Calls that nobody heard of
// for too long are not foreseen; they end with the next event, whatever it is.
func (m *Machine) Due(now time.Time) *pbxv1.Event {
	if len(m.alarms) == 0 || m.alarms[0].at.After(now) {
		return nil
	}
	due := slices.DeleteFunc(slices.Clone(m.alarms), func(a *alarm) bool { return a.at.After(now) })
	slices.SortFunc(due, (*alarm).compare)
	for _, a := range due {
		if ahead, _ := m.foresee(a.caller, a.at); len(ahead.out) > 0 {
			ev := ahead.out[0]
			ev.ReceivedAt = timestamppb.New(now)
			return ev
		}
	}
	return nil
}

// foresee returns a machine that knows one caller only, and for whom time has passed.
func (m *Machine) foresee(c *caller, at time.Time) (*Machine, *caller) {
	ahead := &Machine{clock: m.clock, seen: at, derived: map[string]time.Time{}, touched: map[string]struct{}{}}
	alone := c.clone(ahead)
	for len(ahead.alarms) > 0 && !ahead.alarms[0].at.After(at) {
		ahead.ring(ahead.alarms[0])
	}
	ahead.clock = later(ahead.clock, at)
	return ahead, alone
}

// Touched returns the keys of the entries that have changed since it was last asked, or that are gone: "<tenant>.<id>", sorted.
func (m *Machine) Touched() []string {
	keys := slices.Sorted(maps.Keys(m.touched))
	clear(m.touched)
	return keys
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// alarm is a moment at which time alone brings something: the verdict on a call, or the end of a claim or of an entry.
type alarm struct {
	at     time.Time
	name   string // of the call or the entry
	caller *caller
	record *record // for a verdict
	index  int
}

func (a *alarm) compare(b *alarm) int {
	return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.name, b.name))
}

// alarms are a heap, the next first.
type alarms []*alarm

// set takes the place of an alarm, which may be nil.
func (all *alarms) set(old *alarm, a alarm) *alarm {
	if old != nil && old.index >= 0 && old.at.Equal(a.at) {
		return old
	}
	all.remove(old)
	heap.Push(all, &a)
	return &a
}

// remove takes an alarm off; nil, or one that has rung, is none.
func (all *alarms) remove(a *alarm) {
	if a != nil && a.index >= 0 {
		heap.Remove(all, a.index)
	}
}

// Len implements heap.Interface.
func (all alarms) Len() int { return len(all) }

// Less implements heap.Interface.
func (all alarms) Less(i, j int) bool { return all[i].compare(all[j]) < 0 }

// Swap implements heap.Interface.
func (all alarms) Swap(i, j int) {
	all[i], all[j] = all[j], all[i]
	all[i].index, all[j].index = i, j
}

// Push implements heap.Interface.
func (all *alarms) Push(x any) {
	a := x.(*alarm)
	a.index = len(*all)
	*all = append(*all, a)
}

// Pop implements heap.Interface.
func (all *alarms) Pop() any {
	last := (*all)[len(*all)-1]
	(*all)[len(*all)-1] = nil
	last.index = -1
	*all = (*all)[:len(*all)-1]
	return last
}
