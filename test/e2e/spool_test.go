package e2e_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/switchhook/switchhook/test/process"
)

// spooling is an ingress with a spool, that can be started again in its folder.
type spooling struct {
	*process.Process
	t                           *testing.T
	nats, listen, admin, folder string
}

func newSpooling(t *testing.T, nats string) *spooling {
	t.Helper()
	a := process.FreeAddresses(t, 2)
	s := &spooling{t: t, nats: nats, listen: a[0], admin: a[1], folder: filepath.Join(t.TempDir(), "spool")}
	s.start()
	return s
}

func (s *spooling) start() {
	s.t.Helper()
	s.Process = process.Start(s.t, "ingress-ipex", "--config", "../../examples/switchhook.yaml", "--nats", "nats://"+s.nats,
		"--listen", s.listen, "--admin-listen", s.admin, "--spool", s.folder, "--log-level", "error")
}

// awaitReady waits until it is ready.
func (s *spooling) awaitReady() {
	s.t.Helper()
	s.AwaitReady("http://"+s.admin+"/readyz", 10*time.Second)
}

// awaitDrained waits until JetStream has all that was in the spool of a program.
func awaitDrained(t *testing.T, p *process.Process, admin string) {
	t.Helper()
	process.Eventually(t, "an empty spool", 2*time.Minute, func() error { // many kills leave much
		if left := metric(admin, "records"); left != 0 {
			return fmt.Errorf("%d records in it\n%s", left, p.Tail())
		}
		return nil
	})
}

// metric returns what a metric of the spool says, -1 while nobody answers.
func metric(admin, name string) int {
	client := http.Client{Timeout: time.Second}
	response, err := client.Get("http://" + admin + "/metrics")
	if err != nil {
		return -1
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return -1
	}
	found := regexp.MustCompile(`(?m)^switchhook_spool_` + name + ` (\S+)$`).FindSubmatch(text)
	if found == nil {
		return -1
	}
	n, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		return -1
	}
	return int(n)
}

// NATS is killed, and comes back; meanwhile the ingress is killed at random, and started again in its folder. Every id that got
// a 2xx is stored exactly once.
func TestKillIngressWithSpool(t *testing.T) {
	rounds := 3
	if *long {
		rounds = 30
	}
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	t.Log("seed", seed)
	pause := func(limit time.Duration) { <-time.After(time.Duration(random.IntN(int(limit)))) }

	server := newSwitchhook(t)
	server.awaitReady()
	ingress := newSpooling(t, server.nats)
	ingress.awaitReady()
	ledger := filepath.Join(t.TempDir(), "ledger.jsonl")
	sim := process.Start(t, "pbxsim", "--config", "../../examples/switchhook.yaml", "--vendors", "ipex", "--ipex", "http://"+ingress.listen,
		"--ledger", ledger, "--wait", "30s", "--timeout", "3s", "--rate", "60", "--chaos", "duplicate=0.05,malformed=0.02")
	written := 0
	for range rounds {
		pause(500 * time.Millisecond)
		server.program.Stop(syscall.SIGKILL)
		pause(time.Second)
		for range 1 + random.IntN(2) {
			before := metric(ingress.admin, "written_total")
			ingress.Stop(syscall.SIGKILL)
			ingress.start()
			written += max(before, 0)
			pause(500 * time.Millisecond)
		}
		server.start()
		if random.IntN(2) == 0 { // else the next round may begin while what waited is being published
			server.awaitReady()
			pause(500 * time.Millisecond)
			ingress.Stop(syscall.SIGKILL)
			ingress.start()
		}
	}
	server.awaitReady()
	sim.End(syscall.SIGINT, time.Minute)
	awaitDrained(t, ingress.Process, ingress.admin)
	server.verify(ledger)
	if accepted := strings.Count(process.ReadFile(t, ledger), `"status":200`); accepted < 100*rounds || written < 20*rounds {
		t.Errorf("want load enough to meet a kill, have %d requests stored, %d of them in the spool at first", accepted, written)
	}
	if have, err := filepath.Glob(filepath.Join(ingress.folder, "*", "*.damaged-*")); err != nil || len(have) > 0 {
		t.Errorf("want nothing damaged, have %v %v", have, err)
	}
	t.Logf("%d went through the spool", written)
}
