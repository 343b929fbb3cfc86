package derive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// count has a person count, and reports whether the core knows of it right away.
func (r *replica) count(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var before, after int
	err := r.Publish(ctx, "acme", func() (*pbxv1.Event, error) {
		before = r.core.counted
		return r.core.counts(), nil
	})
	if r.Do(func() { after = r.core.counted }); err == nil && after <= before {
		return fmt.Errorf("want the core to count more than %d, have %d", before, after)
	}
	return err
}

// People count at two replicas at once: nobody counts without knowing what all before have counted.
func TestPublishConflicts(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	b := server.Bus()
	pair := []*replica{start(t, server.Connect(), nil), start(t, server.Connect(), nil)}
	const people, times = 4, 5
	var counting sync.WaitGroup
	for _, r := range pair {
		for range people {
			counting.Go(func() {
				for range times {
					if err := r.count(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	counting.Wait()
	var want []string
	for n := range len(pair) * people * times {
		want = append(want, fmt.Sprint("counter", n+1))
	}
	if have := published(t, b, "acme"); have != strings.Join(want, " ") {
		t.Errorf("want all counted once, have %s", have)
	}
}

// What a person does comes behind what was derived before, though nobody is in a hurry to publish that.
func TestPublishWaits(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	b := server.Bus()
	r := start(t, server.Connect(), nil)
	call(t, b, "acme", "first", pbxv1.Call_NEW, time.Now())
	bustest.Eventually(t, "the event read", func() bool { return ask(r, applied) == 1 })
	if err := r.count(t.Context()); err != nil {
		t.Fatal(err)
	}
	if have := published(t, b, "acme"); have != "first counter1" {
		t.Errorf("want the call told of first, have %s", have)
	}
	if !r.Active("acme") {
		t.Error("want the replica active that published last")
	}
}

func TestPublishFails(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	b := server.Bus()
	r := start(t, server.Connect(), nil)
	refused := errors.New("it is somebody else's")
	if err := r.Publish(t.Context(), "acme", func() (*pbxv1.Event, error) { return nil, refused }); !errors.Is(err, refused) {
		t.Errorf("want the error as it is, have %v", err)
	}
	broken := func() (*pbxv1.Event, error) { return told("1", "no vendor at all", "acme", "broken", time.Now()), nil }
	if err := r.Publish(t.Context(), "acme", broken); !fault.Is(err, fault.Invalid) {
		t.Errorf("want what has no subject refused, have %v", err)
	}

	// A replica that hears nothing, while another one publishes.
	call(t, b, "acme", "first", pbxv1.Call_NEW, time.Now())
	bustest.Eventually(t, "it read back", func() bool { return r.has("first") })
	resume := pause(t, server)
	other := start(t, server.Connect(), nil)
	if err := other.count(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if err := r.Publish(ctx, "acme", func() (*pbxv1.Event, error) { return r.core.counts(), nil }); !fault.Is(err, fault.Unavailable) {
		t.Errorf("want nothing published by who hears nothing, have %v", err)
	}
	resume()
	if err := r.count(t.Context()); err != nil {
		t.Fatal(err)
	}
	if have := published(t, b, "acme"); have != "first counter1 counter2" {
		t.Errorf("want two counted, have %s", have)
	}
}

// The answer of the server is lost: the event is not made twice, whether or not JetStream remembers its id.
func TestLostAcknowledgement(t *testing.T) {
	t.Parallel()
	for name, window := range map[string]time.Duration{"remembered": time.Minute, "forgotten": 100 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := bustest.Start(t)
			b := server.Bus()
			remember(t, server, window)
			wire := newWire(t, server)
			r := start(t, wire.connect(t), nil)
			wire.cutAt("agent.state_changed")
			if err := r.count(t.Context()); err != nil {
				t.Fatal(err)
			}
			if have := published(t, b, "acme"); have != "counter1" || !wire.isCut() {
				t.Errorf("want it counted once, have %s", have)
			}
			if err := r.count(t.Context()); err != nil {
				t.Fatal(err)
			}
			eventually(t, b, "counter1 counter2")
		})
	}
}

// wire is between a client and the server. Cut, it brings the server what the client sent last, and the client nothing more.
type wire struct {
	server, listen string

	mu    sync.Mutex
	words []byte // at which to cut it; empty for never
	cut   bool
}

func newWire(t *testing.T, server *bustest.Server) *wire {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{server: strings.TrimPrefix(server.URL(), "nats://"), listen: listener.Addr().String()}
	var carrying sync.WaitGroup
	carrying.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			carrying.Go(func() { w.carry(client) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		carrying.Wait()
	})
	return w
}

func (w *wire) connect(t *testing.T) *bus.Bus {
	t.Helper()
	b, err := bus.Connect(bus.Options{URL: "nats://" + w.listen, Name: t.Name(), Wait: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// cutAt cuts the wire, once, behind the next words of that kind.
func (w *wire) cutAt(words string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.words = []byte(words)
}

func (w *wire) isCut() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cut
}

// cuts reports whether to cut it behind what was sent.
func (w *wire) cuts(sent []byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.words) == 0 || !bytes.Contains(sent, append([]byte("HPUB pbx.events.ipex.acme."), w.words...)) {
		return false
	}
	w.words, w.cut = nil, true
	return true
}

func (w *wire) carry(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", w.server)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		defer client.Close()
		_, _ = io.Copy(client, server)
	}()
	for buffer := make([]byte, 64<<10); ; {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		if w.cuts(buffer[:n]) {
			_ = client.Close() // before the server can answer
			_, _ = server.Write(buffer[:n])
			return
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			return
		}
	}
}
