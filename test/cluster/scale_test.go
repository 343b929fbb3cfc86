package cluster_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/switchhook/switchhook/test/process"
)

// An ingress is scaled from one process to four while exchanges send: those that connect then are spread over all four. Nothing is
// lost, and each process takes its share.
func TestScaleIngress(t *testing.T) {
	calls := "800"
	if *long {
		calls = "15000"
	}
	o := newOffice(t, startServers(t, 1))
	o.open(1, "ingress-ipex")
	folder := t.TempDir()
	wave := func(name string, seed int, calls string) *process.Process {
		return o.simulate(filepath.Join(folder, name), "--vendors", "ipex", "--calls", calls, "--seed", fmt.Sprint(seed), "--teams", "32")
	}
	before := wave("1-before.jsonl", 1, calls)
	before.Wait(3 * time.Minute)
	during := wave("2-during.jsonl", 2, calls)
	o.open(3, "ingress-ipex")
	after := wave("3-after.jsonl", 3, calls) // while the other goes on
	during.Wait(3 * time.Minute)
	after.Wait(3 * time.Minute)
	alone := wave("4-alone.jsonl", 4, calls)
	alone.Wait(3 * time.Minute)

	t.Log("\n" + o.verify(join(t, folder)))
	one, four := rateOf(t, before), rateOf(t, alone)
	t.Logf("requests a second: %.0f with one process, %.0f with four: %.2f times as many", one, four, four/one)
	for _, r := range o.replicas {
		if n := r.counted(); n == 0 {
			t.Errorf("want each of %d processes to take requests, have one that took none", len(o.replicas))
		}
	}
}

// join makes one ledger of those of a folder, in the order of their names.
func join(t *testing.T, folder string) string {
	t.Helper()
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, file := range files {
		text += process.ReadFile(t, filepath.Join(folder, file.Name()))
	}
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	process.WriteFile(t, path, text)
	return path
}

// rateOf returns how many requests a second pbxsim says that it sent.
func rateOf(t *testing.T, p *process.Process) float64 {
	t.Helper()
	found := regexp.MustCompile(`(\d+) requests +(\d+)/s`).FindAllStringSubmatch(p.Output(), -1)
	if len(found) == 0 {
		t.Fatalf("want figures of pbxsim, have\n%s", p.Tail())
	}
	rate, err := strconv.ParseFloat(found[len(found)-1][2], 64)
	if err != nil {
		t.Fatal(err)
	}
	return rate
}

// counted returns how many requests an ingress has answered.
func (r *replica) counted() int {
	r.office.t.Helper()
	response, err := http.Get("http://" + r.admin + "/metrics")
	if err != nil {
		r.office.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		r.office.t.Fatal(err)
	}
	sum := 0
	for _, found := range regexp.MustCompile(`(?m)^switchhook_ingress_request_seconds_count\S* (\d+)$`).FindAllSubmatch(text, -1) {
		n, _ := strconv.Atoi(string(found[1]))
		sum += n
	}
	return sum
}
