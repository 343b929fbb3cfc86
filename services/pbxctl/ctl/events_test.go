package ctl_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

var update = flag.Bool("update", false, "write what is printed as what must be printed")

// at returns a time of the day that it is in world.
func at(hour, minute, second int) *timestamppb.Timestamp {
	return timestamppb.New(time.Date(2026, 3, 10, hour, minute, second, 0, time.UTC))
}

func seconds(n int64) *durationpb.Duration { return &durationpb.Duration{Seconds: n} }

// newEvent returns an event of acme's exchange prague.
func newEvent(at *timestamppb.Timestamp, payload any) *pbxv1.Event {
	ev := &pbxv1.Event{Id: event.NewID(), Time: at, ReceivedAt: at, Vendor: "ipex", Tenant: "acme", Exchange: "prague"}
	switch p := payload.(type) {
	case *pbxv1.Call:
		ev.Payload = &pbxv1.Event_Call{Call: p}
	case *pbxv1.Agent:
		ev.Payload = &pbxv1.Event_Agent{Agent: p}
	case *pbxv1.Contact:
		ev.Payload = &pbxv1.Event_Contact{Contact: p}
	case *pbxv1.MissedCall:
		ev.Payload = &pbxv1.Event_MissedCall{MissedCall: p}
	case *pbxv1.Command:
		ev.Payload = &pbxv1.Event_Command{Command: p}
	}
	return ev
}

