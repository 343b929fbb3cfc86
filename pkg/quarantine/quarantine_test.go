package quarantine_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/switchhook/switchhook/pkg/quarantine"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

func ExampleCounter() {
	registry := prometheus.NewRegistry()
	quarantine.NewCounter(registry).Add(
		&pbxv1.Quarantined{Vendor: "mcn", Tenant: "acme", Service: "ingress", Error: `event "Zap" is unknown`}, "unknown_event")
	families, _ := registry.Gather()
	fmt.Println(families[0].GetName(), families[0].GetMetric()[0].GetLabel()[0].GetValue())
	// Output: switchhook_quarantined_total unknown_event
}

func TestAllPartsOfAProcessCountTogether(t *testing.T) {
	registry := prometheus.NewRegistry()
	q := &pbxv1.Quarantined{Vendor: "xvb", Tenant: "acme", Service: "ingress"}
	for range 2 {
		quarantine.NewCounter(registry).Add(q, "malformed")
	}
	quarantine.NewCounter(nil).Add(q, "malformed") // which nobody sees
	want := `
# HELP switchhook_quarantined_total What was put into the quarantine, by who put it there and why, in a word.
# TYPE switchhook_quarantined_total counter
switchhook_quarantined_total{cause="malformed",service="ingress",tenant="acme",vendor="xvb"} 2
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}
