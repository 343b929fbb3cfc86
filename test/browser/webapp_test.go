package browser_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/switchhook/switchhook/test/process"
)

// webapp is a web application with a server of its own, which has the API key.
type webapp struct {
	*httptest.Server
	gateway string

	mu    sync.Mutex
	cards []string // that were opened, by what the URL said
}

// webappPage notes what the SDK tells in `heard`.
const webappPage = `<!doctype html><html lang="en"><title>A web application</title>
<p><a id="tel" href="tel:+420602800791">Call</a></p>
<script type="module" nonce="page">
  import Switchhook from "http://%[1]s/sdk/switchhook.js";
  window.heard = [];
  const login = new URLSearchParams(location.search).get("login");
  const s = window.s = new Switchhook({
    token: async () => (await (await fetch("/token?login=" + login, { method: "POST" })).json()).token,
    identityType: "login", identityValue: login,
  });
  for (const event of ["Ringing", "Answered", "Hangup", "Contact", "originateresponse"]) s.on(event, (frame) => heard.push(frame));
  s.on("error", (problem) => heard.push({ event: "error", code: problem.code, reason: problem.reason }));
  s.on("disconnected", (why) => heard.push({ event: "disconnected", ...why }));
  s.pop({ url: "/card?n={number}&c={contact}&q={queue}" });
  s.clickToCall();
</script>`

// newWebapp starts a web application of a gateway, that lets no script in but the gateway's and its own.
func newWebapp(t *testing.T, gateway string) *webapp {
	t.Helper()
	a := &webapp{gateway: gateway}
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy",
			fmt.Sprintf("default-src 'none'; script-src 'nonce-page' http://%[1]s; connect-src 'self' http://%[1]s ws://%[1]s", gateway))
		fmt.Fprintf(w, webappPage, gateway)
	})
	mux.HandleFunc("POST /token", a.token)
	mux.HandleFunc("/card", a.card)
	mux.HandleFunc("/favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	a.Server = httptest.NewServer(mux)
	t.Cleanup(a.Close)
	return a
}

// token asks the gateway for one. A real application would look who is logged in.
func (a *webapp) token(w http.ResponseWriter, r *http.Request) {
	body, err := json.Marshal(map[string]string{"tenant": "acme", "identityType": "login", "identityValue": r.FormValue("login")})
	if err != nil {
		panic(err) // texts always encode
	}
	request, err := http.NewRequestWithContext(r.Context(), http.MethodPost, "http://"+a.gateway+"/api/v1/tokens", bytes.NewReader(body))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer browser-key-acme")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer response.Body.Close()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(response.StatusCode)
	_, _ = io.Copy(w, response.Body)
}

// card is what pops.
func (a *webapp) card(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cards = append(a.cards, fmt.Sprint(r.FormValue("n"), ", ", r.FormValue("c"), ", ", r.FormValue("q")))
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, "<!doctype html><title>A card</title>")
}

func (a *webapp) opened(card string) (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, have := range a.cards {
		if have == card {
			n++
		}
	}
	return n
}

