// Package bustest gives tests a real NATS server with JetStream on disk, that can be stopped and started again.
package bustest

import (
	"context"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/oklog/run"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bus/embedded"
	"github.com/switchhook/switchhook/pkg/config"
)

// Streams is how tests configure the streams.
var Streams = config.Streams{
	Replicas: 1, EventsMaxAge: time.Hour, QuarantineMaxAge: time.Hour, AuditMaxAge: time.Hour,
	DuplicateWindow: 2 * time.Minute,
}

// Server is a NATS server of one test, on a free port of loopback.
type Server struct {
	t      testing.TB
	server *embedded.Server
	data   string
	listen string
}

// Start starts a server, which ends with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{t: t, data: t.TempDir(), listen: "127.0.0.1:0"}
	s.Restart()
	t.Cleanup(s.Stop)
	return s
}

// URL is where to connect; it stays the same after a Restart.
func (s *Server) URL() string { return "nats://" + s.listen }

// Stop stops the server. Stopping it again does nothing.
func (s *Server) Stop() {
	if s.server != nil {
		s.server.Stop()
		s.server = nil
	}
}

// Restart starts a stopped server again, with what it stored.
func (s *Server) Restart() {
	s.t.Helper()
	server, err := embedded.Start(embedded.Options{Listen: s.listen, Data: s.data})
	if err != nil {
		s.t.Fatal(err)
	}
	u, err := url.Parse(server.URL())
	if err != nil {
		s.t.Fatal(err)
	}
	s.server, s.listen = server, u.Host
}

// Connect connects a bus, without streams. It closes with the test.
func (s *Server) Connect() *bus.Bus {
	s.t.Helper()
	b, err := bus.Connect(bus.Options{URL: s.URL(), Name: s.t.Name(), Wait: true})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(b.Close)
	return b
}

// Bus connects a bus and ensures the streams.
func (s *Server) Bus() *bus.Bus {
	s.t.Helper()
	b := s.Connect()
	if err := b.EnsureStreams(s.t.Context(), Streams); err != nil {
		s.t.Fatal(err)
	}
	return b
}

// Raw connects without the bus, for what a test must do behind its back. It closes with the test.
func (s *Server) Raw() (*nats.Conn, jetstream.JetStream) {
	s.t.Helper()
	nc, err := nats.Connect(s.URL())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		s.t.Fatal(err)
	}
	return nc, js
}

// Eventually waits until a condition holds, and fails the test when it does not within ten seconds.
func Eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for tick := time.NewTicker(5 * time.Millisecond); !condition(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("want %s, have not seen it", what)
		}
	}
}

// Run runs the actors that join adds to a group, until the test ends or stop is called. They must end without an error.
func Run(t testing.TB, join func(*run.Group)) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var group run.Group
	join(&group)
	group.Add(func() error { <-ctx.Done(); return nil }, func(error) { cancel() })
	done := make(chan error, 1)
	go func() { done <- group.Run() }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("want the actors to end without an error, have %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// Replicas is how many servers of a test keep a copy.
func Replicas() int { return 1 }
