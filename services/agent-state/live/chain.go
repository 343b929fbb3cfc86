package live

import (
	"context"
	"slices"
	"time"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// chain is what a tenant's agents did, as far as it has been published, and what is to be. It is guarded by the keeper.
type chain struct {
	tenant    string
	waiting   []*transition // derived, and not yet read back from the stream; in order
	last      uint64        // sequence of the tenant's last transition in the stream
	mine      string        // id of what this replica published last
	active    bool          // the last transition in the stream is that
	busy      bool          // somebody is publishing
	notBefore time.Time     // when to try again
}

// transition is an event to publish.
type transition struct {
	event *pbxv1.Event
	at    time.Time // when this replica derived it
	sent  bool      // acknowledged; it is only to be read back
}

// expect adds what the core derived.
func (c *chain) expect(ev *pbxv1.Event, now time.Time) {
	c.waiting = append(c.waiting, &transition{event: ev, at: now})
}

// confirm takes a transition that was read from the stream, by whomever it was published. What this replica derived of the
// agent before it is settled too.
func (c *chain) confirm(ev *pbxv1.Event, sequence uint64) {
	c.last = max(c.last, sequence)
	c.active = ev.GetId() == c.mine
	have := ev.GetAgent()
	same := func(t *transition) bool {
		want := t.event.GetAgent()
		return want.GetId() == have.GetId() && want.GetState() == have.GetState() &&
			want.GetSince().AsTime().Equal(have.GetSince().AsTime())
	}
	if len(c.waiting) > 0 && same(c.waiting[0]) { // nearly always
		c.waiting = c.waiting[1:]
		return
	}
	at := slices.IndexFunc(c.waiting, same)
	if at < 0 {
		return
	}
	for i := at; i >= 0; i-- {
		if c.waiting[i].event.GetAgent().GetId() == have.GetId() {
			c.waiting = slices.Delete(c.waiting, i, i+1)
		}
	}
}

// forget leaves out what is older than a time, if nothing of the tenant was ever published.
func (c *chain) forget(before time.Time) (dropped int) {
	if c.last > 0 {
		return 0
	}
	all := len(c.waiting)
	c.waiting = slices.DeleteFunc(c.waiting, func(t *transition) bool {
		return t.event.GetTime().AsTime().Before(before)
	})
	return all - len(c.waiting)
}

// next returns what is to be published now, if anything is.
func (c *chain) next(now time.Time) *transition {
	i := slices.IndexFunc(c.waiting, func(t *transition) bool { return !t.sent })
	if c.busy || i < 0 || now.Before(c.notBefore) || !c.active && now.Sub(c.waiting[i].at) < patience {
		return nil
	}
	return c.waiting[i]
}

// subject is where a tenant's transitions are, at all vendors.
func (c *chain) subject() string { return event.Root + ".*." + c.tenant + ".agent.state_changed" }

// announce begins to publish what is to be, all tenants side by side.
func (k *Keeper) announce(ctx context.Context) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.live {
		return
	}
	waiting := 0
	for _, c := range k.chains {
		waiting += len(c.waiting)
		if c.next(k.Now()) != nil {
			c.busy = true
			k.publishing.Go(func() { k.drain(ctx, c) })
		}
	}
	k.metrics.waiting.Set(float64(waiting))
}

// drain publishes a tenant's transitions one after another, for as long as it works.
func (k *Keeper) drain(ctx context.Context, c *chain) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for {
		c.busy = false
		t := c.next(k.Now())
		if t == nil || ctx.Err() != nil {
			return
		}
		c.busy, c.mine = true, t.event.GetId()
		after := bus.After{Subject: c.subject(), Sequence: c.last}
		k.mu.Unlock()
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishLimit)
		sequence, err := k.Bus.PublishAfter(limited, t.event, after)
		cancel()
		k.mu.Lock()
		k.settle(c, t, sequence, err)
	}
}

func (k *Keeper) settle(c *chain, t *transition, sequence uint64, err error) {
	switch {
	case err == nil:
		t.sent, c.active = true, true
		c.last = max(c.last, sequence)
		k.metrics.published.Inc()
	case fault.Is(err, fault.Conflict):
		// Somebody published meanwhile, perhaps this very transition: the stream will tell.
		c.mine, c.active, c.notBefore = "", false, k.Now().Add(retry)
		k.metrics.conflicts.Inc()
	default:
		c.notBefore = k.Now().Add(retry)
		k.Log.Warn("transition not published, trying again", "tenant", c.tenant, "err", err)
	}
}

// pass looks for what time alone has brought, such as the end of a wrap-up, while no event comes that would tell the core
// the time. It publishes that only if nothing at all was stored since what the core knows; reading it back makes it so, in
// every replica at the same place of the stream.
func (k *Keeper) pass(ctx context.Context) {
	k.mu.Lock()
	if !k.live {
		k.mu.Unlock()
		return
	}
	ev := k.machine.Due(k.Now())
	after := bus.After{Sequence: k.last}
	if ev == nil || !k.chain(ev.GetTenant()).mayPass(ev, k.Now()) {
		k.mu.Unlock()
		return
	}
	c := k.chain(ev.GetTenant())
	c.mine = ev.GetId()
	k.mu.Unlock()
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishLimit)
	defer cancel()
	_, err := k.Bus.PublishAfter(limited, ev, after)
	switch {
	case err == nil:
		k.metrics.published.Inc()
	case fault.Is(err, fault.Conflict): // an event came, which brings the time along
		k.metrics.conflicts.Inc()
	default:
		k.Log.Warn("transition not published, trying again", "tenant", ev.GetTenant(), "err", err)
	}
}

// mayPass reports whether this replica is the one to publish what time brought, and everything before it is read back.
func (c *chain) mayPass(ev *pbxv1.Event, now time.Time) bool {
	return len(c.waiting) == 0 && (c.active || now.Sub(ev.GetTime().AsTime()) >= patience)
}
