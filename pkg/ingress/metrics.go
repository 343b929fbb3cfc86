package ingress

import (
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/switchhook/switchhook/pkg/quarantine"
	"github.com/switchhook/switchhook/pkg/webhook"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// metrics count what became of one vendor's requests.
type metrics struct {
	requests      *prometheus.CounterVec
	seconds       prometheus.Histogram
	underWay      prometheus.Gauge
	unknownFields *prometheus.CounterVec
	names         names
	quarantined   quarantine.Counter
}

func newMetrics(r prometheus.Registerer, vendor string) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "switchhook_ingress_requests_total",
			Help: "Webhook requests by what became of them; the tenant is empty for those that were not authenticated.",
		}, []string{"tenant", "outcome"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "switchhook_ingress_request_seconds",
			Help:    "Time from a request's headers to its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}),
		underWay: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "switchhook_ingress_requests_under_way",
			Help: "Webhook requests that are being read, stored or answered.",
		}),
		unknownFields: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "switchhook_ingress_unknown_fields_total",
			Help: "Fields of webhooks that the vendor's documents do not know, by name; they are kept among the attributes.",
		}, []string{"field"}),
		quarantined: quarantine.NewCounter(r),
	}
	prometheus.WrapRegistererWith(prometheus.Labels{"vendor": vendor}, r).
		MustRegister(m.requests, m.seconds, m.underWay, m.unknownFields)
	return m
}

// expect begins to count at zero what somebody may wait for: else the first refusal would not look like an increase.
func (m *metrics) expect(exchanges []webhook.Exchange) {
	for _, ex := range exchanges {
		for _, o := range []outcome{stored, unavailable} {
			m.requests.WithLabelValues(ex.Origin().Tenant, o.String())
		}
	}
}

func (m *metrics) observe(a answer, took time.Duration) {
	m.requests.WithLabelValues(a.origin.Tenant, a.outcome.String()).Inc()
	m.seconds.Observe(took.Seconds())
	for _, name := range a.unknownFields {
		m.unknownFields.WithLabelValues(m.names.bounded(name)).Inc()
	}
}

func (m *metrics) quarantine(q *pbxv1.Quarantined, why error) {
	m.quarantined.Add(q, string(webhook.CauseOf(why)))
}

const (
	// mostNames is how many fields have a metric of their own; longestName is how much of a name is one's label.
	mostNames, longestName = 100, 64
	// otherNames is the label of all fields beyond those.
	otherNames = "other"
)

// names are the first fields that came, since an exchange can make up as many as it likes. The zero value has none.
type names struct {
	mu    sync.Mutex
	known map[string]bool
}

func (n *names) bounded(name string) string {
	if len(name) > longestName {
		name = name[:longestName]
	}
	name = strings.ToValidUTF8(name, "?")
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.known[name] {
		return name
	}
	if len(n.known) == mostNames {
		return otherNames
	}
	if n.known == nil {
		n.known = map[string]bool{}
	}
	n.known[name] = true
	return name
}
