// Package throttle slows down who guesses passwords. It is pure: time is an argument.
package throttle

import (
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Throttle counts attempts for one login, and attempts from one address. It forgets by itself, and with the process. It is safe
// for concurrent use.
type Throttle struct {
	mu             sync.Mutex
	entries, older map[string]*attempts // the younger go first where both have one
}

// attempts are those that failed, or have not ended yet.
type attempts struct {
	count int
	last  time.Time
}

const (
	// freeAtLogin and freeAtAddress are how many attempts may fail without a wait.
	freeAtLogin, freeAtAddress = 5, 20
	// firstWait doubles with each attempt, up to longestWait.
	firstWait, longestWait = time.Second, time.Minute
	// forgotten is after which time without an attempt it begins anew.
	forgotten = 15 * time.Minute
	// remembered is how many logins and addresses are remembered at most.
	remembered = 20_000
)

// New returns a throttle that remembers nobody.
func New() *Throttle { return &Throttle{entries: map[string]*attempts{}} }

// Attempt is one of a login from an address.
type Attempt struct{ login, address string }

// NewAttempt returns an attempt. Logins that differ in case are the same, and so are addresses of one customer.
func NewAttempt(tenant, login string, from netip.Addr) Attempt {
	bits := 32
	if from.Is6() {
		bits = 64 // which one customer of a provider has at least
	}
	network, _ := from.Prefix(bits)
	return Attempt{"login " + tenant + " " + strings.ToLower(login), "address " + network.String()}
}

// Begin counts an attempt as failed until it succeeds, so that many at once gain nothing. If it comes too early, it returns how
// long to wait, and counts nothing.
func (t *Throttle) Begin(now time.Time, a Attempt) (wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	wait = max(t.wait(now, a.login, freeAtLogin), t.wait(now, a.address, freeAtAddress))
	if wait > 0 {
		return wait
	}
	for _, key := range []string{a.login, a.address} {
		count := 1
		if have := t.get(now, key); have != nil {
			count += have.count
		}
		t.put(key, &attempts{count, now})
	}
	return 0
}

// Succeed forgets the failures of a login; those of others from the same address stay.
func (t *Throttle) Succeed(a Attempt) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.entries, a.login)
	delete(t.older, a.login)
	if from := t.entries[a.address]; from != nil && from.count > 0 {
		from.count--
	}
}

func (t *Throttle) wait(now time.Time, key string, free int) time.Duration {
	have := t.get(now, key)
	if have == nil || have.count < free {
		return 0
	}
	wait := longestWait
	if doublings := have.count - free; doublings < 6 {
		wait = min(wait, firstWait<<doublings)
	}
	return have.last.Add(wait).Sub(now)
}

// get returns the attempts of a key; nil for none.
func (t *Throttle) get(now time.Time, key string) *attempts {
	have := t.entries[key]
	if have == nil {
		have = t.older[key]
	}
	if have == nil || now.Sub(have.last) > forgotten {
		return nil
	}
	return have
}

// put remembers the attempts of a key. When there is no room, those that were not tried for long are forgotten: who can fill it has
// many addresses, and would not be stopped by what is remembered.
func (t *Throttle) put(key string, a *attempts) {
	if len(t.entries) >= remembered/2 {
		t.older, t.entries = t.entries, map[string]*attempts{}
	}
	t.entries[key] = a
}

// Len returns how many logins and addresses are remembered.
func (t *Throttle) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.entries) + len(t.older)
}
