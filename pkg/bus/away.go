package bus

import (
	"crypto/tls"
	"errors"
	"slices"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/switchhook/switchhook/pkg/fault"
)

// absence remembers why there is no connection, for whoever says so.
type absence struct {
	mu     sync.Mutex
	reason error
}

// note takes why an attempt failed. What somebody has to mend stays known, though other servers of the cluster may not even be
// there.
func (a *absence) note(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil && (isRefusal(err) || !isRefusal(a.reason)) {
		a.reason = err
	}
}

func (a *absence) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reason = nil
}

func (a *absence) why() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.reason
}

// isRefusal reports whether one of the two sides does not want the other: by its credentials, or by its certificate.
func isRefusal(err error) bool {
	_, certificate := errors.AsType[*tls.CertificateVerificationError](err)
	return certificate || slices.ContainsFunc([]error{
		nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired, nats.ErrSecureConnRequired,
		nats.ErrSecureConnWanted,
	}, func(known error) bool { return errors.Is(err, known) })
}

// away returns that there is no connection, and why as far as that is known.
func (b *Bus) away() error {
	if err := b.nc.LastError(); isRefusal(err) { // of which nats.go tells nobody at the first attempts
		b.absence.note(err)
	}
	if why := b.absence.why(); why != nil {
		return fault.New(fault.Unavailable, "not connected to NATS at %s: %w", b.where, why)
	}
	return fault.New(fault.Unavailable, "not connected to NATS at %s", b.where)
}

// isAway reports whether an error says no more than that there is no connection, of which Maintain tells.
func isAway(err error) bool { return errors.Is(err, nats.ErrReconnectBufExceeded) }
