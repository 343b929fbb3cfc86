// Package e2e_test runs the programs as processes, as people do, and judges them from outside: pbxsim plays the exchanges
// and writes a ledger, and the stream must hold exactly what the ledger says.
package e2e_test

import (
	"flag"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/switchhook/switchhook/test/process"
)

var long = flag.Bool("long", false, "the long form: many more calls and kills")

func TestMain(m *testing.M) {
	process.Main(m, process.Build{
		Packages: []string{
			"../../services/standalone", "../../services/ingress-ipex", "../../services/ingress-mcn", "../../services/ingress-xvb",
			"../../services/contact-lookup", "../../services/agent-state", "../../services/missed-call",
			"../../services/pbxsim", "../../services/pbxctl",
		},
		Flags: []string{"-race"},
		Own:   map[string]func(){hasty: mainOfHasty},
	})
}

// switchhook is a standalone that can be started again with what it stored.
type switchhook struct {
	t                         *testing.T
	listen, admin, nats, data string
	program                   *process.Process
}

func newSwitchhook(t *testing.T) *switchhook {
	t.Helper()
	a := process.FreeAddresses(t, 3)
	s := &switchhook{t: t, listen: a[0], admin: a[1], nats: a[2], data: t.TempDir()}
	s.start()
	return s
}

func (s *switchhook) start() {
	s.t.Helper()
	s.program = process.Start(s.t, "standalone", "--config", "../../examples/switchhook.yaml", "--listen", s.listen,
		"--admin-listen", s.admin, "--nats-listen", s.nats, "--data", s.data, "--log-level", "error")
}

// awaitReady waits until it says that it is ready: it reads the stream first, which grows with the kills and the load.
func (s *switchhook) awaitReady() {
	s.t.Helper()
	s.program.AwaitReady("http://"+s.admin+"/readyz", 2*time.Minute)
}

// simulate starts pbxsim against it.
func (s *switchhook) simulate(ledger string, args ...string) *process.Process {
	s.t.Helper()
	return process.Start(s.t, "pbxsim", append([]string{
		"--config", "../../examples/switchhook.yaml", "--target", "http://" + s.listen, "--ledger", ledger, "--wait", "30s",
	}, args...)...)
}

// verify demands that the stream holds exactly what the ledger says.
func (s *switchhook) verify(ledger string) {
	s.t.Helper()
	awaitDrained(s.t, s.program, s.admin)
	p := process.Start(s.t, "pbxsim", "verify", "--ledger", ledger, "--nats", "nats://"+s.nats)
	p.Wait(5 * time.Minute)
	s.t.Log("\n" + p.Tail())
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
			s.simulate(ledger, "--calls", "10000", "--chaos", chaos).Wait(10 * time.Minute)
			s.verify(ledger)
			s.program.End(syscall.SIGTERM, time.Minute)
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
		a := process.FreeAddresses(t, 2)
		process.Start(t, "ingress-"+vendor, "--config", "../../examples/switchhook.yaml", "--nats", "nats://"+s.nats,
			"--listen", a[0], "--admin-listen", a[1], "--log-level", "error")
		args = append(args, "--"+vendor, "http://"+a[0])
	}
	process.Start(t, "pbxsim", args...).Wait(time.Minute)
	s.verify(ledger)

	events := process.Start(t, "pbxctl", "events", "--nats", "nats://"+s.nats, "--since", "all", "--json")
	events.Wait(time.Minute)
	told := strings.Count(process.ReadFile(t, ledger), `"ids":[`)
	shown := 0
	for line := range strings.Lines(events.Output()) {
		if !strings.Contains(line, ".agent.state_changed") && !strings.Contains(line, ".contact.") { // derived
			shown++
		}
	}
	if told != shown || told == 0 {
		t.Errorf("want a line for each of %d events, have %d\n%s", told, shown, events.Tail())
	}
}

// Standalone is killed at random moments under load and started again. Every id that got a 200 is stored exactly once.
func TestKill(t *testing.T) {
	kills, rate := 10, "0" // as much as goes
	if *long {
		kills, rate = 100, "50" // what is stored is read at each start
	}
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	t.Log("seed", seed)
	s := newSwitchhook(t)
	s.awaitReady()
	ledger := filepath.Join(t.TempDir(), "ledger.jsonl")
	sim := s.simulate(ledger, "--timeout", "3s", "--rate", rate, "--chaos", "duplicate=0.05")
	for range kills {
		select {
		case <-time.After(time.Duration(random.IntN(int(time.Second)))):
		case <-sim.Done():
			t.Fatalf("want pbxsim to go on, have it ended (%v)\n%s", sim.Err(), sim.Tail())
		}
		s.program.Stop(syscall.SIGKILL)
		s.start()
		if random.IntN(2) == 0 { // else it may be killed while it starts
			s.awaitReady()
		}
	}
	s.awaitReady()
	sim.End(syscall.SIGINT, time.Minute)
	s.verify(ledger)
	if n := strings.Count(process.ReadFile(t, ledger), `"status":200`); n < 100*kills {
		t.Errorf("want load enough to meet a kill, have %s requests stored", strconv.Itoa(n))
	}
}
