package cluster_test

import (
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/switchhook/switchhook/pkg/bus"
)

// Every service has two replicas. Under load all processes are replaced, one after the other, and then the NATS servers. Nothing
// is lost, nothing doubled, and nobody is told twice.
func TestRollingRestart(t *testing.T) {
	rounds, rate, stop := 3, "60", syscall.SIGTERM
	if *long {
		rounds, stop = 5, syscall.SIGUSR2 // lame duck mode, which takes at least 30 s
	}
	o := newOffice(t, startServers(t, 3))
	o.open(2, all()...)
	ledger := filepath.Join(t.TempDir(), "ledger.jsonl")
	sim := o.simulate(ledger, "--rate", rate, "--teams", "12", "--chaos", "duplicate=0.02,reorder=0.05,delay=0.05,malformed=0.01")
	for range rounds {
		began := time.Now()
		for _, r := range slices.Clone(o.replicas) {
			r.restart()
		}
		t.Logf("%d processes replaced in %v", len(o.replicas), time.Since(began).Round(time.Second))
		began = time.Now()
		o.servers.roll(stop)
		t.Logf("%d NATS servers restarted in %v", len(o.servers.all), time.Since(began).Round(time.Second))
	}
	sim.End(syscall.SIGINT, time.Minute)
	report := o.verify(ledger)
	t.Log("\n" + sim.Tail() + report)
	if !strings.Contains(report, ", 0 of them lost") {
		t.Error("want an answer to each request, have some without")
	}

	b, err := bus.Connect(bus.Options{URL: o.servers.url("operator"), Name: "pbxctl", Wait: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	o.awaitDerived(b, ledger)
	alerts, twice := o.hook.count()
	t.Logf("%d alerts", alerts)
	if len(twice) > 0 || alerts == 0 {
		t.Errorf("want alerts, and nobody told twice, have %d and\n%s", alerts, strings.Join(twice, "\n"))
	}
	if refused := append(o.servers.violations(), o.complaints("ermissions")...); len(refused) > 0 {
		t.Errorf("want no violation, have %d:\n%s", len(refused), strings.Join(refused, "\n"))
	}
}
