package frames_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/vendors"
	"github.com/switchhook/switchhook/pkg/webhook"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/pbxsim/dialect"
	"github.com/switchhook/switchhook/services/pbxsim/flow"
	"github.com/switchhook/switchhook/services/web-gateway/frames"
)

// Both tenants have the same vendors and, below, the same extensions.
const bothTenants = `
tenants:
  - name: acme
    region: CZ
    timezone: Europe/Prague
    exchanges:
      - {vendor: ipex, webhook: {username: acme, password: hook-password}}
      - {vendor: mcn, webhook: {account_id: 10123, secret: SecretToken}}
      - {vendor: xvb, webhook: {access_code: "10019"}}
      - {vendor: xvb, name: family, webhook: {crm_token: family-token}}
  - name: globex
    region: CZ
    timezone: Europe/Prague
    exchanges:
      - {vendor: ipex, webhook: {username: globex, password: other-password}}
      - {vendor: mcn, webhook: {account_id: 10124, secret: OtherToken}}
      - {vendor: xvb, webhook: {access_code: "10020"}}
      - {vendor: xvb, name: family, webhook: {crm_token: other-family}}
`

// speaker is one variant of a tenant's exchange, with a team of its own.
type speaker struct {
	tenant, variant string
	dialect         dialect.Dialect
	team            *flow.Team
	reader          webhook.Vendor
}

func speakers(tb testing.TB, seed uint64) (all []speaker) {
	tb.Helper()
	c, err := config.Parse([]byte(bothTenants))
	if err != nil {
		tb.Fatal(err)
	}
	readers, err := vendors.New(c)
	if err != nil {
		tb.Fatal(err)
	}
	for _, tenant := range c.Tenants {
		number := 0
		for _, configured := range tenant.Exchanges {
			e, err := dialect.New(configured)
			if err != nil {
				tb.Fatal(err)
			}
			for _, d := range e.Variants() {
				site := flow.Site{Tenant: e.Tenant, Region: e.Region, Scenarios: d.Scenarios()}
				team := flow.NewTeam(seed, site, number, number)
				all = append(all, speaker{tenant.Name, e.Vendor + "-" + d.Variant(), d, team, readers[e.Vendor]})
				number++
			}
		}
	}
	return all
}

// made is a made-up call and the events about it.
type made struct {
	*flow.Call
	tenant, variant string
	events          []*pbxv1.Event
}

func (s speaker) make(tb testing.TB, c *flow.Call) *made {
	tb.Helper()
	m := &made{Call: c, tenant: s.tenant, variant: s.variant}
	for i, message := range s.dialect.Call(c) {
		r := webhook.Request{
			Method: message.Request.Method, Path: message.Request.Path, Query: message.Request.Query,
			Header: message.Request.Header, Body: message.Request.Body, ReceivedAt: message.At,
		}
		exchange, err := s.reader.Authenticate(r)
		if err != nil {
			tb.Fatal(err)
		}
		reading, err := exchange.Read(r)
		if err != nil {
			tb.Fatal(err)
		}
		for j, ev := range reading.Events {
			exchange.Origin().Stamp(ev)
			ev.ReceivedAt = timestamppb.New(message.At)
			if ev.GetTime() == nil {
				ev.Time = ev.GetReceivedAt()
			}
			ev.Id = fmt.Sprintf("%s-%d-%d-%d", s.tenant, c.Number, i, j)
			m.events = append(m.events, ev)
		}
	}
	return m
}

func simulate(tb testing.TB, seed uint64, calls int) (traffic []*made) {
	tb.Helper()
	all := speakers(tb, seed)
	for n := range calls {
		s := all[n%len(all)]
		traffic = append(traffic, s.make(tb, s.team.Next(int64(n+1), noon).Call))
	}
	return traffic
}

// stored is an event with when it was stored.
type stored struct {
	at time.Time
	ev *pbxv1.Event
}

// stream returns all events in the order in which they happened, with contacts and results of commands between. With chaos,
// some come late, and some twice.
func stream(traffic []*made, rng *rand.Rand, chaos bool) (all []stored) {
	add := func(at time.Time, ev *pbxv1.Event) { all = append(all, stored{at, ev}) }
	for _, c := range traffic {
		for _, ev := range c.events {
			at := ev.GetReceivedAt().AsTime()
			if chaos && rng.IntN(20) == 0 {
				add(at.Add(time.Duration(rng.IntN(40))*time.Second), proto.CloneOf(ev))
			}
			if chaos && rng.IntN(20) == 0 {
				at = at.Add(time.Duration(rng.IntN(20)) * time.Second)
			}
			add(at, ev)
		}
		if len(c.events) == 0 {
			continue
		}
		first := c.events[0]
		at := first.GetReceivedAt().AsTime().Add(time.Duration(rng.IntN(5000)) * time.Millisecond)
		if outside := event.Outside(first.GetCall()); outside.GetE164() != "" {
			add(at, derived(first, at, &pbxv1.Event_Contact{Contact: &pbxv1.Contact{
				Kind: pbxv1.Contact_RESOLVED, Party: outside, Match: &pbxv1.ContactMatch{Name: c.tenant + outside.GetE164()},
			}}))
		}
		if extension := first.GetCall().GetExtension(); extension != "" {
			add(at, derived(first, at, &pbxv1.Event_Command{Command: &pbxv1.Command{
				Kind: pbxv1.Command_SUCCEEDED, Outcome: pbxv1.Command_DONE, Action: "originate", Extension: extension,
				IdempotencyKey: frames.Key(frames.Sender(c.tenant, "line", extension), fmt.Sprint(c.Number)),
			}}))
		}
	}
	slices.SortStableFunc(all, func(x, y stored) int { return x.at.Compare(y.at) })
	return all
}

func derived(of *pbxv1.Event, at time.Time, payload any) *pbxv1.Event {
	ev := &pbxv1.Event{
		Vendor: of.GetVendor(), Tenant: of.GetTenant(), Exchange: of.GetExchange(),
		Time: timestamppb.New(at), ReceivedAt: timestamppb.New(at),
	}
	switch p := payload.(type) {
	case *pbxv1.Event_Contact:
		ev.Payload = p
	case *pbxv1.Event_Command:
		ev.Payload = p
	}
	return ev
}
