package service

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// HTTP returns an actor that serves a listener. Interrupted, it takes no new requests and waits for those under way, at
// most for the limit. Before, clients are told for a moment, with their answers, that their connections end: what is sent on a
// connection that is being closed would be lost without an answer.
func HTTP(l net.Listener, s *http.Server, limit time.Duration) (execute func() error, interrupt func(error)) {
	s.ReadHeaderTimeout, s.ReadTimeout, s.IdleTimeout = headerLimit, readLimit, idleLimit
	var c connections
	s.ConnState, s.Handler = c.count, c.handler(s.Handler)
	drained := make(chan struct{})
	return func() error {
			if err := s.Serve(l); err != http.ErrServerClosed {
				return fmt.Errorf("serve HTTP on %s: %w", l.Addr(), err)
			}
			<-drained
			return nil
		}, func(error) {
			defer close(drained)
			if limit > farewell {
				c.end(farewell)
			}
			ctx, cancel := context.WithTimeout(context.Background(), limit)
			defer cancel()
			if s.Shutdown(ctx) != nil {
				_ = s.Close() // they had their time
			}
		}
}

// connections are those of a server.
type connections struct {
	open   atomic.Int64
	ending atomic.Bool
}

func (c *connections) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		c.open.Add(1)
	case http.StateClosed, http.StateHijacked:
		c.open.Add(-1)
	}
}

func (c *connections) handler(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.ending.Load() {
			w.Header().Set("Connection", "close")
		}
		h.ServeHTTP(w, r)
	})
}

// end waits until all connections are closed, but no longer than a limit: those on which nothing is sent stay.
func (c *connections) end(limit time.Duration) {
	c.ending.Store(true)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(limit); c.open.Load() > 0 && time.Now().Before(deadline); {
		<-tick.C
	}
}
