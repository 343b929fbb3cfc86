// Package frames decides what a person's page is told of calls, and how it is written. It has no I/O and no clock.
//
// Frames follow from the stream of events and from nothing else, so every replica makes the same ones with the same
// sequences: a page that comes back to another replica goes on where it was. What a replica knows of a call depends on
// having seen it begin, so it must begin to read Horizon before the frames that it gives.
package frames

import (
	"time"

	"github.com/switchhook/switchhook/pkg/call"
	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

const (
	// Horizon is how long before now a replica begins to read the stream: longer than a call without news is followed.
	Horizon = 12 * time.Hour
	// Window is how long past frames of a line are kept.
	Window = 10 * time.Minute
	// WindowFrames is how many of a line are kept at most, and how many are given again to who comes back.
	WindowFrames = 256

	contactFor = time.Hour      // how long a contact is known for the next call of the same number
	lingerFor  = time.Minute    // how long a contact may come after its call is over
	lineFor    = 24 * time.Hour // how long a line is remembered that nothing is heard of
	sweepEvery = time.Hour
)

// Subjects returns what a core follows of the stream. All replicas follow the same, as they count on each other's sequences.
func Subjects() []string {
	return []string{
		event.Root + ".*.*.call.*", event.Root + ".*.*.agent.*", event.Root + ".*.*.contact.*", event.Root + ".*.*.command.*",
	}
}

// Core follows the stream. It is not safe for concurrent use.
type Core struct {
	tracker  *call.Tracker
	base     uint64    // what was before it, or before the last frame of a line that was forgotten, is not known
	seq      uint64    // of the last event
	clock    time.Time // of the stream
	swept    time.Time
	calls    map[string]*entry
	over     []ended // in the order in which they are to be forgotten
	contacts contacts
	lines    map[lineKey]*line
	aging    []*Frame // all that are kept, oldest first

	cause time.Time // when what is being applied was received
	told  []*Frame  // of it
}

// New returns a core that knows nothing yet.
func New() *Core {
	return &Core{
		tracker: call.NewTracker(call.Options{}), calls: map[string]*entry{}, lines: map[lineKey]*line{},
		contacts: contacts{known: map[number]*known{}},
	}
}

// Seq returns the sequence of the last event that was applied; 0 before the first.
func (c *Core) Seq() uint64 { return c.seq }

// Apply takes the next event of the stream, with its sequence and when it was stored, and returns the frames that it
// causes, in order. They belong to the core until they are encoded.
func (c *Core) Apply(seq uint64, at time.Time, ev *pbxv1.Event) []*Frame {
	if c.seq == 0 {
		c.base = seq - 1
	}
	c.seq, c.told, c.cause = seq, nil, time.Time{}
	if at.After(c.clock) {
		c.clock = at
	}
	c.forget()
	for _, expired := range c.tracker.Advance(c.clock) {
		c.follow(expired, nil)
	}
	c.cause = ev.GetReceivedAt().AsTime()
	switch payload := ev.GetPayload().(type) {
	case *pbxv1.Event_Call:
		c.meet(ev)
		for _, changed := range c.tracker.Apply(ev, c.clock) {
			c.follow(changed, ev)
		}
	case *pbxv1.Event_Agent:
		c.attend(ev.GetTenant(), payload.Agent)
	case *pbxv1.Event_Contact:
		c.recognise(ev.GetTenant(), payload.Contact)
	case *pbxv1.Event_Command:
		c.answer(ev.GetTenant(), payload.Command)
	}
	return c.told
}

// forget forgets what is too old by the stream's clock.
func (c *Core) forget() {
	for len(c.aging) > 0 && (c.aging[0].dropped || c.clock.Sub(c.aging[0].at) > Window) {
		if f := c.aging[0]; !f.dropped {
			f.line.drop()
		}
		c.aging[0] = nil
		c.aging = c.aging[1:]
	}
	for len(c.over) > 0 && c.clock.Sub(c.over[0].at) > lingerFor {
		if e := c.over[0].entry; !e.call.Open() {
			delete(c.calls, e.call.ID)
		}
		c.over[0] = ended{}
		c.over = c.over[1:]
	}
	c.contacts.forget(c.clock)
	if c.clock.Sub(c.swept) < sweepEvery {
		return
	}
	c.swept = c.clock
	for key, l := range c.lines {
		if len(l.frames)+len(l.open) == 0 && c.clock.Sub(l.heard) > lineFor {
			c.base = max(c.base, l.floor)
			delete(c.lines, key)
		}
	}
}
