package web_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// screen is a browser window with the page, with cookies and storage of its own.
type screen struct {
	*tab
	office *office

	mu       sync.Mutex
	messages []string // errors and warnings on the console
	expected []string // parts of those that a test causes
}

// screen opens a path of the page, in English.
func (o *office) screen(path string) *screen {
	o.Helper()
	ctx, _ := chromedp.NewContext(o.browser, chromedp.WithNewBrowserContext())
	s := &screen{tab: &tab{o.T, ctx}, office: o}
	console := chromedp.Console(ctx)
	go func() {
		for m, err := range console {
			if err != nil {
				return
			}
			if m.Type == chromedp.ConsoleError || m.Type == chromedp.ConsoleWarning || m.Type == chromedp.ConsoleException {
				s.mu.Lock()
				s.messages = append(s.messages, m.Source+" "+m.String())
				s.mu.Unlock()
			}
		}
	}()
	o.Cleanup(func() {
		s.close()
		s.checkConsole()
	})
	s.show(path)
	return s
}

func (s *screen) show(path string) {
	s.Helper()
	if err := chromedp.Do(s.ctx, chromedp.EmulateViewport(1280, 800), chromedp.Navigate(s.office.URL+path)); err != nil {
		s.Fatal(err)
	}
	s.until(`document.querySelector("main")`)
}

// expect says which messages on the console are no fault of the page.
func (s *screen) expect(parts ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expected = append(s.expected, parts...)
}

func (s *screen) checkConsole() {
	s.mu.Lock()
	defer s.mu.Unlock()
messages:
	for _, m := range s.messages {
		for _, part := range s.expected {
			if strings.Contains(m, part) {
				continue messages
			}
		}
		s.Errorf("want nothing on the console, have %s", m)
	}
}

// logIn fills in the form.
func (s *screen) logIn() {
	s.Helper()
	s.until(`document.querySelector("form")`)
	s.fill(`[name=tenant]`, "acme")
	s.fill(`[name=login]`, "karel")
	s.fill(`[name=password]`, "secret")
	s.click(`button[type=submit]`)
	s.until(`document.querySelector("header.bar")`)
}

func (s *screen) fill(selector, text string) {
	s.Helper()
	s.run(`const e = document.querySelector('` + selector + `'); e.value = '` + text + `'; e.dispatchEvent(new Event("input", {bubbles: true}))`)
}

func (s *screen) click(selector string) {
	s.Helper()
	s.until(`document.querySelector('` + selector + `:not(:disabled)')`)
	s.run(`document.querySelector('` + selector + `').click()`)
}

func (s *screen) press(key string) {
	s.Helper()
	text := map[string]string{"Enter": "\r"}[key]
	if text == "" {
		text = key
	}
	for _, event := range []input.DispatchKeyEventParams{
		{Type: input.DispatchKeyEventTypeKeyDown, Key: key, Text: text}, {Type: input.DispatchKeyEventTypeKeyUp, Key: key},
	} {
		if _, err := chromedp.Call(s.ctx, input.DispatchKeyEvent, event); err != nil {
			s.Fatal(err)
		}
	}
}

func (s *screen) goTo(hash, ready string) {
	s.Helper()
	s.run(`location.hash = "` + hash + `"`)
	s.until(`document.querySelector('` + ready + `')`)
}

// says waits until an element has a text in it.
func (s *screen) says(selector, text string) {
	s.Helper()
	s.until(`[...document.querySelectorAll('` + selector + `')].some((e) => e.textContent.replaceAll("\u00a0", " ").includes('` + text + `'))`)
}

func TestPage(t *testing.T) {
	t.Parallel()
	browser := startBrowser(t)
	for name, test := range map[string]func(*office){
		"log in":           testLogIn,
		"token in the URL": testTokenInURL,
		"wallboard":        testWallboard,
		"missed calls":     testMissedCalls,
		"my calls":         testMyCalls,
		"dial pad":         testDialPad,
		"live events":      testLiveEvents,
		"lost and found":   testLostAndFound,
		"sleep":            testSleep,
		"parser":           testParser,
		"session ends":     testSessionEnds,
		"few rights":       testFewRights,
		"keyboard":         testKeyboard,
		"languages":        testLanguages,
		"screenshots":      testScreenshots,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(newOffice(browser, t))
		})
	}
}

func testLogIn(o *office) {
	s := o.screen("/")
	s.expect("401", "WebSocket is closed before")
	s.until(`document.querySelector("form")`)
	s.fill(`[name=tenant]`, "acme")
	s.fill(`[name=login]`, "karel")
	s.fill(`[name=password]`, "wrong")
	s.click(`button[type=submit]`)
	s.says(".error", "is wrong")
	s.expect("503")
	o.setUnready(true)
	s.fill(`[name=password]`, "secret")
	s.click(`button[type=submit]`)
	s.says(".error", "not known yet")
	o.setUnready(false)
	s.logIn()
	s.says("h1", "Wallboard")
	s.want(`Object.keys(localStorage).concat(Object.keys(sessionStorage)).some((key) => (localStorage[key] ?? sessionStorage[key]).includes("token-"))`, "false")
	s.show("/") // the session is still there
	s.says("h1", "Wallboard")
	s.click(`[aria-label="Log out"]`)
	s.until(`document.querySelector("form")`)
	s.show("/")
	s.until(`document.querySelector("form")`)
}

