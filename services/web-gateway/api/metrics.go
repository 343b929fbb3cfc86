package api

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	requests *prometheus.CounterVec
	logins   *prometheus.CounterVec
	streams  *prometheus.GaugeVec
}

func newMetrics(r prometheus.Registerer) metrics {
	m := metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "switchhook", Subsystem: "web_gateway", Name: "requests_total",
			Help: "Requests to the API, by operation and HTTP status; streams count when they end.",
		}, []string{"operation", "status"}),
		logins: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "switchhook", Subsystem: "web_gateway", Name: "logins_total", Help: "Attempts to log in, by outcome.",
		}, []string{"outcome"}),
		streams: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "switchhook", Subsystem: "web_gateway", Name: "streams", Help: "Open streams of server-sent events.",
		}, []string{"operation"}),
	}
	if r != nil {
		r.MustRegister(m.requests, m.logins, m.streams)
	}
	return m
}

// counters count by tenant.
type counters struct {
	mu     sync.Mutex
	counts map[string]int
}

func newCounters() *counters { return &counters{counts: map[string]int{}} }

// enter counts one more, unless there are as many as there may be.
func (c *counters) enter(tenant string, limit int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts[tenant] >= limit {
		return false
	}
	c.counts[tenant]++
	return true
}

func (c *counters) leave(tenant string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts[tenant]--; c.counts[tenant] == 0 {
		delete(c.counts, tenant)
	}
}
