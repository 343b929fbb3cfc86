package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/cli"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/pbxsim/ledger"
)

const configuration = `
tenants:
  - name: acme
    region: CZ
    exchanges:
      - {vendor: ipex, webhook: {username: webhook, password: hook-password}}
      - {vendor: xvb, webhook: {access_code: "10019"}}
`

// execute runs pbxsim with a configuration and returns its exit code and output.
func execute(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "switchhook.yaml")
	if err := os.WriteFile(file, []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PBXSIM_CONFIG", file)
	var out, errs bytes.Buffer
	cmd := command()
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	code = cli.Run(context.Background(), cmd, &errs)
	return code, out.String(), errs.String()
}

func newIngress(t *testing.T, handle func(w http.ResponseWriter, r *http.Request)) string {
	server := httptest.NewServer(http.HandlerFunc(handle))
	t.Cleanup(server.Close)
	return server.URL
}

func TestTargets(t *testing.T) {
	var ipex, rest atomic.Int64
	single := newIngress(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hook/" {
			ipex.Add(1)
		}
	})
	all := newIngress(t, func(_ http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/xvb/crm-api") {
			rest.Add(1)
		}
	})
	code, stdout, stderr := execute(t, "--calls", "20", "--seed", "5", "--ledger", "-",
		"--target", all, "--ipex", single+"/hook")
	if code != 0 || ipex.Load() == 0 || rest.Load() == 0 {
		t.Fatalf("want requests at both, have %d and %d, exit code %d: %s", ipex.Load(), rest.Load(), code, stderr)
	}
	if want := fmt.Sprintf("20 calls  %d requests", ipex.Load()+rest.Load()); !strings.Contains(stderr, want) {
		t.Errorf("want %q in the summary, have %q", want, stderr)
	}
	if !strings.HasPrefix(stdout, `{"type":"run","version":1,"seed":5,`) || !strings.Contains(stdout, `"calls":"20"`) {
		t.Errorf("want the ledger on stdout, have %.200s", stdout)
	}
}

// TestOrder checks the clock's order as the ledger on stdout shows it.
func TestOrder(t *testing.T) {
	target := newIngress(t, func(http.ResponseWriter, *http.Request) {})
	code, stdout, stderr := execute(t, "--calls", "60", "--order", "clock", "--ledger", "-", "--target", target)
	if code != 0 {
		t.Fatalf("want exit code 0, have %d: %s", code, stderr)
	}
	var last time.Time
	for e, err := range ledger.Read(strings.NewReader(stdout)) {
		if err != nil {
			t.Fatal(err)
		}
		if s, ok := e.(*ledger.Sent); ok {
			if s.At.Before(last) {
				t.Fatalf("want nothing before %v, have %+v", last, s)
			}
			last = s.At
		}
	}
	if last.IsZero() {
		t.Error("want requests in the ledger, have none")
	}
}

func TestVendors(t *testing.T) {
	target := newIngress(t, func(_ http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/xvb") {
			t.Errorf("want only xvb, have %s", r.URL)
		}
	})
	if code, _, stderr := execute(t, "--calls", "20", "--target", target, "--vendors", "xvb"); code != 0 {
		t.Errorf("want exit code 0, have %d: %s", code, stderr)
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("PBXSIM_CALLS", "3")
	target := newIngress(t, func(http.ResponseWriter, *http.Request) {})
	if _, _, stderr := execute(t, "--target", target); !strings.Contains(stderr, "3 calls") {
		t.Errorf("want 3 calls, have %s", stderr)
	}
}

