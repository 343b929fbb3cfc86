package agents

import (
	"time"

	"github.com/switchhook/switchhook/pkg/call"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// kept is how many days of a tenant are kept: a week, and the days that its ends lie in.
const kept = 9

// day is the sums of one day of a tenant: of facts that are final.
type day struct {
	span
	agents map[string]*agentDay
	queues map[string]*queueDay
	hours  []figures
}

// dayName is the day of a moment, as 2026-01-31.
func (t *tenant) dayName(at time.Time) string { return at.In(t.location).Format(time.DateOnly) }

// dayOf returns the day that a moment lies in: 23, 24 or 25 hours.
func (t *tenant) dayOf(at time.Time) span {
	y, m, d := at.In(t.location).Date()
	return span{midnight(y, m, d, t.location), midnight(y, m, d+1, t.location)}
}

// midnight returns the first moment of a day. Where clocks change at midnight, that may be one o'clock, or the first of two.
func midnight(y int, m time.Month, d int, l *time.Location) time.Time {
	at := time.Date(y, m, d, 0, 0, 0, 0, l)
	want := time.Date(y, m, d, 12, 0, 0, 0, l).Day()
	if at.Day() != want {
		_, at = at.ZoneBounds()
	}
	if before := at.Add(-time.Hour); before.Day() == want {
		return before
	}
	return at
}

// day returns the sums of the day that a moment lies in; nil if it is too old, or to come.
func (t *tenant) day(at time.Time) *day {
	if !at.Before(t.today.to) || at.Before(t.oldest()) {
		return nil
	}
	name := t.dayName(at)
	d := t.days[name]
	if d == nil {
		d = newDay(t.dayOf(at))
		t.days[name] = d
	}
	return d
}

func newDay(s span) *day {
	hours := int((s.to.Sub(s.from) + time.Hour - 1) / time.Hour)
	return &day{span: s, agents: map[string]*agentDay{}, queues: map[string]*queueDay{}, hours: make([]figures, hours)}
}

// oldest returns when the oldest day begins that is kept.
func (t *tenant) oldest() time.Time {
	y, m, d := t.today.from.In(t.location).Date()
	return midnight(y, m, d-kept+1, t.location)
}

// count adds a segment to the days that it lies in.
func (t *tenant) count(a *agent, s segment) {
	s.from = later(s.from, t.oldest())
	for s.from.Before(s.to) {
		d := t.day(s.from)
		if d == nil {
			return
		}
		d.count(a, s)
		s.from = d.to
	}
}

// count adds the part of a segment that lies in the day. Nothing is known of an agent's time before the first fact of a day,
// so that is not counted.
func (d *day) count(a *agent, s segment) {
	from, to := later(s.from, d.from), earlier(s.to, d.to)
	if !from.Before(to) {
		return
	}
	of := d.agents[a.id]
	if s.state == pbxv1.AgentState_UNKNOWN && (of == nil || len(of.states) == 0) {
		return
	}
	state := d.agent(a.id).state(s.activity)
	state.time += to.Sub(from)
	if s.entered.Equal(from) {
		state.times++
	}
}

// agent returns the sums of an agent.
func (d *day) agent(id string) *agentDay {
	of := d.agents[id]
	if of == nil {
		of = &agentDay{states: map[activity]*stateTime{}}
		d.agents[id] = of
	}
	return of
}

// queue returns the sums of a queue.
func (d *day) queue(name string) *queueDay {
	q := d.queues[name]
	if q == nil {
		q = &queueDay{}
		d.queues[name] = q
	}
	return q
}

// join adds the sums of an agent to those of another.
func (d *day) join(from, into string) {
	if of := d.agents[from]; of != nil {
		d.agent(into).join(of)
		delete(d.agents, from)
	}
}

// clone returns a copy that can be added to.
func (d *day) clone() *day {
	c := newDay(d.span)
	copy(c.hours, d.hours)
	for id, of := range d.agents {
		c.agent(id).join(of)
	}
	for name, q := range d.queues {
		copied := *q
		c.queues[name] = &copied
	}
	return c
}

// roll notes that time went on: when a day is over, its figures are other than they were.
func (m *Machine) roll(t *tenant) {
	if t.today.has(m.clock) {
		return
	}
	before := t.today.from
	t.today, t.key = t.dayOf(m.clock), t.name+"."+t.dayName(m.clock)
	if !before.IsZero() {
		m.touchDays(t, before)
	}
	oldest := t.oldest()
	for name, d := range t.days {
		if d.from.Before(oldest) {
			delete(t.days, name)
		}
	}
}

// touchDays notes that figures may have changed since then.
func (m *Machine) touchDays(t *tenant, since time.Time) {
	m.roll(t)
	m.touchedDays[t.key] = struct{}{}
	if since.IsZero() || !since.Before(t.today.from) {
		return
	}
	for at := later(since, t.oldest()); at.Before(t.today.from); at = t.dayOf(at).to {
		m.touchedDays[t.name+"."+t.dayName(at)] = struct{}{}
	}
}

// settle counts what is final: calls that nothing more is heard of, and the agents' time up to an hour ago.
func (m *Machine) settle() {
	if half := m.clock.Truncate(12 * time.Hour); !half.Equal(m.rotated) {
		m.rotated, m.final[1], m.final[0] = half, m.final[0], map[string]struct{}{}
	}
	for _, t := range m.tenants {
		m.roll(t)
		for r := range t.calls {
			if !r.call.Open() && !m.clock.Before(r.changed.Add(late)) {
				m.finish(r)
			}
		}
		for _, a := range t.agents {
			a.settle(m.clock.Add(-late))
		}
	}
}

// finish counts a call for good.
func (m *Machine) finish(r *record) {
	if d := r.tenant.day(r.call.Began); d != nil && !r.settled {
		d.add(r)
	}
	r.settled = true
	if r.call.VendorID != "" {
		m.final[0][r.call.ID] = struct{}{}
	}
	m.drop(r)
}

// isFinal reports whether a call was counted for good, and forgotten since. Its name may be heard once more, from an event
// that was very late.
func (m *Machine) isFinal(c *call.Call) bool {
	_, first := m.final[0][c.ID]
	_, second := m.final[1][c.ID]
	return first || second
}
