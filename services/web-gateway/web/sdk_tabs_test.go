package web_test

import "fmt"

func testTabs(g *gateway) {
	first := g.open("/blank")
	first.run("connect()")
	p := g.start()
	first.until("s.connected")
	p.tell(call("Ringing", 5, "a", ""))
	first.until("s.calls.size === 1")

	second := g.open("/blank")
	second.run("connect()")
	second.until("s.calls.size === 1")
	second.want("[s.connected, asked, heard.map((h) => h.name)]", `[true,0,["connected","snapshot"]]`)
	p.tell(call("Answered", 6, "a", ""), call("Answered", 6, "a", ""))
	for _, page := range []*tab{first, second} {
		page.until(`s.calls.get("a").event === "Answered"`)
	}
	second.run(`window.done = s.hangupcall({ uniqueid: "a", actionid: "h" })`)
	p.same(map[string]any{"action": "hangupcall", "uniqueid": "a", "actionid": "h"})
	p.tell(response("hangupcallresponse", "h", `"result":"accepted"`), response("hangupcallresponse", "h", `"seq":7,"result":"succeeded"`))
	second.want("done.then((a) => a.result)", `"succeeded"`)
	second.want(`names("Answered").length`, "1")

	first.run("Math.random = () => 100")
	p.shut(1001)
	second.until(`names("disconnected").length === 1`)
	second.run(`dispatchEvent(new Event("online"))`) // wakes the one that leads
	p = g.let()
	second.until(`names("connected").length === 2`)
	p.shut(4404)
	for _, page := range []*tab{first, second} {
		page.until(`names("error").length === 1`)
		page.want("[heard.at(-1).code, s.connected]", "[4404,false]")
	}
	// Another person's page has a socket of its own.
	first.run(`connect({ identityValue: "eva" })`)
	g.start()
	second.run(`connect({ identityValue: "karel" })`)
	g.start()
	// So has that of somebody who is called the same at another tenant.
	g.open("/blank").run(`connect({ identityValue: "karel", scope: "globex" })`)
	g.start()
}

func testTakeOver(g *gateway) {
	first := g.open("/blank")
	first.run("connect()")
	p := g.start()
	second := g.open("/blank")
	second.run("connect()")
	second.until(`names("snapshot").length === 1`)
	third := g.open("/blank")
	third.run("connect()")
	third.until(`names("snapshot").length === 1`)
	p.tell(call("Ringing", 5, "a", ""), call("Ringing", 5, "b", ""))
	second.until("s.calls.size === 2")
	third.until("s.calls.size === 2")
	g.none()

	first.close()
	p.gone()
	p = g.let()
	if p.first["last"] != 5.0 || p.first["had"] != 2.0 || p.first["token"] != "token-1" {
		g.Errorf("want the second tab to go on after 5, have %v", p.first)
	}
	p.tell(call("Ringing", 5, "b", ""), call("Hangup", 6, "a", ""))
	for _, page := range []*tab{second, third} {
		page.until("s.calls.size === 1 && s.connected")
		page.want(`names("connected", "disconnected", "Ringing", "Hangup")`,
			`["connected","Ringing","Ringing","disconnected","connected","Hangup"]`)
	}
	second.run("s.close()")
	p.gone()
	if p = g.let(); p.first["last"] != 6.0 {
		g.Errorf("want the third tab to go on after 6, have %v", p.first)
	}
	third.until("s.connected")
	second.want("[s.connected, s.calls.size]", "[false,0]")
	g.none()
}

func testActionTakeOver(g *gateway) {
	first := g.open("/blank")
	first.run("connect()")
	p := g.start()
	second := g.open("/blank")
	second.run("connect()")
	second.until("s.connected")
	second.run(`window.done = s.originate({ to: "1", actionid: "x" })`)
	p.read()
	first.close()
	p = g.let()
	p.same(map[string]any{"action": "originate", "to": "1", "actionid": "x"})
	p.tell(response("originateresponse", "x", `"result":"succeeded"`))
	second.want("done.then((a) => a.result)", `"succeeded"`)
}

// testTakeOverUnknowing lets the tab that leads go before another one knows which calls go on.
func testTakeOverUnknowing(g *gateway) {
	first := g.open("/blank")
	first.run("connect()")
	p := g.let()
	second := g.open("/blank")
	second.run("connect()")
	second.until("s.connected")
	p.tell(call("Ringing", 5, "a", ""))
	second.until(`names("Ringing").length === 1`)
	first.close()
	if p = g.let(); p.first["last"] != nil {
		g.Errorf("want a snapshot asked for, have %v", p.first)
	}
}

func testNoLocks(g *gateway) {
	for range 2 {
		page := g.open("/blank?nolocks")
		page.run("connect(); s.pop((c) => opened.push(c.uniqueId))")
		p := g.start()
		p.tell(call("Ringing", 5, "a", ""))
		page.until(`names("Ringing").length === 1`)
		page.run(`s.emit("hangupcall")`)
		p.read()
	}
}