func TestUsage(t *testing.T) {
	cases := map[string]struct{ args, want string }{
		"chaos":       {"--chaos lightning=1", "want duplicate, reorder, delay or malformed"},
		"start":       {"--start noon", "--start: want a time"},
		"speed":       {"--speed -1", "--speed: want 0 or more"},
		"rate":        {"--rate -1", "--rate: want 0 or more"},
		"calls":       {"--calls -1", "--calls: want 0 or more"},
		"teams":       {"--teams 0", "--teams: want 1 or more"},
		"many teams":  {"--teams 8000", "--teams: want at most 7500"},
		"timeout":     {"--timeout 0s", "--timeout: want more than 0"},
		"connections": {"--connections 9 --teams 4", "--connections: want at most 8"},
		"vendor":      {"--vendors ipex,avaya", `have "avaya"`},
		"no exchange": {"--vendors mcn", "no exchange of mcn"},
		"target":      {"--target 127.0.0.1:8080", "--target: want a URL"},
		"ingress":     {"--xvb nowhere", "--xvb: want a URL"},
		"order":       {"--order random", "--order: want call or clock"},
		"clock rate":  {"--order clock --rate 1", "--rate: want none"},
		"at once":     {"--order clock --connections 2", "--connections: want 1"},
		"argument":    {"now", "unknown command"},
		"two at once": {"--rate -1 --speed -1", "--speed"},
		"verify":      {"verify", "--ledger: want the file"},
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

func TestNobodyListens(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close()
	for name, args := range map[string][]string{"at once": nil, "after a while": {"--wait", "100ms"}} {
		t.Run(name, func(t *testing.T) {
			code, _, stderr := execute(t, append(args, "--target", server.URL)...)
			if want := server.URL; code != cli.ExitFailure || !strings.Contains(stderr, want) ||
				!strings.Contains(stderr, "nobody listens there") {
				t.Errorf("want exit code 1 and %s, have %d and %q", want, code, stderr)
			}
		})
	}
}

func TestHelpNamesTheEnvironment(t *testing.T) {
	_, stdout, _ := execute(t, "--help")
	for _, want := range []string{"$PBXSIM_RATE", "$PBXSIM_LEDGER", "Examples:"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("want %q in the help, have %s", want, stdout)
		}
	}
}

// TestVerify has an ingress that stores what it gets, and one that forgets some of it.
func TestVerify(t *testing.T) {
	cases := map[string]struct {
		forget int64 // every so many events
		code   int
		want   string
	}{
		"all stored": {1 << 60, 0, "everything is as the ledger says"},
		"forgetful":  {10, cli.ExitFailure, "missing"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			server := bustest.Start(t)
			i := &ingress{t: t, bus: server.Bus(), forget: c.forget}
			if err := i.bus.Publish(t.Context(), call("long before", pbxv1.Call_NEW, "k")); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "ledger.jsonl")
			target := newIngress(t, i.serve)
			code, _, stderr := execute(t, "--calls", "40", "--vendors", "xvb", "--xvb", target, "--ledger", file)
			if code != 0 {
				t.Fatalf("want exit code 0, have %d: %s", code, stderr)
			}
			code, stdout, stderr := execute(t, "verify", "--ledger", file, "--nats", server.URL())
			if code != c.code || !strings.Contains(stdout, c.want) {
				t.Errorf("want exit code %d and %q, have %d, %s%s", c.code, c.want, code, stdout, stderr)
			}
		})
	}
}

// ingress stores the events of one XVB exchange.
type ingress struct {
	t      *testing.T
	bus    *bus.Bus
	forget int64
	events atomic.Int64
}

func (i *ingress) serve(w http.ResponseWriter, r *http.Request) {
	kind, ok := map[string]pbxv1.Call_Kind{
		"INCOMING": pbxv1.Call_NEW, "OUTGOING": pbxv1.Call_NEW,
		"ANSWERED": pbxv1.Call_ANSWERED, "COMPLETED": pbxv1.Call_ENDED,
	}[r.PostFormValue("event")]
	if !ok {
		fmt.Fprint(w, "{}")
		return
	}
	ev := call(uuid.NewString(), kind, r.PostFormValue("callid"))
	if i.events.Add(1)%i.forget != 0 {
		if err := i.bus.Publish(r.Context(), ev); err != nil {
			i.t.Error(err)
		}
	}
	fmt.Fprintf(w, `{"id":%q}`, ev.GetId())
}

func call(id string, kind pbxv1.Call_Kind, key string) *pbxv1.Event {
	now := timestamppb.Now()
	return &pbxv1.Event{
		Id: id, Time: now, ReceivedAt: now, Vendor: "xvb", Tenant: "acme", Exchange: "xvb",
		Payload: &pbxv1.Event_Call{Call: &pbxv1.Call{Kind: kind, Key: key}},
	}
}
