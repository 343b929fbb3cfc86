package sim_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/switchhook/switchhook/services/pbxsim/flow"
	"github.com/switchhook/switchhook/services/pbxsim/ledger"
	"github.com/switchhook/switchhook/services/pbxsim/sim"
)

// live returns something that sends to an ingress, and a way to end it that returns the ledger.
func live(t *testing.T, speed float64) (*sim.Live, sim.Options, *ingress, func() []ledger.Entry) {
	t.Helper()
	i := newIngress(t)
	o := options(t, i.URL, 0)
	o.Speed = speed
	var b bytes.Buffer
	l := sim.NewLive(t.Context(), o, ledger.NewWriter(&b), &sim.Stats{})
	return l, o, i, func() []ledger.Entry {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		return read(t, &b)
	}
}

func click() flow.Click {
	outside, _ := flow.ReadNumber("777888990", "CZ")
	return flow.Click{Caller: flow.People("acme", 1)[0], Outside: outside, Line: flow.OwnNumber("CZ", 0)}
}

// await polls until something is so.
func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick, deadline := time.NewTicker(5*time.Millisecond), time.Now().Add(10*time.Second)
	defer tick.Stop()
	for ; !is(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("want %s, have waited in vain", what)
		}
	}
}

// TestTurnedCallEndsAtOnce hangs up a call whose next news is far away.
func TestTurnedCallEndsAtOnce(t *testing.T) {
	l, o, i, end := live(t, 1)
	c := l.Dial(o.Exchanges[0], click())
	await(t, "the beginning", func() bool { return len(i.taken()) == 2 })
	if !l.Turn(c.Number, func(o sim.Ongoing) *flow.Call { return o.HangUp(o.Age, nil) }) {
		t.Fatal("want it hung up, have it go on")
	}
	began := time.Now()
	await(t, "the end", func() bool { return len(i.taken()) >= 3 })
	if took := time.Since(began); took > time.Second {
		t.Errorf("want the end at once, have waited %v", took)
	}
	if calls := l.Current(o.Exchanges[0]); len(calls) != 0 {
		t.Errorf("want no call, have %v", calls)
	}
	if again := l.Turn(c.Number, func(o sim.Ongoing) *flow.Call { return o.HangUp(o.Age, nil) }); again {
		t.Error("want no second end, have one")
	}
	truth := of[*ledger.Call](end())[0]
	if truth.Outcome != "unanswered_outgoing" || truth.Ended.Sub(truth.Start) > 2*time.Second {
		t.Errorf("want a call that ended before it was answered, have %+v", truth)
	}
}

// TestNoTimeAtAll hangs up while the answer is told, in a call that takes no time: what was sent has happened, whatever the
// clock says.
func TestNoTimeAtAll(t *testing.T) {
	o := options(t, "http://127.0.0.1", 0)
	var b bytes.Buffer
	var l *sim.Live
	number := make(chan int64, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if body, _ := io.ReadAll(r.Body); bytes.Contains(body, []byte(`"Answered"`)) {
			l.Turn(<-number, func(o sim.Ongoing) *flow.Call { return o.HangUp(o.Age, nil) })
		}
	}))
	t.Cleanup(server.Close)
	o.Targets["ipex"], _ = url.Parse(server.URL)
	w := ledger.NewWriter(&b)
	l = sim.NewLive(t.Context(), o, w, &sim.Stats{})
	planned := l.Dial(o.Exchanges[0], click())
	number <- planned.Number
	await(t, "the end", func() bool { return len(l.Current(o.Exchanges[0])) == 0 })
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	truth := of[*ledger.Call](read(t, &b))[0]
	if truth.Outcome != "answered" || truth.TalkSeconds != 0 || truth.RingSeconds != int(planned.Ring/time.Second) {
		t.Errorf("want it to end when it was answered, have %+v", truth)
	}
}

// TestCloseCuts ends with calls under way, and takes no more.
func TestCloseCuts(t *testing.T) {
	l, o, _, end := live(t, 1)
	for _, e := range o.Exchanges {
		l.Dial(e, click())
		l.Dial(e, click())
	}
	calls := of[*ledger.Call](end())
	if len(calls) != 2*len(o.Exchanges) || slices.ContainsFunc(calls, func(c *ledger.Call) bool { return !c.Cut }) {
		t.Errorf("want %d calls that were cut, have %+v", 2*len(o.Exchanges), calls)
	}
	l.Dial(o.Exchanges[0], click())
	if have := l.Current(o.Exchanges[0]); len(have) != 0 {
		t.Errorf("want no more calls, have %v", have)
	}
}
