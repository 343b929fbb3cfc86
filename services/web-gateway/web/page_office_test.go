package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// office plays the gateway's API for the page, with an invented day of a tenant.
type office struct {
	*testing.T
	*httptest.Server
	browser context.Context

	mu      sync.Mutex
	day     *day
	session bool // whether somebody is logged in
	token   int  // the one that is good
	lines   []string
	rights  []string
	down    bool
	unready bool          // it does not know the agents yet
	opened  int           // how many streams were
	cut     chan struct{} // closed to break what is open
	boards  map[chan string]bool
	streams map[chan string]bool
	since   []string // what streams of events asked for
	sockets map[*websocket.Conn]bool
	acts    []string // what people did about missed calls, and what phones were told
}

func newOffice(browser context.Context, t *testing.T) *office {
	t.Helper()
	o := &office{
		T: t, browser: browser, day: newDay(time.Now()), lines: []string{"101"}, rights: []string{"calls", "commands", "events", "wallboard"},
		cut: make(chan struct{}), boards: map[chan string]bool{}, streams: map[chan string]bool{}, sockets: map[*websocket.Conn]bool{},
	}
	mux := http.NewServeMux()
	mux.Handle("/", newHandler(t))
	mux.HandleFunc("POST /api/v1/login", o.logIn)
	mux.HandleFunc("POST /api/v1/session", o.renew)
	mux.HandleFunc("DELETE /api/v1/session", o.logOut)
	mux.HandleFunc("GET /api/v1/me", o.withToken(o.me))
	mux.HandleFunc("GET /api/v1/board", o.withToken(o.board))
	mux.HandleFunc("GET /api/v1/events", o.withToken(o.events))
	mux.HandleFunc("GET /api/v1/missed-calls", o.withToken(o.missedCalls))
	mux.HandleFunc("POST /api/v1/missed-calls/{id}/{action}", o.withToken(o.act))
	mux.HandleFunc("GET /api/v1/quarantine", o.withToken(o.quarantine))
	mux.HandleFunc("/ws/v1", o.socket)
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if o.isDown() {
			problem(w, http.StatusServiceUnavailable, "The office is closed.")
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		o.setDown(true)
		o.Close()
	})
	return o
}

func (o *office) isDown() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.down
}

// setDown breaks all connections, and lets nobody in until it is set to false.
func (o *office) setDown(down bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.down = down
	if down {
		close(o.cut)
		o.cut = make(chan struct{})
	}
}

func (o *office) setUnready(unready bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.unready = unready
}

func problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"title": http.StatusText(status), "status": status, "detail": detail})
}

func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

func (o *office) logIn(w http.ResponseWriter, r *http.Request) {
	var asked struct{ Tenant, Login, Password string }
	_ = json.NewDecoder(r.Body).Decode(&asked)
	if asked.Tenant != "acme" || asked.Login != "karel" || asked.Password != "secret" {
		problem(w, http.StatusUnauthorized, "The tenant, the login or the password is wrong.")
		return
	}
	o.mu.Lock()
	o.session = true
	o.mu.Unlock()
	o.renew(w, r)
}

func (o *office) renew(w http.ResponseWriter, _ *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.session {
		problem(w, http.StatusUnauthorized, "Nobody is logged in.")
		return
	}
	o.token++
	answer(w, map[string]any{
		"token": fmt.Sprintf("token-%d", o.token), "expiresAt": time.Now().Add(10 * time.Minute), "tenant": "acme",
		"identity": map[string]string{"type": "login", "value": "karel"}, "rights": o.rights,
	})
}

func (o *office) logOut(w http.ResponseWriter, _ *http.Request) {
	o.endSession()
	w.WriteHeader(http.StatusNoContent)
}

// endSession makes the session and all tokens worthless.
func (o *office) endSession() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.session = false
	o.token += 1000
}

// expireToken makes the tokens worthless, and not the session.
func (o *office) expireToken() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.token++
}

func (o *office) withToken(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.String(), "token") {
			o.Errorf("want no token in a URL, have %s", r.URL)
		}
		if have := r.Header.Get("Authorization"); have != "Bearer "+o.goodToken() && have != "Bearer given" {
			problem(w, http.StatusUnauthorized, "The access token has expired.")
			return
		}
		serve(w, r)
	}
}

func (o *office) goodToken() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return fmt.Sprintf("token-%d", o.token)
}

func (o *office) me(w http.ResponseWriter, _ *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.unready {
		problem(w, http.StatusServiceUnavailable, "the agents are not known yet")
		return
	}
	answer(w, map[string]any{
		"tenant": "acme", "identity": map[string]string{"type": "login", "value": "karel"}, "name": "Karel Novák", "login": "karel",
		"email": "karel@acme.example", "lines": o.lines, "rights": o.rights,
	})
}

// stream sends what comes on a channel of a set, until the connections are cut.
func (o *office) stream(w http.ResponseWriter, r *http.Request, set map[chan string]bool, first func() string) {
	frames := make(chan string, 1000)
	o.mu.Lock()
	set[frames] = true
	o.opened++
	cut, text := o.cut, first()
	o.mu.Unlock()
	defer func() {
		o.mu.Lock()
		delete(set, frames)
		o.mu.Unlock()
	}()
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	for {
		for _, piece := range []string{text[:len(text)/2], text[len(text)/2:]} { // it may break anywhere, within a letter too
			if _, err := w.Write([]byte(piece)); err != nil || out.Flush() != nil {
				return
			}
		}
		select {
		case text = <-frames:
		case <-r.Context().Done():
			return
		case <-cut:
			panic(http.ErrAbortHandler)
		}
	}
}

