package derive

import (
	"slices"
	"sync/atomic"
	"time"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// chain is a tenant's own events: how far they are in the stream, and which are to follow. The keeper guards it.
type chain struct {
	tenant    string
	waiting   []*derived  // what the core derived, and was not read back from the stream yet; in order
	last      uint64      // sequence of the last own event that is known to be in the stream
	active    atomic.Bool // this replica published it; read by anybody
	mine      string      // id of what this replica published last
	came      bool        // that was read back
	busy      bool        // this replica publishes; one goroutine at a time does
	notBefore time.Time   // when to try again
	complaint string      // what was logged of why nothing is published
}

// derived is an event to publish.
type derived struct {
	event  *pbxv1.Event
	trace  map[string][]string // the headers of what it was derived from; nil at the start
	at     time.Time           // when this replica derived it
	stored bool                // acknowledged; it is only to be read back
	passed bool                // what was derived behind it was read back before it: who published that did not derive it
}

// begin forgets where in the stream it was.
func (c *chain) begin() {
	c.last = 0
	for _, d := range c.waiting {
		d.stored = false
	}
}

// expect adds what the core derived.
func (c *chain) expect(ev *pbxv1.Event, trace map[string][]string, now time.Time) {
	c.waiting = append(c.waiting, &derived{event: ev, trace: trace, at: now})
}

// confirm takes an own event that was read from the stream, by whomever it was published. What waits before it keeps waiting,
// to be published when nobody does, unless it is about the same.
func (c *chain) confirm(ev *pbxv1.Event, sequence uint64, o *Options) {
	mine := ev.GetId() == c.mine
	c.came = c.came || mine
	c.complaint = ""
	if sequence > c.last { // else the acknowledgement of this event, or of a later one, has told already
		c.last = sequence
		c.active.Store(mine)
	}
	at := slices.IndexFunc(c.waiting, func(d *derived) bool {
		return d.event.GetId() == ev.GetId() || o.Same != nil && o.Same(d.event, ev)
	})
	switch {
	case at < 0:
	case at == 0: // nearly always
		c.waiting = c.waiting[1:]
	default:
		c.take(at, o)
	}
}

// take takes out what is read back, and what it settles of the events before it.
func (c *chain) take(at int, o *Options) {
	read := c.waiting[at]
	before := slices.DeleteFunc(slices.Clone(c.waiting[:at]), func(d *derived) bool {
		d.passed = true
		return o.About != nil && o.About(d.event) == o.About(read.event)
	})
	c.waiting = append(before, c.waiting[at+1:]...)
}

// leave takes out an event that need not be published any more.
func (c *chain) leave(d *derived) {
	c.waiting = slices.DeleteFunc(c.waiting, func(other *derived) bool { return other == d })
}

// forget leaves out what is older than a time, and what nobody was told of then: the service is new here, and finds a stream
// that has been filling for days; or those who were there derived otherwise, with other settings, or with what the stream has
// forgotten since.
func (c *chain) forget(before time.Time) (dropped int) {
	all := len(c.waiting)
	c.waiting = slices.DeleteFunc(c.waiting, func(d *derived) bool {
		return (c.last == 0 || d.passed) && d.event.GetTime().AsTime().Before(before)
	})
	return all - len(c.waiting)
}

// next returns what is to be published now, if anything is.
func (c *chain) next(now time.Time) *derived {
	i := slices.IndexFunc(c.waiting, func(d *derived) bool { return !d.stored })
	if i < 0 || now.Before(c.notBefore) || !c.active.Load() && now.Sub(c.waiting[i].at) < patience {
		return nil
	}
	return c.waiting[i]
}

// calm reports whether nothing is on its way to the stream, or back from it, for all that this replica knows.
func (c *chain) calm(read uint64) bool { return !c.busy && len(c.waiting) == 0 && c.last <= read }
