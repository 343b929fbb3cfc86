package observability_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// root is the repository.
const root = "../.."

// configuration has all there is to measure: exchanges of all vendors that take commands, a directory, a channel, and a person
// who may watch. FOLDER, EXCHANGE and CHANNEL are filled in.
const configuration = `
tenants:
  - name: acme
    region: CZ
    timezone: Europe/Prague
    exchanges:
      - vendor: ipex
        webhook: {username: webhook, password: a-password-of-a-test}
        api: {url: "EXCHANGE", auth_url: "EXCHANGE/auth", username: api, password: another-password-of-a-test}
      - vendor: mcn
        webhook: {account_id: 10123, secret: a-secret-of-a-test}
        api: {url: "EXCHANGE/v2/rest", token: a-token-of-a-test, vpbx_id: 42}
      - vendor: xvb
        webhook: {access_code: a-code-of-a-test}
        api: {url: "EXCHANGE/crm-api", token: another-token-of-a-test}
    directories:
      - {type: file, path: FOLDER/contacts.csv}
    channels:
      - {type: webhook, name: desk, url: "CHANNEL", secret: whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=}
    missed_calls:
      settle: {ipex: 0s, mcn: 0s, xvb: 0s}
    agents:
      people:
        - {name: Alice, login: alice, extensions: ["200"]}
    web:
      api_keys:
        - {name: test, sha256: 30c1aa1e5a3a8e07bf6845e6dac0d948a8f9812f159705cf97e3dcafac4acb32}
`

// switchhook is standalone as a process of its own, with simulated exchanges.
type switchhook struct {
	t                         *testing.T
	bin, config               string
	target, admin, nats, rest string
	env                       []string
}

// start starts it, with further variables in its environment.
func start(t *testing.T, env ...string) *switchhook {
	t.Helper()
	folder := t.TempDir()
	s := &switchhook{t: t, env: env, bin: filepath.Join(folder, "bin") + "/", config: filepath.Join(folder, "switchhook.yaml")}
	build := exec.Command("go", "build", "-o", s.bin, "./services/standalone", "./services/pbxsim", "./services/pbxctl")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	channel := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(channel.Close)
	s.rest = "127.0.0.1:" + freePort(t)
	text := strings.NewReplacer("FOLDER", folder, "EXCHANGE", "http://"+s.rest, "CHANNEL", channel.URL).Replace(configuration)
	write(t, s.config, text)
	write(t, filepath.Join(folder, "contacts.csv"), "name,phone\nKarel,+420608610683\n")

	ready := s.run("standalone", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0",
		"--data", filepath.Join(folder, "data"), "--log-format", "json")
	var said []any
	for line := range ready {
		said = append(said, line["text"])
		switch line["msg"] {
		case "NATS is ready":
			s.nats = line["url"].(string)
		case "started":
			s.target, s.admin = "http://"+line["listen"].(string), "http://"+line["admin"].(string)
		}
		if s.admin != "" {
			break
		}
	}
	if s.admin == "" {
		t.Fatalf("want standalone to start, have %v", said)
	}
	go func() {
		for range ready { // else it would wait for somebody to read its log
		}
	}()
	s.eventually("readiness", func() error {
		response, err := http.Get(s.admin + "/readyz")
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s", response.Status)
		}
		return nil
	})
	return s
}

// run starts a program that ends with the test, and returns its log.
func (s *switchhook) run(program string, args ...string) <-chan map[string]any {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, s.bin+program, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 30 * time.Second
	cmd.Env = append(append(os.Environ(), s.env...), "SWITCHHOOK_CONFIG="+s.config, "SWITCHHOOK_NATS="+s.nats,
		"SWITCHHOOK_SPOOL="+filepath.Join(filepath.Dir(s.config), "spool"))
	log, err := cmd.StderrPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	lines := make(chan map[string]any, 100)
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(lines)
		for scanner := bufio.NewScanner(log); scanner.Scan(); {
			line := map[string]any{"text": scanner.Text()}
			_ = json.Unmarshal(scanner.Bytes(), &line)
			select {
			case lines <- line:
			case <-ctx.Done():
			}
		}
	})
	s.t.Cleanup(func() {
		cancel()
		reading.Wait()
		_ = cmd.Wait()
	})
	return lines
}

// do runs a program to its end.
func (s *switchhook) do(program string, args ...string) ([]byte, error) {
	cmd := exec.Command(s.bin+program, args...)
	cmd.Env = append(os.Environ(), "SWITCHHOOK_CONFIG="+s.config, "SWITCHHOOK_NATS="+s.nats)
	return cmd.CombinedOutput()
}

