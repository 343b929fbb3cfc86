package ingress_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/switchhook/switchhook/pkg/ingress"
)

// An exchange that makes up field names must not fill the memory of whoever keeps the metrics.
func TestNamesOfUnknownFieldsAreBounded(t *testing.T) {
	registry := prometheus.NewRegistry()
	h := ingress.New(lineVendor{secret}, ingress.Options{Store: nowhere{}, Directory: nowhere{}, Metrics: registry})
	const sent, want = 150, 100 + 1 // other
	var fields []string
	for i := range sent {
		fields = append(fields, fmt.Sprintf("field%03d", i))
	}
	fields[7] += "\xff" + strings.Repeat("x", 1000)
	for range 2 {
		if w := post(h, secret, strings.Join(fields, " ")); w.Code != 200 {
			t.Fatalf("want 200, have %d with %s", w.Code, w.Body)
		}
	}
	have, err := testutil.GatherAndCount(registry, "switchhook_ingress_unknown_fields_total")
	if err != nil || want != have {
		t.Errorf("want %d, have %d (%v)", want, have, err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	total := 0.0
	for _, family := range families {
		if family.GetName() == "switchhook_ingress_unknown_fields_total" {
			for _, m := range family.GetMetric() {
				total += m.GetCounter().GetValue()
			}
		}
	}
	if total != 2*sent {
		t.Errorf("want %d counted, have %v", 2*sent, total)
	}
}
