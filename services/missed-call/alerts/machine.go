// Package alerts decides who is told of missed calls, when, and together with what, in the manner of Alertmanager: routes,
// groups, repetition, silences; and beyond it business hours and escalation. It has no I/O and no clock.
//
// All is made of single tellings: one receiver is told of one entry at one step, and a Key names that. What is due follows
// from the entries' events with the times they were stored, the silences, the settings, and the keys that are settled, and
// from nothing else: whoever has these has the same plan. What is due together for one receiver becomes one Notification.
//
// A telling is due once its time has come, and waits while its entry is claimed or silenced. One that becomes due while it is
// closed is held: at opening, each receiver gets a digest of all that was held. An entry is held by what the hours were when
// it was missed, so waiting for its group at closing time holds nothing back. Hours that never open hold nothing.
//
// Who was told of an entry is told when it is resolved, or withdrawn; who was not hears nothing of it. So a digest leaves out
// what was resolved meanwhile: it says what is to be done. Claims and silences do not keep that back, hours do.
package alerts

import (
	"cmp"
	"slices"
	"strings"
	"time"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/missed-call/hours"
)

// keep is how long what is settled is remembered, so that an event or a confirmation that comes late does no harm.
const keep = 8 * 24 * time.Hour

// Machine plans the alerts of all tenants. It is not safe for concurrent use.
type Machine struct {
	tenants  map[string]*tenant
	entries  map[name]*entry
	active   map[name]*entry // those that something may yet be told of
	channels map[address]*channel
	clock    time.Time // of the last Due
	sweep    time.Time // when what is old is next forgotten
	sequence int       // of the last attempt
}

type name struct{ tenant, entry string }

type address struct {
	tenant   string
	receiver Receiver
}

type tenant struct {
	settings Settings
	hours    *hours.Hours
	silences map[string]Silence
	flushes  map[group]time.Time // when the newest batch of a group is told
}

type group struct {
	route *Route
	of    string
}

// New returns a machine that knows nothing.
func New() *Machine {
	return &Machine{
		tenants: map[string]*tenant{}, entries: map[name]*entry{}, active: map[name]*entry{}, channels: map[address]*channel{},
	}
}

// Configure takes the settings of a tenant, which Check found nothing wrong with, and its hours, nil for always open. What is
// open is routed anew; what was told by keys of the settings before is not told again.
func (m *Machine) Configure(tenantName string, s Settings, h *hours.Hours) {
	t := m.tenant(tenantName)
	s.Routes = slices.Clone(s.Routes)
	t.settings, t.hours, t.flushes = s, h, map[group]time.Time{}
	type routed struct {
		*entry
		attempt
	}
	var all []routed
	for _, e := range m.entries {
		if e.tenant != t {
			continue
		}
		e.alerts = nil
		for _, a := range e.attempts {
			all = append(all, routed{e, a})
		}
		m.touch(e)
	}
	slices.SortFunc(all, func(a, b routed) int { return a.sequence - b.sequence })
	for _, r := range all {
		r.route(r.attempt)
	}
}

func (m *Machine) tenant(name string) *tenant {
	t := m.tenants[name]
	if t == nil {
		t = &tenant{settings: DefaultSettings(), silences: map[string]Silence{}, flushes: map[group]time.Time{}}
		m.tenants[name] = t
	}
	return t
}

// entry returns what is known of an entry, which may be nothing yet.
func (m *Machine) entry(n name) *entry {
	e := m.entries[n]
	if e == nil {
		e = &entry{name: n, tenant: m.tenant(n.tenant), seen: map[string]struct{}{}, receipts: map[Key]receipt{}, trials: map[Key]*trial{}}
		m.entries[n] = e
	}
	return e
}

func (m *Machine) touch(e *entry) {
	e.stale = true
	m.active[e.name] = e
}

