package bus

import (
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/switchhook/switchhook/pkg/quarantine"
)

// metrics are those of one connection. Streams and consumers are told by whoever asks the server for them: every process
// tells the same, so whoever looks takes the greatest.
type metrics struct {
	publish *prometheus.HistogramVec // by stream and outcome
	batches prometheus.Histogram

	streamMessages, streamBytes, streamMaxBytes, streamOldest, streamMaxAge *prometheus.GaugeVec // by stream
	consumerPending, consumerUnacknowledged                                 *prometheus.GaugeVec // by stream and consumer
	behind                                                                  *prometheus.GaugeVec // by follower
	storage, storageMax                                                     prometheus.Gauge
	quarantined                                                             quarantine.Counter
}

const subsystem = "bus"

func newMetrics(r prometheus.Registerer) metrics {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "switchhook", Subsystem: subsystem, Name: name, Help: help,
		}, labels)
		register(r, g)
		return g
	}
	m := metrics{
		publish: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "switchhook", Subsystem: subsystem, Name: "publish_seconds",
			Help: "Time from handing a message over to knowing what became of it, by stream and outcome: stored, conflict " +
				"(somebody was faster), unavailable (not known to be stored).",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"stream", "outcome"}),
		batches: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "switchhook", Subsystem: subsystem, Name: "commit_events",
			Help:    "Events that were published together, in one commit.",
			Buckets: []float64{1, 2, 4, 8, 16, 32, 64, 128, 256},
		}),
		streamMessages: gauge("stream_messages", "Messages of a stream, or of a bucket's.", "stream"),
		streamBytes:    gauge("stream_bytes", "Size of a stream, each copy of it.", "stream"),
		streamMaxBytes: gauge("stream_max_bytes", "Size that a stream may have; 0: any.", "stream"),
		streamOldest:   gauge("stream_oldest_seconds", "Age of the oldest message of a stream; 0 if it is empty.", "stream"),
		streamMaxAge:   gauge("stream_max_age_seconds", "Age at which a stream forgets messages; 0: never.", "stream"),
		consumerPending: gauge("consumer_pending_messages",
			"Messages that a durable consumer of the events or the commands has still to be sent: its lag.", "stream", "consumer"),
		consumerUnacknowledged: gauge("consumer_unacknowledged_messages",
			"Messages that were sent to a durable consumer and are not settled.", "stream", "consumer"),
		behind: gauge("follower_behind_events",
			"Events between what this process has handled and the end of what it follows, by who follows.", "follower"),
		storage: gauge("storage_bytes", "What JetStream keeps on disk in this account, all copies.").WithLabelValues(),
		storageMax: gauge("storage_max_bytes", "What this account may keep on disk; 0: no limit but that of the servers.").
			WithLabelValues(),
		quarantined: quarantine.NewCounter(r),
	}
	register(r, m.publish)
	register(r, m.batches)
	return m
}

// watch adds what the connection itself and the queue of its commits tell.
func (m metrics) watch(r prometheus.Registerer, nc *nats.Conn, c *committer) {
	opts := func(name, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "switchhook", Subsystem: subsystem, Name: name, Help: help}
	}
	register(r, prometheus.NewGaugeFunc(
		prometheus.GaugeOpts(opts("connected", "1 while connected to NATS.")), func() float64 {
			if nc.IsConnected() {
				return 1
			}
			return 0
		}))
	register(r, prometheus.NewCounterFunc(
		prometheus.CounterOpts(opts("reconnects_total", "How often NATS was connected to again.")),
		func() float64 { return float64(nc.Stats().Reconnects) }))
	register(r, prometheus.NewGaugeFunc(
		prometheus.GaugeOpts(opts("publish_queue_events", "Events that wait to be part of a commit.")),
		func() float64 { return float64(len(c.queue)) }))
}

func register(r prometheus.Registerer, c prometheus.Collector) {
	if r != nil {
		r.MustRegister(c)
	}
}

// published notes what became of a message.
func (m metrics) published(stream string, began time.Time, err error) {
	outcome := "stored"
	switch {
	case err == nil:
	case isConflict(err):
		outcome = "conflict"
	default:
		outcome = "unavailable"
	}
	m.publish.WithLabelValues(stream, outcome).Observe(time.Since(began).Seconds())
}
