// Package cluster_test runs the programs as processes on NATS servers with the configuration of deploy/nats: each service with the
// user and the permissions that it has in production, more than one replica of each, on a cluster of three servers.
package cluster_test

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var long = flag.Bool("long", false, "the long form: more load, and more rounds of restarts")

// bin is where TestMain builds the programs: as they are shipped, since the race detector would make the figures worthless.
var bin string

const services = "github.com/switchhook/switchhook/services/"

func TestMain(m *testing.M) {
	flag.Parse()
	var err error
	if bin, err = os.MkdirTemp("", "switchhook-cluster-"); err == nil {
		build := exec.Command("go", "build", "-o", bin, "github.com/nats-io/nats-server/v2",
			services+"ingress-ipex", services+"ingress-mcn", services+"ingress-xvb", services+"contact-lookup", services+"agent-state",
			services+"missed-call", services+"command-relay", services+"web-gateway", services+"pbxsim", services+"pbxctl")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		build.Stdout, build.Stderr = os.Stderr, os.Stderr
		err = build.Run()
	}
	code := 1
	if err != nil {
		fmt.Fprintln(os.Stderr, "build the programs:", err)
	} else {
		code = m.Run()
	}
	_ = os.RemoveAll(bin)
	os.Exit(code)
}

// program is a process that runs; it is killed with the test.
type program struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  string // the file with what it says
	done chan struct{}
	err  error // how it ended; to be read when done is closed
}

// start starts a program, whose flags and credentials may also be in the environment.
func start(t *testing.T, environment []string, name string, args ...string) *program {
	t.Helper()
	out, err := os.CreateTemp(t.TempDir(), name+"-*.log")
	if err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, cmd: exec.Command(filepath.Join(bin, name), args...), out: out.Name(), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.Env = append(os.Environ(), environment...)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = out.Close() // the process has its own
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() { p.stop(syscall.SIGKILL) })
	return p
}

// stop sends a signal and waits for the end.
func (p *program) stop(signal syscall.Signal) {
	_ = p.cmd.Process.Signal(signal) // it may have ended by itself
	<-p.done
}

// end asks it to end, and demands that it does so in order and in time.
func (p *program) end() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Errorf("%s: want it to go on until it is stopped, have it ended\n%s", p.name(), p.said())
	}
	p.wait(40 * time.Second)
}

// wait waits until it ends by itself, and demands success.
func (p *program) wait(limit time.Duration) {
	p.t.Helper()
	select {
	case <-p.done:
		if p.err != nil {
			p.t.Errorf("%s: want it to end well, have %v\n%s", p.name(), p.err, p.said())
		}
	case <-time.After(limit):
		p.stop(syscall.SIGKILL)
		p.t.Fatalf("%s: want it ended after %v, have\n%s", p.name(), limit, p.said())
	}
}

func (p *program) name() string { return filepath.Base(p.cmd.Path) }

// said returns the end of what it said.
func (p *program) said() string {
	text := readFile(p.t, p.out)
	return text[max(0, len(text)-4000):]
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

// given are the addresses that freeAddresses has returned.
var given sync.Map

// freeAddresses returns addresses of loopback that were free a moment ago, each once. Their ports are none that the system gives to outgoing
// connections, so a restart can take them again.
func freeAddresses(t *testing.T, n int) (addresses []string) {
	t.Helper()
	for tries := 0; len(addresses) < n; tries++ {
		if tries > 100*n {
			t.Fatal("want free ports, have found none")
		}
		address := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000))
		if _, again := given.LoadOrStore(address, true); again {
			continue
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		_ = l.Close()
		addresses = append(addresses, address)
	}
	return addresses
}

// get fetches a page of a health or monitoring address.
func get(url string) error {
	client := http.Client{Timeout: time.Second}
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(response.Body, 2000))
		return fmt.Errorf("%s: %s", response.Status, body)
	}
	return nil
}

// eventually waits until a check is content.
func eventually(t *testing.T, what string, limit time.Duration, check func() error) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for tick := time.NewTicker(20 * time.Millisecond); ; <-tick.C {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("want %s within %v, have %v", what, limit, err)
		}
	}
}

// linesWith returns the lines of a text that hold any of some others.
func linesWith(text string, any ...string) (found []string) {
	for line := range strings.Lines(text) {
		for _, part := range any {
			if strings.Contains(line, part) {
				found = append(found, strings.TrimSpace(line))
				break
			}
		}
	}
	return found
}
