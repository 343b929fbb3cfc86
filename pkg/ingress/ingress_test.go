package ingress_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/ingress"
	"github.com/switchhook/switchhook/pkg/webhook"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// lineVendor is a dialect as small as they come: each line of the body that is not empty is one event, about that
// extension; a line "?NUMBER" asks who calls; "broken" cannot be understood.
type lineVendor struct{ secret string }

func (v lineVendor) Profile() webhook.Profile {
	return webhook.Profile{Name: "line", Methods: []string{http.MethodPost}}
}

func (v lineVendor) Authenticate(r webhook.Request) (webhook.Exchange, error) {
	switch r.Header.Get("Authorization") {
	case v.secret:
		return v, nil
	case "unreadable":
		return nil, fault.New(fault.Invalid, "credentials cannot be read")
	}
	return nil, fault.New(fault.Denied, "wrong credentials")
}

func (v lineVendor) Exchanges() []webhook.Exchange { return []webhook.Exchange{v} }
func (v lineVendor) Secrets() webhook.Secrets      { return webhook.Secrets{v.secret} }

func (v lineVendor) Origin() event.Origin {
	return event.Origin{Vendor: "line", Tenant: "acme", Exchange: "one"}
}

func (v lineVendor) Read(r webhook.Request) (webhook.Reading, error) {
	var reading webhook.Reading
	for line := range strings.FieldsSeq(string(r.Body)) {
		if number, isQuestion := strings.CutPrefix(line, "?"); isQuestion {
			return webhook.Reading{Question: &webhook.Question{Number: number, Reply: func(c *pbxv1.Contact) webhook.Reply {
				return webhook.Reply{ContentType: "text/plain", Body: []byte("it is " + c.GetMatch().GetName())}
			}}}, nil
		}
		if line == "broken" {
			return webhook.Reading{}, webhook.NotUnderstood(webhook.Malformed, "broken by %s", v.secret)
		}
		reading.Events = append(reading.Events, &pbxv1.Event{Payload: &pbxv1.Event_Call{
			Call: &pbxv1.Call{Kind: pbxv1.Call_RINGING, Key: line, Extension: line},
		}})
		reading.UnknownFields = append(reading.UnknownFields, line)
	}
	return reading, nil
}

const secret = "a-secret-of-some-length"

func newHandler(b *bus.Bus, metrics prometheus.Registerer, log io.Writer) *ingress.Handler {
	return ingress.New(lineVendor{secret}, ingress.Options{
		Store: b, Directory: b, Metrics: metrics, Log: slog.New(slog.NewJSONHandler(log, nil)),
		Trusted:    ingress.Proxies{netip.MustParsePrefix("192.0.2.0/24")},
		StoreLimit: 300 * time.Millisecond,
	})
}

