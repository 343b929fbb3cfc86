package frames

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/switchhook/switchhook/pkg/call"
	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// repetition is how soon after a ring the same one says nothing new.
const repetition = time.Second

// phase is what the page of a phone was told that it does.
type phase int

const (
	idle phase = iota
	ringing
	talking
)

// entry is a call and what was told of it.
type entry struct {
	call    *call.Call
	phones  []*phone
	contact *Contact
}

// phone is one of a call's lines.
type phone struct {
	entry *entry
	line  *line
	phase phase
	rang  time.Time // when an event said last that it rings
	rung  time.Time // when it rang, as was told
	told  CallFrame // the last Ringing or Answered
}

// ended is a call that was over at a time.
type ended struct {
	entry *entry
	at    time.Time
}

// follow tells what changed of a call, by an event or, when that is nil, since it expired.
func (c *Core) follow(k *call.Call, ev *pbxv1.Event) {
	e := c.calls[k.ID]
	if e == nil {
		if k.Void || !k.Open() {
			return
		}
		e = &entry{}
		c.calls[k.ID] = e
	}
	e.call = k
	if number := k.Outside().GetE164(); number != "" && e.contact == nil {
		e.contact = c.contacts.find(k.Tenant, number)
	}
	for _, p := range slices.Clone(e.phones) {
		if k.Void || !slices.ContainsFunc(k.Legs, func(l call.Leg) bool { return l.Extension == p.line.Line }) {
			c.hangUp(p, CallFrame{Time: stamp(c.clock)})
		}
	}
	if k.Void {
		delete(c.calls, k.ID)
		return
	}
	for i := range k.Legs {
		if l := &k.Legs[i]; l.Direction != pbxv1.Call_BARGE {
			c.leg(e, l, ev)
		}
	}
	if !k.Open() {
		c.over = append(c.over, ended{e, c.clock})
	}
}

// phone returns what was told of a call to a line.
func (c *Core) phone(e *entry, extension string) *phone {
	for _, p := range e.phones {
		if p.line.Line == extension {
			return p
		}
	}
	p := &phone{entry: e, line: c.line(e.call.Tenant, extension)}
	e.phones = append(e.phones, p)
	return p
}

// leg tells a line what its phone does, if that is new.
func (c *Core) leg(e *entry, l *call.Leg, ev *pbxv1.Event) {
	p := c.phone(e, l.Extension)
	if heard := ev.GetCall(); heard.GetKind() == pbxv1.Call_RINGING && heard.GetExtension() == l.Extension {
		p.rang = later(p.rang, ev.GetTime().AsTime())
	}
	now, since := does(l)
	taken, by := c.taken(e.call, l, later(since, p.rang), p)
	switch {
	case now == call.Ringing && taken:
		c.hangUp(p, CallFrame{Time: stamp(by.since), Cause: causeName(pbxv1.Call_ANSWERED_ELSEWHERE), ClosedBy: by.frame})
	case now == call.Talking:
		if p.phase != talking {
			c.open(p, talking, c.callFrame(Answered, e, l, since))
		}
	case now == call.Ringing, now == call.Dialing:
		rang := later(since, p.rang)
		if p.phase != ringing || now == call.Ringing && rang.Sub(p.rung) > repetition {
			p.rung = rang
			c.open(p, ringing, c.callFrame(Ringing, e, l, rang))
		}
	default:
		cause := cmp.Or(l.Cause, e.call.Cause)
		f := CallFrame{Time: stamp(c.stopped(e.call, l)), Cause: causeName(cause)}
		if p.phase == ringing && (taken || cause == pbxv1.Call_ANSWERED_ELSEWHERE) {
			f.ClosedBy = by.frame
		}
		c.hangUp(p, f)
	}
}

// does returns what a phone does, and since when; 0 for nothing.
func does(l *call.Leg) (call.SpanKind, time.Time) {
	if n := len(l.Spans); n > 0 && l.Spans[n-1].To.IsZero() {
		return l.Spans[n-1].Kind, l.Spans[n-1].From
	}
	return 0, time.Time{}
}

// stopped returns when a phone did its last.
func (c *Core) stopped(k *call.Call, l *call.Leg) time.Time {
	if n := len(l.Spans); n > 0 && !l.Spans[n-1].To.IsZero() {
		return l.Spans[n-1].To
	}
	if !k.Ended.IsZero() {
		return k.Ended
	}
	return c.clock
}

// taker is the phone that took a call which rang at another.
type taker struct {
	frame *ClosedBy
	since time.Time
}

