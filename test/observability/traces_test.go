package observability_test

import (
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// receiver takes spans as an OpenTelemetry collector does.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	traces   map[string][]*tracev1.Span // by the trace's id
	services map[string]bool
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{traces: map[string][]*tracev1.Span{}, services: map[string]bool{}}
	r.Server = httptest.NewServer(http.HandlerFunc(r.take))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) take(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	var export collector.ExportTraceServiceRequest
	if err != nil || request.URL.Path != "/v1/traces" || proto.Unmarshal(body, &export) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, resource := range export.GetResourceSpans() {
		for _, a := range resource.GetResource().GetAttributes() {
			if a.GetKey() == "service.name" {
				r.services[a.GetValue().GetStringValue()] = true
			}
		}
		for _, scope := range resource.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				id := hex.EncodeToString(span.GetTraceId())
				r.traces[id] = append(r.traces[id], span)
			}
		}
	}
}

// paths returns the spans of a trace, each with those above it; an error if one hangs on nothing.
func (r *receiver) paths(trace, root string) (map[string]bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	byID := map[string]*tracev1.Span{}
	for _, span := range r.traces[trace] {
		byID[string(span.GetSpanId())] = span
	}
	paths := map[string]bool{}
	for _, span := range r.traces[trace] {
		var names []string
		for above := span; ; {
			names = append(names, above.GetName())
			parent := string(above.GetParentSpanId())
			if hex.EncodeToString([]byte(parent)) == root {
				break
			}
			if above = byID[parent]; above == nil {
				return nil, fmt.Errorf("%s hangs on a span that is not there (yet)", strings.Join(names, " < "))
			}
		}
		slices.Reverse(names)
		paths[strings.Join(names, " > ")] = true
	}
	return paths, nil
}

func TestTraceGoesFromTheWebhookToItsLastEffects(t *testing.T) {
	spans := newReceiver(t)
	s := start(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+spans.URL, "OTEL_BSP_SCHEDULE_DELAY=100", "OTEL_TRACES_SAMPLER=parentbased_always_on",
		"OTEL_SERVICE_NAME=switchhook-test")
	s.watch("200")
	const (
		root    = "b7ad6b7169203331"
		call    = "0af7651916cd43dd8448eb211c80319c"
		skipped = "0af7651916cd43dd8448eb211c80319e"
	)
	s.webhook(`{"EventName": "Ringing", "UniqueId": "9.1", "From": "608610683", "To": "222333444", "Line": "200"}`, "00-"+call+"-"+root+"-01")
	s.webhook(`{"EventName": "Ringing", "UniqueId": "9.2", "From": "608610684", "To": "222333444", "Line": "201"}`, "00-"+skipped+"-"+root+"-00")
	stored := "webhook ipex > publish PBX_EVENTS"
	s.eventually("the trace of a call", func() error {
		return spans.holds(call, root,
			stored+" > resolve a contact > ask a directory",
			stored+" > resolve a contact > publish PBX_EVENTS > tell a page",
			stored+" > derive transitions > publish PBX_EVENTS",
			stored+" > tell a page")
	})
	if out, err := s.do("pbxsim", "--config", s.config, "--target", s.target, "--calls", "40", "--speed", "200",
		"--ledger", filepath.Join(filepath.Dir(s.config), "ledger.jsonl")); err != nil {
		t.Fatalf("pbxsim: %v\n%s", err, out)
	}
	s.eventually("the trace of who is told of a missed call", func() error {
		return spans.anywhere("derive entries > publish PBX_EVENTS > tell of missed calls > send to a channel")
	})
	spans.mu.Lock()
	defer spans.mu.Unlock()
	if have := spans.traces[skipped]; len(have) > 0 {
		t.Errorf("want nothing of a trace that is not sampled, have %d spans", len(have))
	}
	if have := slices.Collect(maps.Keys(spans.services)); !slices.Equal(have, []string{"switchhook-test"}) {
		t.Errorf("want the service's name from the environment, have %v", have)
	}
}

// anywhere looks for how a path of spans ends, in the traces that began here.
func (r *receiver) anywhere(end string) error {
	r.mu.Lock()
	ids := slices.Collect(maps.Keys(r.traces))
	r.mu.Unlock()
	for _, id := range ids {
		paths, _ := r.paths(id, "")
		for path := range paths {
			if strings.HasSuffix(path, end) {
				return nil
			}
		}
	}
	return fmt.Errorf("no %s in %d traces", end, len(ids))
}

func (r *receiver) holds(trace, root string, want ...string) error {
	have, err := r.paths(trace, root)
	if err != nil {
		return err
	}
	for _, path := range want {
		if !have[path] {
			return fmt.Errorf("no %s in %s", path, strings.Join(slices.Sorted(maps.Keys(have)), "; "))
		}
	}
	return nil
}
