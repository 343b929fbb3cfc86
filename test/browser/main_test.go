// Package browser_test drives the page and the SDK in Chromium, against the programs as they are built: standalone serves, and
// pbxsim plays exchanges.
package browser_test

import (
	"bytes"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything may take that should come.
const patience = 20 * time.Second

// bin is where TestMain builds the programs.
var bin string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if bin, err = os.MkdirTemp("", "switchhook-browser-"); err == nil {
		defer os.RemoveAll(bin)
		build := exec.Command("go", "build", "-o", bin, "../../services/standalone", "../../services/pbxsim")
		build.Stdout, build.Stderr = os.Stderr, os.Stderr
		err = build.Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "build the programs:", err)
		return 1
	}
	return m.Run()
}

// program is a process that runs. It is killed with the test.
type program struct {
	cmd *exec.Cmd
	out bytes.Buffer // what it said; to be read once it has ended
	end chan struct{}
}

func start(t *testing.T, name string, args ...string) *program {
	t.Helper()
	p := &program{cmd: exec.Command(filepath.Join(bin, name), args...), end: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.end)
		_ = p.cmd.Wait() // the state of the process tells the same
	}()
	t.Cleanup(func() {
		p.stop(syscall.SIGKILL)
		if t.Failed() {
			text := p.out.String()
			t.Logf("%s said at the end:\n%s", name, text[max(0, len(text)-4000):])
		}
	})
	return p
}

// stop sends a signal and waits for the end.
func (p *program) stop(signal syscall.Signal) {
	_ = p.cmd.Process.Signal(signal) // it may have ended by itself
	<-p.end
}

// wait waits until it ends by itself, and demands success.
func (p *program) wait(t *testing.T) {
	t.Helper()
	select {
	case <-p.end:
	case <-time.After(patience):
		t.Fatalf("%v: want it ended", p.cmd.Args)
	}
	if !p.cmd.ProcessState.Success() {
		t.Fatalf("%v: want success, have %v", p.cmd.Args, p.cmd.ProcessState)
	}
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for tick := time.NewTicker(10 * time.Millisecond); !condition(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("want %s, have not seen it", what)
		}
	}
}

// freeAddresses returns addresses of loopback that were free a moment ago, and that a restart can take again.
func freeAddresses(t *testing.T, n int) (addresses []string) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		addresses = append(addresses, l.Addr().String())
	}
	return addresses
}

func listens(address string) bool {
	c, err := net.Dial("tcp", address)
	return err == nil && c.Close() == nil
}

func isReady(admin string) bool {
	response, err := http.Get("http://" + admin + "/readyz")
	return err == nil && response.Body.Close() == nil && response.StatusCode == http.StatusOK
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
