package sim_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/switchhook/switchhook/services/pbxsim/ledger"
	"github.com/switchhook/switchhook/services/pbxsim/sim"
)

// clockwise returns the ledger of a run in the order of the clocks, and the requests in the order of their arrival.
func clockwise(t *testing.T, change func(*sim.Options)) ([]ledger.Entry, []string) {
	t.Helper()
	i := newIngress(t)
	o := options(t, i.URL, 200)
	o.Clock, o.Connections = true, 1
	if change != nil {
		change(&o)
	}
	entries, err := run(t.Context(), t, o)
	if err != nil {
		t.Fatal(err)
	}
	return entries, i.requests
}

func someChaos(o *sim.Options) {
	o.Chaos = sim.Chaos{Duplicate: 0.05, Reorder: 0.1, Delay: 0.05, Malformed: 0.05}
}

func TestClockOrder(t *testing.T) {
	entries, _ := clockwise(t, nil)
	sent := of[*ledger.Sent](entries)
	turns := 0
	for i, s := range sent[1:] {
		before := sent[i]
		if s.At.Before(before.At) {
			t.Errorf("want nothing before %v, have %+v", before.At, s)
		}
		if s.SentAt.Before(before.AnsweredAt) {
			t.Errorf("want one request at a time, have %+v sent before %v", s, before.AnsweredAt)
		}
		if s.Call != before.Call {
			turns++
		}
	}
	if turns < len(sent)/2 {
		t.Errorf("want the calls of the teams side by side, have %d changes of call in %d requests", turns, len(sent))
	}
	if calls := of[*ledger.Call](entries); len(calls) != 200 {
		t.Errorf("want the truth of 200 calls, have %d", len(calls))
	}
	if done := of[*ledger.Done](entries)[0]; done.Calls != 200 || done.Requests != int64(len(sent)) {
		t.Errorf("want 200 calls of %d requests counted, have %+v", len(sent), done)
	}
}

// TestClockOrderWithChaos checks that what comes late in its call comes right behind what is sent before it.
func TestClockOrderWithChaos(t *testing.T) {
	entries, _ := clockwise(t, someChaos)
	var clock time.Time
	due := map[int64]time.Time{} // by call: when its last request was sent
	late := map[string]int{}
	sent := of[*ledger.Sent](entries)
	for i, s := range sent {
		if due[s.Call].Before(s.At) {
			due[s.Call] = s.At
		} else if s.At.Before(due[s.Call]) {
			late[s.Chaos]++
		}
		if due[s.Call].Before(clock) {
			t.Errorf("want nothing that is due before %v, have it due at %v: %+v", clock, due[s.Call], s)
		}
		clock = due[s.Call]
		if before := sent[max(i-1, 0)]; s.Chaos == "duplicate" && (s.Call != before.Call || s.Seq != before.Seq) {
			t.Errorf("want a repetition right behind, have %+v after %+v", s, before)
		}
	}
	if late["delay"] == 0 || late["reorder"] == 0 {
		t.Errorf("want late requests, have %v", late)
	}
}

// TestSameCallsInEachOrder checks that the order changes neither what is true of a call but for its time, nor what chaos
// does.
func TestSameCallsInEachOrder(t *testing.T) {
	clock, _ := clockwise(t, someChaos)
	call, _ := clockwise(t, func(o *sim.Options) {
		someChaos(o)
		o.Clock, o.Connections = false, 8
	})
	if want, have := outline(call), outline(clock); !slices.Equal(want, have) {
		t.Errorf("want the %d lines of the default order, have %d others", len(want), len(have))
	}
}

// outline tells calls and requests without their times.
func outline(entries []ledger.Entry) []string {
	var lines []string
	for _, c := range of[*ledger.Call](entries) {
		lines = append(lines, fmt.Sprint(c.Call, c.Exchange, c.Variant, c.Scenario, c.Caller, c.Callee, c.Rang, c.AnsweredBy,
			c.WaitSeconds, c.RingSeconds, c.TalkSeconds, c.Requests))
	}
	for _, s := range of[*ledger.Sent](entries) {
		lines = append(lines, fmt.Sprint(s.Call, s.Seq, s.Agent, s.Chaos, s.VendorEvent, s.Want))
	}
	slices.Sort(lines)
	return lines
}

func TestClockOrderIsReproducible(t *testing.T) {
	_, want := clockwise(t, someChaos)
	_, have := clockwise(t, someChaos)
	if !slices.Equal(have, want) {
		t.Error("want the same requests in the same order of the same seed, have others")
	}
}

