package settings

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/switchhook/switchhook/services/missed-call/alerts"
)

// Roles are the channels, by name, that stand behind the roles of routes. Each may be empty, but for those that a route names
// and those that then take their place: the queue where nobody is responsible, and the supervisor where there is no queue.
type Roles struct {
	// Responsible is a channel of type email: the mail goes to the employee instead of the channel's own recipients.
	Responsible string `yaml:"responsible"`
	// Queue is for queues that have none of their own.
	Queue string `yaml:"queue"`
	// Queues are for queues by name, as the exchange reports it.
	Queues     map[string]string `yaml:"queues"`
	Supervisor string            `yaml:"supervisor"`
}

// role is one of them.
type role struct {
	name, channel string
	instead       string // when it takes the place of the one before
}

// list returns the roles, each before the one that takes its place.
func (r Roles) list() []role {
	return []role{
		{alerts.Responsible, r.Responsible, ""},
		{alerts.Queue, r.Queue, "of callers without a responsible"},
		{alerts.Supervisor, r.Supervisor, "of calls without a queue"},
	}
}

// check looks at the channels of roles, and for channels whose names would be taken for roles.
func (r Roles) check(c *checker) {
	types := make(map[string]string)
	for _, channel := range c.Channels {
		types[channel.Name] = channel.Type
		if slices.ContainsFunc(r.list(), func(role role) bool { return role.name == channel.Name }) {
			c.found = append(c.found, channel.Problem("name", "%s is a role: give the channel another name", channel.Name))
		}
	}
	known := func(path, channel string) {
		c.check(types[channel] != "", path, fmt.Sprintf("want the name of a channel, have %q", channel))
	}
	for _, role := range r.list() {
		if role.channel != "" {
			known("roles."+role.name, role.channel)
		}
	}
	for _, queue := range slices.Sorted(maps.Keys(r.Queues)) {
		known(entry("roles.queues", queue), r.Queues[queue])
	}
	c.check(cmp.Or(types[r.Responsible], "email") == "email", "roles.responsible",
		fmt.Sprintf("want a channel of type email, have one of type %s", types[r.Responsible]))
}

// checkUse looks for roles that routes need and that have no channel. Each is said once, where it is first needed.
func (r Roles) checkUse(c *checker, routes []alerts.Route) {
	said := make(map[string]bool)
	use := func(path string, names []string) {
		for i, name := range names {
			for _, missing := range r.missing(name) {
				if !said[missing.name] {
					c.check(false, fmt.Sprintf("alerts.%s[%d]", path, i), missing.why(name))
				}
				said[missing.name] = true
			}
		}
	}
	for i, route := range routes {
		use(fmt.Sprintf("routes[%d].receivers", i), route.Receivers)
		for j, step := range route.Escalation {
			use(fmt.Sprintf("routes[%d].escalation[%d].to", i, j), step.To)
		}
	}
}

// missing returns which of a role and those that take its place have no channel; none for the name of a channel.
func (r Roles) missing(name string) []role {
	all := r.list()
	at := slices.IndexFunc(all, func(role role) bool { return role.name == name })
	if at < 0 {
		return nil
	}
	return slices.DeleteFunc(all[at:], func(role role) bool { return role.channel != "" })
}

// why says of a role without a channel what it is needed for.
func (r role) why(named string) string {
	if r.name == named {
		return fmt.Sprintf("%s wants a channel under roles.%s", named, r.name)
	}
	return fmt.Sprintf("%s wants a channel under roles.%s too: it is told %s", named, r.name, r.instead)
}
