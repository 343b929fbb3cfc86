package e2e_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"
)

// turns let several simulations, each of which goes by the exchanges' clocks, go by one: of their next requests, the one that
// happened first goes first.
type turns struct {
	mu      sync.Mutex
	waiting map[int]*turn // by simulation; nil while its next request is not there
}

// turn is a request that waits.
type turn struct {
	at   time.Time
	come chan struct{}
}

// newTurns returns the turns of so many simulations.
func newTurns(n int) *turns {
	t := &turns{waiting: map[int]*turn{}}
	for i := range n {
		t.waiting[i] = nil
	}
	return t
}

// handler lets requests of one simulation wait for their turn. Nobody else's comes before the next request is there, so they
// are handled one at a time.
func (t *turns) handler(test *testing.T, simulation int, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.wait(r.Context(), simulation, timeOf(test, r))
		next.ServeHTTP(w, r)
	})
}

func (t *turns) wait(ctx context.Context, simulation int, at time.Time) {
	mine := &turn{at, make(chan struct{})}
	t.mu.Lock()
	t.waiting[simulation] = mine
	t.next()
	t.mu.Unlock()
	select {
	case <-mine.come:
	case <-ctx.Done(): // it was killed
	}
}

// leave says that a simulation has ended.
func (t *turns) leave(simulation int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.waiting, simulation)
	t.next()
}

func (t *turns) next() {
	first := -1
	for simulation, w := range t.waiting {
		if w == nil {
			return
		}
		f := t.waiting[first]
		if f == nil || w.at.Before(f.at) || w.at.Equal(f.at) && simulation < first {
			first = simulation
		}
	}
	if first >= 0 {
		close(t.waiting[first].come)
		t.waiting[first] = nil
	}
}
