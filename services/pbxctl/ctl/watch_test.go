package ctl_test

import (
	"context"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/pbxctl/ctl"
)

// watched is a command that runs until it is stopped.
type watched struct {
	stdout, stderr safeBuffer
	cancel         context.CancelFunc
	code           chan int
}

func watch(t *testing.T, o ctl.Options, args ...string) *watched {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := &watched{cancel: cancel, code: make(chan int, 1)}
	go func() {
		w.code <- runTo(ctx, o, &w.stdout, &w.stderr, append(args, "--tenant", "acme", "--watch", "--every", "100ms")...)
	}()
	t.Cleanup(cancel)
	return w
}

// stop interrupts the command, which is how watching ends.
func (w *watched) stop(t *testing.T) {
	t.Helper()
	w.cancel()
	if code := <-w.code; code != 0 {
		t.Errorf("want exit code 0, have %d: %s", code, w.stderr.String())
	}
}

func (w *watched) eventually(t *testing.T, what string, times int) {
	t.Helper()
	bustest.Eventually(t, what+" on stdout", func() bool { return strings.Count(w.stdout.String(), what) >= times })
}

// ticking returns a clock that goes on by a second whenever somebody looks at it.
func ticking() func() time.Time {
	looked := make(chan time.Time, 1)
	looked <- world().Now()
	return func() time.Time {
		now := <-looked
		looked <- now.Add(time.Second)
		return now
	}
}

func TestWatch(t *testing.T) {
	_, b := start(t)
	serveFixed[*pbxv1.CallListRequest](t, b, event.QueryCallList, someCalls())
	w := watch(t, world(), "calls")
	w.eventually(t, "7 calls", 3)
	w.stop(t)
	once := run(t, world(), "calls", "--tenant", "acme").stdout
	if want := strings.Repeat("2026-03-10 14:00:00\n"+once+"\n", 3); !strings.HasPrefix(w.stdout.String(), want) {
		t.Errorf("want one table after another: %s\nhave %s", want, w.stdout.String())
	}
}

func TestWatchTicks(t *testing.T) {
	_, b := start(t)
	serveFixed[*pbxv1.CallListRequest](t, b, event.QueryCallList, someCalls())
	o := world()
	o.Now = ticking()
	w := watch(t, o, "calls")
	w.eventually(t, "7 calls", 3)
	w.stop(t)
	durations := make(map[string]bool)
	for line := range strings.Lines(w.stdout.String()) {
		if _, after, ok := strings.Cut(line, "dialling"); ok {
			durations[strings.Fields(after)[0]] = true
		}
	}
	if len(durations) < 3 {
		t.Errorf("want durations that go on, have %v", durations)
	}
}

func TestWatchOnTerminal(t *testing.T) {
	_, b := start(t)
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "1") // is about colours only
	serveFixed[*pbxv1.AgentListRequest](t, b, event.QueryAgentList, someAgents())
	w := watch(t, onTerminal(120), "agents")
	w.eventually(t, "\x1b[J", 2)
	w.stop(t)
	frame := "\x1b[H2026-03-10 14:00:00\x1b[K\n" +
		strings.ReplaceAll(run(t, world(), "agents", "--tenant", "acme").stdout, "\n", "\x1b[K\n") + "\x1b[J"
	have := w.stdout.String()
	if want := "\x1b[?25l\x1b[?7l\x1b[2J" + frame + frame; !strings.HasPrefix(have, want) {
		t.Errorf("want %q, have %q", want, have)
	}
	if want := frame + "\x1b[?7h\x1b[?25h"; !strings.HasSuffix(have, want) {
		t.Errorf("want the cursor back at the end: %q, have %q", want, have)
	}
}

func TestWatchOnALowTerminal(t *testing.T) {
	_, b := start(t)
	t.Setenv("TERM", "xterm")
	serveFixed[*pbxv1.AgentListRequest](t, b, event.QueryAgentList, someAgents())
	o := onTerminal(120)
	o.Lines = func(io.Writer) int { return 6 }
	w := watch(t, o, "agents", "--color", "never")
	w.eventually(t, "\x1b[J", 1)
	w.stop(t)
	first, _, _ := strings.Cut(w.stdout.String(), "\x1b[J")
	if n := strings.Count(first, "\n"); n != 5 {
		t.Errorf("want 5 lines and one for the cursor, have %d: %q", n, first)
	}
	if !strings.HasSuffix(first, "… 8 more\x1b[K\n") { // 12 lines, of which 4 are shown
		t.Errorf("want the rest counted, have %q", first)
	}
}

