package ctl_test

import (
	"bytes"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/switchhook/switchhook/pkg/bustest"
)

// tripwire stands between one client and the server until either of them sends a text to the other. That does not get
// through, nor does anything behind it, and neither side is told. An empty text trips nothing.
func tripwire(t *testing.T, server *bustest.Server, toServer, toClient string) (url string, tripped <-chan struct{}) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	trip := make(chan struct{})
	var passing sync.WaitGroup
	t.Cleanup(passing.Wait)
	t.Cleanup(func() { l.Close() })
	passing.Go(func() {
		client, err := l.Accept()
		if err != nil {
			return
		}
		t.Cleanup(func() { client.Close() })
		upstream, err := net.Dial("tcp", strings.TrimPrefix(server.URL(), "nats://"))
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { upstream.Close() })
		passing.Go(func() { pass(upstream, client, toServer, trip) })
		passing.Go(func() { pass(client, upstream, toClient, trip) })
	})
	return "nats://" + l.Addr().String(), trip
}

func pass(to, from net.Conn, text string, trip chan<- struct{}) {
	var all []byte
	for chunk := make([]byte, 64<<10); ; {
		n, err := from.Read(chunk)
		if err != nil {
			to.Close()
			return
		}
		all = append(all, chunk[:n]...)
		if text != "" && bytes.Contains(all, []byte(text)) {
			close(trip)
			return
		}
		if _, err := to.Write(chunk[:n]); err != nil {
			return
		}
	}
}
