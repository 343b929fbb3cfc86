package ctl_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/cli"
	"github.com/switchhook/switchhook/services/pbxctl/ctl"
)

// asPbxctl makes the test's own binary pbxctl, for tests that need a process.
const asPbxctl = "PBXCTL_TEST_PROCESS"

func TestMain(m *testing.M) {
	if os.Getenv(asPbxctl) != "" {
		cli.Main(ctl.Command())
	}
	for _, name := range []string{"SWITCHHOOK_NATS", "SWITCHHOOK_COLOR", "SWITCHHOOK_CONFIG", "SWITCHHOOK_TENANT", "NO_COLOR"} {
		os.Unsetenv(name)
	}
	os.Exit(m.Run())
}

// world is one in which it is always the same moment, in a place without summer time, and no terminal is near.
func world() ctl.Options {
	return ctl.Options{
		Now:      func() time.Time { return time.Date(2026, 3, 10, 14, 0, 0, 0, time.UTC) },
		Location: time.UTC,
	}
}

// onTerminal is the same on a terminal.
func onTerminal(columns int) ctl.Options {
	o := world()
	o.Columns = func(io.Writer) int { return columns }
	return o
}

// result is what a run of pbxctl came to.
type result struct {
	code           int
	stdout, stderr string
}

func run(t *testing.T, o ctl.Options, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := runTo(t.Context(), o, &stdout, &stderr, args...)
	return result{code, stdout.String(), stderr.String()}
}

func runTo(ctx context.Context, o ctl.Options, stdout, stderr io.Writer, args ...string) int {
	cmd := ctl.New(o)
	cmd.SetArgs(append([]string{}, args...)) // nil would be those of the test
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	return cli.Run(ctx, cmd, stderr)
}

// want demands an exit code, and that stdout and stderr contain something; "" demands that nothing is there.
func (r result) want(t *testing.T, code int, stdout, stderr string) {
	t.Helper()
	if code != r.code {
		t.Errorf("want exit code %d, have %d", code, r.code)
	}
	for _, stream := range []struct{ name, want, have string }{{"stdout", stdout, r.stdout}, {"stderr", stderr, r.stderr}} {
		if !strings.Contains(stream.have, stream.want) || stream.want == "" && stream.have != "" {
			t.Errorf("%s: want %q, have %q", stream.name, stream.want, stream.have)
		}
	}
}

func (r result) lines() []string { return strings.Split(strings.TrimSuffix(r.stdout, "\n"), "\n") }

// start starts a server with streams, which the commands find by themselves.
func start(t *testing.T) (*bustest.Server, *bus.Bus) {
	t.Helper()
	server := bustest.Start(t)
	t.Setenv("SWITCHHOOK_NATS", server.URL())
	return server, server.Bus()
}

// nowhere is the URL of a server that is not there.
func nowhere(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "nats://" + l.Addr().String()
}

// safeBuffer is written to by a command while the test reads it.
type safeBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

