package e2e_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/switchhook/switchhook/pkg/config"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// owed is an entry of missed calls as it must be: somebody who is owed a call. It is found by a plain walk over what happened,
// as far as it is told.
type owed struct {
	number   string
	attempts []*told // in the order of their ends
	today    int     // how often the caller had been missed by then on the day of the last attempt
	failed   int     // calls back that nobody picked up
	reached  []*told // who talked to them; several only at the same second
}

// rules are what testdata/missed.yaml says of a tenant.
type rules struct {
	settle       map[string]time.Duration
	shortest     time.Duration
	closed, open time.Time // from when until when nobody is there
}

func rulesOf(tenant string) rules {
	if tenant == "globex" {
		return rules{
			settle: map[string]time.Duration{"ipex": 40 * time.Second, "mcn": 60 * time.Second}, shortest: 5 * time.Second,
			closed: moment("2026-03-28T23:30:00Z"), open: moment(springForward),
		}
	}
	return rules{settle: map[string]time.Duration{"ipex": 20 * time.Second, "mcn": 30 * time.Second, "xvb": 20 * time.Second}}
}

// happening is a moment that matters to somebody outside: a call was missed, a call back failed, or they talked. At the same
// second, that is the order.
type happening struct {
	at   time.Time
	kind int
	call *told
}

const (
	wasMissed = iota
	hasFailed
	talked
)

// happenings returns what happened at a tenant, in order. Where nobody tells when a call was answered, it counts from its
// beginning. Whether an outgoing call was answered, not every exchange tells.
func (n *books) happenings(tenant string) []happening {
	var all []happening
	for _, c := range n.told[tenant] {
		tellsAnswer := c.Direction == "incoming" || n.tells(variant{c.Vendor, c.Variant}, "outgoing: that it was answered")
		switch {
		case c.Direction == "internal" || !tellsAnswer:
		case c.Missed && c.Ended.Sub(c.start) >= rulesOf(tenant).shortest:
			all = append(all, happening{c.Ended, wasMissed, c})
		case c.Missed:
		case c.outcome == "answered" && c.answered.IsZero():
			all = append(all, happening{c.start, talked, c})
		case c.outcome == "answered":
			all = append(all, happening{c.answered, talked, c})
		default:
			all = append(all, happening{c.Ended, hasFailed, c})
		}
	}
	slices.SortStableFunc(all, func(x, y happening) int { return cmp.Or(x.at.Compare(y.at), x.kind-y.kind) })
	return all
}

// outside is the number at the other end; empty when it is withheld.
func (c *told) outside() string {
	if c.made {
		return c.Callee
	}
	return c.Caller
}

// owed returns the entries of a tenant.
func (n *books) owed(tenant *config.Tenant) (all []*owed) {
	last, today := map[string]*owed{}, map[string]int{}
	for _, h := range n.happenings(tenant.Name) {
		number := h.call.outside()
		e := last[number]
		if number == "" {
			e = nil // nobody knows who that is, so each call is of somebody else
		}
		switch {
		case h.kind == wasMissed:
			if e == nil || len(e.reached) > 0 {
				e = &owed{number: number}
				all, last[number] = append(all, e), e
			}
			day := number + h.at.In(tenant.Location).Format(time.DateOnly)
			today[day]++
			e.attempts, e.today = append(e.attempts, h.call), today[day]
			if number == "" {
				e.today = 1
			}
		case e == nil:
		case h.kind == hasFailed && len(e.reached) == 0:
			e.failed++
		case h.kind == talked && (len(e.reached) == 0 || e.reached[0].talkedAt().Equal(h.at)):
			e.reached = append(e.reached, h.call)
		}
	}
	return all
}

// talkedAt is when they began to talk, or before.
func (c *told) talkedAt() time.Time {
	if c.answered.IsZero() {
		return c.start
	}
	return c.answered
}

// ways returns the ways in which an entry may be told: which of several things at the same second was first, nobody knows.
func (n *books) ways(tenant *config.Tenant, e *owed) (ways []string) {
	end := e.attempts[len(e.attempts)-1].Ended
	for i, c := range e.attempts {
		if !c.Ended.Equal(end) {
			continue
		}
		order := append(slices.Delete(slices.Clone(e.attempts), i, i+1), c)
		if len(e.reached) == 0 {
			ways = append(ways, n.describe(tenant, e, order, nil))
		}
		for _, by := range e.reached {
			ways = append(ways, n.describe(tenant, e, order, by))
		}
	}
	return ways
}

