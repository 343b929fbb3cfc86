package commands

import (
	"cmp"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/call"
	"github.com/switchhook/switchhook/pkg/phone"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

const (
	// Window is how long after it was sent a command may bring about its call.
	Window = time.Minute
	// patience is how long after that the news of such a call may come.
	patience = 30 * time.Second
	// early is how long before it was sent the call may seem to begin: exchanges tell whole seconds, by clocks of their own.
	early = 2 * time.Second
	// notSeen is the reason of an UNKNOWN that stays one.
	notSeen = "the exchange's answer was lost, and no such call was seen within a minute: nobody knows whether it was made"
)

// Settle finds the calls that commands made which ended as UNKNOWN, and returns a step that stores something for each one that
// is settled: it succeeded after all, or, when its time is over, no such call was seen, which its reason then says. Later news
// still settles it.
//
// Records are all of the tenant's bucket, or at least those younger than an hour; calls are those of a tracker. Each call is one
// command's at most: those that are known to be done, or are being sent, have theirs too. Where several commands could have
// made one call, it is the last one's. The order of records and calls does not matter.
func Settle(records []*pbxv1.CommandRecord, calls []*call.Call, region string, now time.Time) []Step {
	unknown := func(rec *pbxv1.CommandRecord) bool { return rec.GetOutcome().GetOutcome() == pbxv1.Command_UNKNOWN }
	if !slices.ContainsFunc(records, unknown) {
		return nil
	}
	m := matching{made: make(map[*call.Call]*origination)}
	for _, c := range calls {
		if !c.Void {
			m.calls = append(m.calls, c)
		}
	}
	slices.SortFunc(m.calls, func(a, b *call.Call) int { return cmp.Or(a.Began.Compare(b.Began), cmp.Compare(a.ID, b.ID)) })
	all := originations(records, region)
	for _, o := range all {
		m.match(o, make(map[*call.Call]bool))
	}
	found := make(map[*origination]*call.Call)
	for c, o := range m.made {
		found[o] = c
	}
	var steps []Step
	for _, o := range all {
		if step := o.settle(found[o], region, now); step.Store != nil {
			steps = append(steps, step)
		}
	}
	return steps
}

// origination is a command that may have made a call.
type origination struct {
	rec      *pbxv1.CommandRecord
	to       phone.Number
	from, by time.Time // when its call began
	rank     int       // those with less are more certain to have made one
}

// originations are in the order in which they are given calls: those that made one for certain, and then the last one first. So
// none of them loses its call to one before it.
func originations(records []*pbxv1.CommandRecord, region string) []*origination {
	var all []*origination
	for _, rec := range records {
		outcome := rec.GetOutcome().GetOutcome()
		o := &origination{rec: rec, to: phone.Parse(rec.GetRequest().GetOriginate().GetTo(), region)}
		switch {
		case rec.GetRequest().GetOriginate() == nil || o.to.Dialled() == "":
			continue
		case outcome == pbxv1.Command_DONE && rec.GetOutcome().GetCallId() != "":
			o.rank = 0
		case outcome == pbxv1.Command_DONE:
			o.rank = 1
		case outcome == pbxv1.Command_UNKNOWN, rec.GetStage() == pbxv1.CommandRecord_SENDING:
			o.rank = 2
		default:
			continue
		}
		o.from, o.by = window(rec)
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b *origination) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), b.from.Compare(a.from), cmp.Compare(a.rec.GetCommandId(), b.rec.GetCommandId()))
	})
	return all
}

// window returns within which time the call of a command began. Of one that is over, it is not known when it was sent, but that
// this was neither before it was taken, nor after it expired or was over.
func window(rec *pbxv1.CommandRecord) (from, by time.Time) {
	sent := rec.GetSince().AsTime()
	if expires := rec.GetRequest().GetExpiresAt().AsTime(); expires.Before(sent) {
		sent = expires
	}
	return rec.GetTakenAt().AsTime().Add(-early), sent.Add(Window)
}

// made reports whether the command may have made the call. One that knows its call's id made that one, and no other.
func (o *origination) made(c *call.Call) bool {
	origin, id := originOf(o.rec), o.rec.GetOutcome().GetCallId()
	if c.Vendor != origin.Vendor || c.Tenant != origin.Tenant || c.Exchange != origin.Exchange {
		return false
	}
	if id != "" {
		return c.VendorID == id
	}
	return o.fits(c) && !c.Began.Before(o.from) && !c.Began.After(o.by)
}

// fits reports whether somebody at the command's phone called its number.
func (o *origination) fits(c *call.Call) bool {
	extension := o.rec.GetRequest().GetExtension()
	makes := func(l call.Leg) bool {
		return l.Extension == extension && (l.Direction == pbxv1.Call_OUTGOING || l.Direction == pbxv1.Call_INTERNAL_OUTGOING)
	}
	if c.From.GetNumber() != extension && !slices.ContainsFunc(c.Legs, makes) {
		return false
	}
	if o.to.Kind == phone.Outside {
		return c.Direction == pbxv1.Call_OUTGOING && c.To.GetE164() == o.to.E164
	}
	internal := c.Direction == pbxv1.Call_INTERNAL_OUTGOING || c.Direction == pbxv1.Call_INTERNAL_INCOMING
	return (internal || c.Direction == pbxv1.Call_OUTGOING) && c.To.GetNumber() == o.to.Dialled()
}

// settle returns the step that a command's call, or its want of one, calls for; one that stores nothing for most.
func (o *origination) settle(c *call.Call, region string, now time.Time) Step {
	old := o.rec.GetOutcome()
	switch {
	case old.GetOutcome() != pbxv1.Command_UNKNOWN:
		return Step{}
	case c != nil:
		done := outcome(o.rec, region, pbxv1.Command_DONE, "")
		done.CallId = c.VendorID
		return over(o.rec, done, now)
	}
	if old.GetReason() == notSeen || now.Before(o.by.Add(patience)) {
		return Step{}
	}
	next := proto.CloneOf(o.rec)
	next.Outcome.Reason = notSeen
	step := Told(next)
	step.Store = next
	return step
}

// matching gives calls to commands, one each: as many as can be (Kuhn's algorithm).
type matching struct {
	calls []*call.Call // in order
	made  map[*call.Call]*origination
}

// match gives a command the earliest call that it may have made, for which others may take another one of theirs; tried are
// those that were asked for already.
func (m *matching) match(o *origination, tried map[*call.Call]bool) bool {
	for _, c := range m.calls {
		if tried[c] || !o.made(c) {
			continue
		}
		tried[c] = true
		if other := m.made[c]; other == nil || m.match(other, tried) {
			m.made[c] = o
			return true
		}
	}
	return false
}
