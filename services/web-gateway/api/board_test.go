package api_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/web-gateway/tokens"
)

type snapshot struct {
	Agents, Calls, MissedCalls []map[string]any
	Statistics                 map[string]any
}

func (l *listener) snapshot() (s snapshot) {
	l.t.Helper()
	first := l.next()
	if err := json.Unmarshal([]byte(first.data), &s); err != nil || first.name != "snapshot" {
		l.t.Fatalf("want a snapshot first, have %+v, %v", first, err)
	}
	return s
}

// row waits for a row of a kind; figures may come in between.
func (l *listener) row(kind string) map[string]any {
	l.t.Helper()
	for {
		have := l.next()
		if have.name == "statistics" {
			continue
		}
		var row map[string]any
		if err := json.Unmarshal([]byte(have.data), &row); err != nil || have.name != kind {
			l.t.Fatalf("want one %s, have %+v, %v", kind, have, err)
		}
		return row
	}
}

func TestBoard(t *testing.T) {
	w := newWorld(t)
	boards := []*listener{
		w.listen("/api/v1/board", w.token("acme", "karel", tokens.Wallboard)),
		w.listen("/api/v1/board", w.token("acme", "karel", tokens.Wallboard)),
	}
	for _, board := range boards {
		s := board.snapshot()
		if len(s.Agents) != 1 || s.Agents[0]["name"] != "acme-jana" || len(s.Calls) != 1 || s.Calls[0]["tenant"] != "acme" ||
			len(s.MissedCalls) != 1 || s.MissedCalls[0]["id"] != "m1" || s.Statistics["tenant"] != "acme" {
			t.Errorf("want the agent, the call, the open missed call and the figures of acme, have %+v", s)
		}
	}
	each := func(kind string, check func(row map[string]any) bool) {
		t.Helper()
		for _, board := range boards {
			if row := board.row(kind); !check(row) {
				t.Errorf("want the change of the %s, have %v", kind, row)
			}
		}
	}
	put(w, w.agents, "globex.jana", agent("globex", "jana", pbxv1.AgentState_PAUSED))
	put(w, w.agents, "acme.jana", agent("acme", "jana", pbxv1.AgentState_ON_CALL))
	each("agent", func(row map[string]any) bool { return row["state"] == "ON_CALL" && row["tenant"] == "acme" })
	claimed := missedCall("acme", "m1")
	claimed.ClaimedBy = &pbxv1.User{Login: "karel"}
	put(w, w.missed, "acme.m1", claimed)
	each("missedCall", func(row map[string]any) bool { return row["claimedBy"] != nil })
	claimed.ResolvedAt = claimed.GetOpenedAt()
	put(w, w.missed, "acme.m1", claimed)
	each("missedCall", func(row map[string]any) bool { return row["id"] == "m1" && row["gone"] == true && len(row) == 2 })
	if err := w.calls.Delete(t.Context(), "globex.c1", w.calls.Get("globex.c1").Revision); err != nil {
		t.Fatal(err)
	}
	if err := w.calls.Delete(t.Context(), "acme.c1", w.calls.Get("acme.c1").Revision); err != nil {
		t.Fatal(err)
	}
	each("call", func(row map[string]any) bool { return row["id"] == "c1" && row["gone"] == true })

	// Who comes later begins with what is now.
	if s := w.listen("/api/v1/board", w.token("acme", "karel", tokens.Wallboard)).snapshot(); len(s.Calls) != 0 || len(s.MissedCalls) != 0 ||
		s.Agents[0]["state"] != "ON_CALL" {
		t.Errorf("want what is now, have %+v", s)
	}
	other := w.listen("/api/v1/board", w.token("globex", "jana", tokens.Wallboard))
	if data := other.next().data; strings.Contains(data, "acme") || !strings.Contains(data, "globex-jana") {
		t.Errorf("want globex's board of globex alone, have %s", data)
	}
}

// The figures come again when they have changed.
func TestBoardStatistics(t *testing.T) {
	w := newWorld(t)
	board := w.listen("/api/v1/board", w.token("acme", "karel", tokens.Wallboard))
	board.snapshot()
	w.mu.Lock()
	w.day = 8
	w.mu.Unlock()
	if have := board.next(); have.name != "statistics" || !strings.Contains(strings.ReplaceAll(have.data, " ", ""), `"answeredWithin":8`) {
		t.Errorf("want the new figures, have %+v", have)
	}
}

// A board of nobody costs nothing, and the next one to look gets it anew.
func TestBoardComesBack(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		board := w.listen("/api/v1/board", w.token("acme", "karel", tokens.Wallboard))
		if s := board.snapshot(); len(s.Agents) != 1 {
			t.Errorf("want Jana, have %+v", s)
		}
		board.cancel()
		board.ended()
	}
}

// A stream outlives the server's limit for reading a request, and ends with its token.
func TestStreamEnds(t *testing.T) {
	w := newWorld(t)
	server := httptest.NewUnstartedServer(w.server.Config.Handler)
	server.Config.ReadTimeout = 50 * time.Millisecond
	server.Start()
	t.Cleanup(server.Close)
	w.server = server
	signed, _, err := w.keys.Mint(w.now(), tokens.Access, tokens.Identity{Tenant: "acme", Type: "login", Value: "karel"}, tokens.AllRights(), -28*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	l := w.listen("/api/v1/events", signed)
	sequence := uint64(0)
	for began, tick := time.Now(), time.NewTicker(20*time.Millisecond); time.Since(began) < 4*server.Config.ReadTimeout; <-tick.C {
		sequence++
		w.stream.Add(stored("acme", sequence))
		if have := l.next(); have.id != strconv.FormatUint(sequence, 10) {
			t.Fatalf("want event %d, have %+v", sequence, have)
		}
	}
	if have := l.next(); have.name != "end" || have.data != `{"reason":"expired"}` {
		t.Errorf("want the end of the token told, have %+v", have)
	}
	l.ended()
	r := w.request(t.Context(), http.MethodGet, "/api/v1/events", "", "Authorization", "Bearer "+signed)
	w.pass(2 * time.Second)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusUnauthorized {
		t.Errorf("want the token refused now, have %s", response.Status)
	}
}
