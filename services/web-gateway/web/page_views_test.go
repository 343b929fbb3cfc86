package web_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/proto"
)

func testWallboard(o *office) {
	s := o.screen("/")
	s.logIn()
	s.says(".tile.waiting .value", "3")
	s.says(".tile.level .value", "80%") // 208 of 261
	s.says(".tile.offered .value", "261")
	s.says(".agent.onCall", "Eva Dvořáková")
	s.says(".agent.onCall", "+420 602 123 456")
	s.says(".agent.paused", "oběd")
	s.says(".away", "Logged out (2): Filip Marek, Hana Benešová")
	s.says(".away", "Nothing known of (1): Jakub Černý")
	s.says(".calllist li.queued", "+421 903 222 333")
	s.says(".calllist li.ringing", "Petr Svoboda")
	s.says(".calllist li.talking", "Jana Procházková")
	s.until(`document.querySelector(".tile.waiting").classList.contains("late")`)
	s.says(".queues tr", "support")
	s.want(`document.querySelectorAll(".hours table tbody tr").length > 5`, "true")
	s.want(`document.querySelectorAll(".states table tbody tr").length`, "10")

	before := s.eval(`document.querySelector(".agent.onCall time").textContent`)
	s.until(`document.querySelector(".agent.onCall time").textContent !== ` + before)

	o.tellBoards("call", `{"id":"c-4","gone":true}`)
	s.says(".tile.waiting .value", "2")
	karel := o.day.agents[0]
	karel.PauseReason = "školení"
	karel.State++ // the next kind of busy
	o.tellBoards("agent", string(marshal(karel)))
	s.until(`document.querySelectorAll(".agent.ringing").length === 2`)

	figures := proto.CloneOf(o.day.statistics)
	figures.CountedUntil = o.day.ago(600)
	o.tellBoards("statistics", string(marshal(figures)))
	s.says(".oldFigures .counted", "Figures are old")

	s.run(`location.hash = "wallboard/wall"`)
	s.until(`document.documentElement.classList.contains("wall")`)
	for i := range 30 { // on a wall, all agents are shown however many there are
		another := proto.CloneOf(o.day.agents[i%9])
		another.Id = fmt.Sprintf("b-%d", i)
		o.tellBoards("agent", string(marshal(another)))
	}
	s.until(`document.querySelectorAll("li.agent").length === 39`)
	s.until(`document.documentElement.style.getPropertyValue("--fit") < 0.9`)
	s.want(`document.querySelector(".people").scrollHeight <= document.querySelector(".people").clientHeight`, "true")
	s.press("f")
	s.until(`!document.documentElement.classList.contains("wall")`)
}

func testMissedCalls(o *office) {
	s := o.screen("/#missed")
	s.expect("409")
	s.logIn()
	s.until(`document.querySelectorAll(".missedlist li").length === 6`)
	s.says(`[data-missed="m-1"]`, "Pekárna U Mostu")
	s.says(`[data-missed="m-6"]`, "Number withheld")
	s.want(`document.querySelector('[data-missed="m-6"] [data-act=callBack]').disabled`, "true")
	s.want(`document.querySelector('[data-missed="m-2"] [data-act=resolve]').disabled`, "true") // eva claimed it
	s.says(`nav .badge`, "6")

	s.click(`[data-missed="m-1"] [data-act=claim]`)
	s.says(`[data-missed="m-1"] .claimed`, "You")
	s.click(`[data-missed="m-1"] [data-act=release]`)
	s.says(`[data-missed="m-1"] .claimed`, "Nobody")
	s.until(`document.documentElement.dataset.lost === "" && document.querySelector(".connection").dataset.state === "live"`)
	s.click(`[data-missed="m-1"] [data-act=callBack]`)
	s.says(`.notice`, "+420 604 111 222")
	s.click(`[data-missed="m-conflict"] [data-act=claim]`)
	s.says(`.notice.error`, "eva claimed it.")
	s.click(`[data-missed="m-1"] [data-act=resolve]`)
	s.fill(`dialog textarea`, "wants bread")
	s.click(`dialog button.primary`)
	s.until(`!document.querySelector('[data-missed="m-1"]')`)
	want := "claim m-1; release m-1; claim m-1; originate +420604111222; resolve m-1 wants bread"
	if have := o.did(); have != want {
		s.Errorf("want %s, have %s", want, have)
	}
	s.goTo("missed/m-3", `[data-missed="m-3"] .details`)
	s.says(`[data-missed="m-3"] .details`, "Claimed until")
	s.click(".more button")
	s.says(".resolved", "wants bread")
	s.fill("input[type=search]", "ivan")
	s.says(".missedview .empty", "None matches")
}

