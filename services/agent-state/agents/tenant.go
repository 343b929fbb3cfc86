package agents

import (
	"fmt"
	"slices"
	"time"

	"github.com/switchhook/switchhook/pkg/config"
)

// defaultServiceLevel is that of tenants without one, which come from nowhere but tests and tenants that were removed.
const defaultServiceLevel = 20 * time.Second

// tenant is what is known of one tenant.
type tenant struct {
	name     string
	location *time.Location
	settings config.Agents
	wrapUps  map[string]time.Duration // by queue, where it is not the tenant's
	levels   map[string]time.Duration
	longest  time.Duration // wrap-up

	agents    map[string]*agent // by id
	logins    map[string]*agent // by login, without case
	emails    map[string]*agent // by e-mail, without case
	phones    map[string]*phone // by extension
	conflicts []string

	calls map[*record]struct{} // what is not yet folded into a day
	open  map[*record]struct{} // those that go on
	days  map[string]*day
	today span   // the day of the stream's clock
	key   string // of that day
}

// phone is an extension, and who is at it.
type phone struct {
	owner      *agent
	at         time.Time // when that was told last
	vendor     string    // by whom
	configured bool
}

func newTenant(name string) *tenant {
	return &tenant{
		name: name, location: time.UTC, agents: map[string]*agent{}, logins: map[string]*agent{},
		emails: map[string]*agent{}, phones: map[string]*phone{}, days: map[string]*day{},
		calls: map[*record]struct{}{}, open: map[*record]struct{}{},
	}
}

// set takes the settings that concern no single agent. The conflicts are forgotten, as they may be settled: those that are
// not come again.
func (t *tenant) set(location *time.Location, settings config.Agents) {
	t.location, t.settings, t.conflicts, t.today = location, settings, nil, span{}
	if location == nil {
		t.location = time.UTC
	}
	t.wrapUps, t.levels = map[string]time.Duration{}, map[string]time.Duration{}
	t.longest = settings.WrapUp
	for _, q := range settings.Queues {
		if q.WrapUp != nil {
			t.wrapUps[q.Name] = *q.WrapUp
			t.longest = max(t.longest, *q.WrapUp)
		}
		if q.ServiceLevel != nil {
			t.levels[q.Name] = *q.ServiceLevel
		}
	}
}

// wrapUp returns how long an agent finishes work after a call of a queue; zero for calls that came through none.
func (t *tenant) wrapUp(queue string) time.Duration {
	if queue == "" {
		return 0
	}
	if own, ok := t.wrapUps[queue]; ok {
		return own
	}
	return t.settings.WrapUp
}

// serviceLevel returns within which time a call of a queue should be answered.
func (t *tenant) serviceLevel(queue string) time.Duration {
	if own, ok := t.levels[queue]; ok {
		return own
	}
	if t.settings.ServiceLevel == 0 {
		return defaultServiceLevel
	}
	return t.settings.ServiceLevel
}

// maxConflicts is how many are kept: whoever has more has a single, bigger problem.
const maxConflicts = 200

func (t *tenant) conflict(format string, args ...any) {
	sentence := fmt.Sprintf(format, args...)
	if len(t.conflicts) < maxConflicts && !slices.Contains(t.conflicts, sentence) {
		t.conflicts = append(t.conflicts, sentence)
	}
}
