package web_test

import (
	"fmt"
	"testing"
	"time"
)

// TestSDK drives switchhook.js in a browser against a gateway that the test plays.
func TestSDK(t *testing.T) {
	browser := startBrowser(t)
	for name, test := range map[string]func(*gateway){
		"auth comes first, and frames are told":        testEvents,
		"snapshot replaces the calls":                  testSnapshot,
		"duplicates are dropped":                       testDuplicates,
		"goes on after the server died":                testResume,
		"comes back more and more slowly":              testBackoff,
		"comes back at once when online or seen":       testWake,
		"close codes":                                  testCloseCodes,
		"token renewed before it expires":              testRenewal,
		"token that cannot be had is asked for again":  testTokenFails,
		"a socket that does not answer is given up":    testSilence,
		"vendor's style":                               testVendorStyle,
		"actions settle":                               testActions,
		"actions without an answer":                    testActionsUnanswered,
		"actions wait for the connection":              testActionsWait,
		"close ends it":                                testClose,
		"two tabs, one socket":                         testTabs,
		"another tab takes over":                       testTakeOver,
		"an action of a tab outlives the one that led": testActionTakeOver,
		"a tab that knows nothing takes over":          testTakeOverUnknowing,
		"without locks each tab connects":              testNoLocks,
		"one pop for each call":                        testPopOnce,
		"pops by URL":                                  testPopURL,
		"pops wait for a contact":                      testPopContact,
		"pops of some calls":                           testPopWhen,
		"example of the README":                        testExample,
		"click to call":                                testClickToCall,
		"numbers in texts":                             testLinkNumbers,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(newGateway(browser, t))
		})
	}
}

// call returns a frame of a call at line 101, with more fields if they are given.
func call(event string, seq int, id, more string) string {
	return fmt.Sprintf(`{"event":%q,"seq":%d,"uniqueId":%q,"from":"+420777123456","to":"+420222111000","direction":"incoming",`+
		`"line":"101","queue":"sales","time":"2026-01-02T03:04:05.000Z"%s}`, event, seq, id, more)
}

func testEvents(g *gateway) {
	page := g.open("/blank")
	page.run(`connect(); s.on("Ringing", () => { throw new Error("a mistake of the page"); }); window.off = s.on("Ringing", () => window.extra = (window.extra ?? 0) + 1)`)
	p := g.next()
	for key, want := range map[string]any{
		"action": "auth", "token": "token-1", "identityType": "login", "identityValue": "karel", "last": nil, "had": nil,
	} {
		if p.first[key] != want {
			g.Errorf("auth, %s: want %v, have %v", key, want, p.first[key])
		}
	}
	page.want("s.connected", "false")
	p.welcome(time.Hour)
	p.tell(`{"event":"snapshot","seq":1,"calls":[]}`, call("Ringing", 2, "a", ""))
	page.until(`names("Ringing").length === 1`)
	page.run("off()")
	p.tell(
		`{"event":"Contact","seq":3,"uniqueId":"a","line":"101","contact":{"name":"Anna"}}`,
		call("Ringing", 4, "b", ""), call("Answered", 5, "a", `,"contact":{"name":"Anna"}`),
		call("Hangup", 6, "b", `,"closedBy":{"line":"102","login":"eva"}`),
	)
	page.until(`names("Hangup").length === 1`)
	page.want("heard.map((h) => h.name)",
		`["connected","snapshot","Ringing","Contact","Ringing","Answered","Hangup"]`)
	page.want("[extra, s.connected, heard[0].lines, heard[2].from, heard[6].closedBy.login]",
		`[1,true,["101"],"+420777123456","eva"]`)
	page.want("[...s.calls].map(([id, c]) => [id, c.event, c.contact?.name])", `[["a","Answered","Anna"]]`)
}

func testSnapshot(g *gateway) {
	page := g.open("/blank")
	page.run("connect()")
	p := g.start()
	p.tell(call("Ringing", 2, "a", ""), call("Ringing", 3, "b", ""))
	page.until("s.calls.size === 2")
	p.tell(`{"event":"snapshot","seq":9,"calls":[` + call("Answered", 3, "b", "") + "," + call("Ringing", 8, "c", "") + `]}`)
	page.until(`names("snapshot").length === 2`)
	page.want("[...s.calls.values()].map((c) => [c.uniqueId, c.event])", `[["b","Answered"],["c","Ringing"]]`)
	// One that goes on at two lines goes on while it does at one.
	p.tell(call("Ringing", 10, "c", `,"line":"102"`), call("Answered", 11, "c", `,"line":"102"`), call("Hangup", 12, "c", ""))
	page.until(`names("Hangup").length === 1`)
	page.want(`[s.calls.get("c").event, s.calls.get("c").line]`, `["Answered","102"]`)
	p.tell(call("Ringing", 13, "c", ""))
	page.until("heard.at(-1).seq === 13")
	page.want(`[s.calls.get("c").event, s.calls.get("c").line]`, `["Answered","102"]`)
}