// allSorts are events of every kind.
func allSorts() []*pbxv1.Event {
	customer := &pbxv1.Party{Number: "777123456", E164: "+420777123456"}
	line := &pbxv1.Party{Number: "222333444", E164: "+420222333444"}
	inside := &pbxv1.Party{Number: "200"}
	withheld := &pbxv1.Party{Number: "anonymous"}
	alice := &pbxv1.User{Login: "alice", Email: "alice@acme.example"}
	yesterday := timestamppb.New(time.Date(2026, 3, 9, 23, 59, 59, 0, time.UTC))
	call := func(at *timestamppb.Timestamp, c *pbxv1.Call) *pbxv1.Event { return newEvent(at, c) }
	rated := newEvent(at(9, 0, 11), &pbxv1.Call{Kind: pbxv1.Call_RATED, Id: "1", Key: "1"})
	rated.Attributes = map[string]string{"rating": "5"}
	xvb := newEvent(at(9, 0, 12), &pbxv1.Call{Kind: pbxv1.Call_NEW, Key: "2", From: withheld, Direction: pbxv1.Call_INCOMING})
	xvb.Vendor, xvb.Exchange = "xvb", "a-very-long-name-of-an-exchange"
	derived := newEvent(at(9, 3, 0), &pbxv1.MissedCall{Kind: pbxv1.MissedCall_RESOLVED, Id: "m1", From: customer})
	derived.Exchange = ""
	return []*pbxv1.Event{
		call(yesterday, &pbxv1.Call{Kind: pbxv1.Call_NEW, Key: "1", Direction: pbxv1.Call_INCOMING, From: customer, To: line}),
		call(at(9, 0, 1), &pbxv1.Call{
			Kind: pbxv1.Call_RINGING, Key: "1", Direction: pbxv1.Call_INCOMING, From: withheld, To: inside, Extension: "200", Queue: "Sales",
		}),
		call(at(9, 0, 2), &pbxv1.Call{
			Kind: pbxv1.Call_ANSWERED, Key: "1", Direction: pbxv1.Call_OUTGOING, From: inside, To: customer, Extension: "200", User: alice,
		}),
		call(at(9, 0, 3), &pbxv1.Call{
			Kind: pbxv1.Call_NEW, Key: "1", Direction: pbxv1.Call_INTERNAL_OUTGOING, From: inside, To: &pbxv1.Party{Number: "201"},
		}),
		call(at(9, 0, 4), &pbxv1.Call{Kind: pbxv1.Call_RINGING, Key: "1", Direction: pbxv1.Call_BARGE, From: inside}),
		call(at(9, 0, 5), &pbxv1.Call{Kind: pbxv1.Call_ENDED, Key: "1", Extension: "201", Cause: pbxv1.Call_ANSWERED_ELSEWHERE}),
		call(at(9, 0, 6), &pbxv1.Call{
			Kind: pbxv1.Call_ENDED, Key: "1", From: customer, Cause: pbxv1.Call_NO_ANSWER, Reason: "No user response",
		}),
		call(at(9, 0, 7), &pbxv1.Call{Kind: pbxv1.Call_ENDED, Key: "1", Reason: "Wormhole"}),
		call(at(9, 0, 8), &pbxv1.Call{
			Kind: pbxv1.Call_RECORDED, Key: "1", Direction: pbxv1.Call_INCOMING, From: customer, To: line, Cause: pbxv1.Call_NORMAL,
			Duration: seconds(75), TalkTime: seconds(0), RecordingUrl: "https://pbx.example/1.mp3",
		}),
		call(at(9, 0, 9), &pbxv1.Call{Kind: pbxv1.Call_TRANSFERRED, Key: "1", Extension: "200"}),
		call(at(9, 0, 10), &pbxv1.Call{Kind: pbxv1.Call_TRANSFER_CANCELLED, Key: "1", Extension: "200"}),
		rated,
		xvb,
		newEvent(at(9, 1, 0), &pbxv1.Agent{Kind: pbxv1.Agent_LOGIN, User: alice, Extension: "200", Queue: "Sales"}),
		newEvent(at(9, 1, 1), &pbxv1.Agent{Kind: pbxv1.Agent_PAUSED, User: &pbxv1.User{Email: "bob@acme.example"}, PauseReason: "lunch"}),
		newEvent(at(9, 1, 2), &pbxv1.Agent{Kind: pbxv1.Agent_UNPAUSED, Extension: "201"}),
		newEvent(at(9, 1, 3), &pbxv1.Agent{
			Kind: pbxv1.Agent_STATE_CHANGED, User: alice, PreviousState: pbxv1.AgentState_AVAILABLE, State: pbxv1.AgentState_ON_CALL,
		}),
		newEvent(at(9, 2, 0), &pbxv1.Contact{
			Kind: pbxv1.Contact_RESOLVED, Party: customer, Alternatives: []*pbxv1.ContactMatch{{Name: "Carol"}},
			Match: &pbxv1.ContactMatch{Name: "Bob Builder", Organisation: "Globex", ResponsibleExtension: "200", Directory: "crm"},
		}),
		newEvent(at(9, 2, 1), &pbxv1.Contact{Kind: pbxv1.Contact_UNKNOWN, Party: customer}),
		newEvent(at(9, 2, 2), &pbxv1.MissedCall{
			Kind: pbxv1.MissedCall_OPENED, Id: "m1", From: customer, To: line, Queue: "Sales", Attempts: 3, Wait: seconds(25),
		}),
		newEvent(at(9, 2, 3), &pbxv1.MissedCall{
			Kind: pbxv1.MissedCall_ACKNOWLEDGED, Id: "m1", From: customer, To: line, Attempts: 1, ClaimedBy: alice, Note: "calls back at 10",
		}),
		derived,
		newEvent(at(9, 4, 0), &pbxv1.Command{
			Kind: pbxv1.Command_SUCCEEDED, Action: "originate", User: alice, Extension: "200", To: customer, Outcome: pbxv1.Command_DONE,
		}),
		newEvent(at(9, 4, 1), &pbxv1.Command{
			Kind: pbxv1.Command_FAILED, Action: "hangup", User: alice, Extension: "200", Outcome: pbxv1.Command_REFUSED,
			Reason: "not supported by mcn",
		}),
		newEvent(at(9, 4, 2), &pbxv1.Command{
			Kind: pbxv1.Command_FAILED, Action: "originate", User: alice, Extension: "200", To: customer, Outcome: pbxv1.Command_UNKNOWN,
			Reason: "no answer",
		}),
	}
}

func publish(t *testing.T, b *bus.Bus, events ...*pbxv1.Event) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, ev := range events { // one by one, in their order
		if err := b.Publish(ctx, ev); err != nil {
			t.Fatal(err)
		}
	}
}