// traffic has exchanges call, a page watch, and somebody command, so that all there is to count is counted.
func (s *switchhook) traffic() {
	s.t.Helper()
	s.watch("200")
	exchanges := s.run("pbxsim", "serve", "--config", s.config, "--listen", s.rest, "--target", s.target)
	go func() {
		for range exchanges {
		}
	}()
	out, err := s.do("pbxsim", "--config", s.config, "--target", s.target, "--wait", "20s", "--calls", "150", "--speed", "200",
		"--chaos", "malformed=0.05", "--ledger", filepath.Join(filepath.Dir(s.config), "ledger.jsonl"))
	if err != nil {
		s.t.Fatalf("pbxsim: %v\n%s", err, out)
	}
	// What becomes of it does not matter: it counts.
	_, _ = s.do("pbxctl", "call", "originate", "777123456", "--tenant", "acme", "--vendor", "ipex", "--as", "alice", "--wait", "5s")
	s.login()
	s.unknownField()
}

// watch opens a page's socket, which is told of a line's calls, and a stream; and closes another socket badly.
func (s *switchhook) watch(line string) {
	ctx, cancel := context.WithCancel(context.Background())
	s.t.Cleanup(cancel)
	identity := map[string]any{"tenant": "acme", "identityType": "line", "identityValue": line, "rights": []string{"calls", "wallboard"}}
	var answer struct{ Token string }
	s.eventually("a token", func() error {
		return s.post("/api/v1/tokens", "demo-only-web-api-key", identity, &answer)
	})
	for _, frame := range []map[string]any{
		{"action": "auth", "token": answer.Token, "identityType": "line", "identityValue": line}, {"action": "nonsense"},
	} {
		conn, _, err := websocket.Dial( //nolint:bodyclose // the connection took it over
			ctx, strings.Replace(s.target, "http", "ws", 1)+"/ws/v1", nil)
		if err != nil {
			s.t.Fatal(err)
		}
		data, _ := json.Marshal(frame)
		if err := conn.Write(ctx, websocket.MessageText, data); err != nil {
			s.t.Fatal(err)
		}
		go func() {
			for err := error(nil); err == nil; {
				_, _, err = conn.Read(ctx)
			}
		}()
	}
	request, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.target+"/api/v1/board", nil)
	request.Header.Set("Authorization", "Bearer "+answer.Token)
	response, err := http.DefaultClient.Do(request) //nolint:bodyclose // it is below, when the stream ends
	if err != nil {
		s.t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, response.Body); response.Body.Close() }()
}

func (s *switchhook) login() {
	_ = s.post("/api/v1/login", "", map[string]any{"tenant": "acme", "login": "alice", "password": "wrong"}, nil)
}

// unknownField sends a webhook with a field that the documents of the vendor do not know.
func (s *switchhook) unknownField() {
	s.webhook(`{"EventName": "Ringing", "UniqueId": "1.1", "From": "777123456", "To": "222333444", "Line": "200", "Brandnew": "yes"}`, "")
}

// webhook sends what an exchange sends, as part of a trace.
func (s *switchhook) webhook(body, traceparent string) {
	s.t.Helper()
	request, _ := http.NewRequest(http.MethodPost, s.target+"/ipex", strings.NewReader(body))
	request.Header.Set("traceparent", traceparent)
	request.SetBasicAuth("webhook", "a-password-of-a-test")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		s.t.Errorf("want 200, have %s", response.Status)
	}
}

func (s *switchhook) post(path, key string, body, answer any) error {
	data, _ := json.Marshal(body)
	request, _ := http.NewRequest(http.MethodPost, s.target+path, bytes.NewReader(data))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Origin", s.target)
	if key != "" {
		request.Header.Set("Authorization", "Bearer "+key)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		return fmt.Errorf("%s: %s: %s", path, response.Status, text)
	}
	if answer == nil {
		return nil
	}
	return json.NewDecoder(response.Body).Decode(answer)
}

// exposed are the labels and their values of each metric, as one reads it from Prometheus.
type exposed map[string]map[string]map[string]bool

func (e exposed) add(name string, labels map[string]string) {
	if e[name] == nil {
		e[name] = map[string]map[string]bool{}
	}
	for label, value := range labels {
		if e[name][label] == nil {
			e[name][label] = map[string]bool{}
		}
		e[name][label][value] = true
	}
}

// scrape reads what the process exposes.
func (s *switchhook) scrape() (exposed, error) {
	response, err := http.Get(s.admin + "/metrics")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		return nil, err
	}
	all := exposed{}
	for name, family := range families {
		for _, m := range family.GetMetric() {
			labels := map[string]string{}
			for _, pair := range m.GetLabel() {
				labels[pair.GetName()] = pair.GetValue()
			}
			if m.GetHistogram() == nil {
				all.add(name, labels)
				continue
			}
			all.add(name+"_sum", labels)
			all.add(name+"_count", labels)
			labels["le"] = "+Inf"
			all.add(name+"_bucket", labels)
		}
	}
	return all, nil
}

func (s *switchhook) eventually(what string, try func() error) {
	s.t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(time.Minute); ; {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			s.t.Fatalf("want %s within a minute, have %v", what, err)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(nil)
	defer server.Close()
	return server.URL[strings.LastIndex(server.URL, ":")+1:]
}
