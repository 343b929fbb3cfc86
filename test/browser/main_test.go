// Package browser_test drives the page and the SDK in Chromium, against the programs as they are built: standalone serves, and
// pbxsim plays exchanges.
package browser_test

import (
	"testing"
	"time"

	"github.com/switchhook/switchhook/test/process"
)

// patience is how long anything may take that should come.
const patience = 20 * time.Second

func TestMain(m *testing.M) {
	process.Main(m, process.Build{Packages: []string{"../../services/standalone", "../../services/pbxsim"}})
}

// start starts a program. What goes wrong in a browser may have its cause there, so a test that fails shows what it said.
func start(t *testing.T, name string, args ...string) *process.Process {
	t.Helper()
	p := process.Start(t, name, args...)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s said at the end:\n%s", name, p.Tail())
		}
	})
	return p
}
