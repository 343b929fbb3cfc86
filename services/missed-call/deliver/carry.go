package deliver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/notify"
	"github.com/switchhook/switchhook/pkg/service"
	"github.com/switchhook/switchhook/pkg/spans"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// carry claims a job, sends it, and records what came of it. It reports whether to go on with the next one for the receiver, and
// how long to pause if not.
func (d *Deliverer) carry(ctx context.Context, j job) (on bool, pause time.Duration) {
	if j.Dead {
		return d.drop(ctx, j)
	}
	channel, to, unreachable := d.channel(j)
	began := &pbxv1.AlertRecord{
		State: pbxv1.AlertRecord_BEGAN, At: timestamppb.New(d.Now()), Sending: d.id + "." + event.NewID(), Channel: channel.Name,
	}
	err := d.claim(ctx, j, began)
	if fault.Is(err, fault.Conflict) {
		d.Log.Debug("left to another replica", "tenant", j.Tenant, "receiver", j.Name, "err", err)
		return false, tick
	}
	if err != nil {
		d.Log.Warn("alert not claimed, trying again", "tenant", j.Tenant, "receiver", j.Name, "err", err)
		return false, retry
	}
	err = unreachable
	if err == nil {
		err = d.send(ctx, j, channel, to)
	}
	if errors.Is(err, errEnded) {
		return false, 0 // Whether it was told is for another to find out: the record says that it began.
	}
	d.settle(ctx, j, began, err)
	return err == nil, 0
}

// claim writes that the sending begins.
func (d *Deliverer) claim(ctx context.Context, j job, began *pbxv1.AlertRecord) error {
	ctx, cancel := d.writing(ctx)
	defer cancel()
	for i := range j.claims {
		c := &j.claims[i]
		c.tries++
		if err := d.put(ctx, c, began); err != nil {
			return err
		}
	}
	return nil
}

// writing returns a context for writing all records of a job.
func (d *Deliverer) writing(ctx context.Context) (context.Context, context.CancelFunc) {
	lasting, end := outlive(ctx)
	limited, cancel := context.WithTimeout(lasting, d.Lease/6)
	return limited, func() { cancel(); end() }
}

// put writes a record of a claim.
func (d *Deliverer) put(ctx context.Context, c *claim, what *pbxv1.AlertRecord) error {
	rec := &pbxv1.AlertRecord{
		State: what.GetState(), At: what.GetAt(), Sending: what.GetSending(), Channel: what.GetChannel(), Tries: c.tries,
		Error: what.GetError(), ErrorKind: what.GetErrorKind(), RetryAfter: what.GetRetryAfter(),
	}
	revision, err := d.records.Put(ctx, c.key, rec, c.revision)
	if err == nil {
		c.revision = revision
	}
	return err
}

// errEnded says that a sending was broken off since this replica ends.
var errEnded = errors.New("broken off, as the service ends")

// send has a channel send the message.
func (d *Deliverer) send(ctx context.Context, j job, channel notify.Named, to string) error {
	m, err := j.message(d.Now())
	if err != nil {
		return err
	}
	m.To = to
	lasting, cancel := outlive(ctx)
	defer cancel()
	limited, cancel := context.WithTimeout(lasting, d.Lease*2/3)
	defer cancel()
	traced, span := d.Bus.Continue(limited, d.trace(j), "tell of missed calls")
	defer span.End()
	traced, done := spans.Begin(traced, "send to a channel", "switchhook.tenant", j.Tenant, "switchhook.channel", channel.Name)
	began := d.Now()
	err = channel.Send(traced, m)
	done(err)
	d.metrics.seconds.WithLabelValues(j.Tenant, channel.Name).Observe(d.Now().Sub(began).Seconds())
	if err != nil && lasting.Err() != nil {
		return fmt.Errorf("%w: %w", errEnded, err)
	}
	return err
}

// outlive returns a context that ends a while after another.
func outlive(ctx context.Context) (context.Context, context.CancelFunc) {
	lasting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		time.AfterFunc(grace, cancel)
	})
	return lasting, func() { stop(); cancel() }
}

// settle tells the plan what came of a sending, and records it.
func (d *Deliverer) settle(ctx context.Context, j job, began *pbxv1.AlertRecord, err error) {
	now := d.Now()
	record := &pbxv1.AlertRecord{At: timestamppb.New(now), Sending: began.GetSending(), Channel: began.GetChannel()}
	ctx, cancel := outlive(ctx)
	defer cancel()
	if err == nil {
		d.mu.Lock()
		d.machine.Sent(now, j.Keys...)
		d.mu.Unlock()
		d.metrics.over(j, record.GetChannel(), "sent")
		record.State = pbxv1.AlertRecord_SENT
		d.insist(ctx, j, record)
		return
	}
	why := newFailure(err)
	d.mu.Lock()
	d.machine.Failed(now, why, j.Keys...)
	d.mu.Unlock()
	d.metrics.over(j, record.GetChannel(), "failed")
	d.Log.Warn("alert not told", "tenant", j.Tenant, "receiver", j.Name, "channel", record.GetChannel(), "step", j.Step,
		"entries", len(j.Entries), "err", err)
	record.State, record.Error, record.ErrorKind = pbxv1.AlertRecord_FAILED, err.Error(), kindOf(err).String()
	if why.after > 0 {
		record.RetryAfter = durationpb.New(why.after)
	}
	for i := range j.claims {
		// What is not written is tried again with the telling, by this replica, or by others after the lease.
		if err := d.put(ctx, &j.claims[i], record); err != nil {
			d.Log.Debug("failure not recorded", "tenant", j.Tenant, "receiver", j.Name, "err", err)
		}
	}
}

// insist records what was sent, until it is written: also where somebody else took over meanwhile.
func (d *Deliverer) insist(ctx context.Context, j job, record *pbxv1.AlertRecord) {
	for i := range j.claims {
		c := &j.claims[i]
		for said := false; ; {
			err := d.put(ctx, c, record)
			if err == nil || d.settled(c) {
				break
			}
			if !said && !fault.Is(err, fault.Conflict) {
				said = true
				d.Log.Warn("alert told, but not recorded, trying again", "tenant", j.Tenant, "receiver", j.Name, "err", err)
			}
			if !service.Sleep(ctx, retry/5) {
				return
			}
		}
	}
}

// settled takes over the revision of what somebody else may have written, and reports whether that leaves nothing to record.
func (d *Deliverer) settled(c *claim) bool {
	row := d.records.Get(c.key)
	c.revision = row.Revision
	return row.Value.GetState() == pbxv1.AlertRecord_SENT || row.Value.GetState() == pbxv1.AlertRecord_DROPPED
}