func testDuplicates(g *gateway) {
	page := g.open("/blank")
	page.run("connect()")
	p := g.start()
	two := []string{call("Ringing", 5, "a", ""), call("Ringing", 5, "a", `,"line":"102"`)}
	p.tell(two...)
	p.tell(two...)
	p.tell(call("Ringing", 1, "old", ""), call("Ringing", 4, "old", ""), call("Ringing", 5, "b", ""))
	p.tell(two...)
	p.tell(call("Hangup", 6, "b", ""))
	page.until(`names("Hangup").length === 1`)
	page.want(`heard.filter((h) => h.seq > 1 || h.name === "Ringing").map((h) => [h.name, h.uniqueId, h.line])`,
		`[["Ringing","a","101"],["Ringing","a","102"],["Ringing","b","101"],["Hangup","b","101"]]`)
}

func testResume(g *gateway) {
	page := g.open("/blank")
	page.run("connect()")
	p := g.start()
	p.tell(call("Ringing", 6, "a", ""), call("Ringing", 7, "b", ""), call("Ringing", 7, "b", `,"line":"102"`))
	page.until(`names("Ringing").length === 3`)
	p.die()
	page.until(`names("disconnected").length === 1`)
	page.want("[s.connected, s.calls.size, asked]", "[false,2,1]")
	p = g.let()
	if p.first["last"] != 7.0 || p.first["had"] != 2.0 || p.first["token"] != "token-1" {
		g.Errorf("want last 7, had 2 and the token that is good still, have %v", p.first)
	}
	p.tell(call("Ringing", 7, "b", `,"line":"102"`), call("Hangup", 8, "a", ""))
	page.until(`names("Hangup").length === 1`)
	page.want(`names("Ringing").length`, "3")
	p.tell(`{"event":"snapshot","seq":20,"calls":[]}`)
	page.until("s.calls.size === 0")
	p.die()
	if p = g.next(); p.first["last"] != 20.0 || p.first["had"] != nil {
		g.Errorf("want last 20 and nothing had, have %v", p.first)
	}
}

func testBackoff(g *gateway) {
	g.setDown(true)
	page := g.open("/blank")
	page.run("Math.random = () => 0.1; connect()")
	page.until(`names("disconnected").length === 5`)
	page.want("heard.map((h) => h.retry)", "[350,450,650,1050,1850]")
	tried := g.tried()
	for i := 1; i < 5; i++ {
		if want, have := time.Duration(250+100<<(i-1))*time.Millisecond-20*time.Millisecond, tried[i].Sub(tried[i-1]); have < 250*time.Millisecond ||
			i > 2 && have < want/2 {
			g.Errorf("attempt %d: want a wait of about %v, have %v", i, want, have)
		}
	}
	page.run("Math.random = () => 1")
	g.setDown(false)
	g.start()
	page.until("s.connected")
	g.setDown(true)
}

func testWake(g *gateway) {
	g.setDown(true)
	page := g.open("/blank")
	page.run("Math.random = () => 100; connect()")
	page.until(`names("disconnected").length === 1`)
	for i, script := range []string{`dispatchEvent(new Event("online"))`, `document.dispatchEvent(new Event("visibilitychange"))`} {
		page.run(script)
		page.until(fmt.Sprintf(`names("disconnected").length === %d`, i+2))
	}
	g.setDown(false)
	page.run(`dispatchEvent(new Event("online")); dispatchEvent(new Event("online"))`)
	p := g.start()
	page.until("s.connected")
	// On an open socket that was silent for long, a token shows whether anybody is there.
	page.run(`dispatchEvent(new Event("online")); const now = Date.now; Date.now = () => now() + 30e3; dispatchEvent(new Event("online"))`)
	if frame := p.read(); frame["action"] != "auth" || frame["last"] != nil {
		g.Errorf("want auth, have %v", frame)
	}
	g.none()
}

