package service_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/logtest"
	"github.com/switchhook/switchhook/pkg/service"
)

const configuration = `tenants:
  - name: acme
    region: CZ
    exchanges:
      - vendor: ipex
        webhook: {username: webhook, password: %s}
`

// process is a service that runs in the test.
type process struct {
	t             *testing.T
	config        string
	listen, admin string
	log           *logtest.Log
	stop          context.CancelFunc
	done          chan error
}

// freeAddress returns an address of loopback that was free a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (p *process) configure(password string) {
	p.t.Helper()
	if err := os.WriteFile(p.config, fmt.Appendf(nil, configuration, password), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *process) options(nats string) service.Options {
	return service.Options{
		Config: p.config, Listen: p.listen, AdminListen: p.admin, NATS: bus.Options{URL: nats}, Log: slog.New(slog.NewTextHandler(p.log, nil)),
	}
}

// start runs parts against a NATS server until the test ends.
func start(t *testing.T, nats string, parts ...service.Part) *process {
	t.Helper()
	p := &process{
		t: t, config: filepath.Join(t.TempDir(), "switchhook.yaml"), listen: freeAddress(t), admin: freeAddress(t),
		log: &logtest.Log{}, done: make(chan error, 1),
	}
	p.configure("first-password")
	ctx, stop := context.WithCancel(t.Context())
	p.stop = stop
	go func() { p.done <- service.Run(ctx, "test", p.options(nats), parts...) }()
	t.Cleanup(func() {
		stop()
		if err := <-p.done; err != nil {
			t.Errorf("want the service to end well, have %v", err)
		}
	})
	bustest.Eventually(t, "a service that answers", func() bool { return p.get("/livez") == http.StatusOK })
	return p
}

// get asks the admin address; 0 means no answer.
func (p *process) get(path string) int {
	response, err := http.Get("http://" + p.admin + path)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	return response.StatusCode
}

func (p *process) post(path, password string) (status int, body string) {
	p.t.Helper()
	r, err := http.NewRequest(http.MethodPost, "http://"+p.listen+path,
		strings.NewReader(`{"EventName":"Ringing","From":"777888999","Line":"20","UniqueId":"1.1"}`))
	if err != nil {
		p.t.Fatal(err)
	}
	r.SetBasicAuth("webhook", password)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	data, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(data)
}

// A service that starts before NATS is alive but not ready, and ready when NATS is.
func TestReady(t *testing.T) {
	nats := bustest.Start(t)
	nats.Stop()
	p := start(t, nats.URL(), service.Ingress("ipex"))
	if have := p.get("/readyz"); have != http.StatusServiceUnavailable {
		t.Errorf("want a service that is not ready without NATS, have %d", have)
	}
	nats.Restart()
	bustest.Eventually(t, "a service that is ready", func() bool { return p.get("/readyz") == http.StatusOK })
	if status, body := p.post("/any/path", "first-password"); status != http.StatusOK {
		t.Errorf("want the webhook stored, have %d %s", status, body)
	}
	if have := p.get("/metrics"); have != http.StatusOK {
		t.Errorf("want metrics, have %d", have)
	}
	nats.Stop()
	bustest.Eventually(t, "a service that is not ready", func() bool { return p.get("/readyz") == http.StatusServiceUnavailable })
	nats.Restart()
	bustest.Eventually(t, "a service that is ready again", func() bool { return p.get("/readyz") == http.StatusOK })
}

// A changed configuration is taken up without a restart; a broken one is refused, with a word in the log.
func TestReload(t *testing.T) {
	p := start(t, bustest.Start(t).URL(), service.Ingress("ipex"))
	accepted := func(password string) bool {
		status, _ := p.post("/", password)
		return status == http.StatusOK
	}
	bustest.Eventually(t, "the first password accepted", func() bool { return accepted("first-password") })
	p.configure("second-password")
	bustest.Eventually(t, "the second password accepted", func() bool { return accepted("second-password") })
	if accepted("first-password") {
		t.Error("want the first password refused, have it accepted")
	}
	p.configure("[broken]")
	bustest.Eventually(t, "the broken file refused in the log", func() bool {
		return strings.Contains(p.log.String(), "configuration refused") && strings.Contains(p.log.String(), "switchhook.yaml:6")
	})
	if !accepted("second-password") {
		t.Error("want the old configuration kept, have it gone")
	}
	if strings.Contains(p.log.String(), "-password") {
		t.Errorf("want no password in the log, have %s", p.log)
	}
}