func TestCommandLine(t *testing.T) {
	t.Setenv("SWITCHHOOK_NATS", nowhere(t))
	const noServer = "no servers available"
	tests := map[string]struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		"alone":                   {nil, 0, "Available Commands", ""},
		"help":                    {[]string{"--help"}, 0, "Exit codes:\n  0  ", ""},
		"help of a command":       {[]string{"events", "--help"}, 0, "Examples:\n  pbxctl events --follow", ""},
		"version":                 {[]string{"--version"}, 0, "pbxctl version development", ""},
		"completion":              {[]string{"completion", "zsh"}, 0, "#compdef pbxctl", ""},
		"a group alone":           {[]string{"quarantine"}, 0, "redrive", ""},
		"unknown command":         {[]string{"event"}, 2, "", "did you mean events?"},
		"unknown in a group":      {[]string{"quarantine", "redrve"}, 2, "", `unknown command "redrve", did you mean redrive?`},
		"unknown flag":            {[]string{"events", "--foo"}, 2, "", "unknown flag: --foo; see pbxctl events --help"},
		"unknown colour":          {[]string{"events", "--color", "red"}, 2, "", "want auto, always or never"},
		"argument too many":       {[]string{"events", "acme"}, 2, "", `unknown command "acme"`},
		"since nonsense":          {[]string{"events", "--since", "yesterday"}, 2, "", "want all, or a duration such as 15m, 24h or 7d"},
		"since nothing":           {[]string{"events", "--since", ""}, 2, "", "want all, or a duration"},
		"since zero":              {[]string{"events", "--since", "0s"}, 2, "", "want all, or a duration"},
		"since zero days":         {[]string{"events", "--since", "0d"}, 2, "", "want all, or a duration"},
		"since the future":        {[]string{"events", "--since", "-1h"}, 2, "", "want all, or a duration"},
		"since future days":       {[]string{"events", "--since", "-1d48h"}, 2, "", "want all, or a duration"},
		"since no unit":           {[]string{"events", "--since", "7"}, 2, "", "want all, or a duration"},
		"since too long":          {[]string{"events", "--since", "65535d9999999h"}, 2, "", "want all, or a duration"},
		"since days":              {[]string{"events", "--since", "7d"}, 1, "", noServer},
		"since days and hours":    {[]string{"events", "--since", "1d12h"}, 1, "", noServer},
		"since all":               {[]string{"events", "--since", "all"}, 1, "", noServer},
		"pattern elsewhere":       {[]string{"events", "--subject", "pbx.commands.>"}, 2, "", "pbx.events.*.acme.>"},
		"pattern with a gap":      {[]string{"events", "--subject", "pbx.events..acme.>"}, 2, "", "want a pattern"},
		"pattern with space":      {[]string{"events", "--subject", "pbx.events.a b"}, 2, "", "want a pattern"},
		"pattern, > in between":   {[]string{"events", "--subject", "pbx.events.>.call.new"}, 2, "", "want a pattern"},
		"pattern, * in a name":    {[]string{"events", "--subject", "pbx.events.x*"}, 2, "", "want a pattern"},
		"pattern":                 {[]string{"events", "--subject", "pbx.events.*.acme.call.>"}, 1, "", noServer},
		"agents of nobody":        {[]string{"agents"}, 2, "", `required flag(s) "tenant" not set`},
		"agents of a pattern":     {[]string{"agents", "--tenant", "*"}, 2, "", "want a name of a-z, 0-9 and -"},
		"agents in no state":      {[]string{"agents", "--tenant", "acme", "--state", "busy"}, 2, "", "want some of logged_out, available"},
		"agents in some, no one":  {[]string{"agents", "--tenant", "acme", "--state", "paused,"}, 2, "", "want some of logged_out"},
		"agents, unspecified":     {[]string{"agents", "--state", "agent_state_unspecified"}, 2, "", "want some of logged_out"},
		"agents of something":     {[]string{"agents", "shw"}, 2, "", `unknown command "shw", did you mean show?`},
		"agents too often":        {[]string{"agents", "--tenant", "acme", "--watch", "--every", "99ms"}, 2, "", "--every: want 100ms to 1h, have 99ms"},
		"agents too rarely":       {[]string{"agents", "--tenant", "acme", "-w", "--every", "61m"}, 2, "", "--every: want 100ms to 1h, have 1h1m0s"},
		"agents every second":     {[]string{"agents", "--tenant", "acme", "--every", "1s"}, 2, "", "--every goes with --watch"},
		"no agent":                {[]string{"agents", "show", "--tenant", "acme"}, 2, "", "accepts 1 arg(s)"},
		"an empty agent":          {[]string{"agents", "show", "--tenant", "acme", ""}, 2, "", "NAME is empty"},
		"figures of some day":     {[]string{"agents", "stats", "--tenant", "acme", "--day", "31.1."}, 2, "", "want today, yesterday, or a date such as 2026-01-31"},
		"figures of no day":       {[]string{"agents", "stats", "--tenant", "acme", "--day", "2026-02-29"}, 2, "", "want today, yesterday, or a date"},
		"figures as":              {[]string{"agents", "stats", "--tenant", "acme", "--format", "xml"}, 2, "", "want table or csv or json"},
		"calls of nobody":         {[]string{"calls"}, 2, "", `required flag(s) "tenant" not set`},
		"calls":                   {[]string{"calls", "--tenant", "acme"}, 1, "", noServer},
		"calls, watched":          {[]string{"calls", "--tenant", "acme", "--watch"}, 1, "", noServer},
		"lookup of nobody":        {[]string{"contact", "lookup", "777123456"}, 2, "", `required flag(s) "tenant" not set`},
		"lookup of nothing":       {[]string{"contact", "lookup", "--tenant", "acme"}, 2, "", "accepts 1 arg(s)"},
		"lookup of an empty text": {[]string{"contact", "lookup", "--tenant", "acme", ""}, 2, "", "NUMBER is empty"},
		"lookup in no time":       {[]string{"contact", "lookup", "--tenant", "acme", "1", "--timeout", "0s"}, 2, "", "--timeout: want more than 0"},
		"forget two":              {[]string{"contact", "forget", "--tenant", "acme", "1", "2"}, 2, "", "accepts at most 1 arg(s)"},
		"forget an empty text":    {[]string{"contact", "forget", "--tenant", "acme", ""}, 2, "", "NUMBER is empty"},
		"a group of contacts":     {[]string{"contact"}, 0, "forget", ""},
		"check nothing":           {[]string{"config", "check"}, 2, "", "accepts 1 arg(s)"},
		"list with a wildcard":    {[]string{"quarantine", "ls", "--tenant", "*"}, 2, "", "--tenant: want a name of a-z, 0-9 and -"},
		"a group of commands":     {[]string{"commands"}, 0, "capabilities", ""},
		"show nothing":            {[]string{"quarantine", "show"}, 2, "", "accepts 1 arg(s)"},
		"show anything":           {[]string{"quarantine", "show", ""}, 2, "", "an id is empty"},
		"redrive nothing":         {[]string{"quarantine", "redrive"}, 2, "", "want either ids or --all"},
		"redrive ids and all":     {[]string{"quarantine", "redrive", "--all", "01"}, 2, "", "want either ids or --all"},
		"redrive anything":        {[]string{"quarantine", "redrive", ""}, 2, "", "an id is empty"},
		"redrive JSON":            {[]string{"quarantine", "redrive", "--all", "--json"}, 2, "", "--json goes with --dry-run"},
		"redrive, id of a vendor": {[]string{"quarantine", "redrive", "01", "--vendor", "mcn"}, 2, "", "--vendor goes with --all"},
		"redrive, no timeout":     {[]string{"quarantine", "redrive", "01", "--timeout", "0s"}, 2, "", "--timeout: want more than 0"},
		"redrive, no file":        {[]string{"quarantine", "redrive", "01", "--config", "no.yaml"}, 1, "", "no.yaml: no such file"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			run(t, world(), test.args...).want(t, test.code, test.stdout, test.stderr)
		})
	}
}

