package commands

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/phone"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// person is what is known of somebody.
type person struct {
	login, email string
	extensions   []string
}

// String names them, for people to read.
func (p person) String() string {
	switch {
	case p.login != "":
		return p.login
	case p.email != "":
		return p.email
	}
	return "extension " + strings.Join(p.extensions, ", ")
}

// is reports whether the names belong to the person: none of them contradicts, and at least one is the same. Where there is only an
// extension, it is whose that is.
func (p person) is(user *pbxv1.User, extension string) bool {
	login, email := bare(user.GetLogin()), user.GetEmail()
	if login == "" && email == "" {
		return slices.Contains(p.extensions, extension)
	}
	sameLogin, sameEmail := same(login, bare(p.login)), same(email, p.email)
	return (sameLogin || login == "" || p.login == "") && (sameEmail || email == "" || p.email == "") &&
		(sameLogin || sameEmail)
}

// contradicts reports whether the two cannot be the same person.
func (p person) contradicts(o person) bool {
	return p.login != "" && o.login != "" && !same(bare(p.login), bare(o.login)) ||
		p.email != "" && o.email != "" && !same(p.email, o.email)
}

// find returns what the configuration and agent-state together know of somebody. The configuration comes first: where they say
// that different people are at a phone, it is right.
func (f Facts) find(user *pbxv1.User, extension string) person {
	var found person
	add := func(p person) {
		if !p.is(user, extension) || p.contradicts(found) {
			return
		}
		found.login, found.email = cmp.Or(found.login, p.login), cmp.Or(found.email, p.email)
		for _, e := range p.extensions {
			if e != "" && !slices.Contains(found.extensions, e) {
				found.extensions = append(found.extensions, e)
			}
		}
	}
	for _, p := range f.People {
		add(person{p.Login, p.Email, p.Extensions})
	}
	for _, a := range f.Agents {
		add(person{a.GetUser().GetLogin(), a.GetUser().GetEmail(), a.GetExtensions()})
	}
	return found
}

// supervises reports whether somebody may act for others. The e-mail address that they give counts only without a login, and an
// extension only if they are known to have it.
func (p Policy) supervises(user *pbxv1.User, known person) bool {
	claimed := bare(user.GetLogin())
	if claimed == "" {
		claimed = user.GetEmail()
	}
	return slices.ContainsFunc(p.Supervisors, func(entry string) bool {
		return same(entry, claimed) || same(entry, known.login) || same(entry, known.email) ||
			slices.Contains(known.extensions, entry)
	})
}

// extension finds the phone to act on: one of the person who asks, unless they may act for others.
func (d *deciding) extension() string {
	user, extension := d.request.GetUser(), d.request.GetExtension()
	if user.GetLogin() == "" && user.GetEmail() == "" && extension == "" {
		return "the command does not say who asks: want a login, an e-mail address or an extension"
	}
	known := d.find(user, extension)
	who := known
	who.login, who.email = cmp.Or(known.login, user.GetLogin()), cmp.Or(known.email, user.GetEmail())
	switch own := known.extensions; {
	case extension == "" && len(own) == 0:
		return fmt.Sprintf("no extension of %s is known", who)
	case extension == "" && len(own) > 1:
		return fmt.Sprintf("%s has several extensions: say which of %s", who, strings.Join(own, ", "))
	case extension == "":
		extension = own[0]
	case slices.Contains(own, extension):
	case who.login == "" && who.email == "":
		// The phone itself asks, and nobody is known to sit there.
		if reason := d.stranger(extension); reason != "" {
			return reason
		}
	case d.Policy.supervises(user, known):
		return d.actFor(who, extension)
	default:
		return fmt.Sprintf("extension %s is not known to be one of %s, who may not act for others", extension, who)
	}
	d.request.User, d.request.Extension = event.User(who.login, who.email), extension
	d.command.User, d.command.Extension = d.request.GetUser(), extension
	return ""
}

// actFor lets a supervisor act on somebody else's phone. The exchange is told who sits there, not who asks.
func (d *deciding) actFor(who person, extension string) string {
	other := d.find(nil, extension)
	if len(other.extensions) == 0 {
		if reason := d.stranger(extension); reason != "" {
			return reason
		}
	}
	d.request.User, d.request.Extension = event.User(who.login, who.email), extension
	d.command.User, d.command.Extension = event.User(other.login, other.email), extension
	return ""
}

// stranger returns why an extension that nobody is known to have cannot be one. It is as good as a number that the exchange
// is told to call.
func (d *deciding) stranger(extension string) string {
	n := phone.Parse(extension, d.Region)
	switch {
	case n.Kind != phone.Extension || n.Dialled() != extension:
		return fmt.Sprintf("%q is no extension", extension)
	case phone.Emergency(n, d.Region):
		return fmt.Sprintf("%s may reach an emergency service, and nobody is known to have it as an extension", extension)
	}
	return ""
}

// bare returns a login without the domain that some exchanges put behind it.
func bare(login string) string {
	login, _, _ = strings.Cut(login, "@")
	return strings.TrimSpace(login)
}

// same reports whether two names are there, and the same but for case.
func same(a, b string) bool {
	return a != "" && strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b))
}
