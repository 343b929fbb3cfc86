package cluster_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/switchhook/switchhook/test/process"
)

// office is all that runs on the servers: the services, the exchanges that pbxsim plays, and the program that alerts go to.
type office struct {
	t        *testing.T
	servers  *servers
	config   string
	hook     *hook
	rest     string // where pbxsim takes commands
	replicas []*replica
	fronts   map[string]*balancer // of services that serve HTTP, by the service's name
}

// replica is a process of a service that can be replaced.
type replica struct {
	*process.Process
	office                 *office
	service, listen, admin string
	spool                  string
	logs                   []*process.Process
}

// newOffice writes the configuration, and starts nothing yet.
func newOffice(t *testing.T, servers *servers) *office {
	t.Helper()
	o := &office{t: t, servers: servers, hook: newHook(t), rest: process.FreeAddresses(t, 1)[0], fronts: map[string]*balancer{}}
	folder := t.TempDir()
	o.config = filepath.Join(folder, "switchhook.yaml")
	text := strings.NewReplacer("HOOK", o.hook.url, "REST", "http://"+o.rest).Replace(process.ReadFile(t, "testdata/cluster.yaml"))
	if len(servers.all) == 1 {
		text = strings.Replace(text, "replicas: 3", "replicas: 1", 1)
	}
	process.WriteFile(t, o.config, text)
	process.WriteFile(t, filepath.Join(folder, "contacts.csv"), process.ReadFile(t, "../../examples/contacts.csv"))
	return o
}

// open starts so many replicas of a service, and waits until they are ready.
func (o *office) open(n int, services ...string) {
	o.t.Helper()
	var fresh []*replica
	for _, service := range services {
		if o.fronts[service] == nil {
			o.fronts[service] = newBalancer(o.t)
		}
		for range n {
			a := process.FreeAddresses(o.t, 2)
			r := &replica{office: o, service: service, listen: a[0], admin: a[1], spool: o.t.TempDir()}
			o.replicas = append(o.replicas, r)
			fresh = append(fresh, r)
			r.start()
		}
	}
	for _, r := range fresh {
		r.awaitReady()
		o.fronts[r.service].add(r.listen)
	}
}

// all are the services, in the order of the events.
func all() []string {
	return []string{
		"ingress-ipex", "ingress-mcn", "ingress-xvb", "contact-lookup", "agent-state", "missed-call", "command-relay", "web-gateway",
	}
}

func (r *replica) start() {
	r.office.t.Helper()
	args := []string{"--config", r.office.config, "--listen", r.listen, "--admin-listen", r.admin, "--log-format", "text"}
	if strings.HasPrefix(r.service, "ingress-") {
		args = append(args, "--spool", r.spool)
	}
	r.Process = process.StartWith(r.office.t, []string{"SWITCHHOOK_NATS=" + r.office.servers.url(r.service)}, r.service, args...)
	r.logs = append(r.logs, r.Process)
}

func (r *replica) awaitReady() {
	r.office.t.Helper()
	r.AwaitReady("http://"+r.admin+"/readyz", 60*time.Second)
}

// restart replaces a process as a rolling update does: the load balancer is told first.
func (r *replica) restart() {
	r.office.t.Helper()
	front := r.office.fronts[r.service]
	front.remove(r.listen)
	r.End(syscall.SIGTERM, 40*time.Second)
	r.start()
	r.awaitReady()
	front.add(r.listen)
}

// complaints returns what the services logged that holds one of some texts.
func (o *office) complaints(texts ...string) (lines []string) {
	for _, r := range o.replicas {
		for _, log := range r.logs {
			for _, line := range linesWith(log.Output(), texts...) {
				lines = append(lines, r.service+": "+line)
			}
		}
	}
	return lines
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

// simulate starts pbxsim in front of the ingresses.
func (o *office) simulate(ledger string, args ...string) *process.Process {
	o.t.Helper()
	args = append([]string{"--config", o.config, "--ledger", ledger}, args...)
	for _, vendor := range []string{"ipex", "mcn", "xvb"} {
		if front := o.fronts["ingress-"+vendor]; front != nil {
			args = append(args, "--"+vendor, "http://"+front.address)
		}
	}
	return process.Start(o.t, "pbxsim", args...)
}

// verify demands that the stream holds exactly what the ledger says, and returns pbxsim's report. What it reads comes from any of
// the servers, and one that was just started may be behind.
func (o *office) verify(ledger string) (report string) {
	o.t.Helper()
	process.Eventually(o.t, "what the ledger says", 30*time.Second, func() error {
		p := process.StartWith(o.t, []string{"PBXSIM_NATS=" + o.servers.url("operator")}, "pbxsim", "verify", "--ledger", ledger)
		<-p.Done()
		if report = p.Tail(); p.Err() != nil {
			return fmt.Errorf("%w:\n%s", p.Err(), report)
		}
		return nil
	})
	return report
}

// ctl runs pbxctl as the operator, demands success, and returns what it says.
func (o *office) ctl(args ...string) string {
	o.t.Helper()
	p := process.StartWith(o.t, []string{"SWITCHHOOK_NATS=" + o.servers.url("operator"), "SWITCHHOOK_CONFIG=" + o.config}, "pbxctl", args...)
	p.Wait(time.Minute)
	return p.Output()
}

// hook receives alerts, and counts them.
type hook struct {
	url string

	mu   sync.Mutex
	ids  map[string]int // by Webhook-Id
	told map[string]int // by kind, tenant and entry
}

func newHook(t *testing.T) *hook {
	t.Helper()
	h := &hook{ids: map[string]int{}, told: map[string]int{}}
	server := httptest.NewServer(h)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	h.url = server.URL
	return h
}

// ServeHTTP implements http.Handler.
func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // The sender is no more.
	}
	var alert struct {
		Type string `json:"type"`
		Data struct {
			Tenant  string `json:"tenant"`
			Entries []struct {
				ID string `json:"id"`
			} `json:"entries"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &alert); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ids[r.Header.Get("Webhook-Id")]++
	for _, entry := range alert.Data.Entries {
		h.told[alert.Type+" "+alert.Data.Tenant+" "+entry.ID]++
	}
}

// count returns how many alerts came, and what came twice.
func (h *hook) count() (alerts int, twice []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, counts := range []map[string]int{h.ids, h.told} {
		for name, n := range counts {
			if n > 1 {
				twice = append(twice, fmt.Sprintf("%s: %d times", name, n))
			}
		}
	}
	slices.Sort(twice)
	return len(h.ids), twice
}

// knows reports whether somebody was told of an entry that is open. Who called again before anybody could be told is told of so.
func (h *hook) knows(tenant, entry string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	of := " " + tenant + " " + entry
	return h.told["missed_call.opened"+of]+h.told["missed_call.again"+of] > 0
}
