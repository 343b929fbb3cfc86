package live_test

import (
	"log/slog"
	"slices"
	"testing"

	"github.com/oklog/run"

	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/web-gateway/live"
)

// TestFind has agents come, change their line and go: each page is let in by what is known at that moment.
func TestFind(t *testing.T) {
	server := bustest.Start(t)
	b := server.Bus()
	g, err := live.New(live.Options{
		Bus: b, Log: slog.New(slog.DiscardHandler), Replicas: bustest.Replicas,
		Config: &config.Config{Tenants: []*config.Tenant{{Name: "acme"}, {Name: "globex"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	bustest.Run(t, g.Join)
	agents := server.Connect().Agents(bustest.Replicas)
	bustest.Run(t, func(group *run.Group) { group.Add(agents.Maintain()) })
	bustest.Eventually(t, "the gateway ready", func() bool { return g.Ready() == nil && agents.Loaded() })

	if _, err := g.Find("acme", "login", "karel"); !fault.Is(err, fault.NotFound) {
		t.Errorf("want nobody yet, have %v", err)
	}
	var revision uint64
	for _, line := range []string{"101", "102"} {
		row := &pbxv1.AgentStatus{Tenant: "acme", User: &pbxv1.User{Login: "karel"}, Extensions: []string{line}}
		if revision, err = agents.Put(t.Context(), "karel", row, revision); err != nil {
			t.Fatal(err)
		}
		bustest.Eventually(t, "Karel at "+line, func() bool {
			p, err := g.Find("acme", "login", "Karel")
			return err == nil && slices.Equal(p.Lines, []string{line})
		})
		if _, err := g.Find("globex", "login", "karel"); !fault.Is(err, fault.NotFound) {
			t.Errorf("want nobody of that name at another tenant, have %v", err)
		}
	}
	if err := agents.Delete(t.Context(), "karel", revision); err != nil {
		t.Fatal(err)
	}
	bustest.Eventually(t, "Karel gone", func() bool {
		_, err := g.Find("acme", "login", "karel")
		return fault.Is(err, fault.NotFound)
	})
}
