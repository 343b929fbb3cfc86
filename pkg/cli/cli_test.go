package cli_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/switchhook/switchhook/pkg/cli"
)

func ExampleEnv() {
	os.Setenv("EXAMPLE_NATS_LISTEN", "127.0.0.1:4333")
	defer os.Unsetenv("EXAMPLE_NATS_LISTEN")
	cmd := &cobra.Command{Use: "example"}
	listen := cmd.Flags().String("nats-listen", "127.0.0.1:4222", "`address` of the server")
	cmd.RunE = func(*cobra.Command, []string) error {
		fmt.Println("listening on", *listen)
		return cli.Usage("--nats-listen: %s is taken", *listen)
	}
	cli.Env(cmd, "EXAMPLE")
	cmd.SetArgs(nil)
	fmt.Println("exit code", cli.Run(context.Background(), cmd, os.Stdout))
	// Output:
	// listening on 127.0.0.1:4333
	// example: --nats-listen: 127.0.0.1:4333 is taken
	// exit code 2
}

// seen is what a run of the program came to.
type seen struct {
	code           int
	stdout, stderr string
	values         map[string]string // what its command saw of its flags
}

// execute runs a program with the persistent flag --nats and the local one --port, which the environment can set, and three
// commands: serve with --config, which the environment can set too, and --dry-run, which it cannot; show with one argument
// and --token; and list with one argument or more. All end with outcome.
func execute(t *testing.T, outcome error, args ...string) seen {
	t.Helper()
	s := seen{code: -1}
	run := func(cmd *cobra.Command, _ []string) error {
		s.values = make(map[string]string)
		for _, name := range []string{"nats", "port", "config", "dry-run"} {
			if f := cmd.Flags().Lookup(name); f != nil {
				s.values[name] = f.Value.String()
			}
		}
		return outcome
	}
	root := &cobra.Command{Use: "prog", Args: cobra.NoArgs, RunE: run}
	root.PersistentFlags().String("nats", "default", "`URL` of the server")
	root.Flags().Int("port", 80, "`number` of the port")
	serve := &cobra.Command{Use: "serve", Args: cobra.NoArgs, RunE: run}
	serve.Flags().String("config", "default", "`file` to read")
	serve.Flags().Bool("dry-run", false, "change nothing")
	cli.EnvFlag(serve.Flags().Lookup("config"), "PROG")
	show := &cobra.Command{Use: "show ID", Args: cobra.ExactArgs(1), RunE: run}
	show.Flags().String("token", "", "what it asks for")
	if err := show.MarkFlagRequired("token"); err != nil {
		t.Fatal(err)
	}
	list := &cobra.Command{Use: "list ID...", Args: cobra.MinimumNArgs(1), RunE: run}
	root.AddCommand(serve, show, list)
	cli.Env(root, "PROG")

	var stdout, stderr bytes.Buffer
	root.SetArgs(args)
	root.SetOut(&stdout)
	root.SetErr(&stdout) // where cobra must write nothing
	s.code = cli.Run(t.Context(), root, &stderr)
	s.stdout, s.stderr = stdout.String(), stderr.String()
	return s
}

