package derive

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are those of a service, by its name and by what it derives: switchhook_agent_state_transitions_total, say.
type metrics struct {
	events, published, conflicts prometheus.Counter
	waiting, active              prometheus.Gauge
}

func newMetrics(o *Options) metrics {
	named := func(name, help string) prometheus.Opts {
		return prometheus.Opts{
			Namespace: "switchhook", Subsystem: strings.ReplaceAll(o.Name, "-", "_"), Name: name, Help: help,
		}
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts(named(name, help)))
	}
	m := metrics{
		events:    counter("events_total", "Events read from the stream."),
		published: counter(o.Derives+"_total", "Events of the service's own that this replica published."),
		conflicts: counter("conflicts_total", "Events of the service's own not published since another replica was faster."),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts(named(
			o.Derives+"_waiting", "Events of the service's own that have not been read back from the stream yet."))),
		active: prometheus.NewGauge(prometheus.GaugeOpts(named(
			"active_tenants", "Tenants whose last event of the service's own this replica published: it is the active one for them."))),
	}
	if o.Metrics != nil {
		o.Metrics.MustRegister(m.events, m.published, m.conflicts, m.waiting, m.active)
	}
	return m
}
