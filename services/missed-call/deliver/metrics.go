package deliver

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/switchhook/switchhook/pkg/quarantine"
)

type metrics struct {
	alerts      *prometheus.CounterVec
	waiting     prometheus.Gauge
	seconds     *prometheus.HistogramVec
	quarantined quarantine.Counter
}

func newMetrics(r prometheus.Registerer) metrics {
	m := metrics{
		alerts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "switchhook", Subsystem: "missed_call", Name: "alerts_total",
			Help: "Messages to people by this replica, by what came of them: sent, failed (and tried again), dropped (into the quarantine).",
		}, []string{"tenant", "channel", "outcome"}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "switchhook", Subsystem: "missed_call", Name: "alerts_waiting",
			Help: "Alerts that are due and not told, but for those that wait to be tried again.",
		}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "switchhook", Subsystem: "missed_call", Name: "alert_seconds",
			Help:    "Time that a channel took to take or refuse a message.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"tenant", "channel"}),
		quarantined: quarantine.NewCounter(r),
	}
	if r != nil {
		r.MustRegister(m.alerts, m.waiting, m.seconds)
	}
	return m
}

// expect begins to count at zero: else the first failure would not look like an increase.
func (m metrics) expect(tenant, channel string) {
	for _, outcome := range []string{"sent", "failed", "dropped"} {
		m.alerts.WithLabelValues(tenant, channel, outcome)
	}
}

func (m metrics) over(j job, channel, outcome string) {
	m.alerts.WithLabelValues(j.Tenant, channel, outcome).Inc()
}
