package missed

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/switchhook/switchhook/pkg/call"
	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// caller is an outside number, or one call of somebody who withholds it: they cannot be called back, and their next call
// cannot be told from a stranger's.
type caller struct {
	tenant  *tenant
	name    string // in tenant.callers
	records []*record
	entries []*entry // in the order in which they were made
	contact contact
}

// contact is what a directory said about a number.
type contact struct {
	match *pbxv1.ContactMatch
	at    time.Time
	id    string // of the event
}

// record is a call, and what it is to the ledger.
type record struct {
	caller  *caller
	call    *call.Call
	role    role
	changed time.Time
	alarm   *alarm // when the verdict falls; nil for never, or if it has
	window  time.Duration
	reason  pbxv1.MissedCall_Reason
	judged  time.Time // when it fell; zero if it has not, or does not hold any more
	entry   string    // the id of the entry that it was last an attempt of
	told    string    // the id of the entry that told of it
}

// at is the moment that counts: of an attempt and of a failed call, when it ended; of a conversation, when it began. Where
// nobody told that moment, the call began before, so a caller who was missed meanwhile is not forgotten.
func (r *record) at() time.Time {
	switch {
	case r.role != reached:
		return r.call.Ended
	case r.call.Answered.IsZero():
		return r.call.Began
	default:
		return r.call.Answered
	}
}

// shownAt is when somebody talked, as far as that is known, for people to read.
func (r *record) shownAt() time.Time {
	if r.call.Answered.IsZero() {
		return later(r.call.Began, r.call.Ended)
	}
	return r.call.Answered
}

// counts reports whether the record is a fact by now.
func (r *record) counts() bool { return r.role > attempt || r.role == attempt && !r.judged.IsZero() }

// take brings the newest of a call.
func (m *Machine) take(c *call.Call, why cause) {
	t := m.tenant(c.Tenant)
	role := t.settings.roleOf(c)
	r := m.records[c.ID]
	switch {
	case r == nil:
		if role == nothing || role != reached && m.wasJudged(c.ID) {
			return
		}
		r = &record{}
		m.records[c.ID] = r
	case r.role != nothing && role != reached && !c.Void && !m.clock.Before(r.changed.Add(late)):
		return // The tracker had forgotten it, and knows less than before.
	}
	same := r.call != nil && r.call.Ended.Equal(c.Ended)
	r.call, r.role, r.changed = c, role, m.clock
	m.place(t, r, why)
	if r.role == attempt && r.caller.remembers(r) {
		r.role = nothing
	}
	m.arrange(t, r, !same)
	m.conclude(r.caller, why)
	if c.Void {
		r.caller.drop(r)
		delete(m.records, c.ID)
	}
}

// arrange sets when the verdict falls: so long after the end of the call became known, and again if it changes. Where an end
// reopened, there is none.
func (m *Machine) arrange(t *tenant, r *record, changed bool) {
	if r.role != attempt {
		m.alarms.remove(r.alarm)
		r.alarm, r.judged = nil, time.Time{}
		return
	}
	r.reason = t.settings.reason(r.call)
	if r.judged.IsZero() && (r.alarm == nil || changed) {
		r.window = t.settings.settle(r.call.Vendor)
		r.alarm = m.alarms.set(r.alarm, alarm{at: m.clock.Add(r.window), name: r.call.ID, caller: r.caller, record: r})
	}
}

// place finds the caller of a record, who may have become known only now.
func (m *Machine) place(t *tenant, r *record, why cause) {
	if r.role == nothing && r.caller != nil {
		return
	}
	name := t.entryID(r.call)
	if outside := r.call.Outside(); outside != nil {
		name = outside.GetE164()
	}
	old := r.caller
	if old != nil && old.name == name {
		return
	}
	r.caller = t.caller(name)
	r.caller.records = append(r.caller.records, r)
	m.alarms.remove(r.alarm)
	r.alarm = nil
	if old != nil {
		old.drop(r)
		m.conclude(old, why)
	}
}

// entryID names the entry that a call opens.
func (t *tenant) entryID(c *call.Call, more ...string) string {
	return event.DerivedID(event.Origin{Tenant: t.settings.Tenant}, append([]string{"missed-call", c.ID}, more...)...)
}

func (t *tenant) caller(name string) *caller {
	c := t.callers[name]
	if c == nil {
		c = &caller{tenant: t, name: name}
		t.callers[name] = c
	}
	return c
}

func (c *caller) drop(r *record) {
	c.records = slices.DeleteFunc(c.records, func(other *record) bool { return other == r })
}