func (n *books) describe(tenant *config.Tenant, e *owed, attempts []*told, by *told) string {
	last, r := attempts[len(attempts)-1], rulesOf(tenant.Name)
	var queue, dialled string
	var keys []string
	var opened time.Time
	for _, c := range attempts {
		v := variant{c.Vendor, c.Variant}
		queue = cmp.Or(n.queueOf(c), queue)
		if n.tells(v, "incoming: which own number was called") {
			dialled = c.Callee
		}
		if c.Key != "" {
			keys = append(keys, c.Key)
		}
		if at := c.Ended.Add(r.settle[c.Vendor]); opened.IsZero() || at.Before(opened) {
			opened = at
		}
	}
	slices.Sort(keys)
	text := fmt.Sprintf(entryFormat, len(attempts), e.today, n.contactOf(e.number), last.Vendor, last.Exchange, dialled, queue,
		last.Ended.Sub(last.start), n.reasonOf(last, r), opened.Format(time.TimeOnly), e.failed, keys)
	if by == nil {
		return text + "open"
	}
	how, at := pbxv1.MissedCall_GOT_THROUGH, by.answered
	if by.made {
		how = pbxv1.MissedCall_CALLED_BACK
	}
	if at.IsZero() {
		at = by.Ended
	}
	return text + fmt.Sprintf(resolvedFormat, how, n.spokeIn(by), at.Format(time.TimeOnly))
}

const (
	entryFormat    = "%d attempts (%d today) of %q, the last at %s %s to %q in %q for %v %s, opened %s, %d failed, calls %q, "
	resolvedFormat = "%s by %q at %s"
)

// contactOf is the name of whoever has a number.
func (n *books) contactOf(number string) string {
	if number == "" || !n.crm.knows(number) {
		return ""
	}
	return contactName(number)
}

// queueOf is the queue that a missed call is known to have waited in.
func (n *books) queueOf(c *told) string {
	if len(c.Rang) == 0 && c.queue != "" && !n.tells(variant{c.Vendor, c.Variant}, "incoming: the queue, where no phone rang") {
		return ""
	}
	return c.queue
}

// reasonOf is how a call was missed, as far as it is told. Who is known to have reached neither a phone nor a queue reached
// nothing.
func (n *books) reasonOf(c *told, r rules) pbxv1.MissedCall_Reason {
	tells := func(fact string) bool { return n.tells(variant{c.Vendor, c.Variant}, "incoming: "+fact) }
	rang := !c.rang.IsZero()
	why := tells("whether phones rang out or the caller gave up")
	if len(c.Rang) == 0 {
		why = tells("whether a phone was busy or the caller gave up")
	}
	switch scenario := strings.TrimPrefix(c.Outcome, "abandoned_"); {
	case !c.start.Before(r.closed) && c.start.Before(r.open):
		return pbxv1.MissedCall_OUTSIDE_HOURS
	case scenario == "busy" && why:
		return pbxv1.MissedCall_BUSY
	case scenario == "ringing" && why && rang:
		return pbxv1.MissedCall_ABANDONED_RINGING
	case scenario == "queue" && n.queueOf(c) != "":
		return pbxv1.MissedCall_ABANDONED_QUEUE
	case rang, scenario == "rang_out" && why:
		return pbxv1.MissedCall_RANG_OUT
	default:
		return pbxv1.MissedCall_NEVER_REACHED
	}
}

// spokeIn is the login of whoever talked, if logins are told.
func (n *books) spokeIn(c *told) string {
	if !n.tells(variant{c.Vendor, c.Variant}, c.Direction+": their login") {
		return ""
	}
	for _, leg := range c.Legs {
		if len(leg.Dialing) > 0 || leg.Extension == c.AnsweredBy {
			return leg.Login
		}
	}
	return ""
}

// shown is an entry as it is told, in the words of the truth.
func (n *books) shown(tenant string, e *pbxv1.MissedCall) string {
	text := fmt.Sprintf(entryFormat, e.GetAttempts(), e.GetAttemptsToday(), e.GetContact().GetName(), e.GetVendor(), e.GetExchange(),
		e.GetTo().GetE164(), e.GetQueue(), e.GetWait().AsDuration(), e.GetReason(), e.GetOpenedAt().AsTime().Format(time.TimeOnly),
		e.GetFailedCallbacks(), n.namedIn(tenant, e.GetCallKeys()))
	if e.GetResolvedAt() == nil {
		return text + "open"
	}
	return text + fmt.Sprintf(resolvedFormat, e.GetResolution(), e.GetResolvedBy().GetLogin(),
		e.GetResolvedAt().AsTime().Format(time.TimeOnly))
}

// namedIn returns the keys that the ledger knows; those of calls that their exchange does not name are anybody's.
func (n *books) namedIn(tenant string, keys []string) []string {
	return slices.Sorted(func(yield func(string) bool) {
		for _, key := range keys {
			if n.keys[tenant+" "+key] && !yield(key) {
				return
			}
		}
	})
}

// nameOf names an entry: who called and when the last time ended; who withholds it, by the call, if that has a name.
func nameOf(number string, keys []string, ended time.Time) string {
	if number == "" {
		number = "withheld " + strings.Join(keys, " ")
	}
	return number + " " + ended.UTC().Format(time.RFC3339)
}
