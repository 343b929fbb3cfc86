package derive

import (
	"context"
	"time"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// Publish publishes what a person does at a tenant. It waits until nothing that was derived for the tenant waits to be
// published. Then it makes the event, with the core locked, and publishes it behind the tenant's last own event; if somebody
// was faster it makes it anew, by what the core knows then. It returns when this replica has read the event back, so whoever
// asks the core next sees it. The context needs a deadline.
//
// An error of make is returned as it is. Others are fault.Unavailable, when the context ends first or the stream has not been
// read yet, and fault.Invalid, when no such event can be published. If the context ends while the event is on its way it may
// have been stored; else it was not. Each event must have an id of its own.
func (k *Keeper) Publish(ctx context.Context, tenant string, make func() (*pbxv1.Event, error)) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.ready(); err != nil {
		return err
	}
	c := k.chain(tenant)
	for {
		err := k.await(ctx, "what was derived to be published", func() bool { return c.calm(k.last) })
		if err != nil {
			return err
		}
		ev, err := make()
		if err != nil {
			return err
		}
		if done, err := k.insist(ctx, c, ev); done || err != nil {
			return err
		}
	}
}

// insist publishes an event until it is read back, or done is false: another was stored in its place. Only the first event
// behind the fence can be this one, which tells what became of it when the acknowledgement was lost.
func (k *Keeper) insist(ctx context.Context, c *chain, ev *pbxv1.Event) (done bool, err error) {
	c.busy, c.mine, c.came = true, ev.GetId(), false
	defer k.release(c)
	fence := c.last
	for !c.came {
		switch _, err := k.store(ctx, c, ev, bus.After{Subject: k.own(c.tenant), Sequence: fence}); {
		case err == nil:
			err = k.await(ctx, "its event to be read back", func() bool { return c.came })
			return c.came, err
		case fault.Is(err, fault.Conflict):
			err = k.await(ctx, "who was faster to be read", func() bool { return c.came || c.last != fence })
			return c.came, err
		case !fault.Is(err, fault.Unavailable) || ctx.Err() != nil:
			return false, err
		}
		k.pause(ctx)
	}
	return true, nil
}

// announce begins to publish what is to be, all tenants side by side.
func (k *Keeper) announce(ctx context.Context) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.live {
		return
	}
	waiting, active := 0, 0
	k.all(func(c *chain) {
		waiting += len(c.waiting)
		if c.active.Load() {
			active++
		}
		if !c.busy && c.next(k.o.Now()) != nil {
			c.busy = true
			k.publishing.Go(func() { k.drain(ctx, c) })
		}
	})
	k.metrics.waiting.Set(float64(waiting))
	k.metrics.active.Set(float64(active))
}

// drain publishes what a tenant's chain has waiting, one after another, for as long as it works.
func (k *Keeper) drain(ctx context.Context, c *chain) {
	k.mu.Lock()
	defer k.mu.Unlock()
	defer k.release(c)
	for ctx.Err() == nil {
		d := c.next(k.o.Now())
		if d == nil {
			return
		}
		c.mine = d.event.GetId()
		after := bus.After{Subject: k.own(c.tenant), Sequence: c.last}
		traced, span := k.o.Bus.Continue(context.WithoutCancel(ctx), d.trace, "derive "+k.o.Derives)
		sequence, err := k.store(traced, c, d.event, after)
		span.End()
		k.settle(c, d, sequence, err)
	}
}

// settle takes note of what became of publishing an event.
func (k *Keeper) settle(c *chain, d *derived, sequence uint64, err error) {
	switch {
	case err == nil && sequence <= k.last:
		c.leave(d) // read back already, perhaps before this core derived it
	case err == nil:
		d.stored = true
	case fault.Is(err, fault.Conflict):
		// Somebody published meanwhile, perhaps this very event: the stream will tell.
		c.mine, c.notBefore = "", k.o.Now().Add(retry)
		c.active.Store(false)
	case fault.Is(err, fault.Invalid):
		c.leave(d)
		k.o.Log.Error("left out: it can never be published", "tenant", c.tenant, "what", k.o.Derives, "err", err)
	default:
		c.notBefore = k.o.Now().Add(retry)
		k.complain(c, err)
	}
}

// pass looks for what time alone has brought, such as the end of a wrap-up, while no event comes that would tell the core
// the time. It publishes that only if nothing at all was stored since what the core knows; reading it back makes it so, in
// every replica at the same place of the stream.
func (k *Keeper) pass(ctx context.Context) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.live {
		return
	}
	now := k.o.Now()
	ev := k.o.Core.Due(now)
	if ev == nil {
		return
	}
	c := k.chain(ev.GetTenant())
	if !c.calm(k.last) || !c.active.Load() && now.Sub(ev.GetTime().AsTime()) < patience {
		return
	}
	c.busy, c.mine = true, ev.GetId()
	defer k.release(c)
	// Time alone belongs to no trace, so this begins one.
	traced, span := k.o.Bus.Continue(context.WithoutCancel(ctx), nil, "derive "+k.o.Derives)
	defer span.End()
	switch _, err := k.store(traced, c, ev, bus.After{Sequence: k.last}); {
	case fault.Is(err, fault.Conflict): // an event came, which brings the time along
		c.mine = ""
	case err != nil:
		k.complain(c, err)
	}
}

// store publishes an event of a chain that is busy, without the lock meanwhile, and returns its sequence.
func (k *Keeper) store(ctx context.Context, c *chain, ev *pbxv1.Event, after bus.After) (uint64, error) {
	k.mu.Unlock()
	limited, cancel := context.WithTimeout(ctx, publishLimit)
	defer cancel()
	sequence, err := k.o.Bus.PublishAfter(limited, ev, after)
	conflict := fault.Is(err, fault.Conflict)
	last := after.Sequence
	if conflict {
		last = k.remembered(limited, after)
	}
	k.mu.Lock()
	switch {
	case err == nil:
		c.last = max(c.last, sequence)
		c.active.Store(true)
		k.metrics.published.Inc()
	case conflict:
		k.metrics.conflicts.Inc()
	}
	if last < after.Sequence && c.last == after.Sequence {
		c.last = last
	}
	return sequence, err
}

// remembered returns the sequence that a fence should have had, as the stream may have forgotten the event that it named, by
// its age; else that of the fence.
func (k *Keeper) remembered(ctx context.Context, after bus.After) uint64 {
	if after.Subject == "" {
		return after.Sequence
	}
	last, err := k.o.Bus.Last(ctx, after.Subject)
	if err != nil {
		return after.Sequence // it is asked again after the next conflict
	}
	return min(last, after.Sequence)
}

// release lets others publish for a tenant.
func (k *Keeper) release(c *chain) {
	c.busy = false
	k.signal()
	k.moved.Broadcast()
}

// signal has announce look at once.
func (k *Keeper) signal() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// pause waits before what did not work is tried again, without the lock.
func (k *Keeper) pause(ctx context.Context) {
	k.mu.Unlock()
	defer k.mu.Lock()
	select {
	case <-ctx.Done():
	case <-time.After(retry):
	}
}

// complain logs why a tenant's events are not published, once until any is, or the reason changes.
func (k *Keeper) complain(c *chain, err error) {
	if c.complaint == err.Error() {
		return
	}
	c.complaint = err.Error()
	k.o.Log.Warn("not published, trying again", "tenant", c.tenant, "what", k.o.Derives, "err", err)
}
