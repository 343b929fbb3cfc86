package flow

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// TeamSize is the number of agents of a team, each with one extension.
const TeamSize = 4

// MaxTeams is how many teams a run can have: their outside numbers differ in six digits.
const MaxTeams = 15_000

// customers is how many outside numbers call a team, or are called by it.
const customers = 40

// Site is an exchange, as far as calls are concerned.
type Site struct {
	Tenant    string
	Region    string     // of its own numbers
	Scenarios []Scenario // what it can report; never empty
	Agents    bool       // whether it reports that agents log in and pause; else all are always there
}

// Agent is a person with a phone.
type Agent struct {
	Extension string
	Login     string
	Email     string
	Queue     string
}

// Shift is what an agent does between calls.
type Shift struct {
	At     time.Time
	Kind   ShiftKind
	Agent  *Agent
	Reason string // of a pause
}

// ShiftKind is what an agent does between calls: its text is that of the event's kind.
type ShiftKind string

// The kinds of shift.
const (
	LoggedIn  ShiftKind = "login"
	LoggedOut ShiftKind = "logout"
	Paused    ShiftKind = "paused"
	Unpaused  ShiftKind = "unpaused"
)

// Episode is a call and what the team's agents do just before it.
type Episode struct {
	Shifts []Shift
	Call   *Call
}

// Team is the people of one exchange who share a queue, and the outside numbers that they talk to. It has one call at a
// time. It is not safe for concurrent use.
type Team struct {
	seed   uint64
	site   Site
	plan   plan
	number int

	agents []*Agent
	state  map[*Agent]ShiftKind
	line   Number
	clock  time.Time // nothing happens before it
	last   *Call
}

// NewTeam returns a team before its first call. Its number is unique in the run, below MaxTeams, and makes its outside
// numbers; its place is unique in the tenant, and makes its extensions and logins.
func NewTeam(seed uint64, site Site, number, place int) *Team {
	t := &Team{seed: seed, site: site, plan: planOf(site.Region), number: number, state: map[*Agent]ShiftKind{}}
	t.line = t.plan.landline(t.index(customers))
	t.agents = members(site.Tenant, place)
	for _, agent := range t.agents {
		t.state[agent] = LoggedIn
		if site.Agents {
			t.state[agent] = LoggedOut
		}
	}
	return t
}

// members returns the people of the team at that place of a tenant.
func members(tenant string, place int) []*Agent {
	var agents []*Agent
	for i := range TeamSize {
		person := place*TeamSize + i
		login := loginName(person)
		agents = append(agents, &Agent{fmt.Sprint(100 + person), login, login + "@" + tenant + ".example", queueName(place)})
	}
	return agents
}

// People returns the people of so many teams of a tenant, those of the first team first.
func People(tenant string, teams int) []*Agent {
	var agents []*Agent
	for place := range teams {
		agents = append(agents, members(tenant, place)...)
	}
	return agents
}

// index numbers everything outside that belongs to a team.
func (t *Team) index(i int) uint64 { return uint64(t.number*64 + i) }

// Agents returns the people of the team.
func (t *Team) Agents() []*Agent { return t.agents }

// Next returns the team's next call, of that number in the run, and what comes before it. It begins now, or just after
// the team's last one if that is later: so with a now that never changes, the times depend on the calls alone.
func (t *Team) Next(number int64, now time.Time) Episode {
	if now.After(t.clock) {
		t.clock = now
	}
	rng := rand.New(rand.NewPCG(t.seed, uint64(number)))
	shifts := t.shifts(rng)
	call := t.call(rng, number)
	t.last = call
	t.clock = call.Start.Add(call.Moments[len(call.Moments)-1].At + time.Second)
	return Episode{Shifts: shifts, Call: call}
}

// shifts changes the state of the agents. At least two remain available, so that every call finds somebody.
func (t *Team) shifts(rng *rand.Rand) []Shift {
	if !t.site.Agents {
		return nil
	}
	if t.last == nil {
		return []Shift{t.shift(0, LoggedIn, rng), t.shift(1, LoggedIn, rng), t.shift(2, LoggedIn, rng)}
	}
	if rng.IntN(4) > 0 {
		return nil
	}
	i := rng.IntN(TeamSize)
	spare := len(t.available()) > 2
	switch state := t.state[t.agents[i]]; {
	case state == LoggedOut:
		return []Shift{t.shift(i, LoggedIn, rng)}
	case state == Paused && rng.IntN(10) > 0:
		return []Shift{t.shift(i, Unpaused, rng)}
	case state == Paused:
		return []Shift{t.shift(i, LoggedOut, rng)} // home, straight from the break
	case spare && rng.IntN(4) > 0:
		return []Shift{t.shift(i, Paused, rng)}
	case spare:
		return []Shift{t.shift(i, LoggedOut, rng)}
	default:
		return nil
	}
}

func (t *Team) shift(i int, kind ShiftKind, rng *rand.Rand) Shift {
	s := Shift{At: t.clock, Kind: kind, Agent: t.agents[i]}
	t.state[s.Agent] = kind
	if kind == Paused {
		reasons := []string{"Oběd", "Coffee", "Meeting", "WC", "Školení"}
		s.Reason = reasons[rng.IntN(len(reasons))]
	}
	t.clock = t.clock.Add(time.Second)
	return s
}

// available returns who can take a call.
func (t *Team) available() []*Agent {
	var free []*Agent
	for _, a := range t.agents {
		if s := t.state[a]; s == LoggedIn || s == Unpaused {
			free = append(free, a)
		}
	}
	return free
}

func queueName(place int) string {
	names := []string{"NOC", "Podpora", "Sales", "Billing", "Objednávky", "Reception", "Service", "Export"}
	return numbered(names[place%len(names)], place/len(names))
}

func loginName(person int) string {
	first := []string{"petr", "karel", "jana", "eva", "pavel", "lucie", "tomas", "hana", "marek", "alena", "ivan"}
	last := []string{"novak", "janecek", "cervenka", "horak", "kral", "pokorny", "vesely", "dvorak", "urban", "benes"}
	// The lengths have no common factor, so each pair comes once before a number is needed.
	return numbered(first[person%len(first)]+"."+last[person%len(last)], person/(len(first)*len(last)))
}

func numbered(name string, round int) string {
	if round == 0 {
		return name
	}
	return strings.TrimSpace(fmt.Sprintf("%s%d", name, round+1))
}