func testCloseCodes(g *gateway) {
	page := g.open("/blank")
	page.run("connect()")
	for i, step := range []struct {
		code int
		want string // the token that comes back
	}{{4429, "token-1"}, {4401, "token-2"}, {4400, "token-2"}, {1001, "token-2"}, {4401, "token-3"}} {
		p := g.start()
		page.until(fmt.Sprintf(`names("connected").length === %d`, i+1))
		p.shut(step.code)
		page.until(fmt.Sprintf(`names("disconnected").length === %d`, i+1))
		page.want("heard.at(-1).code", fmt.Sprint(step.code))
		p = g.next()
		if p.first["token"] != step.want {
			g.Errorf("after %d: want %s, have %v", step.code, step.want, p.first["token"])
		}
		p.shut(1013)
		page.until(fmt.Sprintf(`names("disconnected").length === %d`, i+2))
		page.run(`heard.pop(); dispatchEvent(new Event("online"))`)
	}
	for _, code := range []int{4403, 4404} {
		p := g.next()
		p.shut(code)
		page.until(`names("error").length === 1`)
		page.want("[heard.at(-1).code, heard.at(-1).reason, s.connected]", fmt.Sprintf(`[%d,"as the test says",false]`, code))
		page.run(`dispatchEvent(new Event("online")); heard.length = 0; if (!window.again) { window.again = true; connect() }`)
	}
	page.want("new Promise((done) => setTimeout(done, 1500, 1))", "1") // longer than the first retry
	g.none()
}

func testRenewal(g *gateway) {
	page := g.open("/blank")
	page.run("connect()")
	p := g.next()
	began := time.Now()
	p.welcome(2 * time.Second)
	frame := p.read()
	if frame["action"] != "auth" || frame["token"] != "token-2" || frame["last"] != nil {
		g.Errorf("want the next token, have %v", frame)
	}
	if took := time.Since(began); took < time.Second || took > 2*time.Second {
		g.Errorf("want it shortly before 2 s are over, have %v", took)
	}
	p.welcome(2 * time.Second)
	if frame := p.read(); frame["token"] != "token-3" {
		g.Errorf("want the third token, have %v", frame)
	}
	page.want(`[names("connected", "disconnected"), asked]`, `[["connected"],3]`)
	g.none()
}

func testTokenFails(g *gateway) {
	page := g.open("/blank")
	page.run(`let n = 0; connect({ token: async () => { if (!n++) throw new Error("the CRM is away"); return "second"; } })`)
	if p := g.let(); p.first["token"] != "second" {
		g.Errorf("want the second token, have %v", p.first)
	}
	page.until("s.connected")
	page.want(`heard.map((h) => [h.name, h.reason])`,
		`[["error","no token: the CRM is away"],["disconnected","no token"],["connected",null]]`)
}

func testSilence(g *gateway) {
	page := g.open("/blank")
	page.run(`const wait = setTimeout; window.setTimeout = (fn, ms, ...rest) => wait(fn, ms === 1e4 ? 300 : ms, ...rest); connect()`)
	g.next().gone()
	g.let()
	page.until("s.connected")
	page.want("heard.map((h) => [h.name, h.reason])", `[["disconnected","no answer"],["connected",null]]`)
}

func testVendorStyle(g *gateway) {
	page := g.open("/blank")
	page.run(`window.s = note(new Switchhook()); s.auth("one", "email", "karel@acme.example")`)
	p := g.start()
	if p.first["token"] != "one" || p.first["identityType"] != "email" || p.first["identityValue"] != "karel@acme.example" {
		g.Errorf("want what auth was given, have %v", p.first)
	}
	page.until("s.connected")
	page.run(`s.auth("two", "email", "karel@acme.example")`)
	if frame := p.read(); frame["token"] != "two" {
		g.Errorf("want the token renewed on the same socket, have %v", frame)
	}
	p.welcome(time.Hour)
	p.shut(4401)
	page.until(`names("error").length === 1`)
	page.want("heard.at(-1).code", "4401")
	page.run(`s.auth("three", "email", "karel@acme.example")`)
	p = g.start()
	if p.first["token"] != "three" {
		g.Errorf("want the third token, have %v", p.first)
	}
	page.until("s.connected")
	page.run(`s.auth("four", "line", "101")`)
	p.gone()
	if p = g.start(); p.first["token"] != "four" || p.first["identityType"] != "line" || p.first["last"] != nil {
		g.Errorf("want another identity, from the beginning, have %v", p.first)
	}
}

func testClose(g *gateway) {
	page := g.open("/blank")
	page.run("connect()")
	p := g.start()
	p.tell(call("Ringing", 2, "a", ""))
	page.until("s.calls.size === 1")
	page.want(`(() => { const act = s.originate({ to: "1" }); s.close(); s.close(); return act.catch((e) => e.reason); })()`, `"closed"`)
	p.gone()
	page.want("[s.connected, s.calls.size, heard.at(-1).name, heard.at(-1).code]", `[false,0,"disconnected",1000]`)
	page.want(`s.originate({ to: "1" }).catch((e) => e.reason)`, `"auth comes first"`)
}
