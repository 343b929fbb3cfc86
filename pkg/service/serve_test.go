package service_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/service"
)

// Clients that send one request after the other on connections that they keep get an answer to each of them. A load balancer makes
// no new ones meanwhile.
func TestHTTPEnds(t *testing.T) {
	for range 20 {
		endHTTP(t)
	}
}

func endHTTP(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	execute, interrupt := service.HTTP(l, &http.Server{
		Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }),
	}, 10*time.Second)
	ended := make(chan error, 1)
	go func() { ended <- execute() }()
	var clients sync.WaitGroup
	var answered atomic.Int64
	var leaving atomic.Bool
	for range 8 {
		clients.Go(func() {
			if err := send("http://"+l.Addr().String(), &leaving, &answered); !errors.Is(err, errNobody) {
				t.Errorf("want an answer to each request, have %v", err)
			}
		})
	}
	bustest.Eventually(t, "answers", func() bool { return answered.Load() > 100 })
	leaving.Store(true)
	interrupt(nil)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	clients.Wait()
}

// errNobody is what a load balancer says that knows no server.
var errNobody = errors.New("nobody serves")

// send sends requests until one fails, and returns why.
func send(url string, leaving *atomic.Bool, answered *atomic.Int64) error {
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		if leaving.Load() {
			return nil, errNobody
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	defer transport.CloseIdleConnections()
	for {
		request, err := http.NewRequest(http.MethodPost, url, strings.NewReader("{}"))
		if err != nil {
			return err
		}
		request.GetBody = nil // as other clients, it sends nothing twice
		response, err := transport.RoundTrip(request)
		if err != nil {
			return err
		}
		_ = response.Body.Close()
		answered.Add(1)
	}
}
