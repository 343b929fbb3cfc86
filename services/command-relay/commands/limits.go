package commands

import (
	"fmt"
	"strings"
	"time"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

const (
	// minute is what limits are counted over.
	minute = time.Minute
	// skew is how far the clocks of two replicas may be apart.
	skew = 10 * time.Second
)

// Limits knows which commands go on, and which were carried out within the last minute, from the records of the bucket alone: a
// replica that starts applies them all, in any order, and then each change.
//
// Replicas agree on who came first by the revisions of the bucket. A command is checked when its record says that it is taken,
// with every record applied that is older than that revision, and is refused for those before it. So of two for one phone, at
// two replicas at once, one is sent; and never more in a minute than allowed. It is not safe for concurrent use.
type Limits struct {
	commands map[string]counted
}

// counted is what the limits need of a record.
type counted struct {
	revision           uint64
	tenant, user       string
	phone              string // tells apart the phones of all exchanges
	action             string
	taken, free        time.Time // free: when it holds up its phone no more, should nothing more be heard of it
	waiting, over, ran bool      // ran: it was carried out, or may yet be
}

// NewLimits returns limits that know of no command.
func NewLimits() *Limits { return &Limits{make(map[string]counted)} }

// Apply takes a record as it is at a revision. Older revisions of what is known change nothing.
func (l *Limits) Apply(rec *pbxv1.CommandRecord, revision uint64) {
	if l.commands[rec.GetCommandId()].revision < revision {
		l.commands[rec.GetCommandId()] = count(rec, revision)
	}
}

// Forget drops what cannot matter any more.
func (l *Limits) Forget(now time.Time) {
	for id, c := range l.commands {
		if now.Sub(c.taken) >= minute+skew && (c.over || now.After(c.free)) {
			delete(l.commands, id)
		}
	}
}

// Check returns why a command that is taken must not be sent now, or nothing. Revision is that of the record.
func (l *Limits) Check(rec *pbxv1.CommandRecord, revision uint64, p Policy, now time.Time) string {
	own := count(rec, revision)
	user, tenant := 0, 0
	for id, c := range l.commands {
		switch {
		case id == rec.GetCommandId() || c.tenant != own.tenant || c.waiting && c.revision > revision:
			continue
		case c.phone == own.phone && !c.over && now.Before(c.free):
			return fmt.Sprintf("another command (%s) for extension %s is still under way", c.action, rec.GetRequest().GetExtension())
		}
		if c.ran && now.Sub(c.taken) < minute {
			tenant++
			if c.user == own.user {
				user++
			}
		}
	}
	switch {
	case user >= p.PerUserMinute:
		return fmt.Sprintf("%d commands of this person within a minute, no more are allowed: try later", user)
	case tenant >= p.PerTenantMinute:
		return fmt.Sprintf("%d commands of %s within a minute, no more are allowed: try later", tenant, own.tenant)
	}
	return ""
}

func count(rec *pbxv1.CommandRecord, revision uint64) counted {
	r, outcome := rec.GetRequest(), rec.GetOutcome().GetOutcome()
	c := counted{
		revision: revision, tenant: rec.GetTenant(), user: userKey(r), action: string(actionOf(r)),
		phone: originOf(rec).String() + "/" + r.GetExtension(), taken: rec.GetTakenAt().AsTime(),
		waiting: rec.GetStage() == pbxv1.CommandRecord_TAKEN, over: rec.GetStage() == pbxv1.CommandRecord_OVER,
		ran: outcome != pbxv1.Command_REFUSED && outcome != pbxv1.Command_EXPIRED,
	}
	c.free = rec.GetSince().AsTime().Add(Grace)
	if c.waiting {
		// Whoever has not seen the bucket for a while must not miss that it was sent at the last moment.
		c.free = r.GetExpiresAt().AsTime().Add(Grace)
	}
	return c
}

// userKey names who asks, by the best of their names. The record's request was completed, so it is the same for all that the
// person asks, whichever name they give.
func userKey(r *pbxv1.CommandRequest) string {
	switch u := r.GetUser(); {
	case u.GetLogin() != "":
		return "login " + strings.ToLower(bare(u.GetLogin()))
	case u.GetEmail() != "":
		return "email " + strings.ToLower(strings.TrimSpace(u.GetEmail()))
	}
	return "extension " + r.GetExtension()
}