// Apply takes an event, and when the stream stored it; it is an event of a missed call, or changes nothing. The events of an
// entry come in their order; repeated ones, by id, do no harm. What the first event of an entry says opens it, whatever its
// kind, and each of kind OPENED is an attempt, which may match further routes. An entry that is resolved stays so. The event
// belongs to the machine from then on.
func (m *Machine) Apply(at time.Time, ev *pbxv1.Event) {
	mc := ev.GetMissedCall()
	if mc.GetId() == "" || ev.GetTenant() == "" {
		return
	}
	e := m.entry(name{ev.GetTenant(), mc.GetId()})
	if _, again := e.seen[ev.GetId()]; again {
		return
	}
	if ev.GetId() != "" {
		e.seen[ev.GetId()] = struct{}{}
	}
	m.sequence++
	vendor := mc.GetVendor()
	if vendor == "" {
		vendor = ev.GetVendor()
	}
	e.apply(attempt{later(at, e.at), m.sequence, vendor, mc})
	m.touch(e)
}

// Silence keeps alerts back for a time.
type Silence struct {
	Tenant, ID string
	Match      Match
	From       time.Time
	Until      time.Time // to end it early, give it again with another end
	By, Note   string    // for people to read
}

// Silence takes a new silence, or one that changed. What is still open when it ends is told then.
func (m *Machine) Silence(s Silence) {
	t := m.tenant(s.Tenant)
	t.silences[s.ID] = s
	for _, e := range m.active {
		if e.tenant == t {
			e.stale = true
		}
	}
}

// Silences returns those of a tenant that have not ended by then, by when they end.
func (m *Machine) Silences(tenantName string, now time.Time) []Silence {
	var all []Silence
	for _, s := range m.tenant(tenantName).silences {
		if s.Until.After(now) {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b Silence) int {
		return cmp.Or(a.Until.Compare(b.Until), strings.Compare(a.ID, b.ID))
	})
	return all
}

// Sent says that these were told, in this process or before it: a restarted one hears of all that is kept before it asks what
// is due.
func (m *Machine) Sent(at time.Time, keys ...Key) {
	for _, k := range keys {
		m.settle(k, receipt{at, told})
		delete(m.channels, address{k.Tenant, k.Receiver})
	}
}

// Dropped says that these will never be told: they are in the quarantine.
func (m *Machine) Dropped(at time.Time, keys ...Key) {
	for _, k := range keys {
		m.settle(k, receipt{at, dropped})
	}
}

// Began says that a sending of these began, and that nobody knows how it ended. They stay due; but if the entry is resolved
// before, who may have been told is told of that.
func (m *Machine) Began(at time.Time, keys ...Key) {
	for _, k := range keys {
		m.settle(k, receipt{at, began})
	}
}

func (m *Machine) settle(k Key, r receipt) {
	e := m.entry(name{k.Tenant, k.Entry})
	if e.receipts[k].state < r.state {
		e.receipts[k] = r
	}
	m.touch(e)
}

// Failed says that these could not be told. They are due again after a while, which grows, and so is all else for the same
// receiver; other receivers wait for nothing. A fault.Invalid is Dead at once and says nothing against the receiver. The
// error may have a method RetryAfter() time.Duration.
func (m *Machine) Failed(at time.Time, err error, keys ...Key) {
	failed := make(map[address]bool)
	for _, k := range keys {
		e := m.entry(name{k.Tenant, k.Entry})
		if e.receipts[k].state == began {
			delete(e.receipts, k)
		}
		e.fail(k, at, err)
		m.touch(e)
		failed[address{k.Tenant, k.Receiver}] = true
	}
	for a := range failed {
		m.fail(a, at, err)
	}
}

// forget drops what is so old that nothing more is heard of it.
func (m *Machine) forget(now time.Time) {
	if now.Before(m.sweep) {
		return
	}
	m.sweep = now.Add(time.Hour)
	old := now.Add(-keep)
	for n, e := range m.entries {
		if _, active := m.active[n]; !active && e.last().Before(old) {
			delete(m.entries, n)
		}
	}
	for _, t := range m.tenants {
		for id, s := range t.silences {
			if s.Until.Before(old) {
				delete(t.silences, id)
			}
		}
	}
}
