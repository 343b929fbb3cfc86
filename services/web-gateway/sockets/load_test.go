package sockets_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/web-gateway/frames"
	"github.com/switchhook/switchhook/services/web-gateway/sockets"
)

// TestSlowClient has a client that reads nothing while another one at the same line gets everything in time.
func TestSlowClient(t *testing.T) {
	registry := prometheus.NewRegistry()
	w := start(t, func(o *sockets.Options) { o.Metrics = registry })
	w.dialer = smallWindow
	slow, _ := w.auth(karel, 0)
	slow.want("snapshot")
	w.dialer = nil
	quick, _ := w.auth(karel, 0)
	quick.want("snapshot")
	long := strings.Repeat("q", 2000) // fills what the network holds
	var worst time.Duration
	sent := 0
	for ; value(t, registry, "switchhook_web_gateway_slow_total") == 0; sent++ {
		if sent == 20_000 {
			t.Fatal("want the slow client closed")
		}
		ev := rings("acme", fmt.Sprint(sent), "101")
		ev.GetCall().Queue = long
		begun := time.Now()
		w.tell(ev)
		if f := quick.want("Ringing"); f.Seq != uint64(sent+1) {
			t.Fatalf("want event %d, have %+v", sent+1, f)
		}
		worst = max(worst, time.Since(begun))
	}
	if worst > time.Second {
		t.Errorf("want the others served at once, have %s", worst)
	}
	received := 0
	for {
		f, err := slow.next()
		if err != nil {
			if code := websocket.CloseStatus(err); code != frames.CloseTooSlow {
				t.Errorf("want %d, have %v", frames.CloseTooSlow, err)
			}
			break
		}
		if received++; f.Seq != uint64(received) {
			t.Fatalf("want no gap, have %d after %d", f.Seq, received-1)
		}
	}
	if received >= sent {
		t.Errorf("want fewer than %d frames, have %d", sent, received)
	}
	last := uint64(max(received, sent-frames.WindowFrames))
	again, _ := w.auth(karel, last)
	for seq := last + 1; seq <= uint64(sent); seq++ {
		if f := again.want("Ringing"); f.Seq != seq {
			t.Fatalf("want event %d, have %+v", seq, f)
		}
	}
	if have := value(t, registry, "switchhook_web_gateway_frame_latency_seconds"); have < float64(sent) {
		t.Errorf("want each frame measured, have %v", have)
	}
}

// smallWindow dials with little room for what is not read.
func smallWindow(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err == nil {
		err = conn.(*net.TCPConn).SetReadBuffer(64 << 10)
	}
	return conn, err
}

// raw is a client that costs as little as possible: a connection, and nothing that waits for it. One in a hurry sends its
// auth before it knows that it is let in.
func (w *world) raw(token string, hurry bool) net.Conn {
	w.Helper()
	conn, err := net.Dial("tcp", w.addr)
	if err != nil {
		w.Fatal(err)
	}
	parts := strings.Split(token, "/")
	body := text(`{"action":"auth","token":%q,"identityType":%q,"identityValue":%q}`, token, parts[1], parts[2])
	hello := text("GET /ws/v1 HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", w.addr)
	auth := append([]byte{0x81, 0x80 | byte(len(body)), 0, 0, 0, 0}, body...) // masked by nothing
	if hurry {
		hello = append(hello, auth...)
	}
	if _, err := conn.Write(hello); err != nil {
		w.Fatal(err)
	}
	r := bufio.NewReaderSize(conn, 16)
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		w.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusSwitchingProtocols {
		w.Fatal(response.Status)
	}
	if !hurry {
		if _, err := conn.Write(auth); err != nil {
			w.Fatal(err)
		}
	}
	for range 2 {
		readRaw(w, r)
	}
	return conn
}

// readRaw reads a frame of a server, and leaves it out.
func readRaw(tb testing.TB, r io.Reader) {
	tb.Helper()
	var header [4]byte
	if _, err := io.ReadFull(r, header[:2]); err != nil {
		tb.Fatal(err)
	}
	size := int(header[1])
	if size == 126 {
		if _, err := io.ReadFull(r, header[2:]); err != nil {
			tb.Fatal(err)
		}
		size = int(header[2])<<8 | int(header[3])
	}
	if _, err := io.CopyN(io.Discard, r, int64(size)); err != nil {
		tb.Fatal(err)
	}
}

// open opens sockets, and returns what each costs the process, with the client's connection.
func (w *world) open(n int) (conns []net.Conn, each float64) {
	before := inUse()
	for i := range n {
		conns = append(conns, w.raw(fmt.Sprintf("acme/line/%d/calls", 10_000+i), false))
	}
	w.Cleanup(func() {
		for _, c := range conns {
			c.Close()
		}
	})
	return conns, float64(inUse()-before) / float64(n)
}

func inUse() uint64 {
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

func TestHurry(t *testing.T) {
	w := start(t)
	conn := w.raw("acme/line/101/calls", true)
	defer conn.Close()
	w.tell(rings("acme", "a", "101"))
	readRaw(t, conn)
}

func TestMemory(t *testing.T) {
	w := start(t)
	w.open(100) // what is needed once
	if _, each := w.open(500); each > 24<<10 {
		t.Errorf("want at most 24 KiB for each socket, have %.0f bytes", each)
	}
}

// BenchmarkFanOut tells one of 5,000 pages of an event, 200 times a second.
func BenchmarkFanOut(b *testing.B) {
	const pages = 5000
	w := start(b)
	conns, each := w.open(pages)
	var latencies []time.Duration
	var mu sync.Mutex
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	var reading sync.WaitGroup
	n := 0
	for b.Loop() {
		<-tick.C
		line := n % pages
		ev := rings("acme", fmt.Sprint(n), fmt.Sprint(10_000+line))
		n++
		begun := time.Now()
		w.tell(ev)
		reading.Go(func() {
			if n > pages {
				return
			}
			readRaw(w, conns[line])
			mu.Lock()
			latencies = append(latencies, time.Since(begun))
			mu.Unlock()
		})
	}
	reading.Wait()
	slices.Sort(latencies)
	b.ReportMetric(each, "B/socket")
	if len(latencies) > 0 {
		b.ReportMetric(float64(latencies[len(latencies)*99/100].Microseconds()), "p99-µs")
	}
}

// BenchmarkHandle tells one page of each event, as fast as it goes.
func BenchmarkHandle(b *testing.B) {
	w := start(b)
	conn := w.raw("acme/line/101/calls", false)
	go io.Copy(io.Discard, conn)
	defer conn.Close()
	kinds := []pbxv1.Call_Kind{pbxv1.Call_RINGING, pbxv1.Call_ANSWERED, pbxv1.Call_ENDED}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		w.tell(happens("acme", fmt.Sprint(n/3), "101", kinds[n%3]))
		n++
	}
}
