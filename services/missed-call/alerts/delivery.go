package alerts

import (
	"errors"
	"time"

	"github.com/switchhook/switchhook/pkg/fault"
)

const (
	shortestBackoff = 10 * time.Second
	longestBackoff  = 15 * time.Minute
)

// channel is a receiver that failed, and has not been reached since.
type channel struct {
	failures int
	since    time.Time
	next     time.Time // when it may be tried again
}

// trial is a telling that failed.
type trial struct {
	failures          int
	first, last, next time.Time
	err               error
	dead              bool
}

func (e *entry) fail(k Key, at time.Time, err error) {
	tr := e.trials[k]
	if tr == nil {
		tr = &trial{first: at}
		e.trials[k] = tr
	}
	tr.failures++
	tr.last, tr.err = at, err
	tr.next = at.Add(backoff(tr.failures, err))
	tr.dead = fault.Is(err, fault.Invalid) || at.Sub(tr.first) >= e.tenant.settings.GiveUp
}

func (m *Machine) fail(a address, at time.Time, err error) {
	if fault.Is(err, fault.Invalid) {
		return
	}
	c := m.channels[a]
	if c == nil {
		c = &channel{since: at}
		m.channels[a] = c
	}
	c.failures++
	c.next = later(c.next, at.Add(backoff(c.failures, err)))
}

// backoff is how long to wait after so many failures: 10 s, and then twice as long each time, up to 15 min, or longer if the
// receiver asks for it.
func backoff(failures int, err error) time.Duration {
	wait := longestBackoff
	if failures < 8 { // 10 s * 2^7 is more than that.
		wait = min(wait, shortestBackoff<<(failures-1))
	}
	var asks interface {
		error
		RetryAfter() time.Duration
	}
	if errors.As(err, &asks) {
		wait = max(wait, min(asks.RetryAfter(), time.Hour))
	}
	return wait
}

// Failures returns when a telling failed that was tried so often, and failed last at a time: as it was if it never waited longer
// than it had to. Who starts anew tells Failed of each, so that a restart does not begin anew the time until it gives up.
func Failures(last time.Time, tries int) []time.Time {
	all := make([]time.Time, max(1, tries))
	for i := len(all) - 1; i >= 0; i-- {
		all[i] = last
		last = last.Add(-backoff(max(1, i), nil))
	}
	return all
}

// waits returns until when a telling waits for its receiver, or for itself to be tried again; zero if it was never tried.
func (m *Machine) waits(t *telling) time.Time {
	var next time.Time
	if tr := t.entry.trials[t.Key]; tr != nil {
		next = tr.next
	}
	if c := m.channels[t.address()]; c != nil {
		next = later(next, c.next)
	}
	return next
}

// dead reports whether a telling has failed for good: by itself, or by waiting for a receiver that was not reached all that
// time.
func (m *Machine) dead(t *telling, now time.Time) bool {
	if tr := t.entry.trials[t.Key]; tr != nil && tr.dead {
		return true
	}
	c, limit := m.channels[t.address()], t.entry.tenant.settings.GiveUp
	return c != nil && now.Sub(c.since) >= limit && now.Sub(t.since) >= limit
}

func (t *telling) address() address { return address{t.Tenant, t.Receiver} }
