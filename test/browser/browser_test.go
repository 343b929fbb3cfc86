package browser_test

import "testing"

// TestBrowser runs everything on one standalone and in one browser; only who kills the server has one of their own.
func TestBrowser(t *testing.T) {
	browser := startBrowser(t)
	h := newHouse(browser, t)
	h.liven(t)
	for name, test := range map[string]func(*testing.T, *house){
		"a call rings, and is answered elsewhere": testRinging,
		"a call that pbxsim makes up":             testSimulatedCall,
		"click to call, and hang up":              testClickToCall,
		"a missed call, claimed and resolved":     testClaim,
		"the server is killed":                    testKill,
		"two tabs":                                testTwoTabs,
		"another web application":                 testWebapp,
		"another web application in two tabs":     testWebappInTwoTabs,
		"an origin that is not configured":        testStranger,
		"an origin of another tenant":             testForeignOrigin,
		"views, in light":                         func(t *testing.T, h *house) { testViews(t, h, "light") },
		"views, in dark":                          func(t *testing.T, h *house) { testViews(t, h, "dark") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, h)
		})
	}
}
