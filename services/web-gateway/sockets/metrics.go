package sockets

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	sockets prometheus.Gauge
	frames  prometheus.Counter
	slow    prometheus.Counter
	closes  *prometheus.CounterVec
	latency prometheus.Histogram
}

func newMetrics(r prometheus.Registerer) metrics {
	options := func(name, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "switchhook", Subsystem: "web_gateway", Name: name, Help: help}
	}
	m := metrics{
		sockets: prometheus.NewGauge(prometheus.GaugeOpts(options("sockets", "WebSockets that are open."))),
		frames:  prometheus.NewCounter(prometheus.CounterOpts(options("frames_total", "Frames written to WebSockets."))),
		slow: prometheus.NewCounter(prometheus.CounterOpts(
			options("slow_total", "WebSockets that were closed since their clients did not keep up."))),
		closes: prometheus.NewCounterVec(prometheus.CounterOpts(
			options("closes_total", "WebSockets that the gateway closed, by the code.")), []string{"code"}),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "switchhook", Subsystem: "web_gateway", Name: "frame_latency_seconds",
			Help:    "From the receipt of the request that an event was made of to the frame being written.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}),
	}
	if r != nil {
		r.MustRegister(m.sockets, m.frames, m.slow, m.closes, m.latency)
	}
	return m
}

// sent counts a frame; received is zero for one that is not about something new.
func (m metrics) sent(received time.Time) {
	m.frames.Inc()
	if !received.IsZero() {
		m.latency.Observe(max(0, time.Since(received).Seconds()))
	}
}

func (m metrics) closed(code int) { m.closes.WithLabelValues(strconv.Itoa(code)).Inc() }
