package browser_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/switchhook/switchhook/test/process"
)

// passwordHash is that of browser-password.
const passwordHash = "$2a$10$G6/Yi/zlM7Vc6Cv2AOe.cOD/KaOm7vCOnbcfBRxRNLFFsK5QNgH.S"

// house is a standalone, and a browser to look at it with.
type house struct {
	browser       context.Context
	config        string
	listen, admin string
	exchange      string // where the simulated exchange is to take commands
	nats, data    string
	server        *process.Process
	webapp        *webapp // of acme
	foreign       *webapp // of globex
	stranger      *webapp // of nobody
}

// newHouse starts a standalone with a configuration of its own.
func newHouse(browser context.Context, t *testing.T) *house {
	t.Helper()
	a := process.FreeAddresses(t, 4)
	dir := t.TempDir()
	h := &house{
		browser: browser, config: filepath.Join(dir, "switchhook.yaml"), listen: a[0], admin: a[1], nats: a[2], exchange: a[3],
		data: filepath.Join(dir, "data"),
	}
	h.webapp, h.foreign, h.stranger = newWebapp(t, h.listen), newWebapp(t, h.listen), newWebapp(t, h.listen)
	process.WriteFile(t, h.config, strings.NewReplacer(
		"WEBAPP", h.webapp.URL, "FOREIGN", h.foreign.URL, "EXCHANGE", h.exchange, "PASSWORD", passwordHash,
	).Replace(process.ReadFile(t, "testdata/switchhook.yaml")))
	process.WriteFile(t, filepath.Join(dir, "contacts.csv"), process.ReadFile(t, "testdata/contacts.csv"))
	h.start(t)
	return h
}

// start starts the server, also again.
func (h *house) start(t *testing.T) {
	t.Helper()
	h.server = start(t, "standalone", "--config", h.config, "--listen", h.listen, "--admin-listen", h.admin,
		"--nats-listen", h.nats, "--data", h.data, "--log-level", "warn")
	h.server.AwaitReady("http://"+h.admin+"/readyz", patience)
}

func (h *house) url() string { return "http://" + h.listen }

// simulate starts pbxsim against a tenant's exchange.
func (h *house) simulate(t *testing.T, tenant string, args ...string) *process.Process {
	t.Helper()
	_, own, _ := strings.Cut(process.ReadFile(t, h.config), "\n  - name: "+tenant+"\n")
	own, _, _ = strings.Cut(own, "    web:\n") // nobody logs in at an exchange
	file := filepath.Join(filepath.Dir(h.config), fmt.Sprintf("%s-%d.yaml", tenant, serial.Add(1)))
	process.WriteFile(t, file, "tenants:\n  - name: "+tenant+"\n"+own)
	return start(t, "pbxsim", append([]string{"--config", file, "--vendors", "ipex", "--target", h.url()}, args...)...)
}

// serial makes what has to be unique.
var serial atomic.Int64

// phoneCall is one that an IPEX exchange tells of.
type phoneCall struct {
	*testing.T
	house        *house
	tenant       string
	id, from, to string
	queue        string
}

// call begins a call from outside, in a queue if there is one.
func (h *house) call(t *testing.T, tenant, from, queue string) *phoneCall {
	t.Helper()
	c := &phoneCall{T: t, house: h, tenant: tenant, id: fmt.Sprintf("1767600000.%d", serial.Add(1)), from: from, to: "222411864", queue: queue}
	c.tell("NewCall", "", "")
	return c
}

var logins = map[string]string{"901": "karel", "902": "olga"}

func (c *phoneCall) rings(lines ...string) *phoneCall {
	c.Helper()
	for _, line := range lines {
		c.tell("Ringing", line, "")
	}
	return c
}

func (c *phoneCall) answeredAt(line string) {
	c.Helper()
	c.tell("Answered", line, "")
}

func (c *phoneCall) endsAt(line, reason string) {
	c.Helper()
	c.tell("Hangup", line, reason)
}

// isMissed ends a call that nobody took.
func (c *phoneCall) isMissed() {
	c.Helper()
	c.endsAt("", "No user response")
}

func (c *phoneCall) tell(event, line, reason string) {
	c.Helper()
	body := map[string]string{
		"EventName": event, "UniqueId": c.id, "From": c.from, "To": c.to, "Line": line, "Login": logins[line], "Direction": "incoming",
	}
	maps.DeleteFunc(body, func(key, value string) bool { return key == "Login" && value == "" })
	if c.queue != "" {
		body["Queue"] = c.queue
	}
	if reason != "" {
		body["Reason"] = reason
	}
	if status := c.house.send(c.T, c.tenant, body); status != http.StatusOK {
		c.Fatalf("%s: want 200, have %d", event, status)
	}
}

// send sends a webhook as a tenant's exchange does, and returns the status of the answer.
func (h *house) send(t *testing.T, tenant string, body any) int {
	t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url()+"/ipex", bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	user := map[string][2]string{"acme": {"webhook", "browser-ipex"}, "globex": {"globex", "browser-globex"}}[tenant]
	request.SetBasicAuth(user[0], user[1])
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}
