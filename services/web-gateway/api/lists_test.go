package api_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/web-gateway/tokens"
)

// message reads an answer as a message of the contract.
func message[T proto.Message](t *testing.T, data []byte, into T) T {
	t.Helper()
	if err := protojson.Unmarshal(data, into); err != nil {
		t.Fatalf("want a %T, have %s: %v", into, data, err)
	}
	return into
}

func TestLists(t *testing.T) {
	w := newWorld(t)
	put(w, w.agents, "acme.adam", agent("acme", "adam", pbxv1.AgentState_PAUSED))
	token := w.token("acme", "karel")

	agents := message(t, w.get("/api/v1/agents", token).body, &pbxv1.AgentListResponse{}).GetAgents()
	if len(agents) != 2 || agents[0].GetId() != "adam" || !proto.Equal(agents[1], w.agents.Get("acme.jana").Value) {
		t.Errorf("want Adam and Jana of acme, have %v", agents)
	}
	calls := message(t, w.get("/api/v1/calls", token).body, &pbxv1.CallListResponse{}).GetCalls()
	if len(calls) != 1 || !proto.Equal(calls[0], w.calls.Get("acme.c1").Value) {
		t.Errorf("want the call of acme, have %v", calls)
	}
	for path, want := range map[string][]string{
		"":                                {"m1"},
		"?resolved=true":                  {"m0", "m1"},
		"?resolved=false":                 {"m1"},
		"?queue=acme-queue":               {"m1"},
		"?queue=elsewhere":                nil,
		"?queue=globex-queue":             nil,
		"?queue=acme-queue&resolved=true": {"m0", "m1"},
	} {
		have := message(t, w.get("/api/v1/missed-calls"+path, token).body, &pbxv1.MissedCallListResponse{}).GetMissedCalls()
		var ids []string
		for _, m := range have {
			ids = append(ids, m.GetId())
			if m.GetCallKeys()[0] != "acme-key" {
				t.Errorf("%s: want acme's, have %v", path, m)
			}
		}
		if len(ids) != len(want) || len(want) == 2 && ids[0] == ids[1] || len(want) == 1 && ids[0] != want[0] {
			t.Errorf("%s: want %v, have %v", path, want, ids)
		}
	}
	figures := message(t, w.get("/api/v1/statistics?day=2026-01-31", token).body, &pbxv1.AgentStatisticsResponse{})
	if figures.GetStatistics().GetTenant() != "acme" {
		t.Errorf("want figures of acme, have %v", figures)
	}
	if want := (&pbxv1.AgentStatisticsRequest{Tenant: "acme", Day: "2026-01-31"}); !proto.Equal(want, w.lastAsked()) {
		t.Errorf("want %v asked, have %v", want, w.lastAsked())
	}
	for path, want := range map[string]int{
		"/api/v1/statistics?day=yesterday":    400,
		"/api/v1/statistics?day=2020-01-31":   404,
		"/api/v1/missed-calls?resolved=maybe": 400,
	} {
		if have := w.get(path, token); have.status != want {
			t.Errorf("%s: want %d, have %d %s", path, want, have.status, have.body)
		}
	}
}

// Each right opens what it says, and no more.
func TestRights(t *testing.T) {
	w := newWorld(t)
	opens := map[tokens.Right][]string{
		tokens.Calls:     {"GET /api/v1/me"},
		tokens.Commands:  {"GET /api/v1/me"},
		tokens.Wallboard: {"GET /api/v1/me", "GET /api/v1/agents", "GET /api/v1/calls", "GET /api/v1/missed-calls", "GET /api/v1/statistics", "POST /api/v1/missed-calls/m1/claim", "POST /api/v1/missed-calls/m1/release", "POST /api/v1/missed-calls/m1/resolve"},
		tokens.Events:    {"GET /api/v1/me", "GET /api/v1/quarantine"},
	}
	all := slices.Concat(opens[tokens.Wallboard], opens[tokens.Events])
	for right, open := range opens {
		token := w.token("acme", "karel", right)
		for _, operation := range all {
			method, path, _ := strings.Cut(operation, " ")
			want, body := http.StatusForbidden, ""
			if strings.Contains(strings.Join(open, ","), operation) {
				want = http.StatusOK
			}
			if method == http.MethodPost {
				body = "{}"
			}
			if have := w.send(method, path, body, "Authorization", "Bearer "+token); have.status != want {
				t.Errorf("%s with the right %s: want %d, have %d %s", operation, right, want, have.status, have.body)
			}
		}
		for path, wanted := range map[string]tokens.Right{"/api/v1/board": tokens.Wallboard, "/api/v1/events": tokens.Events} {
			if right != wanted {
				if have := w.get(path, token); have.status != http.StatusForbidden {
					t.Errorf("%s with the right %s: want 403, have %d", path, right, have.status)
				}
			}
		}
	}
}

