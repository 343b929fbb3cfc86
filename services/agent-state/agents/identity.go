package agents

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/switchhook/switchhook/pkg/config"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// named is whom an event names, and when that was so.
type named struct {
	login, email, extension string
	at                      time.Time
	vendor                  string
	arrives                 bool // logs in: whoever was at another phone before has left it
}

func namedBy(user *pbxv1.User, extension string) named {
	return named{login: user.GetLogin(), email: user.GetEmail(), extension: extension}
}

// identify returns the agent that the names belong to, who may be new, and learns what the names say about one another. The
// login is the strongest name, then the e-mail address; an extension is a phone, where people come and go.
func (m *Machine) identify(t *tenant, n named) *agent {
	a := m.person(t, n)
	switch {
	case a == nil && n.extension == "":
		return nil
	case a != nil && n.extension == "":
		return a
	case a == nil:
		if p := t.phones[n.extension]; p != nil {
			return p.owner
		}
		a = m.add(t, n)
	}
	if n.at.Before(a.arrived[n.vendor]) {
		return a // they have been told to be elsewhere since
	}
	if m.claim(a, n) && n.arrives {
		m.leaveOthers(a, n)
	}
	return a
}

// person returns who has the login or the e-mail address; nil when neither is given.
func (m *Machine) person(t *tenant, n named) *agent {
	byLogin, byEmail := t.logins[fold(n.login)], t.emails[fold(n.email)]
	switch {
	case n.login == "" && n.email == "":
		return nil
	case n.login == "":
		if byEmail == nil {
			byEmail = m.add(t, n)
		}
		return byEmail
	case byLogin == nil && byEmail != nil && byEmail.login == "":
		m.name(byEmail, n.login, "")
		return byEmail
	case byLogin == nil:
		byLogin = m.add(t, named{login: n.login})
	}
	switch {
	case n.email == "" || byLogin == byEmail:
	case byEmail == nil && byLogin.person != nil && byLogin.person.Email != "":
		t.conflict("login %s: came with the e-mail address %s, but is configured with %s", n.login, n.email, byLogin.email)
	case byEmail == nil:
		m.name(byLogin, "", n.email)
	case byEmail.login == "" && byEmail.person == nil:
		m.absorb(byEmail, byLogin)
	case byEmail.login == "":
		t.conflict("e-mail address %s: came with the login %s, but is configured for somebody else", n.email, n.login)
	default:
		t.conflict("e-mail address %s: came with the login %s, but is that of the login %s", n.email, n.login, byEmail.login)
	}
	return byLogin
}

// claim puts the agent at the phone, and reports whether they are there now.
func (m *Machine) claim(a *agent, n named) bool {
	t, p := a.tenant, a.tenant.phones[n.extension]
	switch {
	case p == nil:
		t.phones[n.extension] = &phone{owner: a, at: n.at, vendor: n.vendor}
	case p.owner == a:
		if n.at.After(p.at) {
			p.at, p.vendor = n.at, n.vendor
		}
		return true
	case p.configured:
		t.conflict("extension %s: came with %s, but is configured for %s", n.extension, a, p.owner)
		return false
	case p.owner.anonymous():
		m.absorb(p.owner, a)
		p.at, p.vendor = n.at, n.vendor
	case n.at.Before(p.at):
		return false
	case p.owner.loggedIn():
		t.conflict("extension %s: came with %s, while %s is logged in there", n.extension, a, p.owner)
		return false
	default:
		p.owner.extensions = without(p.owner.extensions, n.extension)
		m.touchAgent(p.owner)
		*p = phone{owner: a, at: n.at, vendor: n.vendor}
	}
	a.extensions = with(a.extensions, n.extension)
	m.touchAgent(a)
	return true
}

// leaveOthers takes the phones from an agent that the vendor told they were at before.
func (m *Machine) leaveOthers(a *agent, n named) {
	a.arrived[n.vendor] = n.at
	for _, extension := range slices.Clone(a.extensions) {
		p := a.tenant.phones[extension]
		if extension != n.extension && p.vendor == n.vendor && !p.configured && p.at.Before(n.at) {
			delete(a.tenant.phones, extension)
			a.extensions = without(a.extensions, extension)
		}
	}
	m.touchAgent(a)
}