// golden compares with a file of testdata.
func golden(t *testing.T, file, have string) {
	t.Helper()
	file = "testdata/" + file
	if *update {
		if err := os.WriteFile(file, []byte(have), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != have {
		t.Errorf("%s: want\n%s\nhave\n%s", file, want, have)
	}
}

func TestEventsText(t *testing.T) {
	server, b := start(t)
	publish(t, b, allSorts()...)
	_, js := server.Raw()
	// Of a later version: no payload that is known here.
	later := newEvent(at(9, 5, 0), nil)
	later.VendorEvent = "Teleported"
	data, err := proto.Marshal(later)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), "pbx.events.ipex.acme.hologram.begun", data); err != nil {
		t.Fatal(err)
	}

	r := run(t, world(), "events", "--since", "all")
	r.want(t, 0, "call.new", "")
	golden(t, "events.txt", r.stdout)
	r = run(t, world(), "events", "--since", "all", "--color", "always")
	r.want(t, 0, "call.new", "")
	golden(t, "events-in-colour.txt", r.stdout)
}

func TestColour(t *testing.T) {
	_, b := start(t)
	publish(t, b, allSorts()...)
	tests := map[string]struct {
		noColor string
		columns int
		args    []string
		want    bool
	}{
		"no terminal":                  {"", 0, nil, false},
		"terminal":                     {"", 80, nil, true},
		"terminal, auto":               {"", 80, []string{"--color=auto"}, true},
		"terminal, never":              {"", 80, []string{"--color=never"}, false},
		"terminal, NO_COLOR":           {"1", 80, nil, false},
		"terminal, NO_COLOR but asked": {"1", 80, []string{"--color=always"}, true},
		"no terminal but asked":        {"", 0, []string{"--color=always"}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv("NO_COLOR", test.noColor)
			t.Setenv("TERM", "xterm")
			r := run(t, onTerminal(test.columns), append([]string{"events"}, test.args...)...)
			if have := strings.Contains(r.stdout, "\x1b["); test.want != have {
				t.Errorf("want colours %v, have %q", test.want, r.lines()[0])
			}
		})
	}
}

func TestEventsJSON(t *testing.T) {
	_, b := start(t)
	sent := allSorts()
	sent[0].Attributes = map[string]string{"note": "a  b <&> \u2028 \"x\": 1"} // spaces in text stay
	publish(t, b, sent...)
	r := run(t, onTerminal(80), "events", "--since", "all", "--json", "--color", "always")
	r.want(t, 0, "{", "")
	lines := r.lines()
	if !strings.Contains(lines[0], `"a  b <&> `) {
		t.Errorf("want text as it is, have %s", lines[0])
	}
	if len(lines) != len(sent) {
		t.Fatalf("want %d lines, have %d", len(sent), len(lines))
	}
	for i, line := range lines {
		var have struct {
			Subject string
			Seq     uint64
			Event   json.RawMessage
		}
		if err := json.Unmarshal([]byte(line), &have); err != nil {
			t.Fatal(err)
		}
		ev := new(pbxv1.Event)
		if err := protojson.Unmarshal(have.Event, ev); err != nil {
			t.Fatal(err)
		}
		subject, err := event.Subject(sent[i])
		if err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(sent[i], ev) || subject != have.Subject || have.Seq != uint64(i+1) {
			t.Errorf("want %s %d %v, have %s", subject, i+1, sent[i], line)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, []byte(line)); err != nil || compact.String() != line {
			t.Errorf("want no spaces between, have %s", line)
		}
		if !strings.HasPrefix(line, `{"subject":"`) || strings.Index(line, `"seq":`) > strings.Index(line, `"event":{`) {
			t.Errorf("want subject, seq and event in this order, have %s", line)
		}
	}
}

