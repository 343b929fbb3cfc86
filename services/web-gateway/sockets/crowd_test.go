package sockets_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/web-gateway/frames"
	"github.com/switchhook/switchhook/services/web-gateway/sockets"
)

// TestCrowd has 300 pages, of which one reads nothing. All others are told each of their events once and in order; the
// slow one is sent away, and knows what goes on once it comes back.
func TestCrowd(t *testing.T) {
	const (
		pages = 300
		each  = 10
	)
	registry := prometheus.NewRegistry()
	w := start(t, func(o *sockets.Options) { o.Metrics = registry })
	line := func(page int) string { return fmt.Sprint(1000 + page) }
	token := func(page int) string { return "acme/line/" + line(page) + "/calls" }
	w.dialer = smallWindow
	slow, _ := w.auth(token(0), 0)
	w.dialer = nil
	var crowd []*client
	for page := 1; page < pages; page++ {
		c, _ := w.auth(token(page), 0)
		crowd = append(crowd, c)
	}
	var reading sync.WaitGroup
	for i, c := range crowd {
		reading.Go(func() { wantInOrder(t, c, line(i+1), each) })
	}
	told := 0
	flood := func() { // a call that rings and is over
		for _, kind := range []pbxv1.Call_Kind{pbxv1.Call_RINGING, pbxv1.Call_ENDED} {
			ev := happens("acme", fmt.Sprint("flood", told), line(0), kind)
			ev.GetCall().Queue = strings.Repeat("q", 2000) // fills what the network holds
			w.tell(ev)
		}
		told++
	}
	for round := range each {
		for page := 1; page < pages; page++ {
			w.tell(rings("acme", fmt.Sprint(page, ".", round), line(page)))
			flood()
		}
	}
	for value(t, registry, "switchhook_web_gateway_slow_total") == 0 && told < 20_000 {
		flood()
	}
	reading.Wait()
	if have := value(t, registry, "switchhook_web_gateway_slow_total"); have != 1 {
		t.Errorf("want one client too slow, have %v", have)
	}
	slow.want("snapshot")
	var last uint64
	for {
		f, err := slow.next()
		if err != nil {
			if code := websocket.CloseStatus(err); code != frames.CloseTooSlow {
				t.Errorf("want %d, have %v", frames.CloseTooSlow, err)
			}
			break
		}
		last = f.Seq
	}
	w.tell(rings("acme", "now", line(0)))
	again, _ := w.auth(token(0), last)
	if f := again.want("snapshot"); f.Seq != w.seq || len(f.Calls) != 1 {
		t.Errorf("want the call that rings, at event %d, have %+v", w.seq, f)
	}
	flood()
	if f := again.want("Ringing"); f.Seq != w.seq-1 {
		t.Errorf("want event %d, have %+v", w.seq-1, f)
	}
}

// wantInOrder demands a snapshot and then so many calls at a line, each once and in order.
func wantInOrder(t *testing.T, c *client, line string, calls int) {
	if f, err := c.next(); err != nil || f.Event != "snapshot" {
		t.Errorf("line %s: want a snapshot, have %+v, %v", line, f, err)
	}
	var last uint64
	for range calls {
		f, err := c.next()
		if err != nil || f.Event != "Ringing" || f.Line != line || f.Seq <= last {
			t.Errorf("line %s: want what comes after event %d, have %+v, %v", line, last, f, err)
			return
		}
		last = f.Seq
	}
}
