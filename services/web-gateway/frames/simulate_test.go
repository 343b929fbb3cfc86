package frames_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/pbxsim/traffic"
	"github.com/switchhook/switchhook/services/web-gateway/frames"
)

// Both tenants have the same vendors and, as they are simulated, the same extensions.
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

func simulate(tb testing.TB, seed uint64, count int) (calls []*traffic.Call) {
	tb.Helper()
	all := traffic.Speakers(tb, bothTenants, traffic.Options{Seed: seed, Teams: 1})
	for n := range count {
		s := all[n%len(all)]
		calls = append(calls, s.Tell(tb, s.Team.Next(int64(n+1), noon)))
	}
	return calls
}

// stream returns all events in the order in which they happened, with contacts and results of commands between. With chaos,
// some come late, and some twice.
func stream(calls []*traffic.Call, rng *rand.Rand, chaos bool) (all []traffic.Stored) {
	add := func(at time.Time, ev *pbxv1.Event) { all = append(all, traffic.Stored{At: at, Event: ev}) }
	for _, c := range calls {
		for _, ev := range c.Events {
			at := ev.GetReceivedAt().AsTime()
			if chaos && rng.IntN(20) == 0 {
				add(at.Add(time.Duration(rng.IntN(40))*time.Second), proto.CloneOf(ev))
			}
			if chaos && rng.IntN(20) == 0 {
				at = at.Add(time.Duration(rng.IntN(20)) * time.Second)
			}
			add(at, ev)
		}
		if len(c.Events) == 0 {
			continue
		}
		first := c.Events[0]
		at := first.GetReceivedAt().AsTime().Add(time.Duration(rng.IntN(5000)) * time.Millisecond)
		if outside := event.Outside(first.GetCall()); outside.GetE164() != "" {
			add(at, derived(first, at, &pbxv1.Event_Contact{Contact: &pbxv1.Contact{
				Kind: pbxv1.Contact_RESOLVED, Party: outside, Match: &pbxv1.ContactMatch{Name: c.Tenant + outside.GetE164()},
			}}))
		}
		if extension := first.GetCall().GetExtension(); extension != "" {
			add(at, derived(first, at, &pbxv1.Event_Command{Command: &pbxv1.Command{
				Kind: pbxv1.Command_SUCCEEDED, Outcome: pbxv1.Command_DONE, Action: "originate", Extension: extension,
				IdempotencyKey: frames.Key(frames.Sender(c.Tenant, "line", extension), fmt.Sprint(c.Number)),
			}}))
		}
	}
	slices.SortStableFunc(all, func(x, y traffic.Stored) int { return x.At.Compare(y.At) })
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
