package service_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/switchhook/switchhook/pkg/bus/embedded"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/cli"
	"github.com/switchhook/switchhook/pkg/service"
)

func startNATS(listen, data string, log *slog.Logger) (service.Server, error) {
	return embedded.Start(embedded.Options{Listen: listen, Data: data, Log: log})
}

// Standalone, as its program runs it: some flags come from the command line, some from the environment.
func TestStandalone(t *testing.T) {
	p := &process{t: t, config: filepath.Join(t.TempDir(), "switchhook.yaml"), listen: freeAddress(t), admin: freeAddress(t)}
	p.configure("first-password")
	t.Setenv("SWITCHHOOK_LISTEN", p.listen)
	t.Setenv("SWITCHHOOK_ADMIN_LISTEN", "not used: the command line goes first")
	cmd := service.Standalone("Everything.", startNATS, service.Ingress("ipex"), service.Ingress("mcn"))
	cmd.SetArgs([]string{
		"--config", p.config, "--admin-listen", p.admin, "--nats-listen", "127.0.0.1:0", "--data", t.TempDir(),
		"--trusted-proxies", "127.0.0.0/8, ::1/128", "--log-level", "error", "--log-format", "json",
	})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan int)
	var stderr bytes.Buffer
	go func() { done <- cli.Run(ctx, cmd, &stderr) }()
	bustest.Eventually(t, "a standalone that is ready", func() bool { return p.get("/readyz") == http.StatusOK })
	if status, body := p.post("/ipex", "first-password"); status != http.StatusOK {
		t.Errorf("want the webhook stored, have %d %s", status, body)
	}
	stop()
	if code := <-done; code != 0 {
		t.Errorf("want exit code 0, have %d: %s", code, &stderr)
	}
}

func TestCommandLine(t *testing.T) {
	tests := map[string]struct {
		args []string
		code int
		want string
	}{
		"unknown flag":     {[]string{"--lisen", "x"}, cli.ExitUsage, "--lisen"},
		"argument":         {[]string{"x"}, cli.ExitUsage, "x"},
		"log level":        {[]string{"--log-level", "loud"}, cli.ExitUsage, "want debug, info, warn or error"},
		"log format":       {[]string{"--log-format", "xml"}, cli.ExitUsage, "want text, json or auto"},
		"trusted proxies":  {[]string{"--trusted-proxies", "everybody"}, cli.ExitUsage, "10.0.0.0/8"},
		"no configuration": {[]string{"--config", "/nowhere.yaml"}, cli.ExitFailure, "/nowhere.yaml"},
		"text to the log":  {[]string{"--config", "/nowhere.yaml", "--log-format", "text"}, cli.ExitFailure, "/nowhere.yaml"},
		"json to a pipe":   {[]string{"--config", "/nowhere.yaml", "--log-format", "auto"}, cli.ExitFailure, "/nowhere.yaml"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			cmd := service.Command(service.Ingress("ipex"), "Receives.")
			cmd.SetArgs(test.args)
			var stderr bytes.Buffer
			code := cli.Run(t.Context(), cmd, &stderr)
			if test.code != code || !strings.Contains(stderr.String(), test.want) {
				t.Errorf("want exit code %d and %q, have %d and %s", test.code, test.want, code, &stderr)
			}
		})
	}
}

// The help is where a person looks first: every flag names its environment variable and its default.
func TestHelp(t *testing.T) {
	cmd := service.Standalone("Everything.", startNATS)
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetArgs([]string{"--help"})
	if code := cli.Run(t.Context(), cmd, &out); code != 0 {
		t.Fatalf("want exit code 0, have %d", code)
	}
	for _, want := range []string{
		"$SWITCHHOOK_CONFIG", "$SWITCHHOOK_LISTEN", "$SWITCHHOOK_ADMIN_LISTEN", "$SWITCHHOOK_NATS_LISTEN", "$SWITCHHOOK_DATA", "$SWITCHHOOK_SPOOL", "$SWITCHHOOK_SPOOL_MAX_BYTES",
		"$SWITCHHOOK_TRUSTED_PROXIES", "$SWITCHHOOK_LOG_LEVEL", "$SWITCHHOOK_LOG_FORMAT",
		"127.0.0.1:8080", "127.0.0.1:8081", "127.0.0.1:4222", "Examples:",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("want %s in the help, have\n%s", want, &out)
		}
	}
}
