// Package quarantine counts what goes into the quarantine, by why it did: the same metric for whoever puts something there.
package quarantine

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// Counter counts. It is safe for concurrent use.
type Counter struct{ total *prometheus.CounterVec }

// NewCounter returns a counter, the same one for all parts of a process that register with r; nil registers it nowhere.
func NewCounter(r prometheus.Registerer) Counter {
	total := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "switchhook", Name: "quarantined_total",
		Help: "What was put into the quarantine, by who put it there and why, in a word.",
	}, []string{"vendor", "tenant", "service", "cause"})
	if r == nil {
		return Counter{total}
	}
	err := r.Register(total)
	if already, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		return Counter{already.ExistingCollector.(*prometheus.CounterVec)}
	}
	if err != nil {
		panic(err) // as MustRegister does: another metric has its name
	}
	return Counter{total}
}

// Add counts what was stored. The cause is one of few words, and not the text of an error.
func (c Counter) Add(q *pbxv1.Quarantined, cause string) {
	c.total.WithLabelValues(q.GetVendor(), q.GetTenant(), q.GetService(), cause).Inc()
}
