package e2e_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/config"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/agent-state/agents"
	"github.com/switchhook/switchhook/services/pbxsim/ledger"
	"github.com/switchhook/switchhook/test/process"
)

const replicated = "testdata/replicas.yaml"

// replica is one process of a service that derives events.
type replica struct {
	*process.Process
	name, admin string
}

func startReplica(t *testing.T, name, nats string) *replica {
	t.Helper()
	a := process.FreeAddresses(t, 2)
	r := &replica{name: name, admin: a[1]}
	r.Process = process.Start(t, name, "--config", replicated, "--nats", nats, "--listen", a[0], "--admin-listen", a[1],
		"--log-level", "error")
	return r
}

// published returns how many events it published, -1 while it does not answer.
func (r *replica) published() int {
	client := http.Client{Timeout: time.Second}
	response, err := client.Get("http://" + r.admin + "/metrics")
	if err != nil {
		return -1
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return -1
	}
	sum := 0
	counts := regexp.MustCompile(`switchhook_(?:agent_state_transitions|contact_lookup_contacts|missed_call_entries)_total\S* (\d+)`)
	for _, found := range counts.FindAllSubmatch(text, -1) {
		n, _ := strconv.Atoi(string(found[1]))
		sum += n
	}
	return sum
}

// active returns which of the replicas publishes now.
func active(t *testing.T, replicas ...*replica) int {
	t.Helper()
	var before []int
	for _, r := range replicas {
		before = append(before, r.published())
	}
	busy := -1
	bustest.Eventually(t, "a replica that publishes", func() bool {
		busy = slices.IndexFunc(replicas, func(r *replica) bool {
			return r.published() > before[slices.Index(replicas, r)]+20
		})
		return busy >= 0
	})
	return busy
}

// disturbed runs two replicas of a service under load; again and again the active one is killed and replaced, and the next one
// frozen, and thawed when the other has taken over. It returns the ledger.
func disturbed(t *testing.T, service string, server *bustest.Server) (ledger string) {
	t.Helper()
	rounds := 3
	if *long {
		rounds = 12
	}
	a := process.FreeAddresses(t, 2)
	process.Start(t, "ingress-ipex", "--config", replicated, "--nats", server.URL(), "--listen", a[0], "--admin-listen", a[1],
		"--log-level", "error")
	pair := []*replica{startReplica(t, service, server.URL()), startReplica(t, service, server.URL())}
	ledger = filepath.Join(t.TempDir(), "ledger.jsonl")
	forget(t, server)
	sim := process.Start(t, "pbxsim", "--config", replicated, "--vendors", "ipex", "--ipex", "http://"+a[0], "--wait", "30s",
		"--ledger", ledger, "--rate", "150", "--teams", "20", "--chaos", "duplicate=0.02,reorder=0.05,delay=0.05,malformed=0.02")
	for range rounds {
		killed := active(t, pair...)
		pair[killed].Stop(syscall.SIGKILL)
		active(t, pair[1-killed]) // it takes over
		pair[killed] = startReplica(t, service, server.URL())
		pair[killed].AwaitReady("http://"+pair[killed].admin+"/readyz", 2*time.Minute) // it has read the stream, which grows
		forget(t, server)

		frozen := active(t, pair...)
		pair[frozen].Signal(syscall.SIGSTOP)
		active(t, pair[1-frozen])
		pair[frozen].Signal(syscall.SIGCONT)
		active(t, pair...)
	}
	sim.End(syscall.SIGINT, time.Minute)
	return ledger
}

// forget lets JetStream remember ids for a moment only: whoever was frozen for longer must not be saved by their ids. Replicas
// that start set it to what is configured.
func forget(t *testing.T, server *bustest.Server) {
	t.Helper()
	_, js := server.Raw()
	bustest.Eventually(t, "the stream to forget soon", func() bool {
		stream, err := js.Stream(t.Context(), bus.EventStream)
		if err != nil {
			return false
		}
		c := stream.CachedInfo().Config
		if c.Duplicates == 10*time.Minute { // a replica has set it
			c.Duplicates = 100 * time.Millisecond
			_, err = js.UpdateStream(t.Context(), c)
		}
		return err == nil && c.Duplicates == 100*time.Millisecond
	})
}

// What agent-state publishes is exactly what a replica that was never disturbed would have published: it is computed anew from
// the stream that remains.
func TestAgentStateReplicas(t *testing.T) {
	server := bustest.Start(t)
	b := server.Bus()
	disturbed(t, "agent-state", server)
	compareTransitions(t, b)
}

