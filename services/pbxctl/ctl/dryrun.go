package ctl

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/switchhook/switchhook/pkg/command"
	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/phone"
	"github.com/switchhook/switchhook/pkg/service"
	"github.com/switchhook/switchhook/pkg/vendors"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// dryRun prints what an exchange would get.
func dryRun(out io.Writer, f *callFlags, r *pbxv1.CommandRequest) error {
	settings, err := service.Load(f.config, service.Part{Check: checkCommanders})
	if err != nil {
		return err
	}
	exchange, err := f.find(settings.Config)
	if err != nil {
		return fmt.Errorf("%s: %w", f.config, err)
	}
	commanders, err := vendors.Commanders(settings.Config)
	if err != nil {
		return err
	}
	commander := commanders[exchange.Origin()]
	if commander == nil {
		return fmt.Errorf("%s: the exchange %s of %s has no api section, so no commands are sent to it", f.config, exchange.Name, f.tenant)
	}
	plan, err := commander.Plan(commandOf(exchange, r))
	if err != nil {
		return err
	}
	if f.json {
		return newEncoder(out).Encode(struct {
			Method string      `json:"method"`
			URL    string      `json:"url"`
			Header http.Header `json:"header"`
			Body   string      `json:"body,omitempty"`
		}{plan.Method, plan.URL, plan.Header, string(plan.Body)})
	}
	_, err = io.WriteString(out, plan.String())
	return err
}

// checkCommanders says what is wrong with the exchanges' interfaces for commands.
func checkCommanders(c *config.Config) error {
	_, err := vendors.Commanders(c)
	return err
}

// find returns the exchange that the command line means.
func (f *callFlags) find(c *config.Config) (*config.Exchange, error) {
	at := slices.IndexFunc(c.Tenants, func(t *config.Tenant) bool { return t.Name == string(f.tenant) })
	if at < 0 {
		return nil, fmt.Errorf("there is no tenant %s", f.tenant)
	}
	var found []*config.Exchange
	var names []string
	for _, e := range c.Tenants[at].Exchanges {
		if e.Vendor == f.vendor.value && (f.exchange == "" || f.exchange == e.Name) {
			found, names = append(found, e), append(names, e.Name)
		}
	}
	switch {
	case len(found) == 0 && f.exchange != "":
		return nil, fmt.Errorf("%s has no exchange %q at %s", f.tenant, f.exchange, f.vendor.value)
	case len(found) == 0:
		return nil, fmt.Errorf("%s has no exchange at %s", f.tenant, f.vendor.value)
	case len(found) > 1:
		return nil, fmt.Errorf("%s has several exchanges at %s: say with --exchange which of %s",
			f.tenant, f.vendor.value, strings.Join(names, ", "))
	}
	return found[0], nil
}

// commandOf returns a command as command-relay would complete it, by the configuration alone. Who is at the phone is whom the
// exchange is told, also when somebody else asks.
func commandOf(e *config.Exchange, r *pbxv1.CommandRequest) command.Command {
	c := command.Command{
		ID: r.GetIdempotencyKey(), Origin: e.Origin(), Request: r, User: r.GetUser(), Extension: r.GetExtension(),
		To:     phone.Parse(r.GetOriginate().GetTo()+r.GetTransfer().GetTo(), e.Tenant.Region),
		CallID: r.GetHangup().GetCallId() + r.GetTransfer().GetCallId(),
	}
	if c.To.Kind == phone.Extension {
		c.To.Raw = c.To.Dialled()
	}
	for _, p := range e.Tenant.Agents.People {
		if slices.Contains(p.Extensions, c.Extension) {
			c.User = event.User(p.Login, p.Email)
			break
		}
	}
	return c
}
