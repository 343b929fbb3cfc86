package live

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	events, published, conflicts prometheus.Counter
	waiting                      prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "switchhook", Subsystem: "agent_state", Name: name, Help: help})
	}
	m := metrics{
		events:    counter("events_total", "Events read from the stream."),
		published: counter("transitions_total", "Transitions of agents that this replica published."),
		conflicts: counter("conflicts_total", "Transitions not published since another replica was faster."),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "switchhook", Subsystem: "agent_state", Name: "transitions_waiting",
			Help: "Transitions that have not been read back from the stream yet.",
		}),
	}
	if r != nil {
		r.MustRegister(m.events, m.published, m.conflicts, m.waiting)
	}
	return m
}
