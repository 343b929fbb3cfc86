package web_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// patience is how long anything may take that should come.
const patience = 20 * time.Second

// blank is a page with the SDK. It notes what it is told in `heard`, and what it opens in `opened`.
const blank = `<!doctype html><title>blank</title><div id="room"></div><script type="module">
if (location.search === "?nolocks") Object.defineProperty(Navigator.prototype, "locks", { value: undefined });
const { default: Switchhook } = await import("/sdk/switchhook.js");
const names = ["Ringing", "Answered", "Hangup", "Contact", "snapshot", "originateresponse", "connected", "disconnected", "error"];
Object.assign(window, {
  Switchhook, heard: [], asked: 0, opened: [],
  open(url, target) { opened.push([url, target]); return {}; },
  note(s) { for (const name of names) s.on(name, (detail) => heard.push({ ...detail, name })); return s; },
  names: (...only) => heard.map((h) => h.name).filter((name) => only.includes(name)),
  connect(options) {
    const token = async () => "token-" + ++asked;
    return window.s = note(new Switchhook({ token, identityType: "login", identityValue: "karel", ...options }));
  },
});
</script>`

// startBrowser starts Chromium, with a profile of its own.
func startBrowser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("these tests drive Chromium: install Debian's package chromium: %v", err)
	}
	allocator, cancel := chromedp.NewExecAllocator(t.Context(),
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.NoFirstRun, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
	)
	browser, _ := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		_ = chromedp.Cancel(browser) // waits for its end, so that the profile can be removed
		cancel()
	})
	if err := chromedp.Do(browser); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	return browser
}

// tab is one page in the browser.
type tab struct {
	*testing.T
	ctx context.Context
}

// open opens a blank page with the SDK.
func (g *gateway) open(path string) *tab {
	g.Helper()
	p := g.visit(path)
	p.until("window.heard")
	return p
}

func (g *gateway) visit(path string) *tab {
	g.Helper()
	ctx, _ := chromedp.NewContext(g.browser)
	p := &tab{g.T, ctx}
	g.Cleanup(p.close)
	if err := chromedp.Do(ctx, chromedp.Navigate(g.URL+path)); err != nil {
		g.Fatal(err)
	}
	return p
}

func (p *tab) close() { _ = chromedp.Cancel(p.ctx) }

// eval runs JavaScript, waits for a promise, and returns the value as JSON.
func (p *tab) eval(script string) string {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	script = "(async () => JSON.stringify(await " + script + ") ?? '')()"
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](script, chromedp.EvalAwaitPromise))
	if err != nil {
		p.Fatalf("%s: %v", script, err)
	}
	return text
}

// run runs statements.
func (p *tab) run(script string) {
	p.Helper()
	p.eval("(() => { " + script + " })()")
}

func (p *tab) want(script, want string) {
	p.Helper()
	if have := p.eval(script); have != want {
		p.Errorf("%s: want %s, have %s", script, want, have)
	}
}

// until waits until an expression is true.
func (p *tab) until(script string) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	poll := chromedp.Poll[chromedp.Void]("!!("+script+")", chromedp.WithPollingInterval(10*time.Millisecond))
	if err := chromedp.Do(ctx, poll); err != nil {
		p.Fatalf("%s: it did not become true: %v; heard %s", script, err, p.eval("window.heard"))
	}
}

// gateway plays the gateway: it lets in whoever comes, and a test says what then.
type gateway struct {
	*testing.T
	*httptest.Server
	browser context.Context
	came    chan *peer

	mu       sync.Mutex
	down     bool
	attempts []time.Time
}

// peer is the other end of a socket of the browser's.
type peer struct {
	*testing.T
	conn   *websocket.Conn
	frames chan map[string]any // closed with the socket
	first  map[string]any      // auth
}

func newGateway(browser context.Context, t *testing.T) *gateway {
	t.Helper()
	handler := newHandler(t)
	g := &gateway{T: t, browser: browser, came: make(chan *peer, 100)}
	mux := http.NewServeMux()
	mux.Handle("/", handler)
	mux.HandleFunc("/blank", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(blank))
	})
	mux.HandleFunc("/ws/v1", g.accept)
	mux.HandleFunc("/readme", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(strings.ReplaceAll(example(t), "s://pbx.example", "://"+r.Host)))
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"token":"from /token"}`)) })
	g.Server = httptest.NewServer(mux)
	t.Cleanup(g.Close)
	return g
}

func (g *gateway) accept(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	g.attempts = append(g.attempts, time.Now())
	down := g.down
	g.mu.Unlock()
	if told := r.URL.String(); strings.Contains(told, "token") || r.URL.RawQuery != "" {
		g.Errorf("want no token in the URL, have %s", told)
	}
	if down {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	p := &peer{T: g.T, conn: conn, frames: make(chan map[string]any, 100)}
	g.came <- p
	defer close(p.frames)
	for {
		var frame map[string]any
		if wsjson.Read(r.Context(), conn, &frame) != nil {
			return
		}
		p.frames <- frame
	}
}

func (g *gateway) setDown(down bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.down, g.attempts = down, nil
}

func (g *gateway) tried() []time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]time.Time(nil), g.attempts...)
}

// next returns the next socket, after its first frame.
func (g *gateway) next() *peer {
	g.Helper()
	select {
	case p := <-g.came:
		p.first = p.read()
		return p
	case <-time.After(patience):
		g.Fatal("want a socket, have none")
		return nil
	}
}

// let lets the next socket in, with a token that lasts an hour.
func (g *gateway) let() *peer {
	g.Helper()
	p := g.next()
	p.welcome(time.Hour)
	return p
}

// start lets the next socket in, and tells it that no calls go on.
func (g *gateway) start() *peer {
	g.Helper()
	p := g.let()
	p.tell(`{"event":"snapshot","seq":1,"calls":[]}`)
	return p
}

// none fails when there is another socket.
func (g *gateway) none() {
	g.Helper()
	select {
	case <-g.came:
		g.Error("want no other socket, have one")
	default:
	}
}

func (p *peer) read() map[string]any {
	p.Helper()
	select {
	case frame, open := <-p.frames:
		if !open {
			p.Fatal("want a frame, have a closed socket")
		}
		return frame
	case <-time.After(patience):
		p.Fatal("want a frame, have none")
		return nil
	}
}

func (p *peer) tell(frames ...string) {
	p.Helper()
	for _, frame := range frames {
		if err := p.conn.Write(context.Background(), websocket.MessageText, []byte(frame)); err != nil {
			p.Fatal(err)
		}
	}
}

func (p *peer) welcome(ttl time.Duration) {
	p.Helper()
	expires := time.Now().Add(ttl).UTC().Format(time.RFC3339Nano)
	p.tell(`{"event":"authresponse","ok":true,"lines":["101"],"rights":["calls","commands"],"expires":"` + expires + `"}`)
}

func (p *peer) shut(code int) { _ = p.conn.Close(websocket.StatusCode(code), "as the test says") }

// die breaks the connection, as a server that is killed does.
func (p *peer) die() { _ = p.conn.CloseNow() }

// gone waits until the browser has closed the socket.
func (p *peer) gone() {
	p.Helper()
	for limit := time.After(patience); ; {
		select {
		case _, open := <-p.frames:
			if !open {
				return
			}
		case <-limit:
			p.Fatal("want the socket closed")
		}
	}
}
