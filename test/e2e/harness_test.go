package e2e_test

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oklog/run"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/ingress"
	"github.com/switchhook/switchhook/pkg/vendors"
	"github.com/switchhook/switchhook/pkg/webhook"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	agentstate "github.com/switchhook/switchhook/services/agent-state/live"
	contactlookup "github.com/switchhook/switchhook/services/contact-lookup/live"
	"github.com/switchhook/switchhook/test/process"
)

// night is a time of telephony that arrives as it happened, but faster than it was: all services are there, and take the
// exchanges' clocks for their own.
type night struct {
	bus     *bus.Bus
	tenants []*config.Tenant
	clock   clock
	config  string
	args    []string // of pbxsim: where the ingresses are
	crm     *crm
	// What anybody can watch.
	agentRows *bus.Table[*pbxv1.AgentStatus]
	callRows  *bus.Table[*pbxv1.CallStatus]
}

// clock is the time at the exchanges, in nanoseconds since 1970.
type clock struct{ request, latest atomic.Int64 }

// tell sets it to the time of a request, which may be late.
func (c *clock) tell(at time.Time) {
	c.request.Store(at.UnixNano())
	c.latest.Store(max(c.latest.Load(), at.UnixNano()))
}

func (c *clock) ofRequest() time.Time { return time.Unix(0, c.request.Load()).UTC() }
func (c *clock) now() time.Time       { return time.Unix(0, c.latest.Load()).UTC() }

func moment(text string) time.Time {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return at
}

// ofEvent is when an event came, by the exchanges' clocks. Contacts are published by another clock, and tell no time.
func ofEvent(s bus.Stored[*pbxv1.Event]) time.Time {
	if s.Message.GetContact() != nil {
		return time.Time{}
	}
	return s.Message.GetReceivedAt().AsTime()
}

func newNight(t *testing.T) *night {
	t.Helper()
	server := bustest.Start(t)
	r := &night{bus: server.Bus(), crm: newCRM(t)}
	text := strings.ReplaceAll(process.ReadFile(t, "testdata/figures.yaml"), "CRM", r.crm.url)
	r.config = filepath.Join(t.TempDir(), "figures.yaml")
	process.WriteFile(t, r.config, text)
	c, err := config.Load(r.config, func(c *config.Config) (*config.Config, error) { return c, nil })
	if err != nil {
		t.Fatal(err)
	}
	r.tenants = c.Tenants
	r.clock.tell(moment(nightfall))
	r.startIngresses(t, server.Connect(), c)
	r.startServices(t)
	r.watch(t)
	return r
}

// startIngresses has a connection of its own, as requests would wait for what the services publish.
func (r *night) startIngresses(t *testing.T, b *bus.Bus, c *config.Config) {
	t.Helper()
	set, err := vendors.New(c)
	if err != nil {
		t.Fatal(err)
	}
	for name, vendor := range set {
		server := httptest.NewServer(r.ingress(t, b, vendor))
		t.Cleanup(server.Close)
		r.args = append(r.args, "--"+name, server.URL)
	}
}

// ingress takes what a vendor's exchanges send, one request at a time, and the clock from it.
func (r *night) ingress(t *testing.T, b *bus.Bus, vendor webhook.Vendor) http.Handler {
	handler := ingress.New(vendor, ingress.Options{
		Store: b, Directory: b, Metrics: prometheus.NewRegistry(), Now: r.clock.ofRequest,
	})
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		r.clock.tell(timeOf(t, request))
		handler.ServeHTTP(w, request)
	})
}

// timeOf is when a request was made, on the clock of the exchange.
func timeOf(t *testing.T, request *http.Request) time.Time {
	at, err := http.ParseTime(request.Header.Get("Date"))
	if err != nil {
		t.Errorf("want the time of each request in Date, have %v", err)
	}
	return at
}

func (r *night) startServices(t *testing.T) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	keeper := agentstate.New(agentstate.Options{
		Bus: r.bus, Log: log, Replicas: bustest.Replicas, Tenants: r.tenants, Clock: ofEvent, Now: r.clock.now,
	})
	resolver, err := contactlookup.New(contactlookup.Options{
		Bus: r.bus, Log: log, Replicas: bustest.Replicas, Tenants: r.tenants, Clock: ofEvent,
	})
	if err != nil {
		t.Fatal(err)
	}
	bustest.Run(t, func(g *run.Group) {
		keeper.Join(g)
		resolver.Join(g)
	})
	bustest.Eventually(t, "both services ready", func() bool { return keeper.Ready() == nil && resolver.Ready() == nil })
}

// watch follows the buckets that agent-state made.
func (r *night) watch(t *testing.T) {
	t.Helper()
	r.agentRows, r.callRows = r.bus.Agents(bustest.Replicas), r.bus.Calls(bustest.Replicas)
	bustest.Run(t, func(g *run.Group) {
		g.Add(r.agentRows.Maintain())
		g.Add(r.callRows.Maintain())
	})
}

// testWriter makes what is logged part of the test's output.
type testWriter struct{ testing.TB }

func (w testWriter) Write(line []byte) (int, error) {
	w.Log(strings.TrimSpace(string(line)))
	return len(line), nil
}

// crm is a CRM that knows every other number, and is as slow and as often out of order as CRMs are.
type crm struct {
	url      string
	requests atomic.Int64
	failed   sync.Map // the numbers, with the tenant, that an error was answered for
}

func newCRM(t *testing.T) *crm {
	t.Helper()
	c := &crm{}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

// knows reports whether a number is of a contact.
func (c *crm) knows(e164 string) bool { return (e164[len(e164)-1]-'0')%2 == 0 }

func contactName(e164 string) string { return "Contact " + e164 }

// ServeHTTP implements http.Handler. One number in fifty gets an error first, one in ten an answer that takes a moment.
func (c *crm) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.requests.Add(1)
	number := r.URL.Query().Get("number")
	hash := fnv.New32a()
	_, _ = io.WriteString(hash, number)
	draw := hash.Sum32()
	if _, again := c.failed.LoadOrStore(r.URL.Path+number, true); !again && draw%50 < 1 {
		status := []int{http.StatusTooManyRequests, http.StatusInternalServerError}[draw/50%2]
		http.Error(w, http.StatusText(status), status)
		return
	}
	if draw%10 == 1 {
		select {
		case <-time.After(time.Duration(1+draw/10%5) * time.Millisecond):
		case <-r.Context().Done():
		}
	}
	found := []map[string]string{}
	if number != "" && c.knows(number) {
		found = append(found, map[string]string{"name": contactName(number)})
	}
	if err := json.NewEncoder(w).Encode(found); err != nil {
		panic(fmt.Sprintf("encode a contact: %v", err)) // maps of strings always encode
	}
}