// taken reports whether another phone picked up since one rang, and returns which took the call last. Few exchanges say at
// once that the others stop ringing. A consultation is no such case: it rings after the answer.
func (c *Core) taken(k *call.Call, l *call.Leg, since time.Time, p *phone) (bool, taker) {
	var by taker
	if p.phase == talking || makesCall(l) {
		return false, by
	}
	if since.IsZero() { // it rings no more
		since = p.rung
	}
	for i := range k.Legs {
		other := &k.Legs[i]
		if other.Extension == l.Extension || other.Direction == pbxv1.Call_BARGE || makesCall(other) {
			continue
		}
		for _, s := range other.Spans {
			if s.Kind == call.Talking && (by.frame == nil || s.From.After(by.since)) {
				by = taker{&ClosedBy{Line: other.Extension, Login: c.login(k.Tenant, other)}, s.From}
			}
		}
	}
	return by.frame != nil && !by.since.Before(since), by
}

// makesCall reports whether a leg is who calls.
func makesCall(l *call.Leg) bool {
	return slices.ContainsFunc(l.Spans, func(s call.Span) bool { return s.Kind == call.Dialing })
}

// open tells a line of a call that goes on there.
func (c *Core) open(p *phone, now phase, f CallFrame) {
	p.line.open = slices.DeleteFunc(p.line.open, func(other *phone) bool { return other == p })
	p.line.open = append(p.line.open, p)
	p.phase, p.told = now, f
	c.tell(p.line, &Frame{kind: callKind, body: &f})
}

// hangUp tells a line that its call is over, unless it was never told of it. What the call was is as it was told.
func (c *Core) hangUp(p *phone, f CallFrame) {
	if p.phase == idle {
		return
	}
	p.phase = idle
	p.line.open = slices.DeleteFunc(p.line.open, func(other *phone) bool { return other == p })
	told := p.told
	told.Event, told.Seq, told.Contact = Hangup, c.seq, p.entry.contact
	told.Time, told.Cause, told.ClosedBy = f.Time, f.Cause, f.ClosedBy
	c.tell(p.line, &Frame{kind: callKind, body: &told})
}

func (c *Core) callFrame(name string, e *entry, l *call.Leg, at time.Time) CallFrame {
	return CallFrame{
		Event: name, Seq: c.seq, From: shown(e.call.From), To: shown(e.call.To), UniqueID: e.call.ID,
		Direction: direction(e.call, l), Line: l.Extension, Queue: e.call.Queue, Time: stamp(at), Contact: e.contact,
	}
}

// direction returns which way a call goes, seen from one of its legs: who is rung by a colleague's outgoing call, to take it
// over, does not make it.
func direction(k *call.Call, l *call.Leg) string {
	local := false
	switch cmp.Or(l.Direction, k.Direction) {
	case pbxv1.Call_INTERNAL_INCOMING, pbxv1.Call_INTERNAL_OUTGOING:
		local = true
	}
	switch makes := makesCall(l); {
	case makes && local:
		return "outgoingLocal"
	case makes:
		return "outgoing"
	case local:
		return "incomingLocal"
	}
	return "incoming"
}

// shown returns a party's number as a page gets it.
func shown(p *pbxv1.Party) string { return cmp.Or(p.GetE164(), p.GetNumber()) }

// stamp writes a time as pages read it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func causeName(cause pbxv1.Call_Cause) string {
	if cause == pbxv1.Call_CAUSE_UNSPECIFIED {
		return ""
	}
	return strings.ToLower(cause.String())
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// OpenCall is a call that goes on at a line.
type OpenCall struct {
	Line     string
	VendorID string // the vendor's id of it; may be empty
	Origin   event.Origin
}

func (p *phone) openCall() OpenCall {
	k := p.entry.call
	return OpenCall{p.line.Line, k.VendorID, event.Origin{Vendor: k.Vendor, Tenant: k.Tenant, Exchange: k.Exchange}}
}

// Find returns a call that goes on at one of the viewer's lines, by its uniqueId; with an empty one the call that was told
// last, if possible one where somebody talks.
func (c *Core) Find(v Viewer, uniqueID string) (OpenCall, bool) {
	var found *phone
	for _, name := range v.Lines {
		l := c.lines[lineKey{v.Tenant, name}]
		if l == nil {
			continue
		}
		for _, p := range l.open {
			switch {
			case uniqueID != "" && p.entry.call.ID != uniqueID:
			case found == nil, p.phase > found.phase, p.phase == found.phase && p.told.Seq > found.told.Seq:
				found = p
			}
		}
	}
	if found == nil {
		return OpenCall{}, false
	}
	return found.openCall(), true
}