// awaitCard waits until a card was opened, once.
func (a *webapp) awaitCard(t *testing.T, card string) {
	t.Helper()
	process.Eventually(t, "one card "+card, patience, func() error {
		if n := a.opened(card); n != 1 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
}

// window opens the page as somebody of acme, and waits until it is connected.
func (a *webapp) window(t *testing.T, h *house, login string) *window {
	t.Helper()
	w := h.newWindow(t, a.URL+"/?login="+login)
	w.until(`window.s?.connected`)
	return w
}

// What rings at 905 of globex must not ring at 905 of acme.
func testWebapp(t *testing.T, h *house) {
	w := h.webapp.window(t, h, "pavel")
	other := h.call(t, "globex", "604999888", "NOC").rings("906", "905")
	c := h.call(t, "acme", "604123456", "NOC").rings("906")
	w.until(`heard.some((f) => f.event === "Ringing" && f.from === "+420604123456" && f.line === "906" && f.queue === "NOC")`)
	w.until(`[...s.calls.values()].some((call) => call.contact?.name === "Milan Kučera & syn")`)
	h.webapp.awaitCard(t, "+420604123456, Milan Kučera & syn, NOC")
	other.answeredAt("906")
	other.endsAt("906", "Normal Clearing")
	c.answeredAt("906")
	w.until(`heard.some((f) => f.event === "Answered")`)
	c.endsAt("906", "Normal Clearing")
	w.until(`heard.some((f) => f.event === "Hangup" && f.cause === "normal")`)
	w.until(`s.calls.size === 0`)
	if foreign := w.eval(`heard.filter((f) => f.event !== "error" && JSON.stringify(f).includes("604999888"))`); foreign != "[]" {
		t.Errorf("want nothing of another tenant, have %s", foreign)
	}
	if have := w.eval(asksAPI(h)); have != "200" {
		t.Errorf("want the API open to the tenant's origin, have %s", have)
	}
}

func testWebappInTwoTabs(t *testing.T, h *house) {
	first := h.webapp.window(t, h, "ivan")
	second := first.newTab(h.webapp.URL + "/?login=ivan")
	second.until(`window.s?.connected`)
	c := h.call(t, "acme", "604123457", "NOC").rings("904")
	for _, w := range []*window{first, second} {
		w.until(`heard.some((f) => f.event === "Ringing" && f.from === "+420604123457")`)
	}
	card := "+420604123457, , NOC"
	h.webapp.awaitCard(t, card)
	c.isMissed()
	for _, w := range []*window{first, second} {
		w.until(`heard.some((f) => f.event === "Hangup")`)
	}
	if n := h.webapp.opened(card); n != 1 {
		t.Errorf("want one card, have %d", n)
	}
	if n := first.socketsOpened() + second.socketsOpened(); n != 1 {
		t.Errorf("want one WebSocket, have %d", n)
	}
}

// Its pages get a token from their server, and may not use it. A socket that is not let in has the close code 1006.
func testStranger(t *testing.T, h *house) {
	w := h.newWindow(t, h.stranger.URL+"/?login=karel")
	w.expect("WebSocket connection", "CORS policy", "ERR_FAILED")
	w.until(`window.heard?.some((f) => f.event === "disconnected")`)
	if code := w.eval(`heard.find((f) => f.event === "disconnected").code`); code != "1006" {
		t.Errorf("want not even a handshake, have a socket closed with %s", code)
	}
	if connected := w.eval(`s.connected`); connected != "false" {
		t.Error("want pages of unknown origins refused, have one connected")
	}
	if have := w.eval(asksAPI(h)); have != "refused" {
		t.Errorf("want the API closed to unknown origins, have %s", have)
	}
}

// asksAPI asks for something with the page's token: "refused" when the browser keeps the answer from the page.
func asksAPI(h *house) string {
	return `s && fetch("/token?login=karel", { method: "POST" }).then((r) => r.json()).then(({ token }) =>
		fetch("http://` + h.listen + `/api/v1/me", { headers: { Authorization: "Bearer " + token } }).then((r) => String(r.status), () => "refused"))`
}

func testForeignOrigin(t *testing.T, h *house) {
	w := h.newWindow(t, h.foreign.URL+"/?login=karel")
	w.until(`window.heard?.some((f) => f.event === "error" && f.code === 4403)`)
	if connected := w.eval(`s.connected`); connected != "false" {
		t.Error("want pages of another tenant's origin refused, have one connected")
	}
}

// Two tabs of the page itself share a WebSocket; when the one that has it is closed, the other goes on.
func testTwoTabs(t *testing.T, h *house) {
	first := h.logIn(t, "acme", "lucie")
	second := first.newTab(h.url())
	second.isLive()
	c := h.call(t, "acme", "604123458", "").rings("905")
	for _, w := range []*window{first, second} {
		w.sees(".call[data-phase=ringing] .name", "+420 604 123 458")
	}
	if n := first.socketsOpened() + second.socketsOpened(); n != 1 {
		t.Errorf("want one WebSocket, have %d", n)
	}
	first.show("about:blank") // leaves
	c.answeredAt("905")
	second.sees(".call .phase", "Talking")
	c.endsAt("905", "Normal Clearing")
	second.sees(".call .phase", "Call ended")
}