// The frames of a call. Its times are filled in by now.
const (
	rings    = `{"event":"Ringing","seq":10,"from":"+420604111222","to":"+420222111000","uniqueId":"u-1","direction":"incoming","line":"101","queue":"support","time":"now"}`
	isKnown  = `{"event":"Contact","seq":11,"uniqueId":"u-1","line":"101","contact":{"name":"Alena Malá","organisation":"Pekárna U Mostu","url":"https://crm.example.com/1","responsible":"102"}}`
	answered = `{"event":"Answered","seq":12,"from":"+420604111222","to":"+420222111000","uniqueId":"u-1","direction":"incoming","line":"101","queue":"support","time":"now"}`
	isOver   = `{"event":"Hangup","seq":13,"from":"+420604111222","to":"+420222111000","uniqueId":"u-1","direction":"incoming","line":"101","queue":"support","time":"now","cause":"normal"}`
	taken    = `{"event":"Hangup","seq":13,"from":"+420604111222","to":"+420222111000","uniqueId":"u-1","direction":"incoming","line":"101","queue":"support","time":"now","cause":"answered_elsewhere","closedBy":{"line":"102","login":"eva"}}`
)

// tellPhones sends a frame to every socket.
func (o *office) tellPhones(frame string) {
	frame = strings.Replace(frame, `"now"`, time.Now().UTC().Add(-3*time.Second).Format(`"`+time.RFC3339Nano+`"`), 1)
	o.mu.Lock()
	defer o.mu.Unlock()
	for conn := range o.sockets {
		_ = conn.Write(context.Background(), websocket.MessageText, []byte(frame))
	}
}

func testMyCalls(o *office) {
	s := o.screen("/#calls")
	s.logIn()
	s.says(".mine", "Your lines: 101")
	o.tellPhones(rings)
	s.says(".current .call", "+420 604 111 222")
	s.says("#alarm", "Ringing: +420 604 111 222. Queue support")
	s.until(`document.title.startsWith("☎")`)
	o.tellPhones(isKnown)
	s.says(".current .call .name", "Alena Malá")
	s.says("#alarm", "Pekárna U Mostu")
	s.says(".current .facts", "+420 222 111 000")
	s.goTo("missed", ".missedview")
	s.says(".pop .call .name", "Alena Malá")
	o.tellPhones(taken)
	s.says(".pop .call", "Answered by eva (102)")
	s.goTo("calls", ".callsview")
	s.says(".recent li", "Answered by eva (102)")

	o.tellPhones(strings.NewReplacer("u-1", "u-2", `"seq":1`, `"seq":2`).Replace(rings))
	o.tellPhones(strings.NewReplacer("u-1", "u-2", `"seq":1`, `"seq":2`).Replace(answered))
	s.until(`document.querySelector('.current [data-call="u-2"][data-phase=talking]')`)
	s.click(`.current [data-call="u-2"] [data-act=transfer]`)
	s.fill(`.current .transfer input`, "103")
	s.click(`.current .transfer button[type=button]`)
	s.click(`.current [data-act=complete]`)
	s.click(`.current [data-act=hangUp]`)
	s.until(`[...document.querySelectorAll(".notice")].length > 1`)
	o.tellPhones(strings.NewReplacer("u-1", "u-2", `"seq":1`, `"seq":2`).Replace(isOver))
	s.says(".recent li", "answered")
	s.show("/#calls")
	s.until(`document.querySelectorAll(".recent li").length === 2`)
	want := "transfer 103; transfer; hangupcall u-2"
	if have := o.did(); have != want {
		s.Errorf("want %s, have %s", want, have)
	}
}