// entryOf returns the entry of an id; nil for none.
func (c *caller) entryOf(id string) *entry {
	if i := slices.IndexFunc(c.entries, func(e *entry) bool { return e.id == id }); i >= 0 {
		return c.entries[i]
	}
	return nil
}

// newEntry makes the entry that an attempt opens. Its id may be taken only if entries were split, or a number became known.
func (c *caller) newEntry(r *record) *entry {
	id := c.tenant.entryID(r.call)
	for n := 2; c.tenant.has(id); n++ {
		id = c.tenant.entryID(r.call, strconv.Itoa(n))
	}
	return c.add(&entry{caller: c, id: id})
}

func (c *caller) add(e *entry) *entry {
	c.entries = append(c.entries, e)
	c.tenant.entries[e.id] = e
	return e
}

// remembers reports whether an attempt is one of those that an entry from before the stream counts already.
func (c *caller) remembers(r *record) bool {
	return r.entry == "" && slices.ContainsFunc(c.entries, func(e *entry) bool {
		return e.base != nil && !r.call.Ended.After(e.base.GetMissedAt().AsTime())
	})
}

// introduce takes what a directory said about a number. The newest answer counts; that nobody knows the number any more does
// only if it takes the place of an answer, since a directory may have been down.
func (m *Machine) introduce(ev *pbxv1.Event, why cause) {
	said := ev.GetContact()
	number := said.GetParty().GetE164()
	unknown := said.GetKind() != pbxv1.Contact_RESOLVED
	if number == "" || unknown && said.GetSupersedes() == "" {
		return
	}
	c := m.tenant(ev.GetTenant()).caller(number)
	answer := contact{at: ev.GetTime().AsTime(), id: ev.GetId()}
	if !unknown {
		answer.match = said.GetMatch()
	}
	if cmp.Or(c.contact.at.Compare(answer.at), cmp.Compare(c.contact.id, answer.id)) < 0 {
		c.contact = answer
		m.conclude(c, why)
	}
}

// clone copies a caller into a machine of its own.
func (c *caller) clone(m *Machine) *caller {
	t := &tenant{settings: c.tenant.settings, callers: map[string]*caller{}, entries: map[string]*entry{}, real: c.tenant}
	twin := t.caller(c.name)
	twin.contact = c.contact
	for _, r := range c.records {
		copied := *r
		copied.caller = twin
		if r.alarm != nil {
			copied.alarm = m.alarms.set(nil, alarm{at: r.alarm.at, name: r.alarm.name, caller: twin, record: &copied})
		}
		twin.records = append(twin.records, &copied)
	}
	for _, e := range c.entries {
		copied := *e
		copied.caller, copied.acts = twin, slices.Clip(e.acts)
		if e.alarm != nil {
			copied.alarm = m.alarms.set(nil, alarm{at: e.alarm.at, name: e.alarm.name, caller: twin})
		}
		twin.add(&copied)
	}
	return twin
}

// wasJudged reports whether the verdict on a call fell, or it was answered, and it was let go since.
func (m *Machine) wasJudged(id string) bool {
	for _, half := range m.judged {
		if _, ok := half[id]; ok {
			return true
		}
	}
	return false
}

// sweep drops entries that were resolved long ago, and calls that matter to none and change no more.
func (m *Machine) sweep() {
	if m.clock.Sub(m.rotated) >= remembered {
		m.rotated = m.clock
		m.judged = [2]map[string]struct{}{{}, m.judged[0]}
		for id, since := range m.derived {
			if m.clock.Sub(since) >= remembered {
				delete(m.derived, id)
			}
		}
	}
	for _, t := range m.tenants {
		for _, c := range t.callers {
			m.clear(c)
			if len(c.records) == 0 && len(c.entries) == 0 && m.clock.Sub(c.contact.at) >= remembered {
				delete(t.callers, c.name)
			}
		}
	}
}

// clear drops what is of no use any more of one caller.
func (m *Machine) clear(c *caller) {
	needed := map[*record]bool{}
	c.entries = slices.DeleteFunc(c.entries, func(e *entry) bool {
		resolved := e.shown.GetResolvedAt()
		past := resolved != nil && m.clock.Sub(later(resolved.AsTime(), e.gone)) >= c.tenant.settings.keep()
		if past {
			delete(c.tenant.entries, e.id)
			m.touch(e)
			return true
		}
		for _, r := range e.records {
			needed[r] = true
		}
		return false
	})
	c.records = slices.DeleteFunc(c.records, func(r *record) bool {
		old := !r.call.Open() && r.alarm == nil && m.clock.Sub(r.changed) >= late
		if needed[r] || !old {
			return false
		}
		delete(m.records, r.call.ID)
		m.judged[0][r.call.ID] = struct{}{}
		return true
	})
}
