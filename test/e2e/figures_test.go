package e2e_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"
)

var seed = flag.Uint64("seed", 1, "what the calls of TestFigures follow from")

// Ten thousand calls of all vendors on the night when clocks change, in the order in which they happened, with requests that
// come twice, late, in the wrong order and broken: contacts, states and figures must be those of the ledger.
func TestFigures(t *testing.T) {
	seeds := []uint64{*seed}
	for i := 0; *long && i < 3; i++ {
		seeds = append(seeds, rand.Uint64())
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			r := newReplayed(t)
			path := filepath.Join(t.TempDir(), "ledger.jsonl")
			began := time.Now()
			lap := func(what string) {
				t.Logf("%s: %v", what, time.Since(began).Round(time.Millisecond))
				began = time.Now()
			}
			start(t, "pbxsim", append([]string{
				"--config", r.config, "--ledger", path, "--seed", fmt.Sprint(seed), "--order", "clock", "--calls", "10000",
				"--teams", "15", "--start", "2026-03-28T21:00:00Z",
				"--chaos", "duplicate=0.02,reorder=0.05,delay=0.05,malformed=0.02",
			}, r.args...)...).wait(5 * time.Minute)
			lap("sent")
			r.clock.tell(r.clock.now().Add(5 * time.Minute)) // wrap-ups end
			l := readLedger(t, path)
			lap("ledger read")
			_ = l
		})
	}
}
