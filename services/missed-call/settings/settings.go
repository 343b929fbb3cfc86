// Package settings reads what the configuration says about missed calls. It reads the files of templates, and connects to
// nothing.
package settings

import (
	"errors"
	"strings"
	"time"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/notify"
	"github.com/switchhook/switchhook/services/missed-call/alerts"
	"github.com/switchhook/switchhook/services/missed-call/hours"
	"github.com/switchhook/switchhook/services/missed-call/missed"
)

// Tenant says what is to be done about the missed calls of a tenant.
type Tenant struct {
	*config.Tenant
	// Missed are complete: what is open is what Hours say.
	Missed missed.Settings
	// Hours are nil unless they are given: the tenant is always open then.
	Hours *hours.Hours
	// Alerts have one route, to every channel, if the file gives no routes. Without channels there is none either.
	Alerts alerts.Settings
	Roles  Roles
	// Language is one of notify.Languages.
	Language string
	// Link is the address of an entry, with {id} and maybe {tenant} in it; it may be empty.
	Link string
	// Templates are never nil. Tenants without a folder of their own share them.
	Templates *notify.Templates
}

// section is what stands under missed_calls.
type section struct {
	Settle        map[string]time.Duration `yaml:"settle"`
	IgnoreBelow   time.Duration            `yaml:"ignore_below"`
	IgnoreUnended bool                     `yaml:"ignore_unended"`
	ClaimExpiry   time.Duration            `yaml:"claim_expiry"`
	Expiry        time.Duration            `yaml:"expiry"`
	Language      string                   `yaml:"language"`
	Link          string                   `yaml:"link"`
	Templates     string                   `yaml:"templates"`
	Hours         *hours.Settings          `yaml:"hours"`
	Roles         Roles                    `yaml:"roles"`
	Alerts        alerts.Settings          `yaml:"alerts"`
}

func defaults() section {
	return section{
		ClaimExpiry: 15 * time.Minute, Expiry: 7 * 24 * time.Hour, Language: "en", Alerts: alerts.DefaultSettings(),
	}
}

// Read returns the settings of all tenants, in the order of the file. Of channels it looks at names and types alone. The error
// holds config.Problems.
func Read(c *config.Config) ([]Tenant, error) {
	var all []Tenant
	var errs []error
	loaded := library{}
	for _, t := range c.Tenants {
		tenant, err := read(t, loaded)
		all, errs = append(all, tenant), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return all, nil
}

// Check returns what Read does, and what is wrong with channels, as an error that holds config.Problems, or nil.
func Check(c *config.Config) error {
	_, err := Read(c)
	errs := []error{err}
	for _, t := range c.Tenants {
		errs = append(errs, notify.Check(t.Channels))
	}
	return errors.Join(errs...)
}

func read(t *config.Tenant, loaded library) (Tenant, error) {
	s := defaults()
	if err := t.MissedCalls.Decode(&s); err != nil {
		return Tenant{}, err
	}
	templates, err := loaded.open(&t.MissedCalls, s.Templates)
	if err := errors.Join(append(s.problems(t), err)...); err != nil {
		return Tenant{}, err
	}
	if s.Alerts.Routes == nil && len(t.Channels) > 0 {
		s.Alerts.Routes = []alerts.Route{{Receivers: channels(t)}}
	}
	var business *hours.Hours
	if s.Hours != nil {
		business = hours.New(*s.Hours, t.Location)
	}
	return Tenant{
		Tenant: t, Hours: business, Alerts: s.Alerts, Roles: s.Roles, Language: s.Language, Link: s.Link, Templates: templates,
		Missed: missed.Settings{
			Tenant: t.Name, Location: t.Location, Settle: s.Settle, IgnoreBelow: s.IgnoreBelow, IgnoreUnended: s.IgnoreUnended,
			Open:        func(_, queue string, at time.Time) bool { return business.Of(queue).Open(at) },
			ClaimExpiry: s.ClaimExpiry, Expiry: s.Expiry,
		},
	}, nil
}

// channels returns the names of a tenant's channels.
func channels(t *config.Tenant) []string {
	var names []string
	for _, c := range t.Channels {
		names = append(names, c.Name)
	}
	return names
}

// library keeps templates by folder, since trying them takes a while.
type library map[string]*notify.Templates

func (l library) open(section *config.Section, folder string) (*notify.Templates, error) {
	if folder != "" {
		folder = section.Path(folder)
	}
	if l[folder] == nil {
		templates, err := notify.Load(folder)
		if err != nil {
			return nil, section.Problem("templates", "%s", strings.TrimPrefix(err.Error(), "templates: "))
		}
		l[folder] = templates
	}
	return l[folder], nil
}
