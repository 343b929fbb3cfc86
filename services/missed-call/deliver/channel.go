package deliver

import (
	"net/mail"
	"slices"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/notify"
	"github.com/switchhook/switchhook/services/missed-call/alerts"
)

// channel returns what carries a job and, for mail to an employee, to whom. It is fault.Invalid when there is no such channel.
func (d *Deliverer) channel(j job) (c notify.Named, to string, err error) {
	t := j.tenant
	queue := j.Entries[0].GetQueue()
	var names []string
	switch j.Name {
	case alerts.Responsible:
		if address := t.mailbox(j.Whom); address != "" && t.Roles.Responsible != "" {
			names, to = []string{t.Roles.Responsible}, address
			break
		}
		names = t.forQueue(queue)
	case alerts.Queue:
		names = t.forQueue(j.Whom)
	case alerts.Supervisor:
		names = []string{t.Roles.Supervisor}
	default:
		names = []string{j.Name}
	}
	for _, name := range names {
		if c, known := t.channels[name]; known {
			return c, to, nil
		}
	}
	return notify.Named{}, "", fault.New(fault.Invalid, "tell %s: no channel is configured for it", j.Name)
}

// forQueue returns the channels that may be told of a queue's calls, best first.
func (t *tenant) forQueue(queue string) []string {
	return []string{t.Roles.Queues[queue], t.Roles.Queue, t.Roles.Supervisor}
}

// mailbox returns the address of an employee who is known by that, or by an extension; empty if nobody is.
func (t *tenant) mailbox(whom string) string {
	if _, err := mail.ParseAddress(whom); err == nil {
		return whom
	}
	at := slices.IndexFunc(t.Agents.People, func(p config.Person) bool { return slices.Contains(p.Extensions, whom) })
	if at < 0 {
		return ""
	}
	return t.Agents.People[at].Email
}