func testPopOnce(g *gateway) {
	first := g.open("/blank")
	first.run("connect(); s.pop((c) => opened.push(c.uniqueId))")
	p := g.start()
	second := g.open("/blank")
	second.run("connect(); s.pop((c) => opened.push(c.uniqueId))")
	second.until("s.connected")
	for i := range 20 {
		p.tell(call("Ringing", 5+i, fmt.Sprint("call-", i), ""))
	}
	p.tell(call("Ringing", 30, "call-1", ""), call("Ringing", 31, "call-2", `,"line":"102"`), call("Hangup", 32, "call-3", ""))
	for _, page := range []*tab{first, second} {
		page.until(`names("Hangup").length === 1`)
		page.want("new Promise((done) => setTimeout(done, 500, 1))", "1") // a tab that is not seen waits a little
	}
	var have [2]int
	seen := map[string]bool{}
	for i, page := range []*tab{first, second} {
		for n := range 20 {
			id := fmt.Sprint("call-", n)
			switch page.eval(fmt.Sprintf("opened.filter((id) => id === %q).length", id)) {
			case "0":
			case "1":
				have[i]++
				if seen[id] {
					g.Errorf("want one pop of %s, have one in each tab", id)
				}
				seen[id] = true
			default:
				g.Errorf("want one pop of %s, have more in a tab", id)
			}
		}
	}
	if have[0]+have[1] != 20 {
		g.Errorf("want 20 pops in both tabs together, have %v", have)
	}
	// A page that is loaded anew while the phone rings has popped it already.
	second.close()
	first.close()
	third := g.open("/blank")
	third.run("connect(); s.pop((c) => opened.push(c.uniqueId))")
	p = g.let()
	p.tell(`{"event":"snapshot","seq":40,"calls":[` + call("Ringing", 24, "call-19", "") + "," + call("Ringing", 39, "new", "") + `]}`)
	third.until("opened.length")
	third.want("opened", `["new"]`)
}

func testPopURL(g *gateway) {
	page := g.open("/blank")
	page.run(`connect(); s.pop({ url: "https://crm.example/?n={number}&c={contact}&q={queue}&x={nothing}" })`)
	p := g.start()
	p.tell(call("Ringing", 5, "a", `,"contact":{"name":"Anna & <script>alert('1')</script> #?="}`))
	page.until("opened.length")
	page.want("opened", `[["https://crm.example/?n=%2B420777123456&c=Anna%20%26%20%3Cscript%3Ealert('1')%3C%2Fscript%3E%20%23%3F%3D`+
		`&q=sales&x=","_blank"]]`)
	page.run(`opened.length = 0; window.open = (...args) => { opened.push(args); return null; };
		s.pop({ url: "https://crm.example/{uniqueId}", target: "card" })`)
	p.tell(call("Ringing", 6, "b/../c", `,"contact":{"name":"Eva"}`))
	page.until(`names("error").length === 2`)
	page.want("opened.at(-1)", `["https://crm.example/b%2F..%2Fc","card"]`)
	page.want(`heard.filter((h) => h.name === "error").map((h) => [h.reason, h.url]).at(-1)`,
		`["the browser blocked a pop","https://crm.example/b%2F..%2Fc"]`)
}

func testPopContact(g *gateway) {
	page := g.open("/blank")
	page.run(`window.end = s => s; connect(); s.pop({ url: "/card?{contact}", wait: 60e3 }); s.pop({ url: "/now?{number}" });
		s.pop({ url: "/soon?{contact}" })`)
	p := g.start()
	p.tell(call("Ringing", 5, "over", ""), call("Ringing", 6, "a", ""))
	page.until(`opened.length >= 2`)
	page.want("opened.map(([url]) => url)", `["/now?%2B420777123456","/now?%2B420777123456"]`)
	p.tell(call("Hangup", 7, "over", ""))
	p.tell(`{"event":"Contact","seq":8,"uniqueId":"over","line":"101","contact":{"name":"Eva"}}`)
	p.tell(call("Answered", 9, "a", ""), `{"event":"Contact","seq":10,"uniqueId":"a","line":"101","contact":{"name":"Anna"}}`)
	page.until(`opened.length >= 4`)
	page.want("opened.slice(2).map(([url]) => url)", `["/card?Anna","/soon?Anna"]`)
	p.tell(call("Ringing", 11, "nobody", ""))
	page.until(`opened.length === 6`)
	page.want("opened.slice(4).map(([url]) => url)", `["/now?%2B420777123456","/soon?"]`)
	// In a tab that nobody sees, the contact may be there before it is the tab's turn.
	page.run(`Object.defineProperty(document, "hidden", { value: true })`)
	p.tell(call("Ringing", 12, "b", ""), `{"event":"Contact","seq":13,"uniqueId":"b","line":"101","contact":{"name":"Jana"}}`)
	page.until(`opened.some(([url]) => url === "/card?Jana")`)
}

func testPopWhen(g *gateway) {
	page := g.open("/blank")
	page.run(`connect();
		const pop = (name, when) => s.pop({ show: (c) => opened.push(name + " " + c.uniqueId), when });
		pop("any"); pop("sales", { queue: "sales" }); pop("two", { queue: ["support", "sales"], direction: "incoming" });
		pop("out", { direction: ["outgoing", "outgoingLocal"] }); window.off = pop("gone"); off()`)
	p := g.start()
	p.tell(call("Ringing", 5, "a", ""), call("Ringing", 6, "b", `,"queue":"support"`),
		call("Ringing", 7, "c", `,"direction":"outgoing"`), call("Ringing", 8, "d", `,"direction":"incomingLocal"`),
		call("Answered", 9, "e", ""))
	page.until(`opened.length >= 8`)
	page.want("opened.sort()", `["any a","any b","any d","out c","sales a","sales d","two a","two b"]`)
}
