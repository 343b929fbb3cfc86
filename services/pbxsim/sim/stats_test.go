package sim_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchhook/switchhook/services/pbxsim/ledger"
	"github.com/switchhook/switchhook/services/pbxsim/sim"
)

func TestParseChaos(t *testing.T) {
	cases := map[string]struct {
		want sim.Chaos
		fail string
	}{
		"": {},
		"duplicate=0.02, reorder=0.05,delay=1,malformed=0": {want: sim.Chaos{Duplicate: 0.02, Reorder: 0.05, Delay: 1}},
		"duplicate":     {fail: "share"},
		"duplicate=2":   {fail: "share"},
		"duplicate=-1":  {fail: "share"},
		"duplicate=NaN": {fail: "share"},
		"lightning=0.1": {fail: "want duplicate, reorder, delay or malformed"},
	}
	for text, c := range cases {
		have, err := sim.ParseChaos(text)
		if c.fail == "" && (err != nil || have != c.want) {
			t.Errorf("%q: want %v, have %v, %v", text, c.want, have, err)
		}
		if c.fail != "" && (err == nil || !strings.Contains(err.Error(), c.fail)) {
			t.Errorf("%q: want an error with %q, have %v", text, c.fail, err)
		}
	}
}

func TestProgress(t *testing.T) {
	i := newIngress(t)
	stats := &sim.Stats{}
	if err := sim.Run(t.Context(), options(t, i.URL, 50), ledger.NewWriter(io.Discard), stats); err != nil {
		t.Fatal(err)
	}
	have, requests := stats.Summary(2*time.Second), len(i.taken())
	for _, want := range []string{"2s  50 calls", fmt.Sprintf("%d requests", requests), "p99", fmt.Sprintf("200: %d", requests)} {
		if !strings.Contains(have, want) {
			t.Errorf("want %q in %q", want, have)
		}
	}
	lines := &lines{seen: make(chan string, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	var shown sync.WaitGroup
	shown.Go(func() { sim.Progress(ctx, lines, true, stats) })
	if first := <-lines.seen; !strings.HasPrefix(first, "\r\x1b[K0s  50 calls") {
		t.Errorf("want a line that is redrawn, have %q", first)
	}
	cancel()
	shown.Wait()
}

// lines passes on the first thing that is written.
type lines struct{ seen chan string }

func (l *lines) Write(p []byte) (int, error) {
	select {
	case l.seen <- string(p):
	default:
	}
	return len(p), nil
}

func TestQuantile(t *testing.T) {
	stats := &sim.Stats{}
	if have := stats.Quantile(0.99); have != 0 {
		t.Errorf("want 0 of nothing, have %v", have)
	}
	for i := range 1000 {
		stats.Count(200, time.Duration(i+1)*time.Millisecond)
	}
	for share, want := range map[float64]time.Duration{0.5: 500 * time.Millisecond, 0.99: 990 * time.Millisecond} {
		if have := stats.Quantile(share); have < want || have > want*17/16+time.Millisecond {
			t.Errorf("%v: want about %v, have %v", share, want, have)
		}
	}
}