// add makes an agent of the names; the extension is not theirs yet.
func (m *Machine) add(t *tenant, n named) *agent {
	a := newAgent(t, t.newID(n.login, n.email, n.extension))
	t.agents[a.id] = a
	m.name(a, n.login, n.email)
	return a
}

// name gives an agent names that nobody has. The first of each kind is shown.
func (m *Machine) name(a *agent, login, email string) {
	if login != "" {
		a.login = cmp.Or(a.login, login)
		a.tenant.logins[fold(login)] = a
	}
	if email != "" {
		a.email = cmp.Or(a.email, email)
		a.tenant.emails[fold(email)] = a
	}
	m.touchAgent(a)
}

// absorb ends an agent who turned out to be another: all that is known of the first is known of the second.
func (m *Machine) absorb(from, into *agent) {
	t := from.tenant
	delete(t.agents, from.id)
	from.into = into
	m.ended = append(m.ended, from)
	m.touchAgent(from)
	m.touchAgent(into)
	into.heard = into.heard || from.heard
	hand(t.logins, from, into)
	hand(t.emails, from, into)
	into.login, into.email = cmp.Or(into.login, from.login), cmp.Or(into.email, from.email)
	for _, extension := range from.extensions {
		t.phones[extension].owner = into
		into.extensions = with(into.extensions, extension)
	}
	into.join(from)
	m.stale(into)
}

// hand gives all of an agent's names to another.
func hand(names map[string]*agent, from, into *agent) {
	for name, a := range names {
		if a == from {
			names[name] = into
		}
	}
}

// configure makes sure that everybody who is configured is an agent with all of their names.
func (m *Machine) configure(t *tenant) {
	for _, a := range t.agents {
		a.person, a.name = nil, ""
	}
	for _, p := range t.phones {
		p.configured = false
	}
	for i := range t.settings.People {
		m.configurePerson(t, &t.settings.People[i])
	}
	for _, a := range t.agents {
		if a.person == nil && !a.heard {
			m.forget(a)
		}
	}
}

// forget drops an agent who was configured once, and never heard of.
func (m *Machine) forget(a *agent) {
	of := func(_ string, other *agent) bool { return other == a }
	maps.DeleteFunc(a.tenant.agents, of)
	maps.DeleteFunc(a.tenant.logins, of)
	maps.DeleteFunc(a.tenant.emails, of)
	maps.DeleteFunc(a.tenant.phones, func(_ string, p *phone) bool { return p.owner == a })
	m.touchAgent(a)
}

func (m *Machine) configurePerson(t *tenant, p *config.Person) {
	names := named{login: p.Login, email: p.Email}
	if len(p.Extensions) > 0 {
		names.extension = p.Extensions[0]
	}
	a := t.configured(p)
	if a == nil {
		a = m.add(t, names)
	}
	a.person, a.name = p, p.Name
	m.takeName(a, t.logins, p.Login)
	m.takeName(a, t.emails, p.Email)
	a.login, a.email = cmp.Or(p.Login, a.login), cmp.Or(p.Email, a.email)
	for _, extension := range p.Extensions {
		switch at := t.phones[extension]; {
		case at == nil:
		case at.owner != a && at.owner.anonymous():
			m.absorb(at.owner, a)
		case at.owner != a:
			at.owner.extensions = without(at.owner.extensions, extension)
			m.touchAgent(at.owner)
		}
		t.phones[extension] = &phone{owner: a, configured: true}
		a.extensions = with(a.extensions, extension)
	}
	m.touchAgent(a)
}

// configured returns who is known by a name of the person: the best that is known.
func (t *tenant) configured(p *config.Person) *agent {
	if a := t.logins[fold(p.Login)]; a != nil && p.Login != "" {
		return a
	}
	if a := t.emails[fold(p.Email)]; a != nil && p.Email != "" && (p.Login == "" || a.login == "") {
		return a
	}
	for _, extension := range p.Extensions {
		if at := t.phones[extension]; at != nil && at.owner.anonymous() {
			return at.owner
		}
	}
	return nil
}

// takeName gives a configured name to its agent, whoever had it. Who had nothing better is them.
func (m *Machine) takeName(a *agent, names map[string]*agent, name string) {
	if name == "" {
		return
	}
	switch had := names[fold(name)]; {
	case had == nil || had == a:
	case had.person == nil && had.login == "":
		m.absorb(had, a)
	case fold(had.email) == fold(name):
		had.email = ""
		m.touchAgent(had)
	}
	names[fold(name)] = a
}
