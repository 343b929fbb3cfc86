package cluster_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/test/process"
)

// Every service does its work with the permissions of its own user, and no server refuses anything.
func TestServicesWithTheirUsers(t *testing.T) {
	o := newOffice(t, startServers(t, 3))
	o.open(1, all()...)
	ledger := filepath.Join(t.TempDir(), "ledger.jsonl")
	sim := o.simulate(ledger, "--calls", "300", "--chaos", "duplicate=0.02,reorder=0.05,delay=0.05,malformed=0.05")
	sim.Wait(2 * time.Minute)
	t.Log("\n" + o.verify(ledger))

	process.Start(t, "pbxsim", "serve", "--config", o.config, "--listen", o.rest, "--ipex", "http://"+o.fronts["ingress-ipex"].address)
	o.ctl("call", "originate", "777123456", "--tenant", "acme", "--vendor", "ipex", "--extension", "200")
	for want, args := range map[string][]string{
		"command.succeeded":   {"events", "--subject", "pbx.events.*.acme.command.*", "--since", "all"},
		"contact.":            {"events", "--subject", "pbx.events.*.acme.contact.*", "--since", "all"},
		"agent.state_changed": {"events", "--subject", "pbx.events.*.acme.agent.*", "--since", "all"},
		"missed_call.opened":  {"events", "--subject", "pbx.events.*.globex.missed_call.*", "--since", "all"},
		"originate":           {"commands", "audit", "--tenant", "acme"},
		"AGENT":               {"agents", "--tenant", "acme"},
		"OFFERED":             {"agents", "stats", "--tenant", "acme"},
		"FROM":                {"missed", "ls", "--tenant", "acme"},
		"+420777123456":       {"contact", "lookup", "777123456", "--tenant", "acme"},
		"ingress":             {"quarantine", "ls"},
		"o silence":           {"missed", "silence", "ls", "--tenant", "acme"},
	} {
		process.Eventually(t, want+" from pbxctl "+strings.Join(args, " "), 20*time.Second, func() error { return holds(o.ctl(args...), want) })
	}
	o.redrive()
	o.useWeb()
	process.Eventually(t, "an alert", 20*time.Second, func() error {
		if n, _ := o.hook.count(); n == 0 {
			return errors.New("none")
		}
		return nil
	})

	if refused := append(o.servers.violations(), o.complaints("ermissions")...); len(refused) > 0 {
		t.Errorf("want no violation, have %d:\n%s", len(refused), strings.Join(refused, "\n"))
	}
}

// redrive lets an operator redrive a request that an ingress of yesterday did not understand.
func (o *office) redrive() {
	o.t.Helper()
	b, err := bus.Connect(bus.Options{URL: o.servers.url("ingress-ipex"), Name: "ingress-ipex", Wait: true})
	if err != nil {
		o.t.Fatal(err)
	}
	defer b.Close()
	ctx, cancel := context.WithTimeout(o.t.Context(), 20*time.Second)
	defer cancel()
	id := event.NewID()
	err = b.Quarantine(ctx, &pbxv1.Quarantined{
		Id: id, ReceivedAt: timestamppb.Now(), Vendor: "ipex", Tenant: "acme", Exchange: "ipex", Service: "ingress", Error: "unknown",
		Content: &pbxv1.Quarantined_Request{Request: &pbxv1.WebhookRequest{
			Method: http.MethodPost, Path: "/", Headers: []*pbxv1.Header{{Name: "Content-Type", Value: "application/json"}},
			Body: []byte(`{"EventName":"Ringing","From":"777888999","To":"222333444","Line":"444","UniqueId":"1412256225.1941"}`),
		}},
	})
	if err != nil {
		o.t.Fatal(err)
	}
	if err := holds(o.ctl("quarantine", "redrive", id), "1"); err != nil {
		o.t.Error(err)
	}
	if text := o.ctl("quarantine", "ls", "--json"); strings.Contains(text, id) {
		o.t.Errorf("want %s gone from the quarantine, have it there still", id)
	}
}

// useWeb asks web-gateway for all that it has.
func (o *office) useWeb() {
	o.t.Helper()
	base := "http://" + o.fronts["web-gateway"].address + "/api/v1/"
	var token struct {
		Token string `json:"token"`
	}
	body := `{"tenant": "acme", "identityType": "login", "identityValue": "karel", "rights": ["calls", "commands", "wallboard", "events"]}`
	o.web(http.MethodPost, base+"tokens", "demo-only-web-api-key", body, &token)
	for _, page := range []string{"agents", "calls", "missed-calls", "statistics", "quarantine"} {
		o.web(http.MethodGet, base+page, token.Token, "", nil)
	}
}

func (o *office) web(method, url, credential, body string, into any) {
	o.t.Helper()
	request, err := http.NewRequestWithContext(o.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		o.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+credential)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		o.t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode/100 != 2 {
		o.t.Fatalf("%s: want an answer, have %s %s %v", url, response.Status, answer, err)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(answer, into); err != nil {
		o.t.Fatalf("%s: %v", url, err)
	}
}

func holds(text, want string) error {
	if strings.Contains(text, want) {
		return nil
	}
	return fmt.Errorf("%.2000s", text)
}
