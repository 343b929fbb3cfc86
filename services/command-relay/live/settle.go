package live

import (
	"context"
	"time"

	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/service"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/command-relay/commands"
)

// settle returns an actor that looks what became of commands whose answer was lost, from the calls that followed.
func (r *Relay) settle() (execute func() error, interrupt func(error)) {
	ctx, cancel := context.WithCancel(context.Background())
	return func() error {
			for repeated := false; service.Sleep(ctx, settling); {
				if r.Ready() != nil {
					continue
				}
				if !repeated {
					repeated = true
					r.repeat(ctx)
				}
				r.settleAll(ctx)
			}
			return nil
		}, func(error) {
			cancel()
		}
}

// repeat publishes what may not have been published, since whoever stored it crashed before. What was, JetStream passes over
// for as long as it remembers.
func (r *Relay) repeat(ctx context.Context) {
	for _, row := range r.records.Rows() {
		if r.Now().Sub(row.Value.GetSince().AsTime()) > repeatedWithin {
			continue
		}
		if err := r.tell(ctx, commands.Told(row.Value)); err != nil {
			r.Log.Warn("outcome of a command not published again", "command", row.Value.GetCommandId(), "err", err)
		}
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
		if step := commands.Abandon(rec, r.region(rec.GetTenant()), now); step.Store != nil {
			r.settleOne(ctx, key, row.Revision, step)
			continue
		}
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

// region returns a tenant's.
func (r *Relay) region(tenant string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.settings.tenants[tenant]; t != nil {
		return t.Region
	}
	return ""
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
