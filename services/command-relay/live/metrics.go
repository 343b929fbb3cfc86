package live

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/command-relay/commands"
)

type metrics struct {
	outcomes *prometheus.CounterVec
	latency  *prometheus.HistogramVec
}

func newMetrics(r prometheus.Registerer) metrics {
	m := metrics{
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "switchhook", Subsystem: "command_relay", Name: "commands_total", Help: "Commands that are over, by exchange's vendor and tenant, action and outcome.",
		}, []string{"vendor", "tenant", "action", "outcome"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "switchhook", Subsystem: "command_relay", Name: "exchange_seconds", Help: "Time that an exchange took to answer, by vendor.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"vendor", "result"}),
	}
	if r != nil {
		r.MustRegister(m.outcomes, m.latency)
	}
	return m
}

func (m metrics) over(ev *pbxv1.Event) {
	o := ev.GetCommand()
	m.outcomes.WithLabelValues(ev.GetVendor(), ev.GetTenant(), o.GetAction(), strings.ToLower(o.GetOutcome().String())).Inc()
}

func (m metrics) sent(a commands.Arrival, err error, took time.Duration) {
	result := "done"
	if err != nil {
		result = "error"
	}
	m.latency.WithLabelValues(a.Vendor, result).Observe(took.Seconds())
}