// Whatever an exchange sends, one event is one line, and no line moves the cursor, or writes from right to left.
func TestEventsHostileText(t *testing.T) {
	_, b := start(t)
	hostile := "\x1b[2J\r\nforged line\x07\u009b31m\u202e" + strings.Repeat("x", 5000)
	publish(t, b, newEvent(at(9, 0, 0), &pbxv1.Call{
		Kind: pbxv1.Call_ENDED, Key: "1", Direction: pbxv1.Call_INCOMING, From: &pbxv1.Party{Number: hostile}, Extension: hostile,
		User: &pbxv1.User{Login: hostile}, Queue: hostile, Reason: hostile,
	}), newEvent(at(9, 0, 1), &pbxv1.Agent{Kind: pbxv1.Agent_LOGIN, User: &pbxv1.User{Login: "alice"}, Queue: "Sales"}))
	r := run(t, world(), "events")
	r.want(t, 0, "forged line", "")
	lines := r.lines()
	if len(lines) != 2 {
		t.Fatalf("want 2 lines, have %q", r.stdout)
	}
	if have := utf8.RuneCountInString(lines[0]); have > 1000 {
		t.Errorf("want a line that can be read, have %d characters", have)
	}
	for _, c := range strings.Join(lines, "") {
		if !unicode.IsGraphic(c) {
			t.Errorf("want only what can be seen, have %q", c)
		}
	}
	if want := "09:00:01  acme/prague   ipex  agent.login          alice                             queue Sales"; want != lines[1] {
		t.Errorf("want the next line as always: %q, have %q", want, lines[1])
	}
}

func TestEventsSubject(t *testing.T) {
	_, b := start(t)
	publish(t, b, allSorts()...)
	tests := map[string]struct {
		pattern string
		want    int
	}{
		"all":                 {"pbx.events.>", len(allSorts())},
		"a vendor":            {"pbx.events.xvb.>", 1},
		"a tenant":            {"pbx.events.*.acme.>", len(allSorts())},
		"another tenant":      {"pbx.events.*.globex.>", 0},
		"an entity":           {"pbx.events.*.*.agent.*", 4},
		"a kind":              {"pbx.events.*.*.missed_call.opened", 1},
		"a kind, one vendor":  {"pbx.events.xvb.acme.call.new", 1},
		"a kind there is not": {"pbx.events.*.*.call.teleported", 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := run(t, world(), "events", "--since", "all", "--subject", test.pattern)
			if have := strings.Count(r.stdout, "\n"); test.want != have || r.code != 0 || r.stderr != "" {
				t.Errorf("want %d events, have %d: %+v", test.want, have, r)
			}
		})
	}
}

func TestEventsSince(t *testing.T) {
	_, b := start(t)
	publish(t, b, newEvent(at(9, 0, 0), &pbxv1.Agent{Kind: pbxv1.Agent_LOGIN, Extension: "200"}))
	// What counts is when it was stored, which is now.
	tests := map[string]struct {
		later time.Duration // when it is asked
		args  []string
		want  int
	}{
		"by default an hour":   {30 * time.Minute, nil, 1},
		"longer ago":           {2 * time.Hour, nil, 0},
		"a longer time":        {2 * time.Hour, []string{"--since", "3h"}, 1},
		"a shorter time":       {30 * time.Minute, []string{"--since", "15m"}, 0},
		"within days":          {6 * 24 * time.Hour, []string{"--since", "7d"}, 1},
		"more days ago":        {7*24*time.Hour + time.Hour, []string{"--since", "7d"}, 0},
		"within days and more": {7*24*time.Hour + time.Hour, []string{"--since", "7d2h"}, 1},
		"all":                  {1000 * time.Hour, []string{"--since", "all"}, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := world()
			o.Now = func() time.Time { return time.Now().Add(test.later) }
			r := run(t, o, append([]string{"events"}, test.args...)...)
			if have := strings.Count(r.stdout, "\n"); test.want != have || r.code != 0 || r.stderr != "" {
				t.Errorf("want %d events, have %+v", test.want, r)
			}
		})
	}
}

