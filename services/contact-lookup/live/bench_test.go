package live_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/ingress"
	"github.com/switchhook/switchhook/pkg/vendors"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// BenchmarkWebhookToContact measures how long it takes from the answer to a webhook until a subscriber has the contact: with
// a file of 100,000 contacts, a NATS server that syncs every write, and each number for the first time. Everything runs in
// one process.
func BenchmarkWebhookToContact(b *testing.B) {
	for _, callers := range []int{1, 16} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) { webhookToContact(b, callers) })
	}
}

func webhookToContact(b *testing.B, callers int) {
	server := bustest.Start(b)
	publisher := server.Bus()
	yaml := strings.Replace(tenantOf, "- vendor: ipex", "- {vendor: ipex, webhook: {username: u, password: p}}", 1) + bigFile(b)
	startReplica(b, server, yaml)
	c, err := config.Parse([]byte(yaml))
	if err != nil {
		b.Fatal(err)
	}
	set, err := vendors.New(c)
	if err != nil {
		b.Fatal(err)
	}
	h := ingress.New(set["ipex"], ingress.Options{Store: publisher, Directory: publisher, Metrics: prometheus.NewRegistry()})

	arrived := make(map[string]chan time.Time, b.N)
	var mu sync.Mutex
	wait := func(key string) chan time.Time {
		mu.Lock()
		defer mu.Unlock()
		if arrived[key] == nil {
			arrived[key] = make(chan time.Time, 1)
		}
		return arrived[key]
	}
	execute, interrupt := server.Connect().Follow(bus.Following{
		Subjects: []string{"pbx.events.*.*.contact.resolved"},
		Handle:   func(s bus.Stored[*pbxv1.Event]) { wait(s.Message.GetContact().GetCallKey()) <- time.Now() },
	})
	done := make(chan error, 1)
	go func() { done <- execute() }()
	b.Cleanup(func() { interrupt(nil); <-done })

	var next atomic.Int64
	times := make([]time.Duration, b.N)
	b.ResetTimer()
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				key := fmt.Sprintf("1412256225.%d", i)
				post(b, h, key, 601_000_000+i%100_000)
				accepted := time.Now()
				times[i-1] = (<-wait(key)).Sub(accepted)
			}
		})
	}
	group.Wait()
	b.StopTimer()
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "p99-ms")
}

func post(b *testing.B, h http.Handler, key string, number int64) {
	body := fmt.Sprintf(`{"EventName":"Ringing","From":"%d","To":"222333444","Line":"20","UniqueId":"%s","Direction":"incoming"}`, number, key)
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", strings.NewReader(body))
	r.SetBasicAuth("u", "p")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		b.Errorf("want 200, have %d %s", w.Code, w.Body)
	}
}

func bigFile(b *testing.B) string {
	var rows bytes.Buffer
	rows.WriteString("name,number,organisation\n")
	for i := range 100_000 {
		fmt.Fprintf(&rows, "Contact %d,%d,Company %d\n", i, 601_000_000+i, i%1000)
	}
	path := filepath.Join(b.TempDir(), "contacts.csv")
	if err := os.WriteFile(path, rows.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	return fmt.Sprintf("      - type: file\n        path: %s\n", path)
}
