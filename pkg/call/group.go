package call

import (
	"slices"
	"time"

	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// groupKey names events that may be of one call. With a vendor's id that is the call. Without one it is all that shares an
// outside number, since a caller reaches several phones at once, or, where there is no such number, a key.
type groupKey struct {
	origin event.Origin
	name   string
	named  bool // by the vendor
}

func groupOf(ev *pbxv1.Event) groupKey {
	c := ev.GetCall()
	k := groupKey{event.Origin{Vendor: ev.GetVendor(), Tenant: ev.GetTenant(), Exchange: ev.GetExchange()}, c.GetKey(), true}
	if c.GetId() == "" {
		k.named = false
		if number := outsideNumber(c); number != "" {
			k.name = number
		}
	}
	return k
}

// group is the calls that share a groupKey, in the order in which they began: one if the vendor names it.
type group struct {
	key   groupKey
	calls []*tracked
	last  *observation
}

// tracked is a call that is followed.
type tracked struct {
	group        *group
	id           string
	lane         string         // of calls without a vendor's id; see group.laneOf
	observations []*observation // in order
	first        *observation   // the first that was applied: it names the call
	state        *state
	shown        *Call

	expired bool
	due     time.Time // when it expires or is forgotten, by the stream's clock
	queued  time.Time // by when the queue will look at it; not after due
	index   int       // in the queue
}

// add applies an observation that is not before any other of the call.
func (c *tracked) add(o *observation) {
	c.observations = append(c.observations, o)
	if c.first == nil || o.arrival < c.first.arrival {
		c.first = o
	}
	c.state.apply(o)
}

// has reports whether the same was observed before.
func (g *group) has(o *observation) bool {
	return slices.ContainsFunc(g.calls, func(c *tracked) bool {
		_, found := slices.BinarySearchFunc(c.observations, o, compare)
		return found
	})
}

// put applies an observation, and returns the calls that changed and those that are calls no more. In the usual order it
// costs the same however long the call is.
func (g *group) put(o *observation) (changed, gone []*tracked) {
	switch {
	case g.last == nil || compare(g.last, o) < 0:
		g.last = o
		return g.follow(o), nil
	case g.has(o):
		return nil, nil
	default:
		return g.refold(o)
	}
}

// follow applies an observation that comes after all others, and returns the calls that changed.
func (g *group) follow(o *observation) []*tracked {
	c := g.callOf(o)
	if c != nil && (g.key.named || !c.state.another(o)) {
		c.add(o)
		return []*tracked{c}
	}
	next := &tracked{group: g, lane: g.laneOf(o), state: &state{}, index: -1}
	next.add(o)
	g.calls = append(g.calls, next)
	if c != nil && !c.state.superseded && !o.isRecord() {
		_, over, _ := c.state.ends()
		c.state.superseded = true
		if !over {
			return []*tracked{c, next}
		}
	}
	return []*tracked{next}
}

// callOf returns the call that an observation is of, unless it is of the next one; nil when there is none.
func (g *group) callOf(o *observation) *tracked {
	if g.key.named {
		if len(g.calls) == 0 {
			return nil
		}
		return g.calls[0]
	}
	lane := g.laneOf(o)
	for _, c := range slices.Backward(g.calls) {
		// A record may come after the next call began. Its time is the beginning of its own.
		next := o.isRecord() && c.state.start().After(o.at.Add(gap))
		if c.lane == lane && !next {
			return c
		}
	}
	return nil
}

// laneOf tells calls apart that go on at the same time: each extension has its outgoing ones, and those from outside come one
// after the other. An event that does not say which way its call goes is of the last that has its leg, if possible an open one.
func (g *group) laneOf(o *observation) string {
	switch o.GetDirection() {
	case pbxv1.Call_INCOMING, pbxv1.Call_INTERNAL_INCOMING:
		return ""
	case pbxv1.Call_OUTGOING, pbxv1.Call_INTERNAL_OUTGOING:
		return o.GetKey()
	}
	lane, found := "", false
	for _, c := range slices.Backward(g.calls) {
		if o.GetExtension() != "" && c.state.find(o.GetExtension()) == nil {
			continue
		}
		if _, over, _ := c.state.ends(); !over {
			return c.lane
		}
		if !found {
			lane, found = c.lane, true
		}
	}
	return lane
}

// another reports whether an observation, which is not before any of the call, is of another call with the same key.
func (s *state) another(o *observation) bool {
	ended, over, _ := s.ends()
	late := over && o.at.Sub(ended) > gap
	l := s.find(o.GetExtension())
	switch o.GetKind() {
	case pbxv1.Call_NEW:
		again := !s.entered.IsZero() && o.at.Sub(s.entered) > repetition
		return late || again || over && l == nil && o.GetExtension() != ""
	case pbxv1.Call_RINGING:
		if l == nil {
			return over
		}
		busy := over || l.state() == Talking
		return late || busy && l.has(Ringing) && !l.repeats(Ringing, o.at)
	case pbxv1.Call_ANSWERED:
		return late || over && l != nil && l.has(Talking) && !l.repeats(Talking, o.at)
	case pbxv1.Call_ENDED:
		again := l != nil && l.ended || l == nil && o.GetExtension() == "" && s.closed
		return late || over && again && o.at.Sub(ended) > repetition
	case pbxv1.Call_RECORDED:
		return false
	}
	return late
}

// refold splits all observations anew, because one came that is not the last. Calls keep their identity by the first
// observation that was applied of them.
func (g *group) refold(o *observation) (changed, gone []*tracked) {
	all := []*observation{o}
	named := map[*observation]*tracked{}
	for _, c := range g.calls {
		all = append(all, c.observations...)
		named[c.first] = c
	}
	slices.SortFunc(all, compare)
	fresh := &group{key: g.key}
	for _, o := range all {
		fresh.follow(o)
	}
	for i, c := range fresh.calls {
		old := identity(c, fresh.calls, named)
		if old != nil {
			delete(named, old.first)
		}
		switch {
		case old == nil:
			c.group = g
			changed = append(changed, c)
			continue
		case !slices.Equal(old.observations, c.observations) || old.state.superseded != c.state.superseded:
			old.observations, old.state = c.observations, c.state
			changed = append(changed, old)
		}
		old.lane = c.lane
		fresh.calls[i] = old
	}
	g.calls = fresh.calls
	for _, c := range named {
		gone = append(gone, c)
	}
	return changed, gone
}

// identity returns the call that a call is now: the one with the same first observation or else, of those that would be none
// any more, the one whose first observation it has.
func identity(c *tracked, all []*tracked, named map[*observation]*tracked) *tracked {
	if old := named[c.first]; old != nil {
		return old
	}
	var best *tracked
	for first, old := range named {
		taken := slices.ContainsFunc(all, func(other *tracked) bool { return other.first == first })
		if !taken && slices.Contains(c.observations, first) && (best == nil || first.arrival < best.first.arrival) {
			best = old
		}
	}
	return best
}

// name returns what tells the call from all others.
func (c *tracked) name() string {
	k := c.group.key
	if k.named {
		return event.DerivedID(k.origin, "call", k.name)
	}
	o := c.first
	at := o.at.Format(time.RFC3339Nano)
	return event.DerivedID(k.origin, "call", o.GetKey(), at, o.GetKind().String(), o.GetDirection().String())
}
