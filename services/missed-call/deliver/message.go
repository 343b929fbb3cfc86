package deliver

import (
	"time"

	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/notify"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/missed-call/alerts"
)

// message writes what a job says.
func (j job) message(now time.Time) (notify.Message, error) {
	kind, level := j.kind()
	t := j.tenant
	d := notify.Data{
		Tenant: t.Name, Region: t.Region, Location: t.Location, Now: now, Link: t.Link, Entries: j.Entries, Level: level,
	}
	if kind == notify.Digest && j.Entries[0].GetOpenedAt() != nil {
		d.Since = j.Entries[0].GetOpenedAt().AsTime()
	}
	written, err := t.Templates.Render(t.Language, kind, d)
	return notify.Message{
		ID: j.id(), Thread: j.thread(), Kind: kind, Tenant: t.Name, Time: j.happened(), Rendered: written, Entries: j.Entries,
	}, err
}

// kind says what a job is about and, for what was escalated, to whom.
func (j job) kind() (kind notify.Kind, level string) {
	first := j.Entries[0]
	after, err := time.ParseDuration(j.Step)
	switch {
	case len(j.Entries) > 1:
		return notify.Digest, ""
	case j.Resolved && first.GetResolution() == pbxv1.MissedCall_WITHDRAWN:
		return notify.Withdrawn, ""
	case j.Resolved:
		return notify.Resolved, ""
	case err != nil: // a repetition
		return notify.Escalated, ""
	case after > 0:
		return notify.Escalated, j.Name
	case first.GetAttempts() > 1:
		return notify.Again, ""
	default:
		return notify.Opened, ""
	}
}

// id names a job by all that it tells, so that whoever sends it again gives it the same name.
func (j job) id(prefix ...string) string {
	for _, k := range j.Keys {
		prefix = append(prefix, k.String())
	}
	return event.DerivedID(event.Origin{Tenant: j.Tenant}, prefix...)
}

// thread names the first message about the same: for one entry, what the receiver is told of it first. A digest goes on with
// nothing.
func (j job) thread() string {
	switch {
	case len(j.Entries) == 1:
		first := j
		first.Keys = []alerts.Key{{Tenant: j.Tenant, Entry: j.Entries[0].GetId(), Step: "0s", Receiver: j.Receiver}}
		return first.id()
	case j.Digest:
		return ""
	default:
		return event.DerivedID(event.Origin{Tenant: j.Tenant}, "thread", j.Name, j.Whom, j.Thread)
	}
}

// happened returns when the last of what it tells happened.
func (j job) happened() (last time.Time) {
	for _, e := range j.Entries {
		at := e.GetMissedAt()
		if e.GetResolvedAt() != nil {
			at = e.GetResolvedAt()
		}
		if at.AsTime().After(last) {
			last = at.AsTime()
		}
	}
	return last
}
