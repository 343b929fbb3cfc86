package live_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/contact-lookup/live"
)

// tenantOf is a tenant whose directories follow.
const tenantOf = `tenants:
  - name: acme
    region: CZ
    exchanges:
      - vendor: ipex
    directories:
`

// impatient is one that does not wait for them.
var impatient = strings.Replace(tenantOf, "    directories", "    contacts: {deadline: 300ms}\n    directories", 1)

// crm is a stub of a customer's CRM.
type crm struct {
	*httptest.Server
	asked atomic.Int32
	hold  chan struct{} // answers wait for it
}

func newCRM(t *testing.T) *crm {
	c := &crm{hold: make(chan struct{})}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.asked.Add(1)
		select {
		case <-c.hold:
		case <-r.Context().Done():
			return
		}
		var found []map[string]string
		if number := r.URL.Query().Get("phone"); number != "+420608000000" {
			found = append(found, map[string]string{"name": "CRM knows " + number, "extension": "100"})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"found": found})
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *crm) directory() string {
	return fmt.Sprintf(`      - type: http
        name: crm
        url: %s/?phone={e164}
        found: found
        fields: {name: "{name}", responsible_extension: "{extension}"}
`, c.URL)
}

// file is a directory of a file, with one contact.
func file(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "contacts.csv")
	err := os.WriteFile(path, []byte("name,organisation,number,responsible_extension\nJana Nováková,Globex,777 888 999,20\n"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("      - type: file\n        path: %s\n", path)
}

// replica is a resolver that runs until the test ends, or is stopped.
type replica struct {
	*live.Resolver
	stop func()
}

func startReplica(t testing.TB, server *bustest.Server, yaml string) *replica {
	t.Helper()
	c, err := config.Parse([]byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	r, err := live.New(live.Options{
		Bus: server.Connect(), Log: slog.New(slog.DiscardHandler), Replicas: bustest.Replicas, Tenants: c.Tenants,
	})
	if err != nil {
		t.Fatal(err)
	}
	stop := bustest.Run(t, r.Join)
	bustest.Eventually(t, "the replica ready", func() bool { return r.Ready() == nil })
	bustest.Eventually(t, "somebody to answer", func() bool {
		_, err := server.Connect().LookupContact(t.Context(), &pbxv1.ContactLookupRequest{Tenant: "nobody", Number: "1"})
		return fault.Is(err, fault.NotFound)
	})
	return &replica{r, stop}
}

// ring publishes an event of an incoming call.
func ring(t testing.TB, b *bus.Bus, kind pbxv1.Call_Kind, call, number, extension string) {
	t.Helper()
	now := timestamppb.Now()
	err := b.Publish(t.Context(), &pbxv1.Event{
		Id: event.NewID(), Time: now, ReceivedAt: now, Vendor: "ipex", Tenant: "acme", Exchange: "ipex",
		Payload: &pbxv1.Event_Call{Call: &pbxv1.Call{
			Kind: kind, Id: call, Key: call, Direction: pbxv1.Call_INCOMING, From: event.Party(number, "CZ"), Extension: extension,
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// published returns the contact events of the stream.
func published(t *testing.T, b *bus.Bus) (events []*pbxv1.Event) {
	t.Helper()
	for s, err := range b.Events(t.Context(), bus.Filter{Subject: "pbx.events.*.*.contact.*"}) {
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, s.Message)
	}
	return events
}

// Several replicas see several events of several calls: each call gets one contact.
func TestOnceACall(t *testing.T) {
	server := bustest.Start(t)
	b := server.Bus()
	crm := newCRM(t)
	close(crm.hold)
	yaml := tenantOf + file(t) + crm.directory()
	startReplica(t, server, yaml)
	startReplica(t, server, yaml)
	calls := map[string]string{"1": "777888999", "2": "+420 777 888 999", "3": "608000000", "4": "anonymous", "5": "20"}
	for call, number := range calls {
		for _, kind := range []pbxv1.Call_Kind{pbxv1.Call_NEW, pbxv1.Call_RINGING, pbxv1.Call_RINGING, pbxv1.Call_ENDED, pbxv1.Call_RECORDED} {
			ring(t, b, kind, call, number, "20")
		}
	}
	bustest.Eventually(t, "three contacts", func() bool { return len(published(t, b)) >= 3 })
	ring(t, b, pbxv1.Call_NEW, "6", "608000001", "") // behind it, whatever else would come has come
	bustest.Eventually(t, "the contact of the last call", func() bool {
		return slices.ContainsFunc(published(t, b), func(ev *pbxv1.Event) bool { return ev.GetContact().GetCallKey() == "6" })
	})
	have := map[string]*pbxv1.Contact{}
	for _, ev := range published(t, b) {
		c := ev.GetContact()
		if have[c.GetCallKey()] != nil {
			t.Errorf("want one contact a call, have two of call %s", c.GetCallKey())
		}
		have[c.GetCallKey()] = c
		if ev.GetVendor() != "ipex" || ev.GetTenant() != "acme" || ev.GetExchange() != "ipex" {
			t.Errorf("want the event where the call is, have %v", ev)
		}
	}
	if len(have) != 4 {
		t.Errorf("want a contact of the calls 1, 2, 3 and 6, have %v", have)
	}
	want := &pbxv1.Contact{
		Kind: pbxv1.Contact_RESOLVED, CallKey: "1", Party: &pbxv1.Party{Number: "777888999", E164: "+420777888999"},
		Match: &pbxv1.ContactMatch{
			Name: "Jana Nováková", Organisation: "Globex", ResponsibleExtension: "20", Directory: "file",
			MatchedNumber: "777 888 999", MatchedForm: "e164",
		},
		Alternatives: []*pbxv1.ContactMatch{{
			Name: "CRM knows +420777888999", ResponsibleExtension: "100", Directory: "crm", MatchedForm: "e164",
		}},
	}
	for _, c := range have["1"].GetAlternatives() {
		want.Alternatives[0].MatchedNumber = c.GetMatchedNumber() // the stub does not say
	}
	if !proto.Equal(want, have["1"]) {
		t.Errorf("want %v, have %v", want, have["1"])
	}
	if have["3"].GetKind() != pbxv1.Contact_UNKNOWN || have["3"].GetMatch() != nil {
		t.Errorf("want the caller of call 3 unknown, have %v", have["3"])
	}
	// A replica that does not know yet that the other one asks does so itself, but never twice.
	if n := crm.asked.Load(); n < 3 || n > 6 {
		t.Errorf("want the CRM asked once for each of 3 numbers, by either replica, have %d times", n)
	}
}

// Whoever published last is gone; another takes over, and after it one that was not there at the time of the call.
func TestTakeOver(t *testing.T) {
	server := bustest.Start(t)
	b := server.Bus()
	yaml := tenantOf + file(t)
	one, two := startReplica(t, server, yaml), startReplica(t, server, yaml)
	ring(t, b, pbxv1.Call_RINGING, "1", "777888999", "20")
	bustest.Eventually(t, "the first contact", func() bool { return len(published(t, b)) == 1 })
	one.stop()
	ring(t, b, pbxv1.Call_RINGING, "2", "777888999", "20")
	bustest.Eventually(t, "the second contact", func() bool { return len(published(t, b)) == 2 })
	two.stop()
	ring(t, b, pbxv1.Call_RINGING, "3", "777888999", "20")
	startReplica(t, server, yaml)
	bustest.Eventually(t, "the third contact", func() bool { return len(published(t, b)) == 3 })
}

// A directory misses the deadline, and its better answer is published when it comes.
func TestLateAnswer(t *testing.T) {
	server := bustest.Start(t)
	b := server.Bus()
	crm := newCRM(t)
	startReplica(t, server, impatient+crm.directory()+file(t))
	ring(t, b, pbxv1.Call_RINGING, "1", "777888999", "20")
	bustest.Eventually(t, "the contact without the CRM", func() bool { return len(published(t, b)) == 1 })
	close(crm.hold)
	bustest.Eventually(t, "the better contact", func() bool { return len(published(t, b)) == 2 })
	first, second := published(t, b)[0], published(t, b)[1]
	if have := first.GetContact().GetMatch().GetDirectory(); have != "file" {
		t.Errorf("want the answer of the file first, have that of %s", have)
	}
	if have := second.GetContact(); have.GetMatch().GetDirectory() != "crm" || have.GetSupersedes() != first.GetId() || have.GetCallKey() != "1" {
		t.Errorf("want an answer of the CRM that supersedes %s, have %v", first.GetId(), have)
	}
}

func TestQuestions(t *testing.T) {
	server := bustest.Start(t)
	b := server.Bus()
	crm := newCRM(t)
	startReplica(t, server, impatient+crm.directory())
	ask := func(tenant string, limit time.Duration) (*pbxv1.Contact, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		return b.LookupContact(ctx, &pbxv1.ContactLookupRequest{Tenant: tenant, Number: "777 888 999", Timeout: durationpb.New(limit)})
	}
	bustest.Eventually(t, "an unknown tenant not found", func() bool {
		_, err := ask("globex", time.Second)
		return fault.Is(err, fault.NotFound)
	})
	began := time.Now()
	if _, err := ask("acme", 50*time.Millisecond); !fault.Is(err, fault.Unavailable) || time.Since(began) > 2*time.Second {
		t.Errorf("want unavailable in time, have %v after %v", err, time.Since(began))
	}
	close(crm.hold)
	bustest.Eventually(t, "an answer", func() bool {
		contact, err := ask("acme", time.Second)
		return err == nil && contact.GetMatch().GetName() == "CRM knows +420777888999"
	})
	bustest.Eventually(t, "the answer to be kept", func() bool { // while it is not, forgetting forgets what is on its way
		var known pbxv1.ContactLookupResponse
		err := b.Ask(t.Context(), event.QueryContactLookup, &pbxv1.ContactLookupRequest{
			Tenant: "acme", Number: "777888999", Explain: true,
		}, &known)
		return err == nil && known.GetTrace().GetSource() == pbxv1.ContactTrace_CACHE
	})
	asked := crm.asked.Load()
	var forgotten pbxv1.ContactInvalidateResponse
	forget := &pbxv1.ContactInvalidateRequest{Tenant: "acme", Number: "+420777888999"}
	bustest.Eventually(t, "one answer forgotten", func() bool {
		return b.Ask(t.Context(), event.QueryContactInvalidate, forget, &forgotten) == nil && forgotten.GetForgotten() == 1
	})
	bustest.Eventually(t, "the CRM asked again", func() bool {
		_, err := ask("acme", time.Second)
		return err == nil && crm.asked.Load() > asked
	})
}

// A file that is edited counts from the next call on, or nearly: it is looked at once a second.
func TestEditedFile(t *testing.T) {
	server := bustest.Start(t)
	b := server.Bus()
	path := filepath.Join(t.TempDir(), "contacts.csv")
	write := func(name string) {
		if err := os.WriteFile(path, []byte("name,number\n"+name+",777888999\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("Jana")
	startReplica(t, server, tenantOf+fmt.Sprintf("      - type: file\n        path: %s\n", path))
	knows := func(name string) func() bool {
		return func() bool {
			contact, err := b.LookupContact(t.Context(), &pbxv1.ContactLookupRequest{Tenant: "acme", Number: "777888999"})
			return err == nil && contact.GetMatch().GetName() == name
		}
	}
	bustest.Eventually(t, "Jana", knows("Jana"))
	write("Petr")
	bustest.Eventually(t, "Petr", knows("Petr"))
}

// A tenant whose directories are taken away is told nothing more.
func TestConfigure(t *testing.T) {
	server := bustest.Start(t)
	b := server.Bus()
	r := startReplica(t, server, tenantOf+file(t))
	ring(t, b, pbxv1.Call_RINGING, "1", "777888999", "20")
	bustest.Eventually(t, "a contact", func() bool { return len(published(t, b)) == 1 })
	c, err := config.Parse([]byte("tenants: [{name: acme, region: CZ, exchanges: [{vendor: ipex}]}]"))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Configure(c.Tenants); err != nil {
		t.Fatal(err)
	}
	ring(t, b, pbxv1.Call_RINGING, "2", "777888999", "20")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	contact, err := b.LookupContact(ctx, &pbxv1.ContactLookupRequest{Tenant: "acme", Number: "777888999"})
	if err != nil || contact.GetKind() != pbxv1.Contact_UNKNOWN {
		t.Errorf("want nobody known without directories, have %v, %v", contact, err)
	}
	if n := len(published(t, b)); n != 1 {
		t.Errorf("want no contact of the second call, have %d in all", n)
	}
}