func TestAct(t *testing.T) {
	w := newWorld(t)
	karel := &pbxv1.User{Login: "karel", Email: "karel@acme.example"}
	for name, c := range map[string]struct {
		who    tokens.Identity
		path   string
		body   string
		status int
		asked  *pbxv1.MissedCallActRequest // nil: nobody
	}{
		"claim": {
			tokens.Identity{Tenant: "acme", Type: "login", Value: "karel"},
			"m1/claim", `{}`, 200,
			&pbxv1.MissedCallActRequest{Tenant: "acme", Id: "m1", Action: pbxv1.MissedCallActRequest_CLAIM, User: karel},
		},
		"release": {
			tokens.Identity{Tenant: "acme", Type: "line", Value: "20"},
			"m1/release", `{"note":""}`, 200,
			&pbxv1.MissedCallActRequest{Tenant: "acme", Id: "m1", Action: pbxv1.MissedCallActRequest_RELEASE, User: karel},
		},
		"resolve": {
			tokens.Identity{Tenant: "acme", Type: "login", Value: "boss"},
			"m1/resolve", `{"note":"wrong number"}`, 200,
			&pbxv1.MissedCallActRequest{Tenant: "acme", Id: "m1", Action: pbxv1.MissedCallActRequest_RESOLVE, User: &pbxv1.User{Login: "boss"}, Note: "wrong number"},
		},
		"taken": {
			tokens.Identity{Tenant: "acme", Type: "login", Value: "karel"},
			"taken/claim", `{}`, 409,
			&pbxv1.MissedCallActRequest{Tenant: "acme", Id: "taken", Action: pbxv1.MissedCallActRequest_CLAIM, User: karel},
		},
		"the other's entry is asked for as one's own": {
			tokens.Identity{Tenant: "acme", Type: "login", Value: "karel"},
			"globex.m1/claim", `{}`, 404,
			&pbxv1.MissedCallActRequest{Tenant: "acme", Id: "globex.m1", Action: pbxv1.MissedCallActRequest_CLAIM, User: karel},
		},
		"nobody's line":     {tokens.Identity{Tenant: "acme", Type: "line", Value: "90"}, "m1/claim", `{}`, 403, nil},
		"tenant in a body":  {tokens.Identity{Tenant: "acme", Type: "login", Value: "karel"}, "m1/claim", `{"tenant":"globex"}`, 400, nil},
		"user in a body":    {tokens.Identity{Tenant: "acme", Type: "login", Value: "karel"}, "m1/claim", `{"user":{"login":"jana"}}`, 400, nil},
		"without a body":    {tokens.Identity{Tenant: "acme", Type: "login", Value: "karel"}, "m1/claim", ``, 415, nil},
		"unknown action":    {tokens.Identity{Tenant: "acme", Type: "login", Value: "karel"}, "m1/explode", `{}`, 404, nil},
		"no identity of it": {tokens.Identity{Tenant: "acme", Type: "line", Value: "99"}, "m1/claim", `{}`, 403, nil},
	} {
		w.mu.Lock()
		w.asked = nil
		w.mu.Unlock()
		have := w.send(http.MethodPost, "/api/v1/missed-calls/"+c.path, c.body, "Authorization", "Bearer "+w.tokenOf(c.who, tokens.Wallboard))
		if have.status != c.status {
			t.Errorf("%s: want %d, have %d %s", name, c.status, have.status, have.body)
			continue
		}
		switch {
		case c.asked == nil && len(w.asked) > 0:
			t.Errorf("%s: want nobody asked, have %v", name, w.asked)
		case c.asked != nil && !proto.Equal(c.asked, w.lastAsked()):
			t.Errorf("%s: want %v asked, have %v", name, c.asked, w.lastAsked())
		case c.status == http.StatusOK && !proto.Equal(message(t, have.body, &pbxv1.MissedCall{}).GetClaimedBy(), c.asked.GetUser()):
			t.Errorf("%s: want the entry, have %s", name, have.body)
		case c.status == http.StatusConflict && !strings.Contains(string(have.body), `"jana has claimed it"`):
			t.Errorf("%s: want to be told who was faster, have %s", name, have.body)
		}
	}
}

