package cluster_test

import (
	"io"
	"net"
	"slices"
	"sync"
	"testing"
)

// balancer is a plain TCP load balancer: each connection goes to the next of the addresses, and nobody looks into it.
type balancer struct {
	address string

	mu    sync.Mutex
	next  int
	ready []string
}

func newBalancer(t *testing.T) *balancer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	b := &balancer{address: l.Addr().String()}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // the test is over
			}
			go b.serve(conn)
		}
	}()
	return b
}

// add sends connections to an address too.
func (b *balancer) add(address string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ready = append(b.ready, address)
}

// remove sends no new connections to an address. Those that are there stay.
func (b *balancer) remove(address string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ready = slices.DeleteFunc(b.ready, func(other string) bool { return other == address })
}

// serve passes a connection on: to the first that takes it.
func (b *balancer) serve(client net.Conn) {
	defer client.Close()
	for _, address := range b.turn() {
		server, err := net.Dial("tcp", address)
		if err != nil {
			continue
		}
		defer server.Close()
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = io.Copy(server, client)
			_ = server.(*net.TCPConn).CloseWrite()
		}()
		_, _ = io.Copy(client, server)
		_ = client.Close() // what the server ended is over
		<-done
		return
	}
}

// turn returns the addresses in the order in which to try them.
func (b *balancer) turn() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.ready) == 0 {
		return nil
	}
	b.next = (b.next + 1) % len(b.ready)
	return append(slices.Clone(b.ready[b.next:]), b.ready[:b.next]...)
}
