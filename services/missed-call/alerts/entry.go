package alerts

import (
	"slices"
	"strings"
	"time"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/missed-call/hours"
)

// entry is what is known of one entry of the ledger.
type entry struct {
	name
	tenant   *tenant
	call     *pbxv1.MissedCall // as it was last told; nil if only receipts are known
	vendor   string
	at       time.Time // of the last event
	opened   time.Time // of the first
	resolved time.Time // zero while it is open
	attempts []attempt
	alerts   []alert
	claims   []span
	seen     map[string]struct{} // ids of events
	receipts map[Key]receipt
	trials   map[Key]*trial // of what is due

	stale bool      // must be assessed again
	due   []telling // now
	wake  time.Time // when that may change; zero: not by time
}

// attempt is an event of an entry.
type attempt struct {
	at       time.Time
	sequence int
	vendor   string
	call     *pbxv1.MissedCall
}

// alert is an entry that a route matched.
type alert struct {
	route *Route
	at    time.Time // of the attempt
	flush time.Time // when the group has been waited for
	group string
	hours *hours.Calendar
}

// span is a time; a zero end is none.
type span struct{ from, to time.Time }

type receipt struct {
	at    time.Time
	state state
}

// state is how far a telling is; a later one takes the place of an earlier one.
type state int

const (
	began state = iota + 1
	dropped
	told
)

func (e *entry) apply(a attempt) {
	if !e.resolved.IsZero() {
		return
	}
	first := e.call == nil
	e.call, e.vendor, e.at = a.call, a.vendor, a.at
	if first {
		e.opened = a.at
	}
	e.claim(a.at)
	switch {
	case a.call.GetKind() == pbxv1.MissedCall_RESOLVED:
		e.resolved = a.at
	case first || a.call.GetKind() == pbxv1.MissedCall_OPENED:
		e.attempts = append(e.attempts, a)
		e.route(a)
	}
}

// claim notes what an event says about who has claimed the entry, and until when.
func (e *entry) claim(at time.Time) {
	if n := len(e.claims); n > 0 && (e.claims[n-1].to.IsZero() || e.claims[n-1].to.After(at)) {
		e.claims[n-1].to = at
	}
	if e.call.GetClaimedBy() == nil {
		return
	}
	s := span{from: at}
	if until := e.call.GetClaimedUntil(); until != nil {
		s.to = later(until.AsTime(), at)
	}
	e.claims = append(e.claims, s)
}

// route finds the routes of an attempt. A route that matched before goes on as it is, unless other hours hold now.
func (e *entry) route(a attempt) {
	routes := e.tenant.settings.Routes
	for i := range routes {
		r := &routes[i]
		if !r.Match.matches(a.vendor, a.call) {
			continue
		}
		var business *hours.Calendar
		if r.OutsideHours == Hold {
			business = e.tenant.hours.Of(a.call.GetQueue())
		}
		if !e.routed(r, business) {
			e.alerts = append(e.alerts, e.alert(r, a, business))
		}
		if !r.Continue {
			return
		}
	}
}

func (e *entry) routed(r *Route, business *hours.Calendar) bool {
	return slices.ContainsFunc(e.alerts, func(a alert) bool { return a.route == r && a.hours == business })
}

func (e *entry) alert(r *Route, a attempt, business *hours.Calendar) alert {
	made := alert{route: r, at: a.at, flush: a.at.Add(r.wait()), hours: business}
	switch r.GroupBy {
	case ByEntry:
		made.group = "entry." + e.entry
		return made
	case ByQueue:
		made.group = "queue." + a.call.GetQueue()
	default:
		made.group = "tenant"
	}
	g := group{r, made.group}
	if flush := e.tenant.flushes[g]; a.at.Before(flush) {
		made.flush = flush
	}
	e.tenant.flushes[g] = made.flush
	return made
}

// elapsed returns when so much business time has passed since an alert, but for the time that the entry was claimed.
func (e *entry) elapsed(a *alert, d time.Duration) time.Time {
	from := a.at
	for _, c := range e.claims {
		if passed := a.hours.Between(from, later(c.from, from)); passed >= d {
			break
		} else if d -= passed; c.to.IsZero() {
			return c.from // It is claimed for good, and told to nobody.
		}
		from = later(from, c.to)
	}
	return a.hours.Add(from, d)
}

// receiver says who a channel or a role is for this entry.
func (e *entry) receiver(name string) Receiver {
	contact, queue := e.call.GetContact(), e.call.GetQueue()
	whom := contact.GetResponsibleEmail()
	if whom == "" {
		whom = contact.GetResponsibleExtension()
	}
	switch {
	case !isRole(name):
		return Receiver{Name: name}
	case name == Responsible && whom != "":
		return Receiver{Responsible, whom}
	case name != Supervisor && queue != "":
		return Receiver{Queue, queue}
	default:
		return Receiver{Name: Supervisor}
	}
}

// receivers returns who was, or may have been, told that the entry is open.
func (e *entry) receivers() map[Receiver]bool {
	all := make(map[Receiver]bool)
	for k, r := range e.receipts {
		if r.state != dropped {
			all[k.Receiver] = true
		}
	}
	return all
}

// told returns when a receiver was last told that the entry is open, zero if never, and how often that was repeated.
func (e *entry) told(to Receiver) (last time.Time, repeated int) {
	for k, r := range e.receipts {
		if k.Receiver != to || k.Step == stepResolved || r.state == began {
			continue
		}
		last = later(last, r.at)
		if strings.HasPrefix(k.Step, stepRepeat) {
			repeated++
		}
	}
	return last, repeated
}

// last returns when something was last heard of the entry.
func (e *entry) last() time.Time {
	last := e.at
	for _, r := range e.receipts {
		last = later(last, r.at)
	}
	return last
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