func testDialPad(o *office) {
	s := o.screen("/#calls")
	s.logIn()
	s.until(`document.querySelector(".connection").dataset.state === "live"`)
	s.press("d")
	s.press("6")
	s.run(`[...document.querySelectorAll(".key")].filter((key) => key.textContent.startsWith("6")).forEach((key) => { key.click(); key.click(); })`)
	s.want(`document.querySelector(".pad input").value`, `"666"`)
	s.press("Enter")
	s.says(".notice.error", "Refused: nobody may call 666")
	s.click(`[aria-label="Erase"]`)
	s.want(`document.querySelector(".pad input").value`, `"66"`)
	s.fill(".pad input", "+420 604 111-222")
	s.click(".pad .wide")
	s.until(`document.querySelector(".pad input").value === ""`)
	if want, have := "originate 666; originate +420604111222", o.did(); have != want {
		s.Errorf("want %s, have %s", want, have)
	}
}

func testLiveEvents(o *office) {
	s := o.screen("/#events")
	s.logIn()
	rows := func(n string) {
		s.Helper()
		s.until(`document.querySelectorAll(".eventlist:not(.quarantined) > li").length === ` + n)
	}
	rows("24")
	choose := func(i, value string) {
		s.Helper()
		s.run(`const e = document.querySelectorAll(".eventsview .filters select")[` + i + `]; e.value = "` + value + `"; e.dispatchEvent(new Event("change"))`)
	}
	choose("0", "call")
	rows("8")
	choose("1", "mcn")
	rows("4")
	choose("2", "prague")
	rows("0")
	choose("2", "")
	s.fill(".filters input", "79161234567")
	rows("0")
	choose("0", "")
	choose("1", "")
	rows("4")
	s.fill(".filters input", "")
	s.click(".eventlist summary")
	s.says(".eventlist pre", `"tenant": "acme"`)
	s.press("p")
	o.tellEvents(strings.NewReplacer(`"seq":64`, `"seq":65`).Replace(o.day.events[len(o.day.events)-1]))
	s.says(".eventsview .filters button", "1 new")
	rows("24")
	s.press("p")
	rows("25")
	s.goTo("events/quarantine", ".quarantined li")
	s.says(".quarantined .summary", "unknown event type onFaxReceived")

	s.goTo("events", ".eventlist")
	s.expect("ERR_", "503", "WebSocket")
	o.setDown(true)
	s.says(".banner", "live events")
	o.setDown(false)
	s.until(`document.querySelector(".banner").hidden`)
	s.says(".eventsview .count", "25 events")
	if want, have := "0 65", strings.Join(o.since, " "); have != want {
		s.Errorf("want streams since %s, have %s", want, have)
	}
}

func testKeyboard(o *office) {
	s := o.screen("/")
	s.logIn()
	s.press("2")
	s.until(`document.querySelectorAll(".missedlist li").length === 6`)
	s.press("j")
	s.press("j")
	s.press("Enter")
	s.until(`document.querySelector('[data-missed="m-2"] .details')`)
	s.press("k")
	s.press("c")
	s.says(`[data-missed="m-1"] .claimed`, "You")
	s.until(`document.querySelector('[data-missed="m-1"]:has([data-act=resolve]:not(:disabled))').contains(document.activeElement)`)
	s.press("r")
	s.until(`document.querySelector("dialog textarea") === document.activeElement`)
	s.press("2")
	s.want(`document.querySelector("dialog textarea").value`, `"2"`)
	s.run(`document.querySelector("dialog").close()`)
	s.press("?")
	s.says("dialog.help", "Keyboard shortcuts")
	s.run(`document.querySelector("dialog input").click(); document.querySelector("dialog").close()`)
	s.press("3")
	s.want(`location.hash.startsWith("#missed")`, "true")
}
