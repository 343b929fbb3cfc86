// Package agents follows the agents of call centres: events in, transitions and figures out. It has no I/O and no clock:
// everything follows from the events of the stream, their order and the time when each was stored, so every replica that
// reads the stream comes to the same.
//
// An agent is one person, known by names: logins and e-mail addresses, and the extensions of the phones where they are. What
// an agent does follows from facts, which are what the exchanges said about logins and pauses, and the calls: ON_CALL before
// RINGING before WRAP_UP before the exchange's word. The same facts make the figures of the day, again and again until they
// are so old that no event can change them.
package agents

import (
	"cmp"
	"slices"
	"time"

	"github.com/switchhook/switchhook/pkg/call"
	"github.com/switchhook/switchhook/pkg/config"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// late is how long events may come after what they tell of; older facts are final.
const late = time.Hour

// sweep is how often, by the stream's clock, what is final is counted.
const sweep = 10 * time.Minute

// Machine follows the agents of all tenants. It is not safe for concurrent use.
type Machine struct {
	tracker *call.Tracker
	tenants map[string]*tenant
	records map[string]*record // by the call's id, until they are final
	keys    map[string]*record // the same by key
	timers  timers
	clock   time.Time // the stream's
	swept   time.Time
	rotated time.Time
	final   [2]map[string]struct{} // ids of calls counted for good, of this half of a day and the one before

	stales []*agent // whose facts changed since they were assessed
	ended  []*agent // who turned out to be somebody else
	out    []*pbxv1.Event

	touchedAgents, touchedCalls, touchedDays map[string]struct{}
}

// New returns a machine that knows nobody but the people who are configured.
func New(tenants []*config.Tenant) *Machine {
	m := &Machine{
		tracker: call.NewTracker(call.Options{Keep: late}), tenants: map[string]*tenant{},
		records: map[string]*record{}, keys: map[string]*record{},
		touchedAgents: map[string]struct{}{}, touchedCalls: map[string]struct{}{}, touchedDays: map[string]struct{}{},
	}
	m.Configure(tenants)
	return m
}

// Configure takes a changed configuration, and keeps what is known. Who turns out to be somebody else by it tells so with the
// next event. Tenants that are no longer configured keep their settings.
func (m *Machine) Configure(tenants []*config.Tenant) {
	for _, configured := range tenants {
		t := m.tenant(configured.Name)
		t.set(configured.Location, configured.Agents)
		m.configure(t)
	}
}

// tenant returns what is known of a tenant; one that is not configured has the default settings.
func (m *Machine) tenant(name string) *tenant {
	t := m.tenants[name]
	if t == nil {
		t = newTenant(name)
		t.set(nil, config.Agents{})
		m.tenants[name] = t
	}
	return t
}

// Apply takes the next event of the stream: its sequence, and the time it was stored, which never goes back. It first lets
// pass what ends by time until then, wrap-ups and calls that nobody heard of for too long. Then it applies the event: one of
// a call, a contact, a login, a logout, a pause or its end; others only show the time. It returns the transitions as events that are
// ready to be published, in order. The same sequence and what went before always make the same events.
func (m *Machine) Apply(sequence uint64, at time.Time, ev *pbxv1.Event) []*pbxv1.Event {
	m.out = nil
	m.pass(later(at, m.clock))
	why := cause{sequence: sequence, vendor: ev.GetVendor(), time: m.clock, at: m.clock}
	if ev.GetTime() != nil {
		why.time = earlier(ev.GetTime().AsTime(), m.clock)
	}
	switch {
	case ev.GetTenant() == "":
	case ev.GetCall() != nil:
		why.time = m.hearOfCall(ev, why)
	case ev.GetAgent() != nil:
		m.hearOfAgent(ev, why)
	case ev.GetContact() != nil:
		m.hearOfContact(ev)
	}
	m.flush(why)
	return m.out
}

// hearOfCall brings what an event changes of calls, and returns when that shows. A record's time is when the call began, so
// what it proves shows at the call's end.
func (m *Machine) hearOfCall(ev *pbxv1.Event, why cause) time.Time {
	for _, c := range m.tracker.Apply(ev, m.clock) {
		if ev.GetCall().GetKind() == pbxv1.Call_RECORDED && !c.Ended.IsZero() {
			why.time = earlier(c.Ended, m.clock)
		}
		m.take(c, why)
	}
	return why.time
}

func (m *Machine) hearOfAgent(ev *pbxv1.Event, why cause) {
	a := ev.GetAgent()
	switch a.GetKind() {
	case pbxv1.Agent_LOGIN, pbxv1.Agent_LOGOUT, pbxv1.Agent_PAUSED, pbxv1.Agent_UNPAUSED:
	default:
		return
	}
	t := m.tenant(ev.GetTenant())
	n := namedBy(a.GetUser(), a.GetExtension())
	n.at, n.vendor, n.arrives = why.time, why.vendor, a.GetKind() == pbxv1.Agent_LOGIN
	found := m.identify(t, n)
	if found == nil {
		return
	}
	found.heard = true
	found.word.hear(told{ev.GetId(), why.time, why.sequence, a.GetKind(), a.GetQueue(), a.GetPauseReason()})
	m.touchDays(t, why.time)
	m.stale(found)
}

// hearOfContact notes what directories say of the number of calls that go on. That nobody knows it counts only when it takes the
// place of an answer.
func (m *Machine) hearOfContact(ev *pbxv1.Event) {
	said, number := ev.GetContact(), ev.GetContact().GetParty().GetE164()
	if number == "" || said.GetKind() != pbxv1.Contact_RESOLVED && said.GetSupersedes() == "" {
		return
	}
	for r := range m.tenant(ev.GetTenant()).open {
		if r.call.Outside().GetE164() == number {
			r.contact = said
			m.touchCall(r.key)
		}
	}
}

// pass lets time pass until then.
func (m *Machine) pass(at time.Time) {
	for len(m.timers) > 0 && !m.timers[0].wrap.until.After(at) {
		a := m.timers[0]
		s, why := a.wrappedUp(at)
		m.clock = later(m.clock, why.time)
		m.touchDays(a.tenant, why.time)
		m.enter(a, s, wrapUp{}, why)
	}
	m.clock = at
	for _, c := range m.tracker.Advance(at) {
		why := cause{vendor: c.Vendor, time: at, at: at, part: "expired"}
		if r := m.records[c.ID]; r != nil {
			why.sequence = r.sequence
		}
		if !c.Ended.IsZero() {
			why.time = earlier(c.Ended, at)
		}
		m.take(c, why)
		m.flush(why)
	}
	if now := at.Truncate(sweep); !now.Equal(m.swept) {
		m.swept = now
		m.settle()
	}
}

// wrappedUp returns what an agent does when their wrap-up ends by time, and why.
func (a *agent) wrappedUp(at time.Time) (situation, cause) {
	s, _ := a.assess(a.wrap.until)
	return s, cause{sequence: a.wrap.sequence, part: "wrapped up", vendor: a.wrap.call.Vendor, time: a.wrap.until, at: at}
}

// Due returns the transition that time alone has brought by now, and that Apply with the next event would return first; nil
// for none. It changes nothing: whoever publishes it reads it back from the stream, whose clock has then come so far. Its id
// is the same then. Calls that nobody heard of for too long are not foreseen; they end with the next event, whatever it is.
func (m *Machine) Due(now time.Time) *pbxv1.Event {
	if len(m.timers) == 0 || m.timers[0].wrap.until.After(now) {
		return nil
	}
	a := m.timers[0]
	s, why := a.wrappedUp(now)
	return a.transition(&s, why)
}

// stale notes that the facts of an agent changed.
func (m *Machine) stale(a *agent) {
	if !slices.Contains(m.stales, a) {
		m.stales = append(m.stales, a)
	}
}

// flush assesses whoever has changed: first those who turned out to be somebody else, as their state ends. Nobody changes
// twice by one cause, so agent, sequence and part name a transition.
func (m *Machine) flush(why cause) {
	for _, a := range m.ended {
		if a.now.state != pbxv1.AgentState_UNKNOWN {
			m.enter(a, situation{activity: activity{state: pbxv1.AgentState_UNKNOWN}}, wrapUp{}, why)
		}
	}
	m.ended = m.ended[:0]
	for _, a := range m.stales {
		if a.into == nil {
			m.reassess(a, why)
		}
	}
	m.stales = m.stales[:0]
}

// Touched returns the keys of agents and calls ("<tenant>.<id>"), and of days ("<tenant>.<yyyy-mm-dd>"), whose value may
// have changed since it was called last; each list is sorted.
func (m *Machine) Touched() (agents, calls, days []string) {
	take := func(set map[string]struct{}) []string {
		keys := make([]string, 0, len(set))
		for key := range set {
			keys = append(keys, key)
		}
		clear(set)
		slices.SortFunc(keys, cmp.Compare)
		return keys
	}
	return take(m.touchedAgents), take(m.touchedCalls), take(m.touchedDays)
}

func (m *Machine) touchAgent(a *agent)  { m.touchedAgents[a.key] = struct{}{} }
func (m *Machine) touchCall(key string) { m.touchedCalls[key] = struct{}{} }