func TestNoServer(t *testing.T) {
	url := nowhere(t)
	for name, args := range map[string][]string{
		"events":  {"events", "--follow"},
		"ls":      {"quarantine", "ls"},
		"show":    {"quarantine", "show", "01"},
		"redrive": {"quarantine", "redrive", "01", "--config", "testdata/switchhook.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			run(t, world(), append(args, "--nats", url)...).want(t, 1, "", "connect to NATS at "+url)
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("want an error within a few seconds, have it after %s", took)
			}
		})
	}
}

// A server on which nothing of Switchhook ever ran.
func TestNoStreams(t *testing.T) {
	server := bustest.Start(t)
	run(t, world(), "events", "--nats", server.URL()).want(t, 1, "", "PBX_EVENTS: there is none on this server yet")
	run(t, world(), "quarantine", "ls", "--nats", server.URL()).want(t, 1, "", "PBX_QUARANTINE: there is none on this server yet")
}

func TestEnvironment(t *testing.T) {
	url := nowhere(t)
	t.Setenv("SWITCHHOOK_NATS", url)
	t.Setenv("SWITCHHOOK_CONFIG", "testdata/switchhook.yaml")
	t.Setenv("SWITCHHOOK_ALL", "true") // is nobody's: only what help names counts
	run(t, world(), "events").want(t, 1, "", url)
	run(t, world(), "quarantine", "redrive", "01").want(t, 1, "", url)
	run(t, world(), "events", "--nats", "nats://127.0.0.1:1").want(t, 1, "", "127.0.0.1:1")
	for _, args := range [][]string{{"--help"}, {"events", "--help"}, {"quarantine", "ls", "--help"}} {
		r := run(t, world(), args...)
		r.want(t, 0, "[$SWITCHHOOK_NATS]", "")
		r.want(t, 0, "[$SWITCHHOOK_COLOR]", "")
	}
	run(t, world(), "quarantine", "redrive", "--help").want(t, 0, "[$SWITCHHOOK_CONFIG]", "")
	t.Setenv("SWITCHHOOK_COLOR", "red")
	run(t, world(), "events").want(t, 2, "", "environment variable SWITCHHOOK_COLOR: invalid argument")
}

