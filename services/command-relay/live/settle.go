package live

import (
	"context"
	"time"

	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/command-relay/commands"
)

// settle returns an actor that looks what became of commands whose answer was lost, from the calls that followed.
func (r *Relay) settle() (execute func() error, interrupt func(error)) {
	ctx, cancel := context.WithCancel(context.Background())
	return func() error {
			for sleep(ctx, settling) {
				if r.Ready() == nil {
					r.settleAll(ctx)
				}
			}
			return nil
		}, func(error) {
			cancel()
		}
}

func (r *Relay) settleAll(ctx context.Context) {
	now := r.Now()
	young, lost := map[string][]*pbxv1.CommandRecord{}, map[string]bool{}
	revisions, keys := map[string]uint64{}, map[string]string{}
	for key, row := range r.records.Rows() {
		rec := row.Value
		if now.Sub(rec.GetTakenAt().AsTime()) > settledWithin {
			continue
		}
		young[rec.GetTenant()] = append(young[rec.GetTenant()], rec)
		keys[rec.GetCommandId()], revisions[rec.GetCommandId()] = key, row.Revision
		lost[rec.GetTenant()] = lost[rec.GetTenant()] || rec.GetOutcome().GetOutcome() == pbxv1.Command_UNKNOWN
	}
	for tenant := range lost {
		if !lost[tenant] {
			continue
		}
		r.mu.Lock()
		calls, settings := r.calls(tenant), r.settings.tenants[tenant]
		r.mu.Unlock()
		if settings == nil {
			continue
		}
		for _, step := range commands.Settle(young[tenant], calls, settings.Region, now) {
			id := step.Store.GetCommandId()
			r.settleOne(ctx, keys[id], revisions[id], step)
		}
	}
}

// settleOne stores and publishes; when somebody else was faster, there is nothing left to do.
func (r *Relay) settleOne(ctx context.Context, key string, revision uint64, step commands.Step) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if _, err := r.records.Put(ctx, key, step.Store, revision); err != nil {
		if !fault.Is(err, fault.Conflict) {
			r.Log.Warn("lost command not settled, trying again", "err", err)
		}
		return
	}
	if err := r.tell(ctx, step); err != nil {
		r.Log.Error("lost command settled, and nobody was told", "command", step.Store.GetCommandId(), "err", err)
	}
}