func TestMounts(t *testing.T) {
	p := start(t, bustest.Start(t).URL(), service.Ingress("ipex"), service.Ingress("mcn"), service.Ingress("xvb"))
	for path, want := range map[string]int{
		"/ipex":              http.StatusOK,
		"/ipex/":             http.StatusOK,
		"/ipex/deep/er?x=1":  http.StatusOK,
		"/ipex//double/../x": http.StatusOK, // a redirect would lose the event
		"/mcn":               http.StatusUnauthorized,
		"/xvb/crm-api":       http.StatusUnauthorized,
		"/":                  http.StatusNotFound,
		"/ipexx":             http.StatusNotFound,
		"/IPEX":              http.StatusNotFound,
	} {
		if have, body := p.post(path, "first-password"); want != have {
			t.Errorf("%s: want %d, have %d %s", path, want, have, body)
		}
	}
}

// blocking is a part whose HTTP handler waits to be released.
func blocking(entered, release chan struct{}) service.Part {
	return service.Part{Name: "blocking", Start: func(service.Env) (http.Handler, error) {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(entered)
			<-release
			_, _ = w.Write([]byte("done"))
		}), nil
	}}
}

// Shutting down, a service says that it is not ready, answers what is under way, and only then ends.
func TestDrain(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	p := start(t, bustest.Start(t).URL(), blocking(entered, release))
	answer := make(chan string)
	go func() {
		_, body := p.post("/", "")
		answer <- body
	}()
	<-entered
	p.stop()
	bustest.Eventually(t, "a service that is not ready", func() bool { return p.get("/readyz") == http.StatusServiceUnavailable })
	select {
	case err := <-p.done:
		t.Fatalf("want it to wait for the request under way, have it ended (%v)", err)
	default:
	}
	close(release)
	if have := <-answer; have != "done" {
		t.Errorf("want the request answered, have %q", have)
	}
	if err := <-p.done; err != nil {
		t.Error(err)
	}
	p.done <- nil // for the cleanup
	if !strings.Contains(p.log.String(), "stopped") {
		t.Errorf("want a last word in the log, have %s", p.log)
	}
}

func TestRunFailsEarly(t *testing.T) {
	nats := bustest.Start(t)
	p := &process{t: t, config: filepath.Join(t.TempDir(), "switchhook.yaml"), log: &logtest.Log{}}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	tests := map[string]struct {
		password string
		change   func(*service.Options)
		want     string
	}{
		"port taken":       {"good-password", func(o *service.Options) { o.Listen = taken.Addr().String() }, "address already in use"},
		"admin port taken": {"good-password", func(o *service.Options) { o.AdminListen = taken.Addr().String() }, "health and metrics"},
		"broken file":      {"[x]", func(*service.Options) {}, "switchhook.yaml:6: "},
		"no file":          {"good-password", func(o *service.Options) { o.Config = "/nowhere.yaml" }, "/nowhere.yaml: "},
		"NATS unreadable":  {"good-password", func(o *service.Options) { o.NATS.URL = "nats://[::1" }, "connect to NATS"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p.listen, p.admin = freeAddress(t), freeAddress(t)
			p.configure(test.password)
			o := p.options(nats.URL())
			test.change(&o)
			err := service.Run(t.Context(), "test", o, service.Ingress("ipex"))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("want %q, have %v", test.want, err)
			}
		})
	}
}

// Nothing gets a 2xx while JetStream is away, and the ids that did are stored once.
func TestThroughAnOutage(t *testing.T) {
	nats := bustest.Start(t)
	p := start(t, nats.URL(), service.Ingress("ipex"))
	bustest.Eventually(t, "a service that is ready", func() bool { return p.get("/readyz") == http.StatusOK })
	var mu sync.Mutex
	told := make(map[string]bool)
	var group sync.WaitGroup
	deadline := time.Now().Add(3 * time.Second)
	for range 8 {
		group.Go(func() {
			for time.Now().Before(deadline) {
				if status, body := p.post("/", "first-password"); status == http.StatusOK {
					mu.Lock()
					told[body] = true
					mu.Unlock()
				}
			}
		})
	}
	for range 3 {
		nats.Stop()
		nats.Restart()
	}
	group.Wait()
	stored := make(map[string]int)
	for s, err := range nats.Connect().Events(t.Context(), bus.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		stored[fmt.Sprintf("{\"id\":%q}\n", s.Message.GetId())]++
	}
	if len(told) == 0 {
		t.Fatal("want some webhooks stored, have none")
	}
	for id := range told {
		if stored[id] != 1 {
			t.Errorf("%s: want it stored once, have it %d times", id, stored[id])
		}
	}
}