func post(h http.Handler, authorization, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/hook/"+secret+"?s="+secret, strings.NewReader(body))
	r.Header.Set("Authorization", authorization)
	r.Header.Set("X-Note", "kept")
	r.Header.Set("X-Forwarded-For", "203.0.113.9")
	r.Header.Set("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func events(t *testing.T, b *bus.Bus) (all []bus.Stored[*pbxv1.Event]) {
	t.Helper()
	for s, err := range b.Events(t.Context(), bus.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

func quarantined(t *testing.T, b *bus.Bus) (all []*pbxv1.Quarantined) {
	t.Helper()
	for s, err := range b.Quarantined(t.Context(), bus.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s.Message)
	}
	return all
}

func TestAnswers(t *testing.T) {
	b := bustest.Start(t).Bus()
	registry := prometheus.NewRegistry()
	h := newHandler(b, registry, io.Discard)
	tests := map[string]struct {
		authorization, body string
		status              int
		want                string // a pattern: the keys of the answer
	}{
		"one event":      {secret, "20", 200, "id"},
		"several events": {secret, "21 22", 200, "ids"},
		"no event":       {secret, "", 200, ""},
		"broken":         {secret, "broken", 202, "quarantined"},
		"denied":         {"wrong", "20", 401, "detail status title type"},
		"unreadable":     {"unreadable", "20", 400, "detail status title type"},
		"too large":      {secret, strings.Repeat("x", ingress.MaxBody+1), 413, "detail status title type"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := post(h, test.authorization, test.body)
			var answer map[string]any
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
				t.Fatal(err)
			}
			if test.status != w.Code || test.want != keys(answer) {
				t.Errorf("want %d with %q, have %d with %s", test.status, test.want, w.Code, w.Body)
			}
			wantType := "application/json"
			if w.Code >= 400 {
				wantType = "application/problem+json"
			}
			if have := w.Header().Get("Content-Type"); wantType != have {
				t.Errorf("want %s, have %s", wantType, have)
			}
		})
	}
	if want, have := 3, len(events(t, b)); want != have {
		t.Errorf("want %d events stored, have %d", want, have)
	}
	err := testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP switchhook_ingress_requests_total Webhook requests by what became of them; the tenant is empty for those that were not authenticated.
# TYPE switchhook_ingress_requests_total counter
switchhook_ingress_requests_total{outcome="denied",tenant="",vendor="line"} 1
switchhook_ingress_requests_total{outcome="empty",tenant="acme",vendor="line"} 1
switchhook_ingress_requests_total{outcome="quarantined",tenant="acme",vendor="line"} 1
switchhook_ingress_requests_total{outcome="stored",tenant="acme",vendor="line"} 2
switchhook_ingress_requests_total{outcome="too_large",tenant="",vendor="line"} 1
switchhook_ingress_requests_total{outcome="unavailable",tenant="acme",vendor="line"} 0
switchhook_ingress_requests_total{outcome="unreadable",tenant="",vendor="line"} 1
# HELP switchhook_ingress_unknown_fields_total Fields of webhooks that the vendor's documents do not know, by name; they are kept among the attributes.
# TYPE switchhook_ingress_unknown_fields_total counter
switchhook_ingress_unknown_fields_total{field="20",vendor="line"} 1
switchhook_ingress_unknown_fields_total{field="21",vendor="line"} 1
switchhook_ingress_unknown_fields_total{field="22",vendor="line"} 1
# HELP switchhook_quarantined_total What was put into the quarantine, by who put it there and why, in a word.
# TYPE switchhook_quarantined_total counter
switchhook_quarantined_total{cause="malformed",service="ingress",tenant="acme",vendor="line"} 1
`), "switchhook_ingress_requests_total", "switchhook_ingress_unknown_fields_total", "switchhook_quarantined_total")
	if err != nil {
		t.Error(err)
	}
}

func keys(answer map[string]any) string {
	var list []string
	for _, name := range []string{"detail", "id", "ids", "quarantined", "status", "title", "type"} {
		if _, ok := answer[name]; ok {
			list = append(list, name)
		}
	}
	return strings.Join(list, " ")
}

// The trace that an exchange's proxy began goes on in the event.
func TestTrace(t *testing.T) {
	b := bustest.Start(t).Bus()
	post(newHandler(b, prometheus.NewRegistry(), io.Discard), secret, "20")
	header := nats.Header(events(t, b)[0].Headers).Get("traceparent")
	if !strings.HasPrefix(header, "00-0af7651916cd43dd8448eb211c80319c-") || strings.Contains(header, "b7ad6b7169203331") {
		t.Errorf("want a new span of the same trace, have %s", header)
	}
}

// Two byte-identical requests are two events: a queue rings the same phone again.
func TestIdenticalRequests(t *testing.T) {
	b := bustest.Start(t).Bus()
	h := newHandler(b, prometheus.NewRegistry(), io.Discard)
	first, second := post(h, secret, "20"), post(h, secret, "20")
	if first.Body.String() == second.Body.String() {
		t.Errorf("want two ids, have %s twice", first.Body)
	}
	if want, have := 2, len(events(t, b)); want != have {
		t.Errorf("want %d events, have %d", want, have)
	}
}

func TestQuarantineKeepsTheRequest(t *testing.T) {
	b := bustest.Start(t).Bus()
	var log bytes.Buffer
	post(newHandler(b, prometheus.NewRegistry(), &log), secret, "broken \xff")
	all := quarantined(t, b)
	if len(all) != 1 {
		t.Fatalf("want 1 quarantined request, have %d", len(all))
	}
	q := all[0]
	want := &pbxv1.WebhookRequest{
		Method: "POST", Path: "/hook/(secret)", Query: "s=(secret)", Body: []byte("broken \xff"), RemoteAddress: "203.0.113.9",
		Headers: []*pbxv1.Header{
			{Name: "Traceparent", Value: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
			{Name: "X-Forwarded-For", Value: "203.0.113.9"},
			{Name: "X-Note", Value: "kept"},
		},
	}
	if !proto.Equal(want, q.GetRequest()) {
		t.Errorf("want %v, have %v", want, q.GetRequest())
	}
	if strings.Contains(q.String()+log.String(), secret) {
		t.Errorf("want no secret kept or logged, have %v and %s", q, &log)
	}
}

// Redriving takes the request through today's code, under the id that the exchange was told.
func TestRedrive(t *testing.T) {
	q := &pbxv1.Quarantined{
		Id: "0195f2d0-0000-7000-8000-000000000001", Vendor: "line", Tenant: "acme", Exchange: "one", Service: "ingress",
		Content: &pbxv1.Quarantined_Request{Request: &pbxv1.WebhookRequest{Method: "POST", Path: "/", Body: []byte("20 21")}},
	}
	var all []*pbxv1.Event
	for range 2 {
		reading, err := ingress.Redrive(lineVendor{secret}, q)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, reading.Events...)
	}
	if len(all) != 4 || all[0].GetId() != q.GetId() || all[1].GetId() == q.GetId() {
		t.Fatalf("want two events, the first under the request's id, have %v", all)
	}
	if !proto.Equal(all[0], all[2]) || !proto.Equal(all[1], all[3]) {
		t.Errorf("want the same events when redriven again, have %v", all)
	}
	gone := proto.CloneOf(q)
	gone.Exchange = "two"
	if _, err := ingress.Redrive(lineVendor{secret}, gone); !fault.Is(err, fault.NotFound) {
		t.Errorf("want not found for an exchange that is not configured, have %v", err)
	}
	still := proto.CloneOf(q)
	still.GetRequest().Body = []byte("broken")
	if _, err := ingress.Redrive(lineVendor{secret}, still); !fault.Is(err, fault.Invalid) {
		t.Errorf("want invalid for what is still broken, have %v", err)
	}
	other := proto.CloneOf(q)
	other.Content = &pbxv1.Quarantined_Message{Message: &pbxv1.StreamMessage{}}
	if _, err := ingress.Redrive(lineVendor{secret}, other); !fault.Is(err, fault.Invalid) {
		t.Errorf("want invalid for what is no request, have %v", err)
	}
}

// Nothing gets a 2xx that JetStream did not acknowledge, for whatever reason; and the reason stays with us.
func TestNotStored(t *testing.T) {
	tests := map[string]func(*testing.T, *bustest.Server) *bus.Bus{
		"refused: no stream": func(_ *testing.T, s *bustest.Server) *bus.Bus { return s.Connect() },
		"no answer": func(t *testing.T, s *bustest.Server) *bus.Bus {
			nc, _ := s.Raw()
			if _, err := nc.Subscribe("pbx.>", func(*nats.Msg) {}); err != nil {
				t.Fatal(err)
			}
			if err := nc.Flush(); err != nil {
				t.Fatal(err)
			}
			return s.Connect()
		},
		"gone": func(_ *testing.T, s *bustest.Server) *bus.Bus {
			b := s.Bus()
			s.Stop()
			return b
		},
	}
	for name, prepare := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHandler(prepare(t, bustest.Start(t)), prometheus.NewRegistry(), io.Discard)
			for _, body := range []string{"20", "20 21", "broken"} {
				w := post(h, secret, body)
				if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
					t.Errorf("%s: want 503 with Retry-After, have %d: %s", body, w.Code, w.Body)
				}
				if strings.Contains(w.Body.String(), "nats") {
					t.Errorf("%s: want no cause told to a stranger, have %s", body, w.Body)
				}
			}
			if w := post(h, secret, "?123"); w.Code != http.StatusOK || w.Body.String() != "it is " {
				t.Errorf("want the empty answer to a question, have %d: %s", w.Code, w.Body)
			}
		})
	}
}

// An exchange that hangs up does not take back what it reported.
func TestExchangeHangsUp(t *testing.T) {
	b := bustest.Start(t).Bus()
	h := newHandler(b, prometheus.NewRegistry(), io.Discard)
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("20"))
	r.Header.Set("Authorization", secret)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h.ServeHTTP(httptest.NewRecorder(), r.WithContext(ctx))
	if want, have := 1, len(events(t, b)); want != have {
		t.Errorf("want %d event, have %d", want, have)
	}
}

func TestUse(t *testing.T) {
	b := bustest.Start(t).Bus()
	h := newHandler(b, prometheus.NewRegistry(), io.Discard)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() { post(h, secret, "20") })
	}
	h.Use(lineVendor{"another-secret-of-length"})
	group.Wait()
	if w := post(h, secret, "20"); w.Code != http.StatusUnauthorized {
		t.Errorf("want the old secret refused, have %d", w.Code)
	}
	if w := post(h, "another-secret-of-length", "20"); w.Code != http.StatusOK {
		t.Errorf("want the new secret accepted, have %d", w.Code)
	}
}

func TestClient(t *testing.T) {
	trusted := ingress.Proxies{netip.MustParsePrefix("10.0.0.0/8")}
	tests := map[string]struct {
		peer string
		xff  []string
		want string
	}{
		"no proxy":                   {"203.0.113.1:99", nil, "203.0.113.1"},
		"stranger claims":            {"203.0.113.1:99", []string{"198.51.100.1"}, "203.0.113.1"},
		"one proxy":                  {"10.0.0.1:99", []string{"203.0.113.1"}, "203.0.113.1"},
		"two proxies":                {"10.0.0.1:99", []string{"203.0.113.1, 10.0.0.2"}, "203.0.113.1"},
		"client claims":              {"10.0.0.1:99", []string{"198.51.100.1, 203.0.113.1"}, "203.0.113.1"},
		"header twice":               {"10.0.0.1:99", []string{"198.51.100.1", "203.0.113.1"}, "203.0.113.1"},
		"proxy says nothing":         {"10.0.0.1:99", nil, "10.0.0.1"},
		"proxy says nonsense":        {"10.0.0.1:99", []string{"unknown"}, "10.0.0.1"},
		"IPv4 in IPv6":               {"[::ffff:10.0.0.1]:99", []string{"::ffff:203.0.113.1"}, "203.0.113.1"},
		"unknown peer, such as unix": {"@", nil, "invalid IP"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := &http.Request{RemoteAddr: test.peer, Header: http.Header{"X-Forwarded-For": test.xff}}
			if have := trusted.Client(r).String(); test.want != have {
				t.Errorf("want %s, have %s", test.want, have)
			}
		})
	}
}
