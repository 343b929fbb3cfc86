package browser_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// liven makes the place look like one where people work: many calls are over, some go on, and something went wrong.
func (h *house) liven(t *testing.T) {
	t.Helper()
	h.simulate(t, "acme", "--calls", "200", "--teams", "3").Wait(patience)
	h.call(t, "acme", "602956055", "Podpora")
	h.call(t, "acme", "608610683", "NOC").rings("102", "103")
	h.call(t, "acme", "602333444", "").rings("104").answeredAt("104")
	h.call(t, "acme", "+421903222333", "Sales").rings("108", "110").answeredAt("110")
	if status := h.send(t, "acme", map[string]string{
		"EventName": "AgentPaused", "Queue": "NOC", "Login": "karel.janecek", "Line": "101", "PauseName": "Oběd",
	}); status != http.StatusOK {
		t.Fatalf("want a pause stored, have %d", status)
	}
	if status := h.send(t, "acme", map[string]string{"EventName": "Levitated", "From": "777888999"}); status != http.StatusAccepted {
		t.Fatalf("want what nobody understands quarantined, have %d", status)
	}
}

// testViews takes a picture of every view, and has axe-core look for what keeps people out.
func testViews(t *testing.T, h *house, theme string) {
	w := h.newWindow(t, h.url())
	w.run(`localStorage["switchhook.theme"] = ` + js(theme))
	w.show(h.url())
	line := map[string]string{"light": "908", "dark": "909"}[theme]
	picture := func(name string) { w.picture(name + "-" + theme) }
	w.until(`document.querySelector("form [name=tenant]")`)
	picture("login")
	w.logIn("acme", theme)

	w.isWholeBoard()
	picture("wallboard")
	w.goTo("wallboard/wall")
	w.until(`document.documentElement.classList.contains("wall")`)
	picture("wall")
	w.goTo("missed")
	w.until(`document.querySelector(".missedlist li")`)
	w.click(".missedlist li [data-act=expand]")
	w.until(`document.querySelector(".details")`)
	picture("missed")
	w.click(".more button")
	w.until(`document.querySelector(".resolved li")`)
	w.run(`document.querySelector(".resolved").scrollIntoView({ block: "nearest" })`)
	picture("resolved")
	w.click(".missedlist li [data-act=resolve]")
	w.sees("dialog", "Resolve")
	picture("resolve")
	w.click("dialog [value=cancel]")

	c := h.call(t, "acme", "603222333", "NOC").rings(line)
	w.sees(".pop .name", "Božena Němcová")
	picture("pop")
	w.goTo("calls")
	w.sees(".current .name", "Božena Němcová")
	picture("ringing")
	c.answeredAt(line)
	w.click(".current [data-act=transfer]")
	w.sees(".current form.transfer", "")
	picture("talking")
	c.endsAt(line, "Normal Clearing")
	w.sees(".current .phase", "Call ended")
	picture("over")

	w.goTo("events")
	w.until(`document.querySelectorAll(".eventlist li").length > 5`)
	w.click(".eventlist li:nth-child(3) summary")
	picture("events")
	w.goTo("events/quarantine")
	w.until(`document.querySelector(".quarantined li")`)
	w.click(".quarantined summary")
	picture("quarantine")
	w.press("?")
	w.sees("dialog.help", "Keyboard shortcuts")
	picture("help")
}

// isWholeBoard waits until the wallboard has all that liven gave it.
func (w *window) isWholeBoard() {
	w.Helper()
	for _, part := range []string{
		".tile.missed:not(.zero)", ".agent.ringing", ".agent.onCall", ".agent.paused", ".agent.available",
		".calllist .queued", ".calllist .ringing", ".calllist .talking", ".hours svg",
	} {
		w.until(`document.querySelector(` + js(part) + `)`)
	}
	for _, who := range []string{".calllist .talking b", ".agent.onCall .doing"} {
		w.until(`[...document.querySelectorAll(` + js(who) + `)].some((e) => e.textContent.includes("Petr Svoboda"))`)
	}
}

func (w *window) press(key string) {
	w.Helper()
	for _, kind := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeKeyDown, input.DispatchKeyEventTypeKeyUp} {
		if _, err := chromedp.Call(w.ctx, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: kind, Key: key, Text: key}); err != nil {
			w.Fatal(err)
		}
	}
}

// picture keeps what is to be seen as a PNG, and demands that nothing is wider than the window and that axe-core finds nothing
// serious.
func (w *window) picture(name string) {
	w.Helper()
	folder := os.Getenv("SWITCHHOOK_SCREENSHOTS")
	if folder == "" {
		folder = w.ArtifactDir()
	}
	picture, err := do(w, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.MkdirAll(folder, 0o750)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o600)
	}
	if err != nil {
		w.Fatal(err)
	}
	if width := w.eval(`document.documentElement.scrollWidth`); width != "1280" {
		w.Errorf("%s: want it to fit into 1280 pixels, have %s", name, width)
	}
	w.checkAccess(name)
}

// findings are what axe-core finds. Text in the very colour of its background is to it something for people to look at; here it is a
// fault like others.
const findings = `axe.run().then(({ violations, incomplete }) => {
	const nodesOf = (nodes) => nodes.slice(0, 4).map((n) => n.target + " " + n.failureSummary).join(" | ");
	const unseen = incomplete.filter(({ id }) => id === "color-contrast")
		.flatMap(({ nodes }) => nodes.filter((n) => n.any.some((check) => check.data?.messageKey === "equalRatio")));
	return [
		...violations.map(({ id, impact, nodes }) => ({ id, impact, nodes: nodesOf(nodes) })),
		...(unseen.length ? [{ id: "invisible text", impact: "serious", nodes: nodesOf(unseen) }] : []),
	];
})`

// checkAccess runs axe-core.
func (w *window) checkAccess(name string) {
	w.Helper()
	path := os.Getenv("SWITCHHOOK_AXE")
	if path == "" {
		path = "../../bin/axe.min.js"
	}
	script, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		w.Fatalf("want axe-core at %s: `make axe` fetches it, or SWITCHHOOK_AXE says where it is", path)
	} else if err != nil {
		w.Fatal(err)
	}
	if _, err := do(w, chromedp.Evaluate[chromedp.Void]("window.axe || (() => {"+string(script)+"})(); void 0")); err != nil {
		w.Fatal(err)
	}
	var found []struct{ Impact, ID, Nodes string }
	if err := json.Unmarshal([]byte(w.eval(findings)), &found); err != nil {
		w.Fatal(err)
	}
	for _, v := range found {
		if v.Impact == "serious" || v.Impact == "critical" {
			w.Errorf("%s: want nothing serious, axe-core found %s: %s", name, v.ID, v.Nodes)
		} else {
			w.Logf("%s: axe-core found %s (%s): %s", name, v.ID, v.Impact, v.Nodes)
		}
	}
}