func TestRun(t *testing.T) {
	_, missing := os.Open("testdata/missing")
	tests := map[string]struct {
		args    string
		outcome error
		code    int
		stderr  string
	}{
		"success":              {"", nil, 0, ""},
		"success of a command": {"serve", nil, 0, ""},

		"failure":              {"", errors.New("it did not work"), 1, "prog: it did not work\n"},
		"failure of a command": {"serve", missing, 1, "prog serve: open testdata/missing: no such file or directory\n"},
		"wrapped failure":      {"serve", fmt.Errorf("a: %w", fs.ErrExist), 1, "prog serve: a: file already exists\n"},
		"several failures":     {"serve", errors.Join(errors.New("one"), errors.New("two")), 1, "prog serve: one\ntwo\n"},
		"the system's words":   {"serve", syscall.EINVAL, 1, "prog serve: invalid argument\n"},

		"usage":                 {"serve", cli.Usage("--config: %w", fs.ErrNotExist), 2, "prog serve: --config: file does not exist\n"},
		"usage, wrapped":        {"", fmt.Errorf("a: %w", cli.Usage("b")), 2, "prog: a: b\n"},
		"usage among others":    {"", errors.Join(errors.New("one"), cli.Usage("two")), 2, "prog: one\ntwo\n"},
		"unknown command":       {"serv", nil, 2, "prog: unknown command \"serv\" for \"prog\"; see prog --help\n"},
		"unknown flag":          {"--nat x", nil, 2, "prog: unknown flag: --nat; see prog --help\n"},
		"unknown of a command":  {"serve --port 1", nil, 2, "prog serve: unknown flag: --port; see prog serve --help\n"},
		"unknown letter":        {"serve -x", nil, 2, "prog serve: unknown shorthand flag: 'x' in -x; see prog serve --help\n"},
		"no value":              {"serve --config", nil, 2, "prog serve: flag needs an argument: --config; see prog serve --help\n"},
		"argument":              {"serve now", nil, 2, "prog serve: unknown command \"now\" for \"prog serve\"; see prog serve --help\n"},
		"too few arguments":     {"show --token x", nil, 2, "prog show: accepts 1 arg(s), received 0: prog show ID; see prog show --help\n"},
		"no arguments":          {"list", nil, 2, "prog list: requires at least 1 arg(s), only received 0: prog list ID...; see prog list --help\n"},
		"required flag missing": {"show 1", nil, 2, "prog show: required flag(s) \"token\" not set; see prog show --help\n"},
		"wrong value": {
			"--port http", nil, 2,
			"prog: invalid argument \"http\" for \"--port\" flag: strconv.ParseInt: parsing \"http\": invalid syntax; see prog --help\n",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			have := execute(t, test.outcome, strings.Fields(test.args)...)
			if test.code != have.code || test.stderr != have.stderr {
				t.Errorf("want %d, %q, have %d, %q", test.code, test.stderr, have.code, have.stderr)
			}
			if have.stdout != "" {
				t.Errorf("want nothing else written, have %q", have.stdout)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	have := execute(t, nil, "--version")
	if want := "prog version " + cli.Version + "\n"; have.code != 0 || want != have.stdout || have.stderr != "" {
		t.Errorf("want 0 and %q, have %+v", want, have)
	}
}

func TestUsageKeepsTheCause(t *testing.T) {
	if err := cli.Usage("--config: %w", fs.ErrNotExist); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("want the cause in the chain, have %v", err)
	}
}

func TestEnv(t *testing.T) {
	type values = map[string]string
	tests := map[string]struct {
		env, args string
		want      values
	}{
		"nothing set":              {"", "", values{"nats": "default", "port": "80"}},
		"set":                      {"PROG_PORT=81 PROG_NATS=env", "", values{"nats": "env", "port": "81"}},
		"command line goes first":  {"PROG_PORT=81 PROG_NATS=env", "--port 82", values{"nats": "env", "port": "82"}},
		"its default goes first":   {"PROG_PORT=81", "--port 80", values{"nats": "default", "port": "80"}},
		"bad, but not needed":      {"PROG_PORT=http", "--port 82", values{"nats": "default", "port": "82"}},
		"empty is a value":         {"PROG_NATS=", "", values{"nats": "", "port": "80"}},
		"other names":              {"PORT=81 prog_port=82 XPROG_PORT=83", "", values{"nats": "default", "port": "80"}},
		"persistent, by a command": {"PROG_NATS=env", "serve", values{"nats": "env", "config": "default", "dry-run": "false"}},
		"persistent, overruled":    {"PROG_NATS=env", "serve --nats flag", values{"nats": "flag", "config": "default", "dry-run": "false"}},
		"persistent, before it":    {"PROG_NATS=env", "--nats flag serve", values{"nats": "flag", "config": "default", "dry-run": "false"}},
		"of a command":             {"PROG_CONFIG=env", "serve", values{"nats": "default", "config": "env", "dry-run": "false"}},
		"of a command, overruled":  {"PROG_CONFIG=env", "serve --config flag", values{"nats": "default", "config": "flag", "dry-run": "false"}},
		"of a command, not named":  {"PROG_DRY_RUN=true", "serve", values{"nats": "default", "config": "default", "dry-run": "false"}},
		"bad for another command":  {"PROG_PORT=http", "serve", values{"nats": "default", "config": "default", "dry-run": "false"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for pair := range strings.FieldsSeq(test.env) {
				variable, value, _ := strings.Cut(pair, "=")
				t.Setenv(variable, value)
			}
			have := execute(t, nil, strings.Fields(test.args)...)
			if have.code != 0 || have.stderr != "" {
				t.Fatalf("want success, have %d, %q", have.code, have.stderr)
			}
			if fmt.Sprint(test.want) != fmt.Sprint(have.values) {
				t.Errorf("want %v, have %v", test.want, have.values)
			}
		})
	}
}

func TestEnvRefusesABadValue(t *testing.T) {
	t.Setenv("PROG_PORT", "http")
	have := execute(t, nil)
	const want = `prog: environment variable PROG_PORT: invalid argument "http" for "--port" flag: `
	if have.code != cli.ExitUsage || !strings.HasPrefix(have.stderr, want) || have.values != nil {
		t.Errorf("want %d, %q and nothing run, have %+v", cli.ExitUsage, want, have)
	}
}

// All that is wrong comes at once, with what the program's own hook says.
func TestEnvRunsTheHookBefore(t *testing.T) {
	t.Setenv("PROG_PORT", "http")
	t.Setenv("PROG_RATE", "fast")
	cmd := &cobra.Command{Use: "prog", RunE: func(*cobra.Command, []string) error { return errors.New("run") }}
	cmd.Flags().Int("port", 80, "")
	cmd.Flags().Float64("rate", 1, "")
	cmd.PersistentPreRunE = func(*cobra.Command, []string) error { return errors.New("hook") }
	cli.Env(cmd, "PROG")
	cmd.SetArgs(nil)
	var stderr bytes.Buffer
	code := cli.Run(t.Context(), cmd, &stderr)
	for _, want := range []string{"PROG_PORT", "PROG_RATE", "hook"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("want %q, have %q", want, stderr.String())
		}
	}
	if code != cli.ExitUsage || strings.Contains(stderr.String(), "run") {
		t.Errorf("want exit code %d and nothing run, have %d, %q", cli.ExitUsage, code, stderr.String())
	}
}

// A variable counts as the flag itself where that must be there.
func TestEnvSetsARequiredFlag(t *testing.T) {
	t.Setenv("PROG_TOKEN", "env")
	cmd := &cobra.Command{Use: "prog", RunE: func(*cobra.Command, []string) error { return nil }}
	token := cmd.Flags().String("token", "", "")
	if err := cmd.MarkFlagRequired("token"); err != nil {
		t.Fatal(err)
	}
	cli.Env(cmd, "PROG")
	cmd.SetArgs(nil)
	var stderr bytes.Buffer
	if code := cli.Run(t.Context(), cmd, &stderr); code != 0 || *token != "env" {
		t.Errorf("want 0 and the token of the environment, have %d, %q: %s", code, *token, stderr.String())
	}
}

func TestHelpNamesTheVariables(t *testing.T) {
	tests := map[string]struct {
		args           string
		want, wantNone []string
	}{
		"program": {
			"--help",
			[]string{"URL of the server [$PROG_NATS] (default \"default\")", "number of the port [$PROG_PORT] (default 80)"},
			[]string{"PROG_HELP", "PROG_VERSION", "PROG_CONFIG"},
		},
		"command": {
			"serve --help",
			[]string{"file to read [$PROG_CONFIG]", "URL of the server [$PROG_NATS]", "change nothing\n"},
			[]string{"PROG_DRY_RUN", "PROG_PORT", "PROG_HELP"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			have := execute(t, nil, strings.Fields(test.args)...)
			if have.code != 0 || have.stderr != "" || have.values != nil {
				t.Errorf("want the help alone, have %+v", have)
			}
			for _, want := range test.want {
				if strings.Count(have.stdout, want) != 1 {
					t.Errorf("want %q once, have:\n%s", want, have.stdout)
				}
			}
			for _, none := range test.wantNone {
				if strings.Contains(have.stdout, none) {
					t.Errorf("want no %q, have:\n%s", none, have.stdout)
				}
			}
		})
	}
}

// TestMain lets the tests of Main start this program as one that waits until it is interrupted.
func TestMain(m *testing.M) {
	if os.Getenv("CLI_TEST_PROGRAM") == "" {
		os.Exit(m.Run())
	}
	cmd := &cobra.Command{Use: "prog", RunE: func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return cli.Usage("want no %s", args[0])
		}
		fmt.Println("waiting")
		<-cmd.Context().Done()
		fmt.Println("done")
		return nil
	}}
	cli.Main(cmd)
}

func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append(os.Environ(), "CLI_TEST_PROGRAM=1")
	return cmd
}

func TestMainExits(t *testing.T) {
	cmd := program(t, "patience")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	const want = "prog: want no patience\n"
	if code := cmd.ProcessState.ExitCode(); code != cli.ExitUsage || want != stderr.String() {
		t.Errorf("want %d, %q, have %d, %q (%v)", cli.ExitUsage, want, code, stderr.String(), err)
	}
}

func TestMainIsInterrupted(t *testing.T) {
	for name, signal := range map[string]os.Signal{"interrupt": os.Interrupt, "terminate": syscall.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			cmd := program(t)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(out)
			if !lines.Scan() || lines.Text() != "waiting" {
				t.Errorf("want it waiting, have %q", lines.Text())
			}
			if err := cmd.Process.Signal(signal); err != nil {
				t.Error(err)
			}
			if !lines.Scan() || lines.Text() != "done" {
				t.Errorf("want it done, have %q", lines.Text())
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("want exit code 0, have %v", err)
			}
		})
	}
}