func (o *office) board(w http.ResponseWriter, r *http.Request) {
	o.stream(w, r, o.boards, func() string {
		return frameOf("snapshot", `{"agents":`+list(o.day.agents)+`,"calls":`+list(o.day.calls)+`,"missedCalls":`+list(o.day.open())+
			`,"statistics":`+string(marshal(o.day.statistics))+`}`)
	})
}

func (o *office) events(w http.ResponseWriter, r *http.Request) {
	o.stream(w, r, o.streams, func() string {
		o.since = append(o.since, r.URL.Query().Get("since"))
		text := ": welcome\n\n"
		for _, ev := range o.day.events {
			text += ev
		}
		return text
	})
}

func frameOf(name, data string) string { return "event: " + name + "\ndata: " + data + "\n\n" }

func marshal(m proto.Message) []byte {
	data, err := protojson.Marshal(m)
	if err != nil {
		panic(err)
	}
	return data
}

func list[T proto.Message](messages []T) string {
	var parts []string
	for _, m := range messages {
		parts = append(parts, string(marshal(m)))
	}
	return "[" + strings.Join(parts, ",") + "]"
}

// tellBoards sends an event to every wallboard.
func (o *office) tellBoards(name, data string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for frames := range o.boards {
		frames <- frameOf(name, data)
	}
}

// tellEvents sends a live event.
func (o *office) tellEvents(frame string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for frames := range o.streams {
		frames <- frame
	}
}

func (o *office) missedCalls(w http.ResponseWriter, _ *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, _ = w.Write([]byte(`{"missedCalls":` + list(o.day.missed) + `}`))
}

func (o *office) act(w http.ResponseWriter, r *http.Request) {
	var said struct{ Note string }
	_ = json.NewDecoder(r.Body).Decode(&said)
	id, action := r.PathValue("id"), r.PathValue("action")
	o.mu.Lock()
	m := o.day.find(id)
	switch {
	case m == nil:
		o.mu.Unlock()
		problem(w, http.StatusNotFound, "There is no such missed call.")
		return
	case action == "claim" && id == "m-conflict":
		o.mu.Unlock()
		problem(w, http.StatusConflict, "eva claimed it.")
		return
	case action == "claim":
		m.ClaimedBy = &pbxv1.User{Login: "karel"}
	case action == "release":
		m.ClaimedBy = nil
	case action == "resolve":
		m.Note, m.ResolvedAt, m.ResolvedBy = said.Note, timestamppb.Now(), &pbxv1.User{Login: "karel"}
		m.Resolution = pbxv1.MissedCall_CLOSED
	}
	o.acts = append(o.acts, strings.TrimSpace(action+" "+id+" "+said.Note))
	data, gone := marshal(m), m.ResolvedAt != nil
	o.mu.Unlock()
	if gone {
		o.tellBoards("missedCall", `{"id":"`+id+`","gone":true}`)
	} else {
		o.tellBoards("missedCall", string(data))
	}
	_, _ = w.Write(data)
}

func (o *office) quarantine(w http.ResponseWriter, _ *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, _ = w.Write([]byte(`{"quarantined":[` + strings.Join(o.day.quarantined, ",") + `]}`))
}

// did returns what was done so far.
func (o *office) did() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Join(o.acts, "; ")
}

func (o *office) socket(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	o.mu.Lock()
	cut := o.cut
	o.sockets[conn] = true
	o.mu.Unlock()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() {
		select {
		case <-cut:
			_ = conn.CloseNow()
		case <-ctx.Done():
		}
	}()
	defer func() {
		o.mu.Lock()
		delete(o.sockets, conn)
		o.mu.Unlock()
		_ = conn.CloseNow()
	}()
	for {
		var frame map[string]any
		if wsjson.Read(ctx, conn, &frame) != nil {
			return
		}
		o.answerFrame(ctx, conn, frame)
	}
}

func (o *office) answerFrame(ctx context.Context, conn *websocket.Conn, frame map[string]any) {
	action, _ := frame["action"].(string)
	var answers []map[string]any
	if action == "auth" {
		answers = append(answers,
			map[string]any{"event": "authresponse", "ok": true, "lines": []string{"101"}, "expires": time.Now().Add(time.Hour)},
			map[string]any{"event": "snapshot", "seq": 1, "calls": []any{}})
	} else {
		o.mu.Lock()
		o.acts = append(o.acts, strings.TrimSpace(fmt.Sprintf("%s %v", action, or(frame["to"], frame["uniqueid"], ""))))
		o.mu.Unlock()
		result := map[string]any{"event": action + "response", "actionid": frame["actionid"], "result": "succeeded"}
		if frame["to"] == "666" {
			result["result"], result["reason"] = "refused", "nobody may call 666"
		}
		answers = append(answers, result)
	}
	for _, one := range answers {
		_ = wsjson.Write(ctx, conn, one)
	}
}

func or(values ...any) any {
	for _, v := range values {
		if v != nil {
			return v
		}
	}
	return nil
}
