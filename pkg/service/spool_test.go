package service_test

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/logtest"
	"github.com/switchhook/switchhook/pkg/service"
)

// An ingress with a spool takes webhooks while JetStream is away, says that it is ready, and ends with what waits on disk; the
// next one in its folder publishes that. A spool that is full is a 503.
func TestSpool(t *testing.T) {
	nats := bustest.Start(t)
	p := &process{
		t: t, config: filepath.Join(t.TempDir(), "switchhook.yaml"), listen: freeAddress(t), admin: freeAddress(t), log: &logtest.Log{},
	}
	p.configure("first-password")
	o := p.options(nats.URL())
	o.Spool, o.SpoolMaxBytes = filepath.Join(t.TempDir(), "spool"), 10<<10
	run := func() (stop func()) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- service.Run(ctx, "test", o, service.Ingress("ipex")) }()
		bustest.Eventually(t, "a service that answers", func() bool { return p.get("/livez") == http.StatusOK })
		return func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("want the service to end well, have %v", err)
			}
		}
	}
	stop := run()
	bustest.Eventually(t, "a service that is ready", func() bool { return p.get("/readyz") == http.StatusOK })
	nats.Stop()
	want := map[string]bool{}
	for range 10 {
		status, body := p.post("/", "first-password")
		if status != http.StatusOK {
			t.Fatalf("want the webhook on disk, have %d %s", status, body)
		}
		want[body] = true
	}
	if have := p.get("/readyz"); have != http.StatusOK {
		t.Errorf("want it ready while the disk takes webhooks, have %d", have)
	}
	nats.Restart()
	stop() // drains
	nats.Stop()

	stop = run()
	if have := p.get("/readyz"); have != http.StatusServiceUnavailable {
		t.Errorf("want a process that never met JetStream not ready, have %d", have)
	}
	status, body := 0, ""
	for range 100 {
		if status, body = p.post("/", "first-password"); status != http.StatusOK {
			break
		}
		want[body] = true
	}
	if status != http.StatusServiceUnavailable || !strings.Contains(p.log.String(), "full") {
		t.Errorf("want 503 from a full spool, have %d %s", status, body)
	}
	nats.Restart()
	bustest.Eventually(t, "a service that is ready", func() bool { return p.get("/readyz") == http.StatusOK })
	stop()

	have := map[string]int{}
	for s, err := range nats.Connect().Events(t.Context(), bus.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		have[`{"id":"`+s.Message.GetId()+"\"}\n"]++
	}
	for id := range want {
		if have[id] != 1 {
			t.Errorf("%s: want it stored once, have it %d times", id, have[id])
		}
	}
	if len(have) != len(want) {
		t.Errorf("want %d events, have %d", len(want), len(have))
	}
}
