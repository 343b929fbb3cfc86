package web_test

import (
	"os"
	"path/filepath"

	"github.com/chromedp/chromedp"
)

// testScreenshots shows each view in both themes. With SWITCHHOOK_SCREENSHOTS it writes pictures to that folder; with
// SWITCHHOOK_AXE, the path of axe.min.js, it has axe-core look for what keeps people out.
func testScreenshots(o *office) {
	s := o.screen("/")
	s.run(`localStorage["switchhook.theme"] = "light"`)
	s.show("/")
	s.picture("login-light", 1280, 800)
	s.logIn()
	s.until(`document.querySelector(".connection").dataset.state === "live"`)
	for _, theme := range []string{"light", "dark"} {
		s.run(`localStorage["switchhook.theme"] = "` + theme + `"`)
		s.show("/")
		s.until(`document.querySelector(".connection")?.dataset.state === "live"`)
		s.views(theme)
	}
	s.run(`localStorage["switchhook.language"] = "ru"`)
	s.show("/")
	s.until(`document.querySelector(".tile.waiting .value")`)
	s.picture("wallboard-ru", 1280, 800)
	s.goTo("missed", ".missedlist li")
	s.picture("missed-ru", 1280, 800)
	s.run(`localStorage["switchhook.language"] = "en"`)
	s.show("/")
	s.until(`document.querySelector(".connection")?.dataset.state === "live"`)
	s.expect("ERR_", "503", "WebSocket")
	o.setDown(true)
	s.says(".banner", "Connection lost since")
	s.goTo("wallboard", ".tile.waiting .value")
	s.picture("lost-dark", 1280, 800)
	s.goTo("wallboard/wall", "html.wall .tile.waiting .value")
	s.picture("lost-dark-1920", 1920, 1080)
	s.run(`localStorage["switchhook.theme"] = "light"; document.documentElement.dataset.theme = "light"`)
	s.goTo("missed", ".missedlist li")
	s.picture("lost-light", 1280, 800)
}

func (s *screen) views(theme string) {
	s.Helper()
	s.goTo("wallboard", ".tile.waiting .value")
	s.picture("wallboard-"+theme, 1280, 800)
	s.goTo("wallboard/wall", "html.wall .tile.waiting .value")
	s.picture("wallboard-"+theme+"-1920", 1920, 1080)
	s.goTo("missed/m-3", ".details")
	s.click(".more button")
	s.until(`document.querySelector(".resolved li")`)
	s.picture("missed-"+theme, 1280, 800)
	s.click(`[data-missed="m-1"] [data-act=resolve]`)
	s.picture("resolve-"+theme, 1280, 800)
	s.run(`document.querySelector("dialog").close()`)
	s.picture("missed-"+theme+"-390", 390, 844)
	s.office.tellPhones(rings)
	s.office.tellPhones(isKnown)
	s.says(".pop .name", "Alena Malá")
	s.picture("pop-"+theme, 1280, 800)
	s.goTo("calls", ".callsview")
	s.says(".current .name", "Alena Malá")
	s.picture("calls-"+theme, 1280, 800)
	s.picture("calls-"+theme+"-390", 390, 844)
	s.office.tellPhones(answered)
	s.until(`document.querySelector(".current [data-phase=talking]")`)
	s.click(".current [data-act=transfer]")
	s.picture("talking-"+theme, 1280, 800)
	s.office.tellPhones(isOver)
	s.goTo("wallboard", ".tile.waiting .value")
	s.picture("wallboard-"+theme+"-390", 390, 844)
	s.goTo("events", ".eventlist li")
	s.click(".eventlist li:nth-child(3) summary")
	s.picture("events-"+theme, 1280, 800)
	s.picture("events-"+theme+"-390", 390, 844)
	s.goTo("events/quarantine", ".quarantined li")
	s.picture("quarantine-"+theme, 1280, 800)
	s.press("?")
	s.until(`document.querySelector("dialog.help")`)
	s.picture("help-"+theme, 1280, 800)
	s.run(`document.querySelector("dialog").close()`)
}

func (s *screen) picture(name string, width, height int64) {
	s.Helper()
	if err := chromedp.Do(s.ctx, chromedp.EmulateViewport(width, height)); err != nil {
		s.Fatal(err)
	}
	s.want(`document.documentElement.scrollWidth <= innerWidth || document.documentElement.scrollWidth`, "true")
	s.checkAccess(name)
	folder := os.Getenv("SWITCHHOOK_SCREENSHOTS")
	if folder == "" {
		return
	}
	picture, err := chromedp.Run(s.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.MkdirAll(folder, 0o750)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o600)
	}
	if err != nil {
		s.Fatal(err)
	}
}

func (s *screen) checkAccess(name string) {
	s.Helper()
	path := os.Getenv("SWITCHHOOK_AXE")
	if path == "" {
		return
	}
	script, err := os.ReadFile(path)
	if err != nil {
		s.Fatal(err)
	}
	if _, err := chromedp.Run(s.ctx, chromedp.Evaluate[chromedp.Void](string(script)+";void 0")); err != nil {
		s.Fatal(err)
	}
	found := s.eval(`axe.run().then(({ violations }) => violations.map(({ id, impact, nodes }) =>
		impact + " " + id + ": " + nodes.slice(0, 4).map((n) => n.target + " " + (n.any[0]?.message ?? n.all[0]?.message ?? n.none[0]?.message ?? "")).join(" | ")))`)
	if found != "[]" {
		s.Errorf("%s: want nothing that axe finds, have %s", name, found)
	}
}
