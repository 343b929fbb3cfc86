// Pbxsim plays the telephone exchanges of all vendors: it makes up calls, sends what the exchanges would send about them,
// and writes down what it sent and what is true, so that everything downstream can be judged.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/switchhook/switchhook/pkg/cli"
	"github.com/switchhook/switchhook/services/pbxsim/ledger"
	"github.com/switchhook/switchhook/services/pbxsim/rest"
	"github.com/switchhook/switchhook/services/pbxsim/sim"
)

// prefix begins the name of every flag's environment variable.
const prefix = "PBXSIM"

func main() { cli.Main(command()) }

func command() *cobra.Command {
	f := &flags{}
	cmd := &cobra.Command{
		Use:   "pbxsim",
		Short: "Play the telephone exchanges of all vendors",
		Long: `Play the telephone exchanges of all vendors: make up calls, send what the exchanges would
send about them, and write down what was sent and what is true.

The exchanges and their credentials come from the configuration file that the ingresses use.
With --serve, or as pbxsim serve, they make no calls up: they take the commands of the vendors'
REST interfaces, and send what they would send about those calls.

The same seed makes the same calls, however fast they are sent; with --start also the same
bytes. Each flag can also be set by the environment variable behind it.`,
		Example: `  pbxsim --config switchhook.yaml --calls 10000 --ledger calls.jsonl
  pbxsim --config switchhook.yaml --rate 0.5 --speed 10 --teams 2
  pbxsim --config switchhook.yaml --vendors ipex --ipex http://127.0.0.1:8080 --connections 256 --teams 256
  pbxsim --config switchhook.yaml --calls 10000 --order clock --start 2026-01-05T08:00:00Z --ledger day.jsonl
  pbxsim --config switchhook.yaml --calls 10000 --chaos duplicate=0.02,reorder=0.05,delay=0.05,malformed=0.01
  pbxsim --config switchhook.yaml --serve 127.0.0.1:9090 --ledger calls.jsonl
  pbxsim verify --ledger calls.jsonl --nats nats://127.0.0.1:4222`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.listen != "" {
				return serve(cmd, f)
			}
			return simulate(cmd, f)
		},
	}
	set := cmd.Flags()
	set.SortFlags = false
	f.register(set)
	f.registerTraffic(set)
	set.StringVar(&f.listen, "serve", "",
		"`address` to take commands at, instead of making calls up; see pbxsim serve --help")
	f.registerServing(set)
	cli.Env(cmd, prefix)
	cmd.AddCommand(serveCommand(), verifyCommand())
	return cmd
}

// The values of --order.
const (
	byCall  = "call"
	byClock = "clock"
)

// flags are the command line, not yet understood.
type flags struct {
	sim.Options
	order, start, chaos string
	target              string
	vendors             []string
	targets             map[string]*string // by vendor
	config, ledger      string
	wait                time.Duration

	listen  string // where to take commands; empty: not at all
	answer  string
	serving rest.Options
}

// register adds the flags that all ways to simulate have.
func (f *flags) register(set *pflag.FlagSet) {
	set.StringVar(&f.config, "config", "switchhook.yaml", "configuration `file` with the exchanges to play")
	set.StringSliceVar(&f.vendors, "vendors", vendors(), "`names` of the vendors to play, separated by commas")
	set.StringVar(&f.target, "target", "http://127.0.0.1:8080",
		"`URL` of a standalone, where the ingresses are at /ipex, /mcn and /xvb")
	f.targets = map[string]*string{}
	for _, vendor := range vendors() {
		f.targets[vendor] = set.String(vendor, "", "`URL` of a single "+vendor+" ingress, not below --target")
	}
	set.Float64Var(&f.Speed, "speed", 0,
		"`times` as fast as in life that a call goes: 60 is a minute in a second, 0 takes no time (default 0; serving: 1)")
	set.IntVar(&f.Teams, "teams", 64, "`number` of teams of each exchange: four agents, with one call at a time")
	set.Uint64Var(&f.Seed, "seed", 1, "`number` that everything follows from")
	set.StringVar(&f.start, "start", "",
		"`time` of the first calls on the exchanges' clocks, as 2026-01-05T08:00:00Z (default now)")
	set.DurationVar(&f.Timeout, "timeout", 10*time.Second, "how long to wait for an answer")
	set.DurationVar(&f.wait, "wait", 0, "how long to wait until something listens at the target")
	set.StringVar(&f.ledger, "ledger", "",
		"`file` to write down what was sent and what is true, - for stdout (default none)")
}

// registerTraffic adds the flags for calls that are made up.
func (f *flags) registerTraffic(set *pflag.FlagSet) {
	set.Int64Var(&f.Calls, "calls", 0, "`number` of calls to make; 0: until stopped")
	set.StringVar(&f.order, "order", byCall,
		"`order` of the requests: call, many calls at once, each in its own; clock, that of the exchanges' clocks over\n"+
			"all calls, one request at a time, so with one connection and without --rate; --speed is that of the clocks")
	set.Float64Var(&f.Rate, "rate", 0, "`calls` to begin in a second; 0: as many as go")
	set.IntVar(&f.Connections, "connections", 0,
		"`number` of calls under way at once (default 64, or one a team if that is less)")
	set.StringVar(&f.chaos, "chaos", "",
		"`shares` of the requests, 0 to 1, that go wrong: duplicate=0.02,reorder=0.05,delay=0.05,malformed=0.01")
}

func vendors() []string { return []string{"ipex", "mcn", "xvb"} }

func simulate(cmd *cobra.Command, f *flags) error {
	o, err := f.options(cmd.Flags())
	if err != nil {
		return err
	}
	out, err := create(f.ledger, cmd.OutOrStdout())
	if err != nil {
		return err
	}
	if err := f.await(cmd.Context(), o); err != nil {
		return errors.Join(err, out.Close())
	}
	stats, began := &sim.Stats{}, time.Now()
	stop := progress(cmd.ErrOrStderr(), stats)
	err = sim.Run(cmd.Context(), o, ledger.NewWriter(out), stats)
	stop()
	fmt.Fprintln(cmd.ErrOrStderr(), stats.Summary(time.Since(began)))
	return errors.Join(err, out.Close())
}

// await gives the ingresses time to start.
func (f *flags) await(ctx context.Context, o sim.Options) error {
	if f.wait <= 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, f.wait)
	defer cancel()
	return sim.Wait(ctx, o.Targets)
}

// progress shows how it goes, until it is stopped.
func progress(out io.Writer, stats *sim.Stats) (stop func()) {
	file, ok := out.(*os.File)
	terminal := ok && term.IsTerminal(int(file.Fd()))
	ctx, cancel := context.WithCancel(context.Background())
	var shown sync.WaitGroup
	shown.Go(func() { sim.Progress(ctx, out, terminal, stats) })
	return func() {
		cancel()
		shown.Wait()
	}
}

// create opens the ledger's file; without a name nothing is kept.
func create(name string, stdout io.Writer) (io.WriteCloser, error) {
	switch name {
	case "":
		return nopCloser{io.Discard}, nil
	case "-":
		return nopCloser{stdout}, nil
	default:
		return os.Create(name)
	}
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }
