package live_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/oklog/run"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/ingress"
	"github.com/switchhook/switchhook/pkg/vendors"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// exchange asks who is calling, as XVB does while the caller waits.
func exchange(t *testing.T, b *bus.Bus, yaml string) (ask func() string) {
	t.Helper()
	c, err := config.Parse([]byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	set, err := vendors.New(c)
	if err != nil {
		t.Fatal(err)
	}
	h := ingress.New(set["xvb"], ingress.Options{Store: b, Directory: b, Metrics: prometheus.NewRegistry()})
	return func() string {
		t.Helper()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/crm-api",
			strings.NewReader("cmd=contact&access_code=10019&phone=420777888999"))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Fatalf("want 200, have %d %s", w.Code, w.Body)
		}
		return strings.TrimSpace(w.Body.String())
	}
}

func atXVB(yaml string) string {
	return strings.Replace(yaml, "- vendor: ipex", `- {vendor: xvb, webhook: {access_code: "10019"}}`, 1)
}

const nobody = `{"contact_name":"","responsible":""}`

// The exchange is told who calls, or nothing when a directory hangs; it never waits long.
func TestExchangeAsks(t *testing.T) {
	server := bustest.Start(t)
	b := server.Bus()
	crm := newCRM(t)
	yaml := atXVB(tenantOf + crm.directory())
	ask := exchange(t, b, yaml)
	if have := ask(); have != nobody {
		t.Errorf("want %s while contact-lookup does not run, have %s", nobody, have)
	}
	startReplica(t, server, yaml)
	began := time.Now()
	have, took := ask(), time.Since(began)
	if have != nobody || took < 300*time.Millisecond || took > 2*time.Second {
		t.Errorf("want %s after 400 ms from a CRM that hangs, have %s after %v", nobody, have, took)
	}
	close(crm.hold)
	want := `{"contact_name":"CRM knows +420777888999","responsible":"100"}`
	bustest.Eventually(t, "the CRM's answer", func() bool { return ask() == want })
}

// Whoever stands in is named while the responsible employee cannot take the call.
func TestDuty(t *testing.T) {
	server := bustest.Start(t)
	b := server.Bus()
	yaml := atXVB(strings.Replace(tenantOf, "    directories", "    contacts: {duty_aware: true, fallback: \"200\"}\n    directories", 1) + file(t))
	startReplica(t, server, yaml)
	ask := exchange(t, b, yaml)
	agents := b.Agents(bustest.Replicas)
	bustest.Run(t, func(g *run.Group) { g.Add(agents.Maintain()) })
	bustest.Eventually(t, "the bucket of agents", agents.Loaded)
	for state, responsible := range map[pbxv1.AgentState]string{
		pbxv1.AgentState_AVAILABLE: "20", pbxv1.AgentState_PAUSED: "200", pbxv1.AgentState_ON_CALL: "200",
	} {
		status := &pbxv1.AgentStatus{Tenant: "acme", Id: "karel", Extensions: []string{"20"}, State: state}
		if _, err := agents.Put(t.Context(), "acme.karel", status, agents.Get("acme.karel").Revision); err != nil {
			t.Fatal(err)
		}
		want := `{"contact_name":"Jana Nováková","responsible":"` + responsible + `"}`
		bustest.Eventually(t, "responsible "+responsible, func() bool { return ask() == want })
	}
}
