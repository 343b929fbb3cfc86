package cluster_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/switchhook/switchhook/test/process"
)

// The first server is lost, with its disk. The second, which followed it, takes its place: all that happened is there, and what
// happens then goes on from it.
func TestSecondServer(t *testing.T) {
	first := startServers(t, 1)
	o := newOffice(t, first)
	o.open(1, all()...)
	second := startSecond(t, first)
	_, js := second.connect("admin")
	for name, config := range streamsOf(t, "mirror") {
		process.Eventually(t, "a copy of "+name, 20*time.Second, func() error {
			_, err := js.CreateStream(t.Context(), config)
			return err
		})
	}
	ledger := filepath.Join(t.TempDir(), "ledger.jsonl")
	o.simulate(ledger, "--calls", "100", "--chaos", "malformed=0.05").Wait(2 * time.Minute)
	o.verify(ledger)
	process.Eventually(t, "missed calls", 20*time.Second, func() error { return atLeast(5, o.missedCalls()) })
	missed := o.missedCalls()
	o.awaitCopies(first, second)
	for _, r := range o.replicas {
		r.Stop(syscall.SIGKILL)
	}
	first.all[0].Stop(syscall.SIGKILL)

	for name, config := range streamsOf(t, "promote") {
		if _, err := js.UpdateStream(t.Context(), config); err != nil {
			t.Fatalf("promote %s: %v", name, err)
		}
	}
	o.servers = second
	for _, r := range o.replicas {
		r.start()
	}
	for _, r := range o.replicas {
		r.awaitReady()
	}
	o.verify(ledger)
	process.Eventually(t, "the missed calls of before", 20*time.Second, func() error {
		have := o.missedCalls()
		for _, id := range missed {
			if !slices.Contains(have, id) {
				return fmt.Errorf("want %s among %v", id, have)
			}
		}
		return nil
	})
	more := filepath.Join(t.TempDir(), "more.jsonl")
	o.simulate(more, "--calls", "100", "--seed", "2").Wait(2 * time.Minute)
	t.Log("\n" + o.verify(more))
	if _, twice := o.hook.count(); len(twice) > 0 {
		t.Errorf("want nobody told twice, have\n%s", strings.Join(twice, "\n"))
	}
}

// startSecond starts a server that follows another.
func startSecond(t *testing.T, first *servers) *servers {
	t.Helper()
	a := process.FreeAddresses(t, 4)
	s := &server{t: t, name: "second", client: a[0], monitor: a[1], route: a[2], leaf: a[3]}
	s.configure("dr.conf")
	s.environment = append(s.environment,
		fmt.Sprintf("NATS_LEAF_URLS=[%q]", "nats-leaf://mirror:"+password("mirror")+"@"+first.all[0].leaf))
	s.start()
	c := &servers{t: t, all: []*server{s}}
	c.awaitHealthy()
	return c
}

// streamsOf returns the configurations in a folder of deploy/nats, by the streams' names.
func streamsOf(t *testing.T, folder string) map[string]jetstream.StreamConfig {
	t.Helper()
	files, err := os.ReadDir(deploy + folder)
	if err != nil {
		t.Fatal(err)
	}
	streams := map[string]jetstream.StreamConfig{}
	for _, file := range files {
		var c jetstream.StreamConfig
		if err := json.Unmarshal([]byte(process.ReadFile(t, filepath.Join(deploy, folder, file.Name()))), &c); err != nil {
			t.Fatal(err)
		}
		streams[c.Name] = c
	}
	return streams
}

// missedCalls returns the ids in acme's ledger of missed calls.
func (o *office) missedCalls() (ids []string) {
	o.t.Helper()
	var list struct {
		MissedCalls []struct {
			ID string `json:"id"`
		} `json:"missedCalls"`
	}
	if err := json.Unmarshal([]byte(o.ctl("missed", "ls", "--tenant", "acme", "--json")), &list); err != nil {
		o.t.Fatal(err)
	}
	for _, m := range list.MissedCalls {
		ids = append(ids, m.ID)
	}
	return ids
}

func atLeast(n int, list []string) error {
	if len(list) < n {
		return fmt.Errorf("%d", len(list))
	}
	return nil
}

// awaitCopies waits until the second server has all that the first has.
func (o *office) awaitCopies(first, second *servers) {
	o.t.Helper()
	_, from := first.connect("admin")
	_, to := second.connect("admin")
	for name := range streamsOf(o.t, "mirror") {
		process.Eventually(o.t, "all of "+name, 30*time.Second, func() error {
			original, err := from.Stream(o.t.Context(), name)
			if err != nil {
				return err
			}
			copied, err := to.Stream(o.t.Context(), name)
			if err != nil {
				return err
			}
			if want, have := original.CachedInfo().State.LastSeq, copied.CachedInfo().State.LastSeq; want != have {
				return fmt.Errorf("want %d messages, have %d: %+v", want, have, copied.CachedInfo().Mirror)
			}
			return nil
		})
	}
}
