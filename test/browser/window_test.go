package browser_test

import (
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/switchhook/switchhook/test/process"
)

// startBrowser starts Chromium, with a profile of its own.
func startBrowser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("these tests drive Chromium: install Debian's package chromium (apt-get install chromium): %v", err)
	}
	allocator, cancel := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.NoFirstRun, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-popup-blocking", true), // as people allow it for a page that pops
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

// window is a browser window. What it says on the console has to be expected, or the test fails: breaches of the page's
// Content-Security-Policy are among it.
type window struct {
	*testing.T
	ctx  context.Context
	done chan struct{} // closed when the console said goodbye

	mu       sync.Mutex
	messages []string
	expected []string
	sockets  int // opened so far
}

const goodbye = "the window is about to be closed"

// newWindow opens a URL, with cookies and storage that no other window has.
func (h *house) newWindow(t *testing.T, url string) *window {
	t.Helper()
	return open(h.browser, t, url, chromedp.WithNewBrowserContext())
}

// newTab opens a URL in a window that shares cookies and storage with this one.
func (w *window) newTab(url string) *window {
	w.Helper()
	return open(w.ctx, w.T, url)
}

func open(parent context.Context, t *testing.T, url string, options ...chromedp.ContextOption) *window {
	t.Helper()
	w := &window{T: t, done: make(chan struct{})}
	w.ctx, _ = chromedp.NewContext(parent, append(options, chromedp.WithListener(w.listen))...)
	console := chromedp.Console(w.ctx)
	go func() {
		defer close(w.done)
		for m, err := range console {
			if err != nil || m.Text == goodbye {
				return
			}
			w.hear(m)
		}
	}()
	t.Cleanup(w.close)
	if err := chromedp.Do(w.ctx, chromedp.EmulateViewport(1280, 800)); err != nil {
		t.Fatal(err)
	}
	w.show(url)
	return w
}

func (w *window) listen(event any) {
	if _, socket := event.(*network.EventWebSocketCreated); socket {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.sockets++
	}
}

func (w *window) hear(m chromedp.ConsoleMessage) {
	if m.Type != chromedp.ConsoleError && m.Type != chromedp.ConsoleWarning && m.Type != chromedp.ConsoleException {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.messages = append(w.messages, m.Source+" "+m.String()+" "+m.URL)
}

// expect says which messages on the console are no fault of the page: those with one of the parts.
func (w *window) expect(parts ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.expected = append(w.expected, parts...)
}

func (w *window) close() {
	w.Helper()
	if w.ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	_, err := chromedp.Run(ctx, chromedp.Evaluate[chromedp.Void](`console.log("`+goodbye+`")`))
	if err == nil {
		<-w.done
	} else {
		w.Errorf("want the window alive to its end, have %v", err)
	}
	_ = chromedp.Cancel(w.ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
messages:
	for _, m := range w.messages {
		for _, part := range w.expected {
			if strings.Contains(m, part) {
				continue messages
			}
		}
		w.Errorf("want nothing on the console, have %s", m)
	}
}

func (w *window) socketsOpened() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sockets
}

// do runs an action with a deadline.
func do[T any](w *window, action chromedp.Action[T]) (T, error) {
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, action)
}

func (w *window) show(url string) {
	w.Helper()
	if _, err := do(w, chromedp.Navigate(url)); err != nil {
		w.Fatalf("open %s: %v", url, err)
	}
}

// eval runs JavaScript, waits for a promise, and returns a string as it is, anything else as JSON.
func (w *window) eval(script string) string {
	w.Helper()
	script = "(async () => { const v = await (" + script + "); return typeof v === 'string' ? v : JSON.stringify(v) ?? '' })()"
	text, err := do(w, chromedp.Evaluate[string](script, chromedp.EvalAwaitPromise))
	if err != nil {
		w.Fatalf("%s: %v", script, err)
	}
	return text
}

// run runs statements.
func (w *window) run(script string) {
	w.Helper()
	w.eval("(() => { " + script + " })()")
}

// until waits until an expression is true.
func (w *window) until(script string) {
	w.Helper()
	if _, err := do(w, chromedp.Poll[chromedp.Void]("!!("+script+")", chromedp.WithPollingInterval(20*time.Millisecond))); err != nil {
		w.Fatalf("%s: it did not become true: %v; the page says %q", script, err, w.eval("document.body.innerText.slice(0, 1500)"))
	}
}

// js writes a text for JavaScript.
func js(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // strings always encode
	}
	return string(quoted)
}

// seen finds an element that people see, and that has a text in it, where they see it.
func seen(selector, text string) string {
	return `[...document.querySelectorAll(` + js(selector) + `)].find((e) => e.checkVisibility({visibilityProperty: true, opacityProperty: true}) &&
		e.innerText.replaceAll("\u00a0", " ").includes(` + js(text) + `))`
}

// sees waits until people see an element with a text in it.
func (w *window) sees(selector, text string) {
	w.Helper()
	w.until(seen(selector, text))
}

// seesNo waits until they do not, or no more.
func (w *window) seesNo(selector, text string) {
	w.Helper()
	w.until("!" + seen(selector, text))
}

// click presses the mouse where an element is, once it is there, can be used, and nothing covers it.
func (w *window) click(selector string) {
	w.Helper()
	var at struct{ X, Y float64 }
	process.Eventually(w.T, "to click "+selector, patience, func() error {
		w.Helper()
		found := w.eval(`(() => {
			const e = [...document.querySelectorAll(` + js(selector) + `)].find((e) => e.checkVisibility() && !e.disabled);
			if (!e) return null;
			e.scrollIntoView({ block: "nearest" });
			const { x, y, width, height } = e.getBoundingClientRect();
			const at = { x: x + width / 2, y: y + height / 2 };
			const top = document.elementFromPoint(at.x, at.y);
			return e.contains(top) || e.labels && [...e.labels].some((l) => l.contains(top)) ? at : null;
		})()`)
		if err := json.Unmarshal([]byte(found), &at); err != nil {
			w.Fatal(err)
		}
		if at.X <= 0 {
			return errors.New("nothing that takes a click")
		}
		return nil
	})
	if _, err := do(w, chromedp.MouseClickXY(at.X, at.Y)); err != nil {
		w.Fatal(err)
	}
}

// types clicks into a field and types.
func (w *window) types(selector, text string) {
	w.Helper()
	w.click(selector)
	w.until(`document.activeElement?.matches(` + js(selector) + `)`)
	if _, err := chromedp.Call(w.ctx, input.InsertText, input.InsertTextParams{Text: text}); err != nil {
		w.Fatal(err)
	}
}

// logIn logs in to the page.
func (h *house) logIn(t *testing.T, tenant, login string) *window {
	t.Helper()
	w := h.newWindow(t, h.url())
	w.logIn(tenant, login)
	return w
}

func (w *window) logIn(tenant, login string) {
	w.Helper()
	w.until(`document.querySelector("form [name=tenant]")`)
	w.types("[name=tenant]", tenant)
	w.types("[name=login]", login)
	w.types("[name=password]", "browser-password")
	w.click("button[type=submit]")
	w.isLive()
}

// isLive waits until all that is shown is current.
func (w *window) isLive() {
	w.Helper()
	w.until(`document.querySelector(".connection")?.dataset.state === "live"`)
}

func (w *window) goTo(hash string) {
	w.Helper()
	w.run(`location.hash = ` + js(hash))
}
