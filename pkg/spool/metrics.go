package spool

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/switchhook/switchhook/pkg/spool/disk"
)

type metrics struct{ written, drained, refused prometheus.Counter }

func newMetrics() metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "switchhook_spool_" + name, Help: help})
	}
	return metrics{
		written: counter("written_total", "Events and quarantined requests that were written to the spool, as JetStream did not take them."),
		drained: counter("drained_total", "Events and quarantined requests of the spool that JetStream has."),
		refused: counter("refused_total", "Events and quarantined requests that the spool did not take: it was full, or its disk failed."),
	}
}

func (m metrics) register(r prometheus.Registerer, most int64, stats func() disk.Stats) {
	gauge := func(name, help string, value func(disk.Stats) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "switchhook_spool_" + name, Help: help},
			func() float64 { return value(stats()) })
	}
	r.MustRegister(m.written, m.drained, m.refused,
		gauge("records", "How many events and quarantined requests wait in the spool.",
			func(s disk.Stats) float64 { return float64(s.Records) }),
		gauge("bytes", "How many bytes the spool takes on disk.",
			func(s disk.Stats) float64 { return float64(s.Bytes) }),
		gauge("max_bytes", "How many bytes wait in the spool at most; then it refuses.",
			func(disk.Stats) float64 { return float64(most) }),
		gauge("oldest_seconds", "How long the oldest of what is in the spool has waited; 0 when it is empty.",
			func(s disk.Stats) float64 {
				if s.Oldest.IsZero() {
					return 0
				}
				return time.Since(s.Oldest).Seconds()
			}))
}