func TestEventsFollow(t *testing.T) {
	server, b := start(t)
	login := &pbxv1.Agent{Kind: pbxv1.Agent_LOGIN, Extension: "200"}
	publish(t, b, newEvent(at(9, 0, 0), login))
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var stdout, stderr safeBuffer
	code := make(chan int, 1)
	o := world()
	o.Patience = time.Nanosecond // which does not count: there may be nothing for days
	go func() { code <- runTo(ctx, o, &stdout, &stderr, "events", "--follow") }()
	// Each comes at once, not when some buffer is full.
	lines := func(n int) func() bool {
		return func() bool { return strings.Count(stdout.String(), "\n") == n }
	}
	bustest.Eventually(t, "what is there already", lines(1))
	publish(t, b, newEvent(at(9, 0, 1), login))
	bustest.Eventually(t, "what comes", lines(2))
	// A server that goes away and comes back does not end it.
	server.Stop()
	server.Restart()
	publish(t, b, newEvent(at(9, 0, 2), login))
	bustest.Eventually(t, "what comes after a restart", lines(3))
	interrupt()
	if have := <-code; have != 0 || stderr.String() != "" {
		t.Errorf("want exit code 0 when interrupted, have %d: %s", have, &stderr)
	}
}

func TestEventsNotAnEvent(t *testing.T) {
	server, b := start(t)
	all := allSorts()
	publish(t, b, all[0])
	_, js := server.Raw()
	if _, err := js.Publish(t.Context(), "pbx.events.ipex.acme.call.new", []byte("\xff no event")); err != nil {
		t.Fatal(err)
	}
	publish(t, b, all[1])
	for _, args := range [][]string{{"events", "--since", "all"}, {"events", "--since", "all", "--json"}} {
		r := run(t, world(), args...)
		r.want(t, 0, "acme", "pbxctl events: decode message 2 on pbx.events.ipex.acme.call.new")
		if want, have := 2, len(r.lines()); want != have {
			t.Errorf("want the %d events around it, have %s", want, r.stdout)
		}
	}
}

// What was not read to its end is not a success, unless that was the wish.
func TestEventsInterrupted(t *testing.T) {
	server, b := start(t)
	publish(t, b, allSorts()...)
	url, tripped := tripwire(t, server, "", "$JS.ACK.")
	ctx, interrupt := context.WithCancel(t.Context())
	go func() {
		<-tripped
		interrupt()
	}()
	var stdout, stderr bytes.Buffer
	if have := runTo(ctx, world(), &stdout, &stderr, "events", "--nats", url); have != 1 || stderr.Len() == 0 {
		t.Errorf("want exit code 1, have %d: %s", have, &stderr)
	}
}

// A server that says that there is more, and sends no more.
func TestEventsStalled(t *testing.T) {
	server, b := start(t)
	publish(t, b, allSorts()...)
	url, _ := tripwire(t, server, "", "$JS.ACK.")
	o := world()
	o.Patience = 300 * time.Millisecond
	run(t, o, "events", "--nats", url).want(t, 1, "", "read: the server sent nothing for 300ms, and has more")
}

func TestEventsBrokenPipe(t *testing.T) {
	_, b := start(t)
	publish(t, b, allSorts()...)
	for name, args := range map[string][]string{"to the end": {"events"}, "following": {"events", "-f"}} {
		t.Run(name, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			r.Close()
			defer w.Close()
			var stderr bytes.Buffer
			if have := runTo(t.Context(), world(), w, &stderr, args...); have != 0 || stderr.Len() > 0 {
				t.Errorf("want a quiet end, have exit code %d: %s", have, &stderr)
			}
		})
	}
}

// process returns pbxctl as a process of its own.
func process(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), asPbxctl+"=1")
	return cmd
}

func TestProcess(t *testing.T) {
	_, b := start(t)
	publish(t, b, allSorts()...)
	for name, end := range map[string]func(*exec.Cmd) error{
		"interrupted": func(cmd *exec.Cmd) error { return cmd.Process.Signal(os.Interrupt) },
		"nobody reads any more": func(*exec.Cmd) error {
			publish(t, b, newEvent(at(9, 9, 9), &pbxv1.Agent{Kind: pbxv1.Agent_LOGIN, Extension: "200"}))
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := process(t, "events", "--follow")
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			out.Close()
			if err := end(cmd); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			state := cmd.ProcessState.String()
			if state != "exit status 0" && state != "signal: broken pipe" || stderr.Len() > 0 {
				t.Errorf("want a quiet end, have %s: %s", state, &stderr)
			}
		})
	}
}
