package web_test

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

// same fails unless a frame is as wanted.
func (p *peer) same(want map[string]any) {
	p.Helper()
	if have := p.read(); !reflect.DeepEqual(have, want) {
		p.Errorf("want %v, have %v", want, have)
	}
}

func response(event, id, more string) string {
	return fmt.Sprintf(`{"event":%q,"actionid":%q,%s}`, event, id, more)
}

func testActions(g *gateway) {
	page := g.open("/blank")
	page.run("connect()")
	p := g.start()
	page.until("s.connected")
	page.run(`window.done = s.originate({ to: 777123456, callerid: "Acme <100>", actionid: "mine", colour: "red" })`)
	p.same(map[string]any{"action": "originate", "to": "777123456", "callerid": "Acme <100>", "actionid": "mine"})
	page.want(`s.originate({ to: "1", actionid: "mine" }).catch((e) => e.reason)`, `"the actionid is in use"`)
	p.tell(response("originateresponse", "other", `"result":"failed"`), response("originateresponse", "mine", `"result":"accepted"`))
	page.until(`names("originateresponse").length === 2`)
	p.tell(response("originateresponse", "mine", `"seq":7,"result":"succeeded"`))
	page.want("done.then((a) => [a.result, a.actionid])", `["succeeded","mine"]`)

	page.run(`window.done = s.hangupcall({ uniqueid: "a" }).catch((e) => [e instanceof Error, e.message, e.result])`)
	frame := p.read()
	id, _ := frame["actionid"].(string)
	if id == "" || frame["uniqueid"] != "a" || frame["action"] != "hangupcall" {
		g.Errorf("want an actionid made up, have %v", frame)
	}
	p.tell(response("hangupcallresponse", id, `"result":"refused","reason":"no such call"`))
	page.want("done", `[true,"no such call","refused"]`)

	page.run(`s.emit("transfer", { to: "102", type: "blind", data: { ticket: 7 }, actionid: "t" }); window.done = 0;
		addEventListener("unhandledrejection", () => done++)`)
	p.same(map[string]any{
		"action": "transfer", "to": "102", "type": "blind", "actionid": "t", "data": map[string]any{"ticket": 7.0},
	})
	p.tell(response("transferresponse", "t", `"result":"failed"`))
	page.want(`s.emit("dance", {}).catch((e) => e.reason)`, `"there is no action dance"`)
	page.want("new Promise((tell) => setTimeout(() => tell(done), 50))", "0")
}

func testActionsUnanswered(g *gateway) {
	page := g.open("/blank")
	page.run(`window.wait = setTimeout; window.setTimeout = (fn, ms, ...rest) => wait(fn, ms === 2e4 ? 300 : ms, ...rest); connect()`)
	p := g.start()
	page.until("s.connected")
	page.want(`s.originate({ to: "1", actionid: "x" }).catch((e) => [e.reason, e.result, e.actionid])`,
		`["no answer in time","unknown","x"]`)
	// A frame that the gateway does not understand is not sent again.
	page.run(`window.setTimeout = wait; window.done = s.originate({ to: "2" }).catch((e) => [e.reason, e.result])`)
	p.read()
	p.read()
	p.shut(4400)
	page.want("done", `["as the test says","unknown"]`)
}

func testActionsWait(g *gateway) {
	page := g.open("/blank")
	page.run(`connect(); window.done = s.originate({ to: "1", actionid: "early" })`)
	p := g.next()
	page.run(`s.originate({ to: "2", actionid: "accepted" }).catch(() => {})`)
	p.welcome(patience)
	p.tell(`{"event":"snapshot","seq":1,"calls":[]}`)
	p.same(map[string]any{"action": "originate", "to": "1", "actionid": "early"})
	p.same(map[string]any{"action": "originate", "to": "2", "actionid": "accepted"})
	p.tell(response("originateresponse", "accepted", `"result":"accepted"`))
	page.until(`names("originateresponse").length === 1`)
	p.die()
	// The gateway may not have seen it. What it accepted, it has seen.
	p = g.start()
	p.same(map[string]any{"action": "originate", "to": "1", "actionid": "early"})
	p.tell(response("originateresponse", "early", `"result":"succeeded"`))
	page.want("done.then((a) => a.result)", `"succeeded"`)
	page.run(`s.originate({ to: "3", actionid: "last" }).catch(() => {})`)
	p.same(map[string]any{"action": "originate", "to": "3", "actionid": "last"})
}