func testTokenInURL(o *office) {
	s := o.screen("/#token=given")
	s.says("h1", "Wallboard")
	s.want(`location.href.includes("given")`, "false")
	s.want(`history.length`, "2")
}

func testLostAndFound(o *office) {
	s := o.screen("/")
	s.logIn()
	s.says(".tile.waiting .value", "3")
	s.until(`document.querySelector(".connection").dataset.state === "live"`)
	s.expect("ERR_", "503", "WebSocket")
	colour := `getComputedStyle(document.querySelector(".agent.available .icon")).color`
	fresh := s.eval(colour)
	o.setDown(true)
	s.says(".banner", "Connection lost since")
	s.says(".banner", "wallboard and missed calls")
	s.says(".banner", "my calls")
	s.until(`document.title.startsWith("⚠")`)
	if stale := s.eval(colour); stale == fresh {
		s.Errorf("want another colour than %s for what is stale", fresh)
	}
	before := s.eval(`document.querySelector(".agent time").textContent`)
	s.says(".banner time", "sec") // it goes on
	s.want(`document.querySelector(".agent time").textContent`, before)

	o.mu.Lock()
	o.day.calls = o.day.calls[:2]
	o.mu.Unlock()
	o.expireToken()
	s.expect("401")
	o.setDown(false)
	s.until(`document.querySelector(".banner").hidden`)
	s.says(".tile.waiting .value", "0")
	s.want(colour, fresh)
}

// A stream may break anywhere.
func testParser(o *office) {
	s := o.screen("/")
	s.want(`(async () => {
		const { Parser } = await import("/page/stream.js");
		const text = ": hello\n\nevent: agent\r\nid: 7\r\ndata: {\"a\":\ndata: 1}\r\n\r\ndata:x\n\n: still here\n\n";
		const faults = [], whole = JSON.stringify(new Parser().feed(text));
		for (let at = 0; at <= text.length; at++) {
			const parser = new Parser();
			const parts = JSON.stringify([...parser.feed(text.slice(0, at)), ...parser.feed(text.slice(at))]);
			if (parts !== whole) faults.push([at, parts]);
		}
		return [whole, faults];
	})()`, `["[{\"name\":\"agent\",\"data\":\"{\\\"a\\\":\\n1}\",\"id\":\"7\"},{\"name\":\"message\",\"data\":\"x\",\"id\":null}]",[]]`)
}

// A machine that slept does not show what was hours ago as if it were now.
func testSleep(o *office) {
	s := o.screen("/")
	s.logIn()
	s.says(".tile.waiting .value", "3")
	s.run(`const { now } = Date; Date.now = () => now.call(Date) + 7_200_000;
		window.lost = false;
		new MutationObserver(() => { lost ||= document.documentElement.dataset.lost.includes("board"); })
			.observe(document.documentElement, { attributes: true })`)
	s.until(`lost`)
	s.until(`document.querySelector(".banner").hidden`)
	o.mu.Lock()
	opened := o.opened
	o.mu.Unlock()
	if opened != 2 {
		s.Errorf("want 2 streams, have %d", opened)
	}
	// Durations are by the server's clock.
	s.until(`document.querySelector(".agent.wrapUp time").textContent.length < 6`)
}

func testSessionEnds(o *office) {
	s := o.screen("/#missed")
	s.logIn()
	s.until(`document.querySelectorAll(".missedlist li").length === 6`)
	s.expect("401", "ERR_", "WebSocket", "503")
	o.endSession()
	s.click(`[data-missed="m-1"] [data-act=claim]`)
	s.says(".login", "You have been logged out.")
	s.logIn()
	s.says("h1", "Missed calls")
}

func testFewRights(o *office) {
	o.rights = []string{"calls", "commands"}
	s := o.screen("/#wallboard")
	s.logIn()
	s.says(".mine", "Your lines: 101")
	s.want(`document.querySelectorAll("nav[aria-label=Views] a").length`, "1")
}

func testLanguages(o *office) {
	s := o.screen("/")
	s.logIn()
	s.says("h1", "Wallboard")
	s.run(`const e = document.querySelector(".choice select"); e.value = "cs"; e.dispatchEvent(new Event("change"))`)
	s.says("h1", "Přehled")
	s.want(`document.documentElement.lang`, `"cs"`)
	s.show("/#missed")
	s.says("h1", "Zmeškané hovory")
	s.says(".count", "6 otevřených")

	// All have the same keys, the plural forms that their language has, and the same parameters.
	s.want(`(async () => {
		const faults = [], shapes = {};
		const parameters = (text) => [...new Set(text.match(/\{\w+\}/g))].sort().join();
		for (const code of ["en", "cs", "sk", "ru"]) {
			const texts = (await import("/page/i18n/" + code + ".js")).default;
			const rules = new Intl.PluralRules(code);
			const forms = new Set([...Array(200).keys()].map((n) => rules.select(n)).concat("other"));
			for (const [key, text] of Object.entries(texts)) {
				if (typeof text === "object") for (const form of forms) if (!text[form]) faults.push([code, key, form]);
				for (const one of Object.values(typeof text === "object" ? text : [text])) {
					if (!one) faults.push([code, key, "empty"]);
					const shape = typeof text + parameters(one);
					shapes[key] ??= shape;
					if (shapes[key] !== shape) faults.push([code, key, shape]);
				}
			}
			for (const key of Object.keys(shapes)) if (!(key in texts)) faults.push([code, key, "missing"]);
		}
		return faults;
	})()`, "[]")
}
