package missed

import (
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// entry is one of the ledger.
type entry struct {
	caller  *caller
	id      string
	base    *pbxv1.MissedCall // what was known from before the stream; nil if all of it is in the stream
	acts    []act             // what people did, in the order of the stream
	records []*record         // that have a part in it
	shown   *pbxv1.MissedCall // as it is now; never changed
	gone    time.Time         // since when no attempt makes it any more; zero while one does
	told    told
	alarm   *alarm // when its claim ends, or it is given up
}

// told is what the last event of an entry said.
type told struct {
	resolution pbxv1.MissedCall_Resolution
	claim      string
}

// claimedAt is when the claim from before the stream was made, at the latest; the zero time for none.
func (e *entry) claimedAt() time.Time {
	if e.base.GetClaimedUntil() == nil {
		return time.Time{}
	}
	return e.base.GetClaimedUntil().AsTime().Add(-e.caller.tenant.settings.claimExpiry())
}

func (e *entry) key() string { return e.caller.tenant.settings.Tenant + "." + e.id }

func (m *Machine) touch(e *entry) { m.touched[e.key()] = struct{}{} }

// conclude finds the entries of a caller anew, and tells what differs from what was told.
func (m *Machine) conclude(c *caller, why cause) {
	if len(c.entries) == 0 && !slices.ContainsFunc(c.records, func(r *record) bool { return !r.judged.IsZero() }) {
		return
	}
	stretches := c.stretches()
	held := map[*entry]bool{}
	for _, s := range stretches {
		if s.entry == nil {
			s.entry = c.newEntry(s.attempts[0])
		}
		held[s.entry] = true
		m.show(s, why)
	}
	for _, e := range c.entries {
		if !held[e] {
			m.withdraw(e, why)
		}
	}
}

// show brings an entry up to date.
func (m *Machine) show(s *stretch, why cause) {
	e := s.entry
	v := s.view(e.caller, m.clock)
	v.Id = e.id
	e.gone = time.Time{}
	e.records = slices.Concat(s.attempts, s.tries)
	if s.reached != nil {
		e.records = append(e.records, s.reached)
	}
	fresh := false
	for _, r := range s.attempts {
		fresh = fresh || r.told != e.id
		r.entry, r.told = e.id, e.id
	}
	m.set(e, v)
	m.await(e, s)
	m.tell(e, fresh, why)
}

func (m *Machine) set(e *entry, v *pbxv1.MissedCall) {
	if !proto.Equal(e.shown, v) {
		e.shown = v
		m.touch(e)
	}
}

// await sets when time alone will change an entry.
func (m *Machine) await(e *entry, s *stretch) {
	if e.shown.GetResolvedAt() != nil {
		m.alarms.remove(e.alarm)
		e.alarm = nil
		return
	}
	at := s.lapse()
	if until := e.shown.GetClaimedUntil(); until != nil && until.AsTime().Before(at) {
		at = until.AsTime()
	}
	e.alarm = m.alarms.set(e.alarm, alarm{at: at, name: e.id, caller: e.caller})
}

// withdraw resolves an entry of which nothing is left: its calls turned out to be answered, or part of another entry.
func (m *Machine) withdraw(e *entry, why cause) {
	if !e.gone.IsZero() {
		return
	}
	e.gone = m.clock
	v := proto.CloneOf(e.shown)
	v.Kind, v.Resolution, v.ResolvedAt = pbxv1.MissedCall_RESOLVED, pbxv1.MissedCall_WITHDRAWN, timestamppb.New(m.clock)
	v.ResolvedBy, v.ClaimedUntil = nil, nil
	e.records = nil
	for _, r := range e.caller.records {
		if r.entry != e.id {
			continue
		}
		e.records = append(e.records, r)
		if r.role == reached && v.GetResolvedBy() == nil {
			v.ResolvedBy = spoke(r.call)
		}
	}
	m.set(e, v)
	m.alarms.remove(e.alarm)
	e.alarm = nil
	m.tell(e, false, why)
}

// tell derives the events that bring whoever heard the last one up to date. An attempt is always told as one, also if the
// caller was reached before the verdict fell; that they were follows at once.
func (m *Machine) tell(e *entry, fresh bool, why cause) {
	const open = pbxv1.MissedCall_RESOLUTION_UNSPECIFIED
	resolution, claim := e.shown.GetResolution(), nameOf(e.shown.GetClaimedBy())
	if fresh || e.told.resolution != open && resolution == open {
		opened := proto.CloneOf(e.shown)
		opened.Resolution, opened.ResolvedBy, opened.ResolvedAt = open, nil, nil
		m.derive(e, pbxv1.MissedCall_OPENED, opened, why)
		e.told = told{open, claim}
	}
	switch {
	case e.told.resolution != resolution:
		m.derive(e, pbxv1.MissedCall_RESOLVED, proto.CloneOf(e.shown), why)
	case resolution == open && e.told.claim != claim:
		m.derive(e, pbxv1.MissedCall_ACKNOWLEDGED, proto.CloneOf(e.shown), why)
	}
	e.told = told{resolution, claim}
}

// derive makes an event. Nothing happens to an entry twice by one cause, so entry, kind and cause name it.
func (m *Machine) derive(e *entry, kind pbxv1.MissedCall_Kind, v *pbxv1.MissedCall, why cause) {
	v.Kind = kind
	ev := e.event(v, why.at, m.seen, kind.String(), why.name)
	m.derived[ev.GetId()] = m.clock
	m.out = append(m.out, ev)
}

// event puts an entry into an event, whose id follows from the names. It is at the vendor of the last attempt.
func (e *entry) event(v *pbxv1.MissedCall, at, now time.Time, names ...string) *pbxv1.Event {
	tenant := e.caller.tenant.settings.Tenant
	return &pbxv1.Event{
		Id:   event.DerivedID(event.Origin{Tenant: tenant}, append([]string{"missed-call", e.id}, names...)...),
		Time: timestamppb.New(at), ReceivedAt: timestamppb.New(now),
		Vendor: v.GetVendor(), Tenant: tenant, Exchange: v.GetExchange(),
		Payload: &pbxv1.Event_MissedCall{MissedCall: v},
	}
}