func TestConfigCheck(t *testing.T) {
	run(t, world(), "config", "check", "testdata/switchhook.yaml").want(t, 0, "", "")
	r := run(t, world(), "config", "check", "testdata/broken.yaml")
	r.want(t, 1, "", "testdata/broken.yaml:3: ")
	want := `testdata/broken.yaml:3: tenants[0].region: want a region whose numbers are known, in two capital letters such as CZ, have "cz"
testdata/broken.yaml:6: tenants[0].exchanges[0].webhook.password: is missing
testdata/broken.yaml:7: tenants[0].exchanges[1].vendor: "avaya" is no vendor that can be connected: want one of ipex, mcn, xvb
pbxctl config check: testdata/broken.yaml: problems found: 3
`
	if want != r.stderr {
		t.Errorf("want %s\nhave %s", want, r.stderr)
	}
	run(t, world(), "config", "check", "testdata/commands.yaml").want(t, 0, "", "")
	run(t, world(), "config", "check", "testdata/broken-api.yaml").want(t, 1, "",
		"testdata/broken-api.yaml:7: tenants[0].exchanges[0].api.token: is missing\n")
	run(t, world(), "config", "check", "testdata/none.yaml").want(t, 1, "", "testdata/none.yaml: no such file")
}

func TestConfigCheckOfAlertsAndCommands(t *testing.T) {
	run(t, world(), "config", "check", "testdata/alerts.yaml").want(t, 0, "", "")
	r := run(t, world(), "config", "check", "testdata/broken-alerts.yaml")
	want := `testdata/broken-alerts.yaml:9: tenants[0].channels[0].tls: none is for a server on this machine only, such as 127.0.0.1
testdata/broken-alerts.yaml:13: tenants[0].commands.forbidden[1]: want the beginning of a number in E.164 such as +4490, abroad or premium, have "foreign"
testdata/broken-alerts.yaml:15: tenants[0].missed_calls.settle.xbv: unknown vendor "xbv", want one of ipex, mcn, xvb
testdata/broken-alerts.yaml:16: tenants[0].missed_calls.templates: open testdata/templates: no such file or directory
testdata/broken-alerts.yaml:19: tenants[0].missed_calls.alerts.routes[0].receivers[0]: want a channel, responsible, queue or supervisor, have "boss"
pbxctl config check: testdata/broken-alerts.yaml: problems found: 5
`
	if r.code != 1 || want != r.stderr {
		t.Errorf("want 1 and %s\nhave %d and %s", want, r.code, r.stderr)
	}
}

func TestConfigCheckOfWeb(t *testing.T) {
	run(t, world(), "config", "check", "testdata/web.yaml").want(t, 0, "", "")
	r := run(t, world(), "config", "check", "testdata/broken-web.yaml")
	want := `testdata/broken-web.yaml:7: tenants[0].web.api_keys[0].sha256: want the SHA-256 of the key in 64 hexadecimal digits
testdata/broken-web.yaml:9: tenants[0].web.origins[0]: want an origin as browsers send it, such as https://crm.example.com: lower case, without a path
testdata/broken-web.yaml:10: tenants[0].web.token_ttl: want 1m to 1h
testdata/broken-web.yaml:13: tenants[0].web.people[0].password: want a bcrypt hash of cost 10 to 14, such as ` + "`htpasswd -nBC 10`" + ` makes
testdata/broken-web.yaml:14: tenants[0].web.people[0].rights: unknown right "wallbord", want some of [calls commands wallboard events]
pbxctl config check: testdata/broken-web.yaml: problems found: 5
`
	if r.code != 1 || want != r.stderr {
		t.Errorf("want 1 and %s\nhave %d and %s", want, r.code, r.stderr)
	}
}