func testClickToCall(g *gateway) {
	page := g.open("/blank")
	page.run(`connect(); window.stop = s.clickToCall();
		room.innerHTML = '<a id="tel" href="tel:%2B420%20777-123-456;ext=9"><b>Anna</b></a>' +
			'<a id="page" href="#card" data-switchhook-number="+420 (0)222 111 000">card</a>' +
			'<span id="span" tabindex="0" data-switchhook-number>102</span><a id="plain" href="#other">other</a>' +
			'<button id="button" data-switchhook-number="103"><i>call</i></button><a id="empty" href="#tel" data-switchhook-number>Anna</a>';
		window.press = (id, init) => document.getElementById(id).dispatchEvent(
			new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true, ...init }))`)
	p := g.start()
	page.until("s.connected")
	page.run(`plain.click(); empty.click(); press("tel"); press("button"); press("span", { key: "a" }); press("span", { repeat: true });
		press("span", { ctrlKey: true }); room.querySelector("b").click(); page.click(); press("span"); span.click();
		room.querySelector("i").click()`)
	for _, want := range []string{"+420777123456", "+420222111000", "102", "102", "103"} {
		frame := p.read()
		if frame["action"] != "originate" || frame["to"] != want {
			g.Errorf("want a call to %s, have %v", want, frame)
		}
		p.tell(response("originateresponse", fmt.Sprint(frame["actionid"]), `"result":"refused","reason":"not now"`))
	}
	page.until(`names("error").length === 5`)
	page.want("[heard.at(-1).reason, location.hash]", `["not now","#tel"]`)
	page.run(`stop(); addEventListener("click", (e) => e.preventDefault()); tel.click(); s.hangupcall().catch(() => {})`)
	if frame := p.read(); frame["action"] != "hangupcall" {
		g.Errorf("want no more calls, have %v", frame)
	}
}

func testLinkNumbers(g *gateway) {
	page := g.open("/blank")
	for text, want := range map[string]string{
		"call +420 777 123 456 or (+49.30.1234567).": `call [+420777123456] or ([+49301234567]).`,
		"+420\u00a0(0)222\u00a0111\u00a0000":         `[+420222111000]`,
		"00420 777 123 456, please":                  `[+420777123456], please`,
		"+420777123456+420777123457":                 `+420777123456+420777123457`,
		"1+420777123456 a+420777123456":              `1+420777123456 a+420777123456`,
		"order 00420777123456, 777 123 456 CZK":      `order 00420777123456, 777 123 456 CZK`,
		"+12 345 and +1234567890123456789":           `+12 345 and +1234567890123456789`,
		"2026-01-02 10:00:00, +420777123456:5":       `2026-01-02 10:00:00, +420777123456:5`,
	} {
		page.run(fmt.Sprintf(`room.textContent = %q; new Switchhook().linkNumbers(room)`, text))
		page.want(`[...room.childNodes].map((n) => n.href ? "[" + n.href.slice(4) + "]" : n.data).join("")`, fmt.Sprintf("%q", want))
		page.want(fmt.Sprintf("room.textContent === %q", text), "true")
	}
	kept := `<a href=\"#\">+420777123456</a><textarea>+420777123456</textarea><p contenteditable=\"\">+420777123456</p>` +
		`<code>+420777123456</code><b data-switchhook-number=\"\">+420777123456</b>`
	page.run(`room.innerHTML = "` + kept + `"; new Switchhook().linkNumbers()`)
	page.want("room.innerHTML", `"`+kept+`"`)
	page.run(`room.innerHTML = "<p>&lt;img src=x onerror=oops()&gt; +420777123456</p>"; new Switchhook().linkNumbers()`)
	page.want("[room.querySelectorAll('img').length, room.querySelectorAll('a').length]", "[0,1]")
}

// example returns the page that the README shows.
func example(t *testing.T) string {
	readme, err := os.ReadFile("sdk/README.md")
	if err != nil {
		t.Error(err)
	}
	_, after, _ := strings.Cut(string(readme), "```html\n")
	page, _, _ := strings.Cut(after, "```")
	return page
}

func testExample(g *gateway) {
	page := g.visit("/readme")
	p := g.start()
	if p.first["token"] != "from /token" || p.first["identityValue"] != "karel.novak@example.com" {
		g.Errorf("want the token of the page's server, have %v", p.first)
	}
	p.tell(call("Ringing", 5, "a", `,"queue":"other"`), call("Ringing", 6, "b", `,"contact":{"name":"Anna"},"queue":"other"`))
	page.until(`document.querySelectorAll("li").length === 2`)
	page.want(`document.querySelector("#calls").innerText`, `"+420777123456: Ringing\nAnna: Ringing"`)
	page.run(`document.querySelector("button").click()`)
	if frame := p.read(); frame["to"] != "101" {
		g.Errorf("want a call to 101, have %v", frame)
	}
}
