package rest_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/switchhook/switchhook/services/pbxsim/ledger"
	"github.com/switchhook/switchhook/services/pbxsim/rest"
)

// TestHostile checks each way to fail: what the client sees, and whether it was done.
func TestHostile(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		o      rest.Options
		status int
		noted  string
		acts   bool
	}{
		"well":        {rest.Options{}, http.StatusOK, "", true},
		"fail":        {rest.Options{Fail: 1}, http.StatusServiceUnavailable, "fail", false},
		"drop":        {rest.Options{Drop: 1}, 0, "drop", true},
		"drop before": {rest.Options{DropBefore: 1}, 0, "drop_before", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, 3000, c.o)
			for _, r := range []request{
				{http.MethodPost, "/calls", w.login(), asJSON, `{"to":"777888990","fromUser":{"identityType":"line","identityValue":"20"}}`},
				outbound("secret-mcn", `{"from":"20","to":"420777888990"}`),
				makeCall("token=secret-xvb&from=20&to=420777888990"),
			} {
				before := len(of[*ledger.Command](w))
				if have, body := w.send(r); have != c.status {
					t.Errorf("want %d, have %d %s", c.status, have, body)
				}
				w.eventually("a line", func() bool { return len(of[*ledger.Command](w)) > before })
				line := of[*ledger.Command](w)[before]
				if line.Chaos != c.noted || (line.Call != 0) != c.acts || line.Status != c.status {
					t.Errorf("want %q noted, have %+v", c.noted, line)
				}
			}
			if c.acts {
				w.truths(3)
			}
			w.live.Close()
			if calls := of[*ledger.Call](w); (len(calls) == 3) != c.acts {
				t.Errorf("want calls %v, have %d", c.acts, len(calls))
			}
		})
	}
}

// TestSlow: the call begins long before the answer.
func TestSlow(t *testing.T) {
	t.Parallel()
	const slow = 300 * time.Millisecond
	w := start(t, 3000, rest.Options{Slow: slow})
	began := time.Now()
	w.want(http.StatusOK, outbound("secret-mcn", `{"from":"20","to":"420777888990"}`))
	if took := time.Since(began); took < slow {
		t.Errorf("want %v, have %v", slow, took)
	}
	sent, line := of[*ledger.Sent](w), of[*ledger.Command](w)[0]
	if len(sent) == 0 || sent[0].SentAt.After(line.AnsweredAt.Add(-slow/2)) {
		t.Errorf("want the webhook before the answer at %v, have %v", line.AnsweredAt, sent)
	}
}

// TestChancesFollowTheSeed sends the same commands to two servers.
func TestChancesFollowTheSeed(t *testing.T) {
	t.Parallel()
	run := func(seed uint64) (chances string, count map[string]int) {
		w := start(t, 0, rest.Options{Seed: seed, Answer: 0.5, Fail: 0.2, Drop: 0.2, DropBefore: 0.2})
		for range 60 {
			w.send(outbound("secret-mcn", `{"from":"20","to":"420777888990"}`))
		}
		w.eventually("all lines", func() bool { return len(of[*ledger.Command](w)) == 60 })
		calls := 0
		count = map[string]int{}
		for _, line := range of[*ledger.Command](w) {
			chances += fmt.Sprint(line.Chaos, " ")
			count[line.Chaos]++
			if line.Call != 0 {
				calls++
			}
		}
		for _, truth := range w.truths(calls) {
			chances += truth.Outcome + " "
			count[truth.Outcome]++
		}
		return chances, count
	}
	first, count := run(7)
	if again, _ := run(7); again != first {
		t.Errorf("want the same of the same seed, have %s\nand %s", first, again)
	}
	if other, _ := run(8); other == first {
		t.Error("want something else of another seed, have the same")
	}
	for _, what := range []string{"", "fail", "drop", "drop_before", "answered", "unanswered_outgoing"} {
		if count[what] < 4 {
			t.Errorf("want some of each kind, have %v", count)
		}
	}
}