func TestWatchOnADumbTerminal(t *testing.T) {
	_, b := start(t)
	t.Setenv("TERM", "dumb")
	serveFixed[*pbxv1.AgentListRequest](t, b, event.QueryAgentList, someAgents())
	w := watch(t, onTerminal(120), "agents")
	w.eventually(t, "8 agents", 2)
	w.stop(t)
	if have := w.stdout.String(); strings.Contains(have, "\x1b") {
		t.Errorf("want no controls, have %q", have)
	}
}

// A service that is away is waited for, and the last answer stays, greyed and as it was.
func TestWatchWithoutService(t *testing.T) {
	server, b := start(t)
	t.Setenv("TERM", "xterm")
	answer := func(*pbxv1.CallListRequest) (*pbxv1.CallListResponse, error) { return someCalls(), nil }
	w := watch(t, onTerminal(120), "calls")
	w.eventually(t, "agent-state does not answer at "+server.URL(), 2)
	if have := w.stdout.String(); strings.Contains(have, "This was so at") {
		t.Errorf("want nothing of before, have %q", have)
	}
	stop := serve(t, b, event.QueryCallList, answer)
	w.eventually(t, "\x1b[32mtalking", 2)
	stop()
	w.eventually(t, "This was so at 14:00:00:", 2)
	w.eventually(t, "\x1b[2m7 calls: ", 2)
	server.Stop()
	asked := strings.Count(w.stdout.String(), "\x1b[J")
	w.eventually(t, "\x1b[J", asked+3)
	server.Restart()
	bustest.Eventually(t, "the test connected again", func() bool { return b.Publish(t.Context(), allSorts()[0]) == nil })
	serve(t, b, event.QueryCallList, answer)
	shown := strings.Count(w.stdout.String(), "\x1b[32mtalking")
	w.eventually(t, "\x1b[32mtalking", shown+2)
	w.stop(t)
	if have := w.stderr.String(); have != "" {
		t.Errorf("want nothing on stderr, have %q", have)
	}
}

// What is known of before does not go on.
func TestWatchStandsStill(t *testing.T) {
	_, b := start(t)
	stop := serve(t, b, event.QueryCallList, func(*pbxv1.CallListRequest) (*pbxv1.CallListResponse, error) {
		return someCalls(), nil
	})
	o := world()
	o.Now = ticking()
	w := watch(t, o, "calls")
	w.eventually(t, "7 calls", 2)
	stop()
	w.eventually(t, "This was so at ", 3)
	w.stop(t)
	_, old, _ := strings.Cut(w.stdout.String(), "This was so at ")
	first, old, _ := strings.Cut(old, "\n\n")
	_, second, _ := strings.Cut(old, "This was so at ")
	second, _, _ = strings.Cut(second, "\n\n")
	if first != second || !strings.Contains(first, "7 calls") {
		t.Errorf("want the same again, have %s\nand %s", first, second)
	}
}

func TestWatchJSON(t *testing.T) {
	_, b := start(t)
	var asked atomic.Int32
	serve(t, b, event.QueryCallList, func(*pbxv1.CallListRequest) (*pbxv1.CallListResponse, error) {
		if n := asked.Add(1); n > 1 && n < 5 {
			return nil, fault.New(fault.Unavailable, "still reading the stream")
		}
		return someCalls(), nil
	})
	w := watch(t, onTerminal(120), "calls", "--json")
	w.eventually(t, "\n", 3)
	w.stop(t)
	for line := range strings.Lines(w.stdout.String()) {
		if err := protojson.Unmarshal([]byte(line), new(pbxv1.CallListResponse)); err != nil {
			t.Errorf("want JSON in each line, have %q: %v", line, err)
		}
	}
	if have := w.stderr.String(); strings.Count(have, "\n") != 1 || !strings.Contains(have, "still reading the stream") {
		t.Errorf("want one complaint, have %q", have)
	}
}

// Interrupting is no failure while an answer is awaited either.
func TestWatchInterruptedWhileAsking(t *testing.T) {
	_, b := start(t)
	asked, hang := make(chan struct{}, 10), make(chan struct{})
	serve(t, b, event.QueryCallList, func(*pbxv1.CallListRequest) (*pbxv1.CallListResponse, error) {
		asked <- struct{}{}
		<-hang
		return someCalls(), nil
	})
	t.Cleanup(func() { close(hang) })
	w := watch(t, world(), "calls")
	<-asked
	w.stop(t)
	if have := w.stdout.String() + w.stderr.String(); have != "" {
		t.Errorf("want nothing said, have %q", have)
	}
}
