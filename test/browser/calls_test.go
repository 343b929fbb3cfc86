package browser_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/switchhook/switchhook/services/pbxsim/ledger"
)

func testRinging(t *testing.T, h *house) {
	w := h.logIn(t, "acme", "karel")
	w.sees("h1", "Wallboard")
	c := h.call(t, "acme", "602111222", "NOC").rings("901", "902")
	w.sees(".pop .call .name", "Jana Procházková")
	for what, text := range map[string]string{
		".phase": "Ringing", ".organisation": "Company A", ".number": "+420 602 111 222", ".facts": "NOC",
	} {
		w.sees(".pop .call "+what, text)
	}
	w.sees(".pop .call .facts", "+420 222 411 864") // what was dialled
	w.sees(".pop .call .facts", "901")
	w.until(`document.querySelector("[role=alert]#alarm").textContent.includes("Jana Procházková")`)
	w.until(`document.title.includes("Jana Procházková")`)

	c.answeredAt("902")
	c.endsAt("901", "Answered elsewhere")
	w.sees(".pop .call[data-phase=over] .phase", "Answered by olga (902)")
	w.until(`!document.querySelector(".pop .call")`)
	c.endsAt("902", "Normal Clearing")
	w.goTo("calls")
	w.sees(".recent li", "Answered by olga (902)")
}

// Of the call that seed 12 makes, 102 is who does not pick up.
func testSimulatedCall(t *testing.T, h *house) {
	w := h.logIn(t, "globex", "karel")
	file := filepath.Join(t.TempDir(), "ledger.jsonl")
	sim := h.simulate(t, "globex", "--calls", "1", "--teams", "1", "--seed", "12", "--speed", "3", "--ledger", file)
	w.sees(".call[data-phase=ringing] .name", "Tomáš Veselý")
	number := strings.ReplaceAll(w.eval(`document.querySelector(".call .number").innerText`), "\u00a0", "")
	w.sees(".call[data-phase=over] .phase", "Answered by ")
	closed := w.eval(`document.querySelector(".call .phase").innerText`)
	sim.Stop(syscall.SIGINT)
	for _, call := range entries[*ledger.Call](t, file) {
		if number != call.Caller || !strings.Contains(closed, call.AnsweredBy) {
			t.Errorf("want a call from %s that %s answered, have %s and %s", call.Caller, call.AnsweredBy, number, closed)
		}
	}
}

// entries returns those of one kind. Whoever writes the ledger has ended.
func entries[E ledger.Entry](t *testing.T, path string) (all []E) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for entry, err := range ledger.Read(file) {
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := entry.(E); ok {
			all = append(all, e)
		}
	}
	if len(all) == 0 {
		t.Errorf("%s: want entries of %T, have none", path, *new(E))
	}
	return all
}

// A number is dialled on the pad of the page, and one by a link in another web application; pbxsim plays the exchange that dials.
// With seed 1, both calls would go on for four minutes of its time.
func testClickToCall(t *testing.T, h *house) {
	file := filepath.Join(t.TempDir(), "ledger.jsonl")
	sim := h.simulate(t, "acme", "--serve", h.exchange, "--speed", "10", "--seed", "1", "--ledger", file)
	sim.AwaitListening(h.exchange, patience)

	w := h.logIn(t, "acme", "jana")
	w.types(".pad input", "602 956 055")
	w.click(".pad button[type=submit]")
	w.sees(".current .call .phase", "Calling")
	w.sees(".current .call", "+420 602 956 055")
	w.sees(".notice", "Your phone rings first")
	w.sees(".current .call .phase", "Talking")
	w.click(".current [data-act=hangUp]")
	w.sees(".current .call .phase", "Call ended")
	w.sees(".recent li", "+420 602 956 055")

	app := h.webapp.window(t, h, "lucie")
	app.click("#tel")
	app.until(`heard.some((f) => f.event === "originateresponse" && f.result === "succeeded")`)
	app.until(`heard.some((f) => f.event === "Ringing" && f.direction === "outgoing" && f.line === "905" && f.to === "+420602800791")`)
	app.run(`s.hangupcall().catch((e) => console.error(e.reason))`)
	app.until(`heard.some((f) => f.event === "Hangup" && f.line === "905")`)

	sim.Stop(syscall.SIGINT)
	var done []string
	for _, c := range entries[*ledger.Command](t, file) {
		if c.Call > 0 {
			done = append(done, c.Action)
		}
	}
	if want, have := "originate hangup originate hangup", strings.Join(done, " "); want != have {
		t.Errorf("want the exchange to have done %s, have %s", want, have)
	}
}
