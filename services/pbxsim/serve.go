package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/switchhook/switchhook/pkg/cli"
	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/services/pbxsim/dialect"
	"github.com/switchhook/switchhook/services/pbxsim/flow"
	"github.com/switchhook/switchhook/services/pbxsim/ledger"
	"github.com/switchhook/switchhook/services/pbxsim/rest"
	"github.com/switchhook/switchhook/services/pbxsim/sim"
)

// goodbye is how long requests under way may take at the end.
const goodbye = 5 * time.Second

func serveCommand() *cobra.Command {
	f := &flags{}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Take commands as the vendors' REST interfaces do, and carry them out",
		Long: `Take commands as the vendors' REST interfaces do, with the credentials of the api sections in the
configuration file and at the paths of their URLs: IPEX's token server and /calls, MCN's
outbound_call, makeCall of XVB and its family. What is asked for happens: the webhooks that the
exchange sends about the call go to the target, and the ledger has the command and the truth.

The last digit of the number that is called says what becomes of it: 7, the caller does not pick
up their own phone; 8, it is busy; 9, it rings out; all others pick up. --answer decides by
lot instead. It is the same as pbxsim --serve ADDRESS.`,
		Example: `  pbxsim serve --config switchhook.yaml --listen 127.0.0.1:9090 --ledger calls.jsonl
  pbxsim serve --config switchhook.yaml --listen 127.0.0.1:9090 --speed 60 --drop 0.2 --slow 300ms`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return serve(cmd, f) },
	}
	set := cmd.Flags()
	set.SortFlags = false
	set.StringVar(&f.listen, "listen", "127.0.0.1:9090", "`address` to take commands at")
	f.register(set)
	f.registerServing(set)
	cli.Env(cmd, prefix)
	return cmd
}

// registerServing adds the flags for commands.
func (f *flags) registerServing(set *pflag.FlagSet) {
	o := &f.serving
	set.DurationVar(&o.Lifetime, "token-lifetime", 50*time.Minute,
		"serving: how long IPEX's access tokens are good (1s or more); refresh tokens 2.4 times as long")
	set.StringVar(&f.answer, "answer", "",
		"serving: `share` of the calls, 0 to 1, that are picked up, the others ring out (default by the last digit called)")
	set.DurationVar(&o.Slow, "slow", 0, "serving: how late commands are answered, after they were carried out")
	set.Float64Var(&o.Fail, "fail", 0, "serving: `share` of the commands, 0 to 1, answered with 503 and not carried out")
	set.Float64Var(&o.Drop, "drop", 0,
		"serving: `share` of the commands that are carried out, and whose connection is then dropped without an answer")
	set.Float64Var(&o.DropBefore, "drop-before", 0,
		"serving: `share` of the commands whose connection is dropped, and that are not carried out")
}

func servingFlags() []string {
	return []string{"token-lifetime", "answer", "slow", "fail", "drop", "drop-before"}
}

// onlyWith returns an error if a flag was given that needs another one.
func onlyWith(set *pflag.FlagSet, needed string, names []string) error {
	var c checks
	for _, name := range names {
		c.check(!set.Changed(name), "--%s: only with %s", name, needed)
	}
	return errors.Join(c...)
}

// serve takes commands until it is interrupted.
func serve(cmd *cobra.Command, f *flags) error {
	o, err := f.servingOptions(cmd.Flags())
	if err != nil {
		return err
	}
	exchanges, err := config.Load(f.config, f.interfaces)
	if err != nil {
		return err
	}
	if len(exchanges) == 0 {
		return cli.Usage("%s: no exchange of %s with an api section", f.config, strings.Join(f.vendors, ", "))
	}
	if err := f.await(cmd.Context(), o); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", f.listen)
	if err != nil {
		return err
	}
	defer listener.Close()
	out, err := create(f.ledger, cmd.OutOrStdout())
	if err != nil {
		return err
	}
	for _, e := range exchanges {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s of %s (%s) takes commands at http://%s%s\n",
			e.Name, e.Tenant, e.Vendor, listener.Addr(), e.Path())
	}
	stats, w := &sim.Stats{}, ledger.NewWriter(out)
	live := sim.NewLive(cmd.Context(), o, w, stats)
	began := time.Now()
	err = handle(live.Ended(), listener, rest.New(f.serving, exchanges, live, w))
	err = errors.Join(err, live.Close(), out.Close())
	fmt.Fprintln(cmd.ErrOrStderr(), stats.Summary(time.Since(began)))
	return err
}

// handle answers until it is to end.
func handle(end <-chan struct{}, listener net.Listener, h http.Handler) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-end:
	}
	ctx, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		_ = server.Close() // cuts what did not end in time
	}
	return nil
}

// servingOptions reads the command line, and says all that is wrong with it at once.
func (f *flags) servingOptions(set *pflag.FlagSet) (sim.Options, error) {
	o := f.Options
	o.Connections = 64 // that are kept
	if !set.Changed("speed") {
		o.Speed = 1
	}
	var startErr error
	o.Start, startErr = startTime(f.start)
	o.Targets = map[string]*url.URL{}
	var c checks
	for _, name := range []string{"calls", "order", "rate", "connections", "chaos"} {
		c.check(!set.Changed(name), "--%s: not with --serve, where calls are made when they are asked for", name)
	}
	err := errors.Join(startErr, f.sharedRanges(), f.servingRanges(), f.chooseTargets(o.Targets), errors.Join(c...))
	if err != nil {
		return o, cli.Usage("%w", err)
	}
	f.serving.Seed, f.serving.Teams = f.Seed, f.Teams
	o.Flags = given(set)
	return o, nil
}

func (f *flags) servingRanges() error {
	var c checks
	o := &f.serving
	shares := map[string]float64{"fail": o.Fail, "drop": o.Drop, "drop-before": o.DropBefore}
	o.Answer = rest.ByNumber
	if f.answer != "" {
		share, err := strconv.ParseFloat(f.answer, 64)
		c.check(err == nil, "--answer: want a share from 0 to 1, have %q", f.answer)
		o.Answer, shares["answer"] = share, share
	}
	for _, name := range slices.Sorted(maps.Keys(shares)) {
		c.check(shares[name] >= 0 && shares[name] <= 1, "--%s: want a share from 0 to 1, have %v", name, shares[name])
	}
	c.check(o.Lifetime >= time.Second, "--token-lifetime: want 1s or more, have %v", o.Lifetime)
	c.check(o.Slow >= 0, "--slow: want 0 or more, have %v", o.Slow)
	return errors.Join(c...)
}

// interfaces returns those exchanges of the chosen vendors that take commands.
func (f *flags) interfaces(c *config.Config) ([]*rest.Exchange, error) {
	var exchanges []*rest.Exchange
	var errs []error
	number := 0
	for _, tenant := range c.Tenants {
		for _, configured := range tenant.Exchanges {
			number++
			if !slices.Contains(f.vendors, configured.Vendor) {
				continue
			}
			e, err := dialect.New(configured)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			x, err := rest.NewExchange(e, configured, flow.OwnNumber(tenant.Region, number))
			errs = append(errs, err)
			if x == nil {
				continue
			}
			if i := slices.IndexFunc(exchanges, x.Same); i >= 0 {
				errs = append(errs, configured.Problem("api", "has the credentials and paths of %s of %s: "+
					"commands could not be told apart", exchanges[i].Name, exchanges[i].Tenant))
			}
			exchanges = append(exchanges, x)
		}
	}
	return exchanges, errors.Join(errs...)
}
