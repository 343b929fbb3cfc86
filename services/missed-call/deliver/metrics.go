package deliver

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	alerts  *prometheus.CounterVec
	waiting prometheus.Gauge
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
	}
	if r != nil {
		r.MustRegister(m.alerts, m.waiting)
	}
	return m
}

func (m metrics) over(j job, channel, outcome string) {
	m.alerts.WithLabelValues(j.Tenant, channel, outcome).Inc()
}
