// Package vendortest is the conformance suite of the vendors' dialects. A dialect brings requests as exchanges send them
// and what must come of each; the suite sends them through the ingress and looks at everything that comes out.
package vendortest

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/ingress"
	"github.com/switchhook/switchhook/pkg/webhook"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

var update = flag.Bool("update", false, "write what comes of the requests in testdata as what must come of them")

// Now is when every request of the suite is received.
var Now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// Load builds a dialect from testdata/switchhook.yaml.
func Load[V webhook.Vendor](t testing.TB, create func([]*config.Exchange) (V, error)) V {
	t.Helper()
	v, err := config.Load("testdata/switchhook.yaml", func(c *config.Config) (V, error) {
		var exchanges []*config.Exchange
		for _, tenant := range c.Tenants {
			exchanges = append(exchanges, tenant.Exchanges...)
		}
		return create(exchanges)
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Run sends every testdata/*.http, a request as it stands on the wire, and compares the outcome with the .json beside it.
// It also demands what holds for every vendor. With -update it writes the .json files.
func Run(t *testing.T, v webhook.Vendor) {
	files, err := filepath.Glob("testdata/*.http")
	if err != nil || len(files) == 0 {
		t.Fatalf("want requests in testdata, have none (%v)", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".http"), func(t *testing.T) {
			r := readRequest(t, file)
			have := send(v, r)
			want := have
			golden := strings.TrimSuffix(file, ".http") + ".json"
			if *update {
				have.write(t, golden)
			} else {
				want = readOutcome(t, golden)
			}
			want.compare(t, have)
			have.checkLeaks(t, v.Exchanges())
		})
	}
	t.Run("wrong method", func(t *testing.T) { testMethod(t, v) })
	t.Run("body of 65 KiB", func(t *testing.T) { testTooLarge(t, v) })
	t.Run("nothing is stored", func(t *testing.T) { testUnavailable(t, v, files) })
	t.Run("exchanges", func(t *testing.T) { testExchanges(t, v) })
}

// outcome is all that comes of a request.
type outcome struct {
	Status        int               `json:"status"`
	Header        map[string]string `json:"header,omitempty"` // those that say something
	Answer        any               `json:"answer"`
	Asked         string            `json:"asked,omitempty"`         // the number that was looked up
	Subjects      []string          `json:"subjects,omitempty"`      // of the events
	Events        []json.RawMessage `json:"events,omitempty"`        // in protojson
	UnknownFields []string          `json:"unknownFields,omitempty"` // as they are counted
	Quarantined   string            `json:"quarantined,omitempty"`   // why

	events []*pbxv1.Event
	log    string
}

// send sends a request through the ingress.
func send(v webhook.Vendor, r *http.Request) outcome {
	body := new(bytes.Buffer)
	_, _ = body.ReadFrom(r.Body)
	r.Body = readCloser{bytes.NewReader(body.Bytes())}
	s := &store{}
	var log bytes.Buffer
	n := 0
	h := ingress.New(v, ingress.Options{
		Store: s, Directory: s, Metrics: prometheus.NewRegistry(),
		Log:     slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Trusted: trusted,
		Now:     func() time.Time { return Now },
		NewID:   func() string { n++; return fmt.Sprintf("00000000-0000-7000-8000-%012d", n) },
	})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	o := outcome{Status: w.Code, Asked: s.asked, events: s.events, log: log.String()}
	for _, name := range []string{"Allow", "Retry-After", "WWW-Authenticate"} {
		if value := w.Header().Get(name); value != "" {
			o.Header = map[string]string{name: value}
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &o.Answer); err != nil {
		o.Answer = w.Body.String()
	}
	for _, ev := range s.events {
		subject, err := event.Subject(ev)
		o.Subjects = append(o.Subjects, fmt.Sprint(subject, errText(err)))
		data, err := protojson.Marshal(ev)
		o.Events = append(o.Events, append(data, errText(err)...))
	}
	for _, q := range s.quarantined {
		o.Quarantined = q.GetError()
	}
	o.UnknownFields = unknownFields(v, r, body.Bytes())
	return o
}

// unknownFields reads the request once more, since the ingress only counts them.
func unknownFields(v webhook.Vendor, r *http.Request, body []byte) []string {
	request := webhook.Request{
		Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Header: r.Header, Body: body, ReceivedAt: Now,
	}
	exchange, err := v.Authenticate(request)
	if err != nil {
		return nil
	}
	reading, _ := exchange.Read(request)
	return reading.UnknownFields
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func (o outcome) write(t *testing.T, file string) {
	t.Helper()
	// Through any, which sorts the keys and evens out protojson's spacing.
	data, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var document any
	if err := json.Unmarshal(data, &document); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(document); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func readOutcome(t *testing.T, file string) (o outcome) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &o); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for _, raw := range o.Events {
		ev := new(pbxv1.Event)
		if err := protojson.Unmarshal(raw, ev); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		o.events = append(o.events, ev)
	}
	return o
}

func (o outcome) compare(t *testing.T, have outcome) {
	t.Helper()
	check := func(what string, want, have any) {
		t.Helper()
		if !reflect.DeepEqual(want, have) {
			t.Errorf("%s: want %v, have %v", what, want, have)
		}
	}
	check("status", o.Status, have.Status)
	check("header", o.Header, have.Header)
	check("answer", o.Answer, have.Answer)
	check("asked", o.Asked, have.Asked)
	check("subjects", o.Subjects, have.Subjects)
	check("unknown fields", o.UnknownFields, have.UnknownFields)
	check("quarantined", o.Quarantined, have.Quarantined)
	if len(o.events) != len(have.events) {
		t.Fatalf("want %d events, have %d: %v", len(o.events), len(have.events), have.events)
	}
	for i := range o.events {
		if !proto.Equal(o.events[i], have.events[i]) {
			t.Errorf("event %d:\nwant %v\nhave %v", i, o.events[i], have.events[i])
		}
	}
}

func (o outcome) checkLeaks(t *testing.T, exchanges []webhook.Exchange) {
	t.Helper()
	for _, exchange := range exchanges {
		checkSecrets(t, exchange, "log", o.log)
		checkSecrets(t, exchange, "quarantined", o.Quarantined)
		checkSecrets(t, exchange, "answer", fmt.Sprint(o.Answer))
		for _, ev := range o.events {
			checkSecrets(t, exchange, "event", ev.String())
		}
	}
}

// store keeps what the ingress stores, and knows one contact.
type store struct {
	events      []*pbxv1.Event
	quarantined []*pbxv1.Quarantined
	asked       string
	refuse      bool
}

func (s *store) Publish(_ context.Context, events ...*pbxv1.Event) error {
	if s.refuse {
		return fault.New(fault.Unavailable, "no acknowledgement")
	}
	s.events = append(s.events, events...)
	return nil
}

func (s *store) Quarantine(_ context.Context, q *pbxv1.Quarantined) error {
	if s.refuse {
		return fault.New(fault.Unavailable, "no acknowledgement")
	}
	s.quarantined = append(s.quarantined, q)
	return nil
}

// Known is the only number that the suite's directory knows.
const Known = "79201119613"

func (s *store) LookupContact(_ context.Context, q *pbxv1.ContactLookupRequest) (*pbxv1.Contact, error) {
	s.asked = q.GetNumber()
	if q.GetNumber() != Known {
		return nil, fault.New(fault.Unavailable, "nobody answers")
	}
	return &pbxv1.Contact{Kind: pbxv1.Contact_RESOLVED, Match: &pbxv1.ContactMatch{
		Name: "Вася/Рога и Копыта", ResponsibleExtension: "100",
	}}, nil
}