// Every call with an outside number has exactly one contact.
func TestContactLookupReplicas(t *testing.T) {
	server := bustest.Start(t)
	b := server.Bus()
	file, err := os.Open(disturbed(t, "contact-lookup", server))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	want, cut := map[string]int{}, map[string]bool{}
	for entry, err := range ledger.Read(file) {
		if err != nil {
			t.Fatal(err)
		}
		switch c, ok := entry.(*ledger.Call); {
		case !ok || c.Direction == "internal" || c.Caller == "":
		case c.Cut: // perhaps before anything was sent of it
			cut[c.Key] = true
		default:
			want[c.Key] = 1
		}
	}
	var have map[string]int
	deadline := time.Now().Add(30 * time.Second)
	for tick := time.NewTicker(200 * time.Millisecond); !maps.Equal(want, have); <-tick.C {
		have = map[string]int{}
		for s, err := range b.Events(t.Context(), bus.Filter{Subject: "pbx.events.*.*.contact.*"}) {
			if err != nil {
				t.Fatal(err)
			}
			if key := s.Message.GetContact().GetCallKey(); !cut[key] {
				have[key]++
			}
		}
		if time.Now().After(deadline) {
			break
		}
	}
	for key, n := range want {
		if have[key] != n {
			t.Errorf("call %s: want one contact, have %d", key, have[key])
		}
	}
	if len(have) > len(want) || len(want) < 500 {
		t.Errorf("want contacts of %d calls, 500 or more, have those of %d", len(want), len(have))
	}
	t.Logf("%d calls, each with one contact", len(want))
}

// compareTransitions waits until the published transitions are those that the core derives of the stream as it is.
func compareTransitions(t *testing.T, b *bus.Bus) {
	t.Helper()
	var want, have []string
	deadline := time.Now()
	for tick := time.NewTicker(500 * time.Millisecond); ; <-tick.C {
		before := len(have)
		if want, have = replay(t, b); len(have) > before { // they are published one behind another
			deadline = time.Now().Add(30 * time.Second)
		}
		if slices.Equal(want, have) && len(have) > 0 {
			t.Logf("%d transitions, none lost, doubled or out of order", len(have))
			return
		}
		if time.Now().After(deadline) {
			break
		}
	}
	t.Errorf("want %d transitions, have %d published", len(want), len(have))
	for i := range max(len(want), len(have)) {
		if i >= len(want) || i >= len(have) || want[i] != have[i] {
			t.Fatalf("first difference at %d:\nwant %v\nhave %v", i, want[i:min(i+3, len(want))], have[i:min(i+3, len(have))])
		}
	}
}

// replay returns the transitions that the core derives of the stream, and those in it, both by agent.
func replay(t *testing.T, b *bus.Bus) (want, have []string) {
	t.Helper()
	c, err := config.Load(replicated, func(c *config.Config) (*config.Config, error) { return c, nil })
	if err != nil {
		t.Fatal(err)
	}
	machine := agents.New(c.Tenants)
	var clock time.Time
	wanted, published := map[string][]string{}, map[string][]string{}
	seen := map[string]bool{}
	for s, err := range b.Events(t.Context(), bus.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		ev := s.Message
		if s.At.After(clock) {
			clock = s.At
		}
		if agent := ev.GetAgent(); agent.GetKind() == pbxv1.Agent_STATE_CHANGED {
			if seen[ev.GetId()] {
				t.Fatalf("want %s stored once, have it twice", ev.GetId())
			}
			seen[ev.GetId()] = true
			if since := agent.GetSince().AsTime(); since.After(clock) {
				clock = since
			}
			published[agent.GetId()] = append(published[agent.GetId()], describe(ev))
		}
		for _, transition := range machine.Apply(s.Sequence, clock, ev) {
			id := transition.GetAgent().GetId()
			wanted[id] = append(wanted[id], describe(transition))
		}
	}
	flatten := func(by map[string][]string) (all []string) {
		for _, transitions := range by {
			for i, transition := range transitions {
				all = append(all, fmt.Sprintf("%s #%05d", transition, i))
			}
		}
		slices.Sort(all)
		return all
	}
	return flatten(wanted), flatten(published)
}

func describe(ev *pbxv1.Event) string {
	a := ev.GetAgent()
	return fmt.Sprintf("%s %s: %s to %s since %s, after %s", ev.GetTenant(), a.GetId(), a.GetPreviousState(), a.GetState(),
		a.GetSince().AsTime().Format(time.RFC3339Nano), a.GetPreviousDuration().AsDuration())
}
