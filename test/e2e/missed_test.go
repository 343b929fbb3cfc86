package e2e_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oklog/run"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/vendors"
	contactlookup "github.com/switchhook/switchhook/services/contact-lookup/live"
	missedcall "github.com/switchhook/switchhook/services/missed-call/live"
	"github.com/switchhook/switchhook/test/process"
)

// Ten thousand calls at six exchanges of two tenants, or four thousand in the short form, all by the same people, in the order
// in which they happened, with requests that come twice, late, in the wrong order and broken: who was missed, who still waits,
// and who was reached must be as the ledger has it.
func TestMissedCalls(t *testing.T) {
	t.Parallel()
	seeds := []uint64{*seed}
	for i := 0; *long && i < 3; i++ {
		seeds = append(seeds, rand.Uint64())
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { testMissedCalls(t, seed) })
	}
}

func testMissedCalls(t *testing.T, seed uint64) {
	server := bustest.Start(t)
	r := newMissedNight(t, server.Bus())
	path := r.simulateExchanges(t, server.Connect(), seed)
	r.clock.tell(r.clock.now().Add(5 * time.Minute)) // the last windows end
	n := newBooks(t, r, path)
	n.checkNight(t)
	n.await(t, "entries", n.checkEntries)
	n.await(t, "bucket", n.checkBucket)
	n.await(t, "events", n.checkEvents)
	n.await(t, "alarms", n.checkAlarms)
}

// newMissedNight starts what knows about missed calls.
func newMissedNight(t *testing.T, b *bus.Bus) *night {
	t.Helper()
	r := &night{bus: b, crm: newCRM(t), config: filepath.Join(t.TempDir(), "missed.yaml")}
	process.WriteFile(t, r.config, strings.ReplaceAll(process.ReadFile(t, "testdata/missed.yaml"), "CRM", r.crm.url))
	c := r.load(t)
	r.tenants = c.Tenants
	r.clock.tell(moment(nightfall))
	log := slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	resolver, err := contactlookup.New(contactlookup.Options{
		Bus: r.bus, Log: log, Replicas: bustest.Replicas, Tenants: r.tenants, Clock: ofEvent,
	})
	if err != nil {
		t.Fatal(err)
	}
	service, err := missedcall.New(missedcall.Options{
		Bus: r.bus, Log: log, Replicas: bustest.Replicas, Config: c, Clock: ofEvent, Now: r.clock.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	bustest.Run(t, func(g *run.Group) {
		resolver.Join(g)
		service.Join(g)
	})
	bustest.Eventually(t, "both services ready", func() bool { return resolver.Ready() == nil && service.Ready() == nil })
	return r
}

func (r *night) load(t *testing.T) *config.Config {
	t.Helper()
	c, err := config.Load(r.config, func(c *config.Config) (*config.Config, error) { return c, nil })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// simulateExchanges lets each exchange have calls, and returns the ledger of all. The outside numbers of a simulation follow
// from the region and the teams alone, so it is the same people who call everywhere.
func (r *night) simulateExchanges(t *testing.T, b *bus.Bus, seed uint64) (path string) {
	t.Helper()
	set, err := vendors.New(r.load(t))
	if err != nil {
		t.Fatal(err)
	}
	parts := exchangesOf(process.ReadFile(t, r.config))
	order := newTurns(len(parts))
	dir := t.TempDir()
	var sims []*process.Process
	for i, part := range parts {
		server := httptest.NewServer(order.handler(t, i, r.ingress(t, b, set[part.vendor])))
		t.Cleanup(server.Close)
		calls := map[string]string{"acme": share(2000), "globex": share(1000)}[part.tenant]
		file := filepath.Join(dir, fmt.Sprint(i))
		process.WriteFile(t, file+".yaml", part.config)
		sim := process.Start(t, "pbxsim", "--config", file+".yaml", "--ledger", file+".jsonl", "--seed", fmt.Sprint(seed+uint64(i)),
			"--vendors", part.vendor, "--"+part.vendor, server.URL, "--order", "clock", "--calls", calls, "--teams", share(15),
			"--start", nightfall, "--timeout", "1m", "--chaos", "duplicate=0.02,reorder=0.05,delay=0.05,malformed=0.02")
		go func() {
			<-sim.Done()
			order.leave(i)
		}()
		sims = append(sims, sim)
	}
	path = filepath.Join(dir, "ledger.jsonl")
	var all strings.Builder
	for i, sim := range sims {
		sim.Wait(10 * time.Minute)
		all.WriteString(process.ReadFile(t, filepath.Join(dir, fmt.Sprint(i)+".jsonl")))
	}
	process.WriteFile(t, path, all.String())
	return path
}

// part is a configuration of one exchange only.
type part struct{ tenant, vendor, config string }

// exchangesOf takes a configuration apart in which each exchange is a line.
func exchangesOf(text string) (parts []part) {
	const exchange = "      - {vendor: "
	for _, tenant := range strings.Split(text, "\n  - name: ")[1:] {
		lines := strings.SplitAfter(tenant, "\n")
		for _, line := range lines {
			vendor, found := strings.CutPrefix(line, exchange)
			if !found {
				continue
			}
			alone := slices.DeleteFunc(slices.Clone(lines), func(other string) bool {
				return other != line && strings.HasPrefix(other, exchange)
			})
			parts = append(parts, part{
				strings.TrimSpace(lines[0]), vendor[:strings.IndexByte(vendor, ',')],
				"tenants:\n  - name: " + strings.Join(alone, ""),
			})
		}
	}
	return parts
}
