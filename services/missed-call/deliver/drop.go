package deliver

import (
	"cmp"
	"context"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// serviceName is whose part of the quarantine it is.
const serviceName = "missed-call"

// drop puts what nobody could be told into the quarantine, and records it. When either cannot be written, all is tried again:
// the quarantine knows it by its id.
func (d *Deliverer) drop(ctx context.Context, j job) (on bool, pause time.Duration) {
	ctx, cancel := d.writing(ctx)
	defer cancel()
	now := d.Now()
	q := j.quarantined(now)
	if err := d.Bus.Quarantine(ctx, q); err != nil {
		d.Log.Warn("alert not put into the quarantine, trying again", "tenant", j.Tenant, "receiver", j.Name, "err", err)
		return false, retry
	}
	record := &pbxv1.AlertRecord{
		State: pbxv1.AlertRecord_DROPPED, At: timestamppb.New(now), Sending: d.id + "." + event.NewID(),
		Error: q.GetError(), ErrorKind: kindOf(j.Err).String(),
	}
	for i := range j.claims {
		c := &j.claims[i]
		if err := d.put(ctx, c, record); err != nil {
			if !fault.Is(err, fault.Conflict) { // Else somebody was faster.
				d.Log.Warn("alert in the quarantine, but not recorded, trying again", "tenant", j.Tenant, "receiver", j.Name, "err", err)
			}
			return false, retry
		}
		d.mu.Lock()
		d.machine.Dropped(now, c.telling)
		d.mu.Unlock()
	}
	d.metrics.quarantined.Add(q, cause(j.Err))
	channel, _, _ := d.channel(j)
	d.metrics.over(j, channel.Name, "dropped")
	d.Log.Error("alert given up, it is in the quarantine", "tenant", j.Tenant, "receiver", j.Name, "step", j.Step,
		"entries", len(j.Entries), "quarantined", q.GetId(), "err", q.GetError())
	return true, 0
}

// cause is why nobody could be told, in a word.
func cause(err error) string {
	if err == nil {
		return "not_reached"
	}
	return strings.ReplaceAll(kindOf(err).String(), " ", "_")
}

// quarantined is what goes into the quarantine.
func (j job) quarantined(now time.Time) *pbxv1.Quarantined {
	first, why := j.Entries[0], "its receiver has not been reached for too long"
	if j.Err != nil {
		why = j.Err.Error()
	}
	return &pbxv1.Quarantined{
		Id: j.id("quarantine"), ReceivedAt: timestamppb.New(now), Tenant: j.Tenant, Service: serviceName, Error: why,
		Vendor: cmp.Or(first.GetVendor(), j.tenant.Exchanges[0].Vendor), Exchange: first.GetExchange(),
		Content: &pbxv1.Quarantined_Alert{Alert: &pbxv1.Alert{
			Receiver: j.Name, Whom: j.Whom, Step: j.Step, MissedCalls: j.Entries,
		}},
	}
}
