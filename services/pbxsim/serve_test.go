package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchhook/switchhook/pkg/cli"
	"github.com/switchhook/switchhook/services/pbxsim/ledger"
)

const withInterface = `
tenants:
  - name: acme
    region: CZ
    exchanges:
      - vendor: xvb
        webhook: {access_code: "10019"}
        api: {url: "http://pbx.example/crm-api", token: secret-token}
      - {vendor: ipex, webhook: {username: webhook, password: hook-password}}
`

// output is what a command writes while it runs.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// TestServe takes a command in both ways in which serving is asked for, until it is interrupted.
func TestServe(t *testing.T) {
	cases := map[string][]string{"flag": {"--serve", "127.0.0.1:0"}, "command": {"serve", "--listen", "127.0.0.1:0"}}
	for name, args := range cases {
		t.Run(name, func(t *testing.T) {
			told := make(chan string, 100)
			target := newIngress(t, func(w http.ResponseWriter, r *http.Request) {
				told <- r.URL.Path + " " + r.PostFormValue("event")
				_, _ = io.WriteString(w, `{"id":"1"}`)
			})
			folder := t.TempDir()
			file, lines := filepath.Join(folder, "switchhook.yaml"), filepath.Join(folder, "ledger.jsonl")
			if err := os.WriteFile(file, []byte(withInterface), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd, stderr := command(), &output{}
			cmd.SetArgs(append(args, "--config", file, "--target", target, "--ledger", lines, "--speed", "1000"))
			cmd.SetErr(stderr)
			ctx, interrupt := context.WithCancel(t.Context())
			code := make(chan int, 1)
			go func() { code <- cli.Run(ctx, cmd, stderr) }()

			response, err := http.Post(address(t, stderr), "application/x-www-form-urlencoded",
				strings.NewReader("cmd=makeCall&token=secret-token&from=100&to=420777888990"))
			if err != nil || response.StatusCode != http.StatusOK {
				t.Fatalf("want 200, have %v, %v", response, err)
			}
			response.Body.Close()
			for _, want := range []string{"/xvb/crm-api OUTGOING", "/xvb/crm-api COMPLETED"} {
				if have := <-told; have != want {
					t.Errorf("want %s, have %s", want, have)
				}
			}
			interrupt()
			if have := <-code; have != 0 {
				t.Errorf("want exit code 0, have %d: %s", have, stderr)
			}
			checkServed(t, lines)
		})
	}
}

// address waits until the command says where it listens.
func address(t *testing.T, stderr *output) string {
	t.Helper()
	said := regexp.MustCompile(`http://\S+`)
	tick, deadline := time.NewTicker(5*time.Millisecond), time.Now().Add(10*time.Second)
	defer tick.Stop()
	for ; !said.MatchString(stderr.String()); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("want an address, have %s", stderr)
		}
	}
	return said.FindString(stderr.String())
}

func checkServed(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for e, err := range ledger.Read(bytes.NewReader(text)) {
		if err != nil {
			t.Fatal(err)
		}
		switch e := e.(type) {
		case *ledger.Run:
			kinds = append(kinds, "run")
		case *ledger.Command:
			kinds = append(kinds, "command "+e.Action)
		case *ledger.Call:
			kinds = append(kinds, "call "+e.Scenario)
		case *ledger.Done:
			kinds = append(kinds, "done")
		}
	}
	if want, have := "run, command originate, call clicked, done", strings.Join(kinds, ", "); have != want {
		t.Errorf("want %s, have %s", want, have)
	}
	if strings.Contains(string(text), "secret") {
		t.Errorf("want no credential, have %s", text)
	}
}

func TestServeUsage(t *testing.T) {
	cases := map[string]struct{ args, want string }{
		"no interface":   {"serve --listen 127.0.0.1:0", "no exchange of ipex, mcn, xvb with an api section"},
		"traffic":        {"--serve 127.0.0.1:0 --calls 3 --chaos duplicate=1", "--calls: not with --serve"},
		"only serving":   {"--drop 0.5 --slow 1s", "--drop: only with --serve"},
		"share":          {"serve --drop 2", "--drop: want a share from 0 to 1"},
		"answer":         {"serve --answer always", "--answer: want a share"},
		"answer share":   {"serve --answer 2", "--answer: want a share"},
		"token lifetime": {"serve --token-lifetime 10ms", "--token-lifetime: want 1s or more"},
		"slow":           {"serve --slow -1s", "--slow: want 0 or more"},
		"speed":          {"serve --speed -1", "--speed: want 0 or more"},
		"target":         {"serve --target nowhere", "--target: want a URL"},
		"unknown":        {"serve --calls 3", "unknown flag"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			code, _, stderr := execute(t, strings.Fields(c.args)...)
			if code != cli.ExitUsage || !strings.Contains(stderr, c.want) {
				t.Errorf("want exit code %d and %q, have %d and %q", cli.ExitUsage, c.want, code, stderr)
			}
		})
	}
}

func TestServeRefusesTwins(t *testing.T) {
	twin := strings.Replace(withInterface, "\n      - {vendor: ipex", `
      - vendor: xvb
        name: twin
        webhook: {access_code: "10020"}
        api: {url: "http://pbx.example/crm-api", token: secret-token}
      - {vendor: ipex`, 1)
	file := filepath.Join(t.TempDir(), "switchhook.yaml")
	if err := os.WriteFile(file, []byte(twin), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := execute(t, "serve", "--listen", "127.0.0.1:0", "--config", file)
	if code != cli.ExitFailure || !strings.Contains(stderr, "commands could not be told apart") {
		t.Errorf("want a problem, have %d, %s", code, stderr)
	}
}
