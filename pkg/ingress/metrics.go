package ingress

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics count what became of one vendor's requests.
type metrics struct {
	requests      *prometheus.CounterVec
	seconds       prometheus.Histogram
	unknownFields prometheus.Counter
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
		unknownFields: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "switchhook_ingress_unknown_fields_total",
			Help: "Fields of webhooks that the vendor's documents do not know; they are kept among the attributes.",
		}),
	}
	prometheus.WrapRegistererWith(prometheus.Labels{"vendor": vendor}, r).MustRegister(m.requests, m.seconds, m.unknownFields)
	return m
}

func (m *metrics) observe(a answer, took time.Duration) {
	m.requests.WithLabelValues(a.origin.Tenant, a.outcome.String()).Inc()
	m.seconds.Observe(took.Seconds())
	m.unknownFields.Add(float64(a.unknownFields))
}
