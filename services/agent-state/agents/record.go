package agents

import (
	"slices"
	"time"

	"github.com/switchhook/switchhook/pkg/call"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// record is a call, and whose its legs are.
type record struct {
	tenant   *tenant
	key      string // in the bucket
	call     *call.Call
	contact  *pbxv1.Contact // what directories said last of a number that it had
	owners   []owner        // of each leg
	sequence uint64         // of the event that changed it last
	changed  time.Time
	settled  bool // its figures are counted in a day, and it changes no more
}

// owner is who a leg belongs to, and by which names they were found.
type owner struct {
	agent                   *agent
	login, email, extension string
}

// take brings the newest of a call: its legs find their agents, whose states may have changed.
func (m *Machine) take(c *call.Call, why cause) {
	r := m.records[c.ID]
	if r == nil {
		if c.Void {
			return
		}
		t := m.tenant(c.Tenant)
		r = &record{tenant: t, key: t.name + "." + escape(c.ID), settled: m.isFinal(c)}
		m.records[c.ID] = r
		t.calls[r] = struct{}{}
		m.keys[r.key] = r
	}
	m.touchCall(r.key)
	m.touchDays(r.tenant, c.Began)
	if r.call != nil {
		m.touchDays(r.tenant, r.call.Began)
	}
	before := r.owners
	r.call, r.sequence, r.changed = c, why.sequence, m.clock
	r.owners = m.own(r, before, why)
	for _, o := range before {
		o.agent = o.agent.current()
		if !r.has(o.agent) {
			o.agent.records = slices.DeleteFunc(o.agent.records, func(other *record) bool { return other == r })
		}
		m.stale(o.agent)
	}
	for _, o := range r.owners {
		if !slices.Contains(o.agent.records, r) {
			o.agent.records = append(o.agent.records, r)
		}
		m.stale(o.agent)
	}
	if c.Open() && !c.Void {
		r.tenant.open[r] = struct{}{}
	} else {
		delete(r.tenant.open, r)
	}
	if c.Void {
		m.drop(r)
	}
}

// own finds the agent of each leg. Whom a leg belonged to it still belongs to, although somebody else is at the phone now.
func (m *Machine) own(r *record, before []owner, why cause) []owner {
	if r.call.Void {
		return nil
	}
	owners := make([]owner, 0, len(r.call.Legs))
	for i := range r.call.Legs {
		leg := &r.call.Legs[i]
		o := owner{login: leg.User.GetLogin(), email: leg.User.GetEmail(), extension: leg.Extension}
		for _, known := range before {
			if known.login == o.login && known.email == o.email && known.extension == o.extension {
				o.agent = known.agent.current()
			}
		}
		if o.agent == nil {
			n := namedBy(leg.User, leg.Extension)
			n.at, n.vendor = why.time, why.vendor
			o.agent = m.identify(r.tenant, n)
			o.agent.heard = true
		}
		owners = append(owners, o)
	}
	for i := range owners {
		owners[i].agent = owners[i].agent.current()
	}
	return owners
}

// current returns who an agent has turned out to be.
func (a *agent) current() *agent {
	for a.into != nil {
		a = a.into
	}
	return a
}

func (r *record) has(a *agent) bool {
	for _, o := range r.owners {
		if o.agent == a {
			return true
		}
	}
	return false
}

// drop forgets a call. Agents keep it as long as they need its times.
func (m *Machine) drop(r *record) {
	delete(m.records, r.call.ID)
	delete(m.keys, r.key)
	delete(r.tenant.calls, r)
	delete(r.tenant.open, r)
}

// began returns when the first leg of an agent began; the zero time if no leg has any span.
func (r *record) began(a *agent) time.Time {
	var first time.Time
	for i, o := range r.owners {
		if spans := r.call.Legs[i].Spans; o.agent == a && len(spans) > 0 {
			if first.IsZero() || spans[0].From.Before(first) {
				first = spans[0].From
			}
		}
	}
	return first
}

// over returns when the last leg of an agent ended, or is known to last.
func (r *record) over(a *agent) time.Time {
	var last time.Time
	for i, o := range r.owners {
		if o.agent != a {
			continue
		}
		for _, s := range r.call.Legs[i].Spans {
			last = later(last, later(s.From, s.To))
		}
	}
	return last
}

// stateOf says what a phone that does this makes of its agent. Whoever listens in to another call is on the phone, too.
func stateOf(c *call.Call, leg *call.Leg, kind call.SpanKind) pbxv1.AgentState {
	if kind == call.Ringing && directionOf(c, leg) != pbxv1.Call_BARGE {
		return pbxv1.AgentState_RINGING
	}
	return pbxv1.AgentState_ON_CALL
}

// directionOf is the leg's, or, if it has none, that of its call.
func directionOf(c *call.Call, leg *call.Leg) pbxv1.Call_Direction {
	if leg.Direction != pbxv1.Call_DIRECTION_UNSPECIFIED {
		return leg.Direction
	}
	return c.Direction
}
