package live

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

type metrics struct {
	questions *prometheus.HistogramVec
	published *prometheus.CounterVec
	latency   prometheus.Histogram
	directory *prometheus.HistogramVec
	waiting   prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) metrics {
	buckets := []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	histogram := func(name, help string) prometheus.HistogramOpts {
		return prometheus.HistogramOpts{
			Namespace: "switchhook", Subsystem: "contact_lookup", Name: name, Help: help, Buckets: buckets,
		}
	}
	m := metrics{
		questions: prometheus.NewHistogramVec(histogram("question_seconds", "Time to answer a question, by outcome."), []string{"outcome"}),
		published: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "switchhook", Subsystem: "contact_lookup", Name: "contacts_total",
			Help: "Contacts of calls that this replica published, by kind.",
		}, []string{"kind"}),
		latency: prometheus.NewHistogram(histogram("webhook_to_contact_seconds", "Time from the webhook that showed a number to its contact in the stream.")),
		directory: prometheus.NewHistogramVec(
			histogram("directory_seconds", "Time that a directory took to answer, by what it answered: known, unknown, timeout or the kind of error."),
			[]string{"tenant", "directory", "outcome"}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "switchhook", Subsystem: "contact_lookup", Name: "contacts_waiting",
			Help: "Calls whose contact this replica looks up, or leaves to another one that has not published it yet.",
		}),
	}
	if r != nil {
		r.MustRegister(m.questions, m.published, m.latency, m.directory, m.waiting)
	}
	return m
}

func (m metrics) answered(err error, took time.Duration) {
	outcome := "answered"
	if err != nil {
		outcome = fault.Of(err).String()
	}
	m.questions.WithLabelValues(outcome).Observe(took.Seconds())
}

// asked notes what a directory answered.
func (m metrics) asked(tenant, directory string, matches int, err error, took time.Duration) {
	outcome := "known"
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		outcome = "timeout"
	case err != nil:
		outcome = strings.ReplaceAll(fault.Of(err).String(), " ", "_")
	case matches == 0:
		outcome = "unknown"
	}
	m.directory.WithLabelValues(tenant, directory, outcome).Observe(took.Seconds())
}

func (m metrics) resolved(ev *pbxv1.Event, took time.Duration) {
	kind := "unknown"
	if ev.GetContact().GetKind() == pbxv1.Contact_RESOLVED {
		kind = "resolved"
	}
	m.published.WithLabelValues(kind).Inc()
	m.latency.Observe(took.Seconds())
}
