package alerts

import (
	"fmt"
	"slices"
	"strings"
	"time"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// Settings are how a tenant is alerted, as it is configured. Without routes nobody is.
type Settings struct {
	// Routes are looked through in order, up to the first that matches and does not say to continue.
	Routes []Route `yaml:"routes"`
	// GiveUp is how long sending is tried: 1m to 720h; 24h by default.
	GiveUp time.Duration `yaml:"give_up"`
}

// DefaultSettings are the settings of a tenant that gives none.
func DefaultSettings() Settings { return Settings{GiveUp: 24 * time.Hour} }

// Route says who is told of which missed calls, and when.
type Route struct {
	// Match is what it is for; every missed call unless given.
	Match Match `yaml:"match"`
	// Receivers are told first: channels by name, or roles.
	Receivers []string `yaml:"receivers"`
	// GroupBy is what is told together; each entry by itself by default.
	GroupBy Grouping `yaml:"group_by"`
	// GroupWait is how long others of the group are waited for: 0s to 1h; nil is 10s.
	GroupWait *time.Duration `yaml:"group_wait"`
	// Repeat is after how long the receivers are told again of what is still open: at least 1m; 0 is never.
	Repeat time.Duration `yaml:"repeat"`
	// Escalation is who else is told of what is still open, in rising order.
	Escalation []Step `yaml:"escalation"`
	// OutsideHours says what becomes of alerts while it is closed.
	OutsideHours OutsideHours `yaml:"outside_hours"`
	// Continue looks for further routes behind this one.
	Continue bool `yaml:"continue"`
}

// Step is a step of an escalation.
type Step struct {
	// After is how much business time passed since the entry was opened, but for what passed while it was claimed. Routes that
	// send outside hours count all time.
	After time.Duration `yaml:"after,required"`
	// To are channels by name, or roles.
	To []string `yaml:"to,required"`
}

// The roles, which stand where names of channels do. An entry without a known responsible is the queue's, and one without a
// queue the supervisor's.
const (
	Responsible = "responsible" // the employee in charge of the caller
	Queue       = "queue"       // who takes the calls of the queue
	Supervisor  = "supervisor"
)

func isRole(name string) bool { return name == Responsible || name == Queue || name == Supervisor }

// Match says which missed calls something is for. Of each list given one has to apply; the zero value is for all.
type Match struct {
	Vendors []string `yaml:"vendors"`
	// Queues are names, as the exchange reports them.
	Queues []string `yaml:"queues"`
	// Dialled are beginnings of the number that was dialled, in E.164 or as received.
	Dialled []string `yaml:"dialled"`
	// From are beginnings of the caller's number.
	From    []string `yaml:"from"`
	Reasons []Reason `yaml:"reasons"`
	Caller  Caller   `yaml:"caller"`
}

func (m *Match) matches(vendor string, mc *pbxv1.MissedCall) bool {
	return among(m.Vendors, vendor) && among(m.Queues, mc.GetQueue()) && among(m.Reasons, Reason(mc.GetReason())) &&
		begins(m.Dialled, mc.GetTo()) && begins(m.From, mc.GetFrom()) &&
		(m.Caller == Anybody || (m.Caller == Known) == (mc.GetContact() != nil))
}

func among[T comparable](list []T, v T) bool { return len(list) == 0 || slices.Contains(list, v) }

func begins(prefixes []string, p *pbxv1.Party) bool {
	return len(prefixes) == 0 || slices.ContainsFunc(prefixes, func(prefix string) bool {
		return strings.HasPrefix(p.GetE164(), prefix) || strings.HasPrefix(p.GetNumber(), prefix)
	})
}

// Reason is how a call was missed.
type Reason pbxv1.MissedCall_Reason

// UnmarshalText reads a reason in lower case, such as abandoned_queue.
func (r *Reason) UnmarshalText(text []byte) error {
	number, known := pbxv1.MissedCall_Reason_value[strings.ToUpper(string(text))]
	if !known || number == 0 || strings.ToLower(string(text)) != string(text) {
		return oneOf(text, "rang_out", "abandoned_ringing", "abandoned_queue", "outside_hours", "busy", "never_reached")
	}
	*r = Reason(number)
	return nil
}

// Caller says whether a directory knows the caller.
type Caller int

// The kinds of caller.
const (
	Anybody Caller = iota
	Known
	Unknown
)

// UnmarshalText reads known or unknown.
func (c *Caller) UnmarshalText(text []byte) error {
	return choose(c, text, map[string]Caller{"known": Known, "unknown": Unknown})
}

// Grouping is what is told together.
type Grouping int

// The groupings.
const (
	ByEntry Grouping = iota
	ByQueue
	ByTenant
)

// UnmarshalText reads entry, queue or tenant.
func (g *Grouping) UnmarshalText(text []byte) error {
	return choose(g, text, map[string]Grouping{"entry": ByEntry, "queue": ByQueue, "tenant": ByTenant})
}

// OutsideHours is what becomes of alerts while it is closed.
type OutsideHours int

const (
	// Hold keeps them for a digest at opening.
	Hold OutsideHours = iota
	// Send sends them at once.
	Send
)

// UnmarshalText reads hold or send.
func (o *OutsideHours) UnmarshalText(text []byte) error {
	return choose(o, text, map[string]OutsideHours{"hold": Hold, "send": Send})
}

func choose[T any](into *T, text []byte, values map[string]T) error {
	v, known := values[string(text)]
	if !known {
		names := make([]string, 0, len(values))
		for name := range values {
			names = append(names, name)
		}
		slices.Sort(names)
		return oneOf(text, names...)
	}
	*into = v
	return nil
}

func oneOf(text []byte, names ...string) error {
	return fmt.Errorf("want one of %s, have %q", strings.Join(names, ", "), text)
}

const (
	defaultWait = 10 * time.Second
	longestWait = time.Hour
)

func (r *Route) wait() time.Duration {
	if r.GroupWait == nil {
		return defaultWait
	}
	return *r.GroupWait
}

// names reports whether a receiver may have been told by this route.
func (r *Route) names(to Receiver) bool {
	is := func(name string) bool { return name == to.Name || isRole(name) && isRole(to.Name) }
	return slices.ContainsFunc(r.Receivers, is) || slices.ContainsFunc(r.Escalation, func(s Step) bool {
		return slices.ContainsFunc(s.To, is)
	})
}

// Check says what is wrong with settings that could be read, by path from where they stand. It is told which channels
// there are.
func (s Settings) Check(channels []string, check func(ok bool, path, message string)) {
	check(s.GiveUp >= time.Minute && s.GiveUp <= 720*time.Hour, "give_up", "want 1m to 720h")
	for i, r := range s.Routes {
		r.check(channels, func(ok bool, path, message string) {
			check(ok, fmt.Sprintf("routes[%d].%s", i, path), message)
		})
	}
}

func (r *Route) check(channels []string, check func(ok bool, path, message string)) {
	known := func(path string, names []string) {
		for i, name := range names {
			check(isRole(name) || slices.Contains(channels, name), fmt.Sprintf("%s[%d]", path, i),
				fmt.Sprintf("want a channel, responsible, queue or supervisor, have %q", name))
		}
	}
	check(len(r.Receivers)+len(r.Escalation) > 0, "receivers", "want at least one, or an escalation")
	known("receivers", r.Receivers)
	r.Match.check(check)
	check(r.wait() >= 0 && r.wait() <= longestWait, "group_wait", "want 0s to 1h")
	check(r.Repeat == 0 || r.Repeat >= time.Minute, "repeat", "want at least 1m")
	check(r.Repeat == 0 || len(r.Receivers) > 0, "repeat", "repeats nothing without receivers")
	var before time.Duration
	for i, step := range r.Escalation {
		path := fmt.Sprintf("escalation[%d].", i)
		check(step.After > before, path+"after", "want more than 0s and than the step before")
		before = step.After
		known(path+"to", step.To)
	}
}

func (m *Match) check(check func(ok bool, path, message string)) {
	for i, prefix := range m.Dialled {
		check(prefix != "", fmt.Sprintf("match.dialled[%d]", i), "is empty")
	}
	for i, prefix := range m.From {
		check(prefix != "", fmt.Sprintf("match.from[%d]", i), "is empty")
	}
}
