package agents

import (
	"slices"
	"time"

	"github.com/switchhook/switchhook/pkg/call"
	"github.com/switchhook/switchhook/pkg/config"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// agent is one person, or a phone that nobody is known to be at.
type agent struct {
	tenant       *tenant
	id, key      string
	login, email string   // as told first, or configured
	extensions   []string // where they are, sorted
	name         string   // as configured
	person       *config.Person
	heard        bool                 // of them, by more than the configuration
	into         *agent               // who they turned out to be
	arrived      map[string]time.Time // by vendor, when they logged in at a phone last

	word    word
	records []*record // the calls of theirs that may still matter

	now  situation
	wrap wrapUp // what ends by time; in the state WRAP_UP only
	heap int    // where that stands among the timers; -1 for nowhere

	settled time.Time // up to when their time is counted in the days; zero for never
	entered segment   // what they did then
}

// situation is the state of an agent, with what belongs to it.
type situation struct {
	activity
	since     time.Time // zero when nobody told anything yet
	direction pbxv1.Call_Direction
	call      *call.Call // that rings, or is talked in; or was, before a wrap-up
}

// wrapUp is the time after a queue call.
type wrapUp struct {
	until    time.Time
	call     *call.Call
	sequence uint64 // of the event that set the time
}

func newAgent(t *tenant, id string) *agent {
	unknown := activity{state: pbxv1.AgentState_UNKNOWN}
	return &agent{
		tenant: t, id: id, key: t.name + "." + id, word: newWord(), now: situation{activity: unknown}, heap: -1,
		arrived: map[string]time.Time{},
	}
}

// String names the agent for a human.
func (a *agent) String() string {
	switch {
	case a.login != "":
		return "the login " + a.login
	case a.email != "":
		return "the e-mail address " + a.email
	default:
		return "the agent " + a.id
	}
}

// anonymous reports whether nothing but a phone is known.
func (a *agent) anonymous() bool { return a.login == "" && a.email == "" && a.person == nil }

// loggedIn is what the exchange said last.
func (a *agent) loggedIn() bool {
	s := a.word.last().state
	return s == pbxv1.AgentState_AVAILABLE || s == pbxv1.AgentState_PAUSED
}

// user returns the strong names.
func (a *agent) user() *pbxv1.User {
	if a.login == "" && a.email == "" {
		return nil
	}
	return &pbxv1.User{Login: a.login, Email: a.email}
}

// join takes what is known of an agent who turned out to be this one.
func (a *agent) join(from *agent) {
	a.word.join(&from.word)
	for _, r := range from.records {
		for i := range r.owners {
			if r.owners[i].agent == from {
				r.owners[i].agent = a
			}
		}
		if !slices.Contains(a.records, r) {
			a.records = append(a.records, r)
		}
	}
	if a.settled.IsZero() {
		a.settled, a.entered = from.settled, from.entered
	}
	for _, d := range a.tenant.days {
		d.join(from.id, a.id)
	}
}

// with returns a sorted list that has a name.
func with(names []string, name string) []string {
	at, found := slices.BinarySearch(names, name)
	if found {
		return names
	}
	return slices.Insert(names, at, name)
}

// without returns a sorted list that does not have a name.
func without(names []string, name string) []string {
	return slices.DeleteFunc(names, func(s string) bool { return s == name })
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