// Whatever a tenant's token is tried on, nothing of the other tenant comes back.
func TestForeignTenant(t *testing.T) {
	w := newWorld(t)
	quarantine(w, "acme", "globex")
	token := w.token("acme", "karel")
	for _, path := range []string{
		"/api/v1/agents?tenant=globex", "/api/v1/calls?tenant=globex", "/api/v1/missed-calls?tenant=globex&resolved=true",
		"/api/v1/missed-calls?queue=globex-queue", "/api/v1/missed-calls?queue=*", "/api/v1/statistics?tenant=globex",
		"/api/v1/statistics?day=2026-01-31&tenant=globex", "/api/v1/quarantine?tenant=globex", "/api/v1/me?tenant=globex",
		"/api/v1/globex/agents", "/api/v1/agents/globex", "/api/v1/tenants/globex/agents", "/api/v1/agents/globex.jana",
		"/api/v1/agents%2F..%2Fglobex", "/api/v1/missed-calls/globex.m1",
	} {
		if have := w.send(http.MethodGet, path, "", "Authorization", "Bearer "+token, "X-Tenant", "globex", "Tenant", "globex"); strings.Contains(
			strings.ReplaceAll(string(have.body), `"globex"`, ""), "globex-") {
			t.Errorf("%s: want nothing of globex, have %d %s", path, have.status, have.body)
		}
	}
	for _, forged := range []string{"globex.acme", "acme.", "*", ">", "", "ACME", "acme/../globex"} {
		if have := w.get("/api/v1/agents", w.token(forged, "karel")); have.status != http.StatusUnauthorized {
			t.Errorf("want a token of %q refused, have %d %s", forged, have.status, have.body)
		}
	}
	// A row that stands under the wrong tenant is nobody's.
	put(w, w.agents, "acme.eve", agent("globex", "eve", pbxv1.AgentState_AVAILABLE))
	put(w, w.calls, "acme.c9", &pbxv1.CallStatus{Tenant: "globex", Id: "c9", StartedAt: timestamppb.Now()})
	for _, path := range []string{"/api/v1/agents", "/api/v1/calls"} {
		if have := w.get(path, token); strings.Contains(string(have.body), "globex") {
			t.Errorf("%s: want nothing that says it is globex's, have %s", path, have.body)
		}
	}
	if have := w.get("/api/v1/agents", w.token("initech", "karel")); have.status != http.StatusUnauthorized {
		t.Errorf("want a token of no tenant refused, have %d", have.status)
	}
}

// quarantine puts something into the quarantine of each tenant.
func quarantine(w *world, tenants ...string) {
	w.t.Helper()
	for _, tenant := range tenants {
		q := &pbxv1.Quarantined{
			Id: event.NewID(), Vendor: "xvb", Tenant: tenant, Service: "ingress", Error: tenant + "-error", ReceivedAt: timestamppb.Now(),
			Content: &pbxv1.Quarantined_Request{Request: &pbxv1.WebhookRequest{
				Method: "POST", Path: "/xvb", Query: "token=hunter2", Body: []byte("token=hunter2"), RemoteAddress: "192.0.2.1",
			}},
		}
		if err := w.bus.Quarantine(w.t.Context(), q); err != nil {
			w.t.Fatal(err)
		}
	}
}

func TestQuarantine(t *testing.T) {
	w := newWorld(t)
	token := w.token("acme", "karel")
	if have := w.get("/api/v1/quarantine", token); strings.TrimSpace(string(have.body)) != `{"quarantined":[]}` {
		t.Errorf("want an empty list, have %s", have.body)
	}
	quarantine(w, "globex", "acme", "globex", "acme")
	have := w.get("/api/v1/quarantine", token)
	var list struct {
		Quarantined []struct {
			Seq         uint64
			Quarantined struct{ Tenant, Error string }
		}
	}
	have.json(t, &list)
	if q := list.Quarantined; len(q) != 2 || q[0].Quarantined.Tenant != "acme" || q[1].Quarantined.Error != "acme-error" || q[0].Seq != 2 || q[1].Seq != 4 {
		t.Errorf("want the two of acme, have %s", have.body)
	}
	if strings.Contains(string(have.body), "hunter2") || strings.Contains(string(have.body), "aHVudGVyMg") {
		t.Errorf("want no credential of the exchange, have %s", have.body)
	}
}