// TestTeamsBeginOneByOne checks that the first calls are spread, and that a team's next call follows its last.
func TestTeamsBeginOneByOne(t *testing.T) {
	entries, _ := clockwise(t, nil)
	starts, ended := map[time.Time]int{}, map[int64]time.Time{}
	calls := of[*ledger.Call](entries)
	slices.SortFunc(calls, func(a, b *ledger.Call) int { return int(a.Call - b.Call) })
	const teams = 4 * 4
	for _, c := range calls {
		if c.Call <= teams {
			starts[c.Start]++
		}
		if before := ended[c.Call-teams]; !c.Start.After(before) || c.Call > teams && c.Start.After(before.Add(time.Minute)) {
			t.Errorf("call %d: want it soon after %v, have it at %v", c.Call, before, c.Start)
		}
		ended[c.Call] = c.Ended
	}
	if len(starts) < teams/2 {
		t.Errorf("want the first calls of %d teams at different times, have %v", teams, starts)
	}
}

// TestStopInClockOrder checks that the truth of all calls that were begun, and of no other, is written.
func TestStopInClockOrder(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1) == 20 {
			cancel()
		}
		fmt.Fprintf(w, `{"id":"e%d"}`, n.Load())
	}))
	defer server.Close()
	o := options(t, server.URL, 0)
	o.Clock, o.Connections = true, 1
	entries, err := run(ctx, t, o)
	if err != nil {
		t.Fatal(err)
	}
	last := map[int64]int{}
	for _, s := range of[*ledger.Sent](entries) {
		last[s.Call] = s.Seq
	}
	calls, cut := of[*ledger.Call](entries), 0
	for _, c := range calls {
		if seq, ok := last[c.Call]; !ok || c.Cut != (seq+1 < c.Requests) {
			t.Errorf("call %d: sent up to %d of %d, have cut %v", c.Call, seq+1, c.Requests, c.Cut)
		}
		if c.Cut {
			cut++
		}
	}
	done := of[*ledger.Done](entries)[0]
	if n.Load() != 20 || cut == 0 || len(calls) != len(last) || done.Calls != int64(len(last)) {
		t.Errorf("want the truth of the %d calls begun, have it of %d, %d of them cut, and %+v", len(last), len(calls), cut, done)
	}
}

// TestDate checks that each request says when it happened, also when it is sent late, again, or broken.
func TestDate(t *testing.T) {
	entries, requests := clockwise(t, someChaos)
	sent := of[*ledger.Sent](entries)
	if len(sent) != len(requests) {
		t.Fatalf("want %d requests, have %d", len(sent), len(requests))
	}
	for i, s := range sent {
		if want := s.At.Format("Mon, 02 Jan 2006 15:04:05 GMT"); !strings.HasPrefix(requests[i], want+" ") {
			t.Fatalf("call %d, request %d: want Date %s, have %s", s.Call, s.Seq, want, requests[i])
		}
	}
}

// TestLegs compares the legs with what the exchanges send that tell everything about phones.
func TestLegs(t *testing.T) {
	entries, _ := clockwise(t, nil)
	at := map[int64]map[string][]time.Time{}
	for _, s := range of[*ledger.Sent](entries) {
		if at[s.Call] == nil {
			at[s.Call] = map[string][]time.Time{}
		}
		at[s.Call][s.Event] = append(at[s.Call][s.Event], s.At)
	}
	seen := map[string]int{}
	for _, c := range of[*ledger.Call](entries) {
		if c.Vendor != "ipex" || c.Direction == "outgoing" {
			continue
		}
		var ringing, talking []time.Time
		for _, leg := range c.Legs {
			for _, span := range leg.Ringing {
				ringing = append(ringing, span[0])
			}
			if leg.Answered != (leg.Talking != nil) {
				t.Errorf("call %d %s: want it answered if somebody talked, have %+v", c.Call, c.Scenario, leg)
			}
			if leg.Dialing != nil {
				seen["dialing"]++
				continue // who calls talks when the other answers
			}
			for _, span := range leg.Talking {
				talking = append(talking, span[0])
			}
		}
		seen["ringing"], seen["talking"] = seen["ringing"]+len(ringing), seen["talking"]+len(talking)
		if want := at[c.Call]["call.ringing"]; !slices.Equal(ringing, want) {
			t.Errorf("call %d %s: want ringing from %v, have %+v", c.Call, c.Scenario, want, c.Legs)
		}
		slices.SortFunc(talking, time.Time.Compare)
		if want := at[c.Call]["call.answered"]; !slices.Equal(talking, want) {
			t.Errorf("call %d %s: want talking from %v, have %+v", c.Call, c.Scenario, want, c.Legs)
		}
		if want := c.Start.Add(time.Duration(c.WaitSeconds+c.RingSeconds+c.TalkSeconds) * time.Second); !c.Ended.Equal(want) {
			t.Errorf("call %d %s: want it ended at %v, have %v", c.Call, c.Scenario, want, c.Ended)
		}
	}
	if seen["ringing"] < 20 || seen["talking"] < 20 || seen["dialing"] == 0 {
		t.Errorf("want legs of all kinds, have %v", seen)
	}
}
