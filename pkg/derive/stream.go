package derive

import (
	"context"
	"strings"
	"time"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// follow reads the stream, once it is known what the buckets hold of the time before it.
func (k *Keeper) follow() (execute func() error, interrupt func(error)) {
	ctx, cancel := context.WithCancel(context.Background())
	following, stop := k.o.Bus.Follow(bus.Following{
		Name: k.o.Name, Subjects: []string{event.Root + ".>"}, Handle: k.handle, CaughtUp: k.caughtUp,
	})
	return func() error {
			for k.o.Loaded != nil && !k.o.Loaded() || !k.loaded() {
				select {
				case <-ctx.Done():
					return nil
				case <-time.After(tick):
				}
			}
			return following()
		}, func(err error) {
			cancel()
			stop(err)
		}
}

// handle takes the next event of the stream.
func (k *Keeper) handle(s bus.Stored[*pbxv1.Event]) {
	k.mu.Lock()
	defer k.mu.Unlock()
	at, owner := k.o.Clock(s), k.owner(s.Subject)
	k.begin(at, s.Sequence > 1)
	if s.Sequence <= k.last {
		k.all((*chain).begin) // the stream was made anew
	}
	k.last = s.Sequence
	k.clock = later(k.clock, at)
	if owner != "" { // whoever published it saw that time pass
		k.clock = later(k.clock, s.Message.GetTime().AsTime())
	}
	k.metrics.events.Inc()
	var trace map[string][]string
	if k.live {
		trace = s.Headers
		if k.o.Trace != nil {
			k.o.Trace(s.Message, trace)
		}
	}
	for _, ev := range k.o.Core.Apply(s.Sequence, k.clock, s.Message) {
		k.chain(ev.GetTenant()).expect(ev, trace, k.o.Now())
	}
	if owner != "" {
		k.chain(owner).confirm(s.Message, s.Sequence, &k.o)
	}
	if k.live {
		k.signal()
	}
	k.moved.Broadcast()
}

// owner returns whose an event is that this service derived, by its subject; empty for events of others.
func (k *Keeper) owner(subject string) string {
	tokens := strings.SplitN(subject, ".", 5) // pbx.events.<vendor>.<tenant>.<entity>.<kind>
	if len(tokens) < 5 {
		return ""
	}
	entity, any := strings.CutSuffix(k.o.Own, "*")
	if tokens[4] == k.o.Own || any && strings.HasPrefix(tokens[4], entity) {
		return tokens[3]
	}
	return ""
}

// own is where a tenant's events of this service are, at all vendors.
func (k *Keeper) own(tenant string) string { return event.Root + ".*." + tenant + "." + k.o.Own }

// begin tells the core, once, where the stream begins.
func (k *Keeper) begin(first time.Time, cut bool) {
	if !k.began && k.o.Restore != nil {
		k.o.Restore(first, cut)
	}
	k.began = true
}

// caughtUp begins to publish what the stream so far leaves to be published.
func (k *Keeper) caughtUp() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.begin(k.o.Now(), false)
	k.live = true
	k.all(func(c *chain) {
		if dropped := c.forget(k.clock.Add(-forgottenAfter)); dropped > 0 {
			k.o.Log.Info("nobody was told of some "+k.o.Derives+" at their time, so nobody is told now",
				"tenant", c.tenant, "left_out", dropped)
		}
	})
	if k.o.CaughtUp != nil {
		k.o.CaughtUp()
	}
	k.signal()
	k.moved.Broadcast()
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
