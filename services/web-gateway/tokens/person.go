package tokens

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// Person is who an identity stands for.
type Person struct {
	Name  string // as configured; may be empty
	Login string // may be empty
	Email string // may be empty
	// Lines are the person's extensions, in order; for an identity of the type line that one alone.
	Lines []string
}

// Find returns who an identity stands for, as the configuration and agent-state together know them. Where these two disagree
// about who somebody is, the configuration is right. It is fault.NotFound when no one has the identity, and fault.Invalid for
// one that cannot be.
func Find(i Identity, people []config.Person, agents iter.Seq[*pbxv1.AgentStatus]) (Person, error) {
	if !slices.Contains(Types(), i.Type) || i.Value == "" {
		return Person{}, fault.New(fault.Invalid, "identity of type %q: want a value, and one of the types %s",
			i.Type, strings.Join(Types(), ", "))
	}
	var found Person
	known := false
	add := func(p Person) {
		if !p.has(i) || p.contradicts(found) {
			return
		}
		known = true
		found.Name = cmp.Or(found.Name, p.Name)
		found.Login, found.Email = cmp.Or(found.Login, p.Login), cmp.Or(found.Email, p.Email)
		for _, line := range p.Lines {
			if line != "" && !slices.Contains(found.Lines, line) {
				found.Lines = append(found.Lines, line)
			}
		}
	}
	for _, p := range people {
		add(Person{p.Name, p.Login, p.Email, p.Extensions})
	}
	for a := range agents {
		if a.GetTenant() == i.Tenant {
			add(Person{a.GetName(), a.GetUser().GetLogin(), a.GetUser().GetEmail(), a.GetExtensions()})
		}
	}
	if !known {
		return Person{}, fault.New(fault.NotFound, "nobody at %s has the %s %q", i.Tenant, i.Type, i.Value)
	}
	if i.Type == Line {
		found.Lines = []string{i.Value}
	}
	slices.Sort(found.Lines)
	return found, nil
}

func (p Person) has(i Identity) bool {
	switch i.Type {
	case Login:
		return same(bare(p.Login), bare(i.Value))
	case Email:
		return same(p.Email, i.Value)
	}
	return slices.Contains(p.Lines, i.Value)
}

// contradicts reports whether the two cannot be the same person.
func (p Person) contradicts(o Person) bool {
	return p.Login != "" && o.Login != "" && !same(bare(p.Login), bare(o.Login)) ||
		p.Email != "" && o.Email != "" && !same(p.Email, o.Email)
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
