// Package e2e_test runs the programs as processes, as people do, and judges them from outside: pbxsim plays the exchanges
// and writes a ledger, and the stream must hold exactly what the ledger says.
package e2e_test

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

var long = flag.Bool("long", false, "the long form: many more calls and kills")

// bin is where TestMain builds the programs, with the race detector.
var bin string

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == hasty {
		mainOfHasty()
	}
	flag.Parse()
	var err error
	if bin, err = os.MkdirTemp("", "switchhook-e2e-"); err == nil {
		build := exec.Command("go", "build", "-race", "-o", bin,
			"../../services/standalone", "../../services/ingress-ipex", "../../services/ingress-mcn", "../../services/ingress-xvb",
			"../../services/contact-lookup", "../../services/agent-state", "../../services/missed-call",
			"../../services/pbxsim", "../../services/pbxctl")
		build.Stdout, build.Stderr = os.Stderr, os.Stderr
		err = build.Run()
	}
	if err == nil {
		var own string
		if own, err = os.Executable(); err == nil {
			err = os.Symlink(own, filepath.Join(bin, hasty))
		}
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

// program is a process that runs; it is killed with the test. A data race in it fails the test.
type program struct {
	t   *testing.T
	cmd *exec.Cmd
	out bytes.Buffer
	end chan error
}

func start(t *testing.T, name string, args ...string) *program {
	t.Helper()
	p := &program{t: t, cmd: exec.Command(filepath.Join(bin, name), args...), end: make(chan error, 1)}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	p.cmd.Env = append(os.Environ(), "GORACE=halt_on_error=1 exitcode=66")
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.end <- p.cmd.Wait() }()
	t.Cleanup(func() {
		p.stop(syscall.SIGKILL)
		if strings.Contains(p.out.String(), "DATA RACE") {
			t.Errorf("%s: want no data race, have\n%s", name, p.tail())
		}
	})
	return p
}

// stop sends a signal and waits for the end.
func (p *program) stop(signal syscall.Signal) {
	_ = p.cmd.Process.Signal(signal) // it may have ended by itself
	p.end <- <-p.end
}

// wait waits until it ends by itself, and demands success.
func (p *program) wait(limit time.Duration) {
	p.t.Helper()
	select {
	case err := <-p.end:
		p.end <- err
		if err != nil {
			p.t.Fatalf("%v: %v\n%s", p.cmd.Args, err, p.tail())
		}
	case <-time.After(limit):
		p.stop(syscall.SIGKILL)
		p.t.Fatalf("%v: want it ended after %v, have\n%s", p.cmd.Args, limit, p.tail())
	}
}

// tail returns the end of what the process said. It has ended.
func (p *program) tail() string {
	text := p.out.String()
	return text[max(0, len(text)-4000):]
}

// switchhook is a standalone that can be started again with what it stored.
type switchhook struct {
	t                         *testing.T
	listen, admin, nats, data string
	program                   *program
}

func newSwitchhook(t *testing.T) *switchhook {
	t.Helper()
	a := freeAddresses(t, 3)
	s := &switchhook{t: t, listen: a[0], admin: a[1], nats: a[2], data: t.TempDir()}
	s.start()
	return s
}

func (s *switchhook) start() {
	s.t.Helper()
	s.program = start(s.t, "standalone", "--config", "../../examples/switchhook.yaml", "--listen", s.listen,
		"--admin-listen", s.admin, "--nats-listen", s.nats, "--data", s.data, "--log-level", "error")
}

// awaitReady waits until it says that it is ready.
func (s *switchhook) awaitReady() {
	s.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	var said []byte
	for tick := time.NewTicker(10 * time.Millisecond); ; <-tick.C {
		response, err := http.Get("http://" + s.admin + "/readyz")
		if err == nil {
			said, _ = io.ReadAll(response.Body)
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			s.program.stop(syscall.SIGKILL)
			s.t.Fatalf("want standalone ready, have %v %s\n%s", err, said, s.program.tail())
		}
	}
}

// simulate starts pbxsim against it.
func (s *switchhook) simulate(ledger string, args ...string) *program {
	s.t.Helper()
	return start(s.t, "pbxsim", append([]string{
		"--config", "../../examples/switchhook.yaml", "--target", "http://" + s.listen, "--ledger", ledger, "--wait", "30s",
	}, args...)...)
}

