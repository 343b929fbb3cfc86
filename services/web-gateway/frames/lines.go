package frames

import (
	"cmp"
	"slices"
	"time"

	"github.com/switchhook/switchhook/pkg/call"
	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// lineKey names a line: an extension of a tenant.
type lineKey struct{ Tenant, Line string }

// line is what is known of a line, and what it was told.
type line struct {
	lineKey
	frames   []*Frame // the last ones, oldest first
	floor    uint64   // sequence of the last frame that is kept no more; 0 when none is missing
	floorOf  int      // how many frames of that sequence there were
	open     []*phone // calls that go on, in the order in which they were told last
	user     *pbxv1.User
	exchange event.Origin
	heard    time.Time
}

func (c *Core) line(tenant, extension string) *line {
	key := lineKey{tenant, extension}
	l := c.lines[key]
	if l == nil {
		l = &line{lineKey: key, floor: c.base}
		c.lines[key] = l
	}
	l.heard = c.clock
	return l
}

// drop forgets the oldest frames: all of one sequence.
func (l *line) drop() {
	l.floor, l.floorOf = l.frames[0].Seq, 0
	for len(l.frames) > 0 && l.frames[0].Seq == l.floor {
		l.frames[0].dropped = true
		l.frames[0] = nil
		l.frames = l.frames[1:]
		l.floorOf++
	}
}

// tell adds a frame to those of a line.
func (c *Core) tell(l *line, f *Frame) {
	f.Seq, f.Tenant, f.Line, f.Received = c.seq, l.Tenant, l.Line, c.cause
	f.at, f.order, f.line = c.clock, len(c.told), l
	c.told = append(c.told, f)
	c.aging = append(c.aging, f)
	l.frames = append(l.frames, f)
	for len(l.frames) > WindowFrames {
		l.drop()
	}
}

// meet learns from a call's event who is at a line, and at which exchange the line is.
func (c *Core) meet(ev *pbxv1.Event) {
	k := ev.GetCall()
	if k.GetExtension() == "" {
		return
	}
	l := c.line(ev.GetTenant(), k.GetExtension())
	l.exchange = event.Origin{Vendor: ev.GetVendor(), Tenant: ev.GetTenant(), Exchange: ev.GetExchange()}
	if k.GetUser().GetLogin() != "" {
		l.user = k.GetUser()
	}
}

// attend learns who is at a line from what is told of agents.
func (c *Core) attend(tenant string, a *pbxv1.Agent) {
	if a.GetExtension() == "" || a.GetUser().GetLogin() == "" {
		return
	}
	l := c.line(tenant, a.GetExtension())
	left := a.GetState() == pbxv1.AgentState_LOGGED_OUT || a.GetKind() == pbxv1.Agent_LOGOUT && a.GetQueue() == ""
	switch {
	case !left:
		l.user = a.GetUser()
	case l.user.GetLogin() == a.GetUser().GetLogin():
		l.user = nil
	}
}

// login returns who is at a leg; empty when nobody told.
func (c *Core) login(tenant string, l *call.Leg) string {
	if login := l.User.GetLogin(); login != "" {
		return login
	}
	if at := c.lines[lineKey{tenant, l.Extension}]; at != nil {
		return at.user.GetLogin()
	}
	return ""
}

// Exchange returns where a line is: the exchange that told of it last. It reports false when none did.
func (c *Core) Exchange(tenant, extension string) (event.Origin, bool) {
	l := c.lines[lineKey{tenant, extension}]
	if l == nil || l.exchange.Vendor == "" {
		return event.Origin{}, false
	}
	return l.exchange, true
}

// Viewer is a person's page: what it may see.
type Viewer struct {
	Tenant string
	Lines  []string // each once
	Sender string   // whose commands' results it is told; see Key
	Calls  bool     // it may see calls
}

// Sees reports whether a frame is for a viewer that has its line.
func (v Viewer) Sees(f *Frame) bool {
	if f.Tenant != v.Tenant || !slices.Contains(v.Lines, f.Line) {
		return false
	}
	if f.kind == resultKind {
		return f.Sender == v.Sender
	}
	return v.Calls
}

// Missed returns the frames that a viewer has not seen, who has seen those up to the sequence last and, of that sequence, as
// many as had says; 0: all. It reports false when it does not know: then only a snapshot helps.
func (c *Core) Missed(v Viewer, last uint64, had int) ([]*Frame, bool) {
	if last == 0 || last < c.base || last > c.seq {
		return nil, false
	}
	var missed []*Frame
	gone := 0
	for _, name := range v.Lines {
		l := c.lines[lineKey{v.Tenant, name}]
		if l == nil {
			continue
		}
		if last < l.floor {
			return nil, false
		}
		if last == l.floor {
			gone += l.floorOf
		}
		for _, f := range slices.Backward(l.frames) {
			if f.Seq < last {
				break
			}
			if v.Sees(f) {
				missed = append(missed, f)
			}
		}
	}
	slices.SortFunc(missed, func(x, y *Frame) int { return cmp.Or(cmp.Compare(x.Seq, y.Seq), cmp.Compare(x.order, y.order)) })
	seen := 0
	for seen < len(missed) && missed[seen].Seq == last {
		seen++
	}
	switch {
	case had == 0:
	case gone == 0:
		seen = min(seen, had)
	case had < gone+seen:
		return nil, false
	}
	missed = missed[seen:]
	return missed, len(missed) <= WindowFrames
}

// Snapshot returns the calls that go on at a viewer's lines: what all frames up to Seq amount to.
func (c *Core) Snapshot(v Viewer) *Snapshot {
	s := &Snapshot{Event: "snapshot", Seq: c.seq, Calls: []CallFrame{}}
	if !v.Calls {
		return s
	}
	for _, name := range v.Lines {
		l := c.lines[lineKey{v.Tenant, name}]
		if l == nil {
			continue
		}
		for _, p := range l.open {
			f := p.told
			f.Contact = p.entry.contact
			s.Calls = append(s.Calls, f)
		}
	}
	slices.SortStableFunc(s.Calls, func(x, y CallFrame) int { return cmp.Compare(x.Seq, y.Seq) })
	return s
}
