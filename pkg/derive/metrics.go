package derive

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are those of a service, by its name and by what it derives: switchhook_agent_state_transitions_total, say.
type metrics struct {
	events, published, conflicts prometheus.Counter
	waiting                      prometheus.Gauge
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
	}
	if o.Metrics != nil {
		o.Metrics.MustRegister(m.events, m.published, m.conflicts, m.waiting)
	}
	return m
}