// verify demands that the stream holds exactly what the ledger says.
func (s *switchhook) verify(ledger string) {
	s.t.Helper()
	awaitDrained(s.program, s.admin)
	p := start(s.t, "pbxsim", "verify", "--ledger", ledger, "--nats", "nats://"+s.nats)
	p.wait(5 * time.Minute)
	s.t.Log("\n" + p.tail())
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

// Ten thousand calls of all vendors, with requests that come twice, late, in the wrong order and broken.
func TestTenThousandCalls(t *testing.T) {
	t.Parallel()
	for name, chaos := range map[string]string{
		"orderly": "",
		"chaos":   "duplicate=0.02,reorder=0.05,delay=0.05,malformed=0.02",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSwitchhook(t)
			ledger := filepath.Join(t.TempDir(), "ledger.jsonl")
			s.simulate(ledger, "--calls", "10000", "--chaos", chaos).wait(10 * time.Minute)
			s.verify(ledger)
			s.program.stop(syscall.SIGTERM)
			if err := <-s.program.end; err != nil {
				t.Errorf("want standalone to end well, have %v\n%s", err, s.program.tail())
			} else {
				s.program.end <- nil
			}
		})
	}
}

// Each vendor's ingress as a process of its own, on a NATS server that is elsewhere; and what pbxctl shows of it.
func TestSingleIngresses(t *testing.T) {
	s := newSwitchhook(t)
	ledger := filepath.Join(t.TempDir(), "ledger.jsonl")
	args := []string{
		"--config", "../../examples/switchhook.yaml", "--ledger", ledger, "--calls", "300", "--wait", "30s", "--start", "2026-01-05T08:00:00Z",
	}
	for _, vendor := range []string{"ipex", "mcn", "xvb"} {
		a := freeAddresses(t, 2)
		start(t, "ingress-"+vendor, "--config", "../../examples/switchhook.yaml", "--nats", "nats://"+s.nats,
			"--listen", a[0], "--admin-listen", a[1], "--log-level", "error")
		args = append(args, "--"+vendor, "http://"+a[0])
	}
	start(t, "pbxsim", args...).wait(time.Minute)
	s.verify(ledger)

	events := start(t, "pbxctl", "events", "--nats", "nats://"+s.nats, "--since", "all", "--json")
	events.wait(time.Minute)
	told := strings.Count(readFile(t, ledger), `"ids":[`)
	shown := 0
	for line := range strings.Lines(events.out.String()) {
		if !strings.Contains(line, ".agent.state_changed") && !strings.Contains(line, ".contact.") { // derived
			shown++
		}
	}
	if told != shown || told == 0 {
		t.Errorf("want a line for each of %d events, have %d\n%s", told, shown, events.tail())
	}
}

// Standalone is killed at random moments under load and started again. Every id that got a 200 is stored exactly once.
func TestKill(t *testing.T) {
	kills := 10
	if *long {
		kills = 100
	}
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	t.Log("seed", seed)
	s := newSwitchhook(t)
	s.awaitReady()
	ledger := filepath.Join(t.TempDir(), "ledger.jsonl")
	sim := s.simulate(ledger, "--timeout", "3s", "--chaos", "duplicate=0.05")
	for range kills {
		select {
		case <-time.After(time.Duration(random.IntN(int(time.Second)))):
		case err := <-sim.end:
			t.Fatalf("want pbxsim to go on, have it ended (%v)\n%s", err, sim.tail())
		}
		s.program.stop(syscall.SIGKILL)
		s.start()
		if random.IntN(2) == 0 { // else it may be killed while it starts
			s.awaitReady()
		}
	}
	s.awaitReady()
	sim.stop(syscall.SIGINT)
	if err := <-sim.end; err != nil {
		t.Fatalf("want pbxsim to end well, have %v\n%s", err, sim.tail())
	}
	sim.end <- nil
	s.verify(ledger)
	if n := strings.Count(readFile(t, ledger), `"status":200`); n < 100*kills {
		t.Errorf("want load enough to meet a kill, have %s requests stored", strconv.Itoa(n))
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
