// Package traffic makes simulated calls into the events that an ingress would make of them, for tests of what follows the
// stream: what the exchange sends goes through the vendor's own dialect, but no HTTP and no bus.
package traffic

import (
	"fmt"
	"testing"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/ingress"
	"github.com/switchhook/switchhook/pkg/vendors"
	"github.com/switchhook/switchhook/pkg/webhook"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/pbxsim/dialect"
	"github.com/switchhook/switchhook/services/pbxsim/flow"
)

// Options are how the exchanges of a configuration are simulated.
type Options struct {
	Seed   uint64
	Teams  int  // of each variant
	Shifts bool // agents log in and pause, where the variant tells that
}

// Speaker is a variant of an exchange, with a team of its own.
type Speaker struct {
	Tenant, Vendor string
	Variant        string // as in ipex-documents
	Dialect        dialect.Dialect
	Site           flow.Site // where the team works
	Team           *flow.Team
	reader         webhook.Vendor
}

// Speakers returns those of each tenant of a configuration: one of each variant, then the second of each, and so on. Their
// teams have the same extensions, logins and outside numbers at every tenant, which are told apart by nothing else.
func Speakers(tb testing.TB, configuration string, o Options) []*Speaker {
	tb.Helper()
	c, err := config.Parse([]byte(configuration))
	if err != nil {
		tb.Fatal(err)
	}
	readers, err := vendors.New(c)
	if err != nil {
		tb.Fatal(err)
	}
	var all []*Speaker
	for _, tenant := range c.Tenants {
		var variants []*Speaker
		for _, configured := range tenant.Exchanges {
			variants = append(variants, variantsOf(tb, configured, readers[configured.Vendor])...)
		}
		for team := range o.Teams * len(variants) {
			s := *variants[team%len(variants)]
			_, tells := s.Dialect.(dialect.ShiftDialect)
			s.Site.Agents = o.Shifts && tells
			s.Team = flow.NewTeam(o.Seed, s.Site, team, team)
			all = append(all, &s)
		}
	}
	return all
}

// variantsOf returns speakers that have no team.
func variantsOf(tb testing.TB, configured *config.Exchange, reader webhook.Vendor) (all []*Speaker) {
	tb.Helper()
	e, err := dialect.New(configured)
	if err != nil {
		tb.Fatal(err)
	}
	for _, d := range e.Variants() {
		all = append(all, &Speaker{
			Tenant: e.Tenant, Vendor: e.Vendor, Variant: e.Vendor + "-" + d.Variant(), Dialect: d,
			Site: flow.Site{Tenant: e.Tenant, Region: e.Region, Scenarios: d.Scenarios()}, reader: reader,
		})
	}
	return all
}

// Call is a simulated call, who told of it, and what came of that.
type Call struct {
	*flow.Call
	Shifts          []flow.Shift // of the team, just before it
	Tenant, Variant string
	Events          []*pbxv1.Event // of the shifts, then of the call, in the order in which they happened
}

// Tell returns a call as this exchange tells it, whoever made it up, with what the team does before it.
func (s *Speaker) Tell(tb testing.TB, e flow.Episode) *Call {
	tb.Helper()
	var messages []dialect.Message
	for _, shift := range e.Shifts {
		messages = append(messages, s.Dialect.(dialect.ShiftDialect).Shift(shift))
	}
	messages = append(messages, s.Dialect.Call(e.Call)...)
	c := &Call{Call: e.Call, Shifts: e.Shifts, Tenant: s.Tenant, Variant: s.Variant}
	ids := 0
	newID := func() string {
		ids++
		return fmt.Sprintf("%d-%d", e.Call.Number, ids) // the same in every run
	}
	for _, m := range messages {
		c.Events = append(c.Events, s.read(tb, m, newID)...)
	}
	return c
}

// read returns what an ingress makes of a request that it receives when it is sent.
func (s *Speaker) read(tb testing.TB, m dialect.Message, newID func() string) []*pbxv1.Event {
	tb.Helper()
	r := webhook.Request{
		Method: m.Request.Method, Path: m.Request.Path, Query: m.Request.Query, Header: m.Request.Header,
		Body: m.Request.Body, ReceivedAt: m.At,
	}
	exchange, err := s.reader.Authenticate(r)
	if err != nil {
		tb.Fatalf("%s: %v", s.Variant, err)
	}
	reading, err := exchange.Read(r)
	if err != nil {
		tb.Fatalf("%s: %v", s.Variant, err)
	}
	ingress.Complete(reading.Events, exchange.Origin(), m.At, newID)
	return reading.Events
}
