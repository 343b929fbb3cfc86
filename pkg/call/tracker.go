package call

import (
	"cmp"
	"iter"
	"slices"
	"time"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// Options set how long calls are waited for and kept. The zero value is the default of each.
type Options struct {
	Ringing time.Duration // an unanswered call without news for so long has expired; zero: 1 h
	Talking time.Duration // an answered one; zero: 4 h
	Keep    time.Duration // how long a call that is over is kept for events that come late; zero: 1 h
}

// Tracker follows calls. It is not safe for concurrent use.
type Tracker struct {
	options   Options
	groups    map[groupKey]*group
	deadlines deadlines
	arrivals  uint64
}

// NewTracker returns a tracker that knows no call.
func NewTracker(o Options) *Tracker {
	o.Ringing = cmp.Or(o.Ringing, time.Hour)
	o.Talking = cmp.Or(o.Talking, 4*time.Hour)
	o.Keep = cmp.Or(o.Keep, time.Hour)
	return &Tracker{options: o, groups: map[groupKey]*group{}}
}

// Apply takes an event, at a time of the stream's clock that never goes back, and returns the calls that it changed: none
// for what is no call's event, for a rating, and for what is known already. Calls that are none any more come first, and
// else the older before the newer. The event must not be changed any more.
func (t *Tracker) Apply(ev *pbxv1.Event, now time.Time) []*Call {
	if kind := ev.GetCall().GetKind(); kind < pbxv1.Call_NEW || kind > pbxv1.Call_RECORDED {
		return nil
	}
	t.arrivals++
	o := observe(ev, t.arrivals)
	changed, gone := t.group(groupOf(ev)).put(o)
	var calls []*Call
	for _, c := range gone {
		t.deadlines.remove(c)
		void := *c.shown
		void.Void = true
		calls = append(calls, &void)
	}
	for _, c := range changed {
		c.expired = false
		calls = append(calls, t.show(c, now))
	}
	return ordered(calls)
}

// ordered puts calls that are none any more first, and else the older before the newer.
func ordered(calls []*Call) []*Call {
	slices.SortFunc(calls, func(x, y *Call) int {
		if x.Void != y.Void {
			if x.Void {
				return -1
			}
			return 1
		}
		return cmp.Or(x.Began.Compare(y.Began), cmp.Compare(x.ID, y.ID))
	})
	return calls
}

func (t *Tracker) group(k groupKey) *group {
	g := t.groups[k]
	if g == nil {
		g = &group{key: k}
		t.groups[k] = g
	}
	return g
}

// show takes a new snapshot of a call, and says when to look at it again.
func (t *Tracker) show(c *tracked, now time.Time) *Call {
	s := c.state.snapshot(c.expired)
	if c.id == "" {
		c.id = c.name()
	}
	origin := c.group.key.origin
	s.ID, s.Vendor, s.Tenant, s.Exchange = c.id, origin.Vendor, origin.Tenant, origin.Exchange
	c.shown = s
	patience := t.options.Ringing
	switch {
	case !s.Open():
		patience = t.options.Keep
	case c.state.proven:
		patience = t.options.Talking
	}
	t.deadlines.set(c, now.Add(patience))
	return s
}

// Advance expires and forgets, and returns the calls that expired, the older before the newer.
func (t *Tracker) Advance(now time.Time) []*Call {
	var expired []*Call
	for c := t.deadlines.next(now); c != nil; c = t.deadlines.next(now) {
		if c.shown.Open() {
			c.expired = true
			expired = append(expired, t.show(c, now))
		} else {
			t.forget(c)
		}
	}
	return ordered(expired)
}

func (t *Tracker) forget(c *tracked) {
	t.deadlines.remove(c)
	g := c.group
	g.calls = slices.DeleteFunc(g.calls, func(other *tracked) bool { return other == c })
	if len(g.calls) == 0 {
		delete(t.groups, g.key)
	}
}

// Calls returns the calls that are kept, ended ones included, in no order.
func (t *Tracker) Calls() iter.Seq[*Call] {
	return func(yield func(*Call) bool) {
		for _, g := range t.groups {
			for _, c := range g.calls {
				if !yield(c.shown) {
					return
				}
			}
		}
	}
}
