package main

import (
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/switchhook/switchhook/pkg/cli"
	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/services/pbxsim/dialect"
	"github.com/switchhook/switchhook/services/pbxsim/flow"
	"github.com/switchhook/switchhook/services/pbxsim/sim"
)

// options reads the command line and the configuration, and says all that is wrong with them at once.
func (f *flags) options(set *pflag.FlagSet) (sim.Options, error) {
	if err := onlyWith(set, "--serve", servingFlags()); err != nil {
		return sim.Options{}, err
	}
	o := f.Options
	o.Clock = f.order == byClock
	var startErr, chaosErr error
	o.Start, startErr = startTime(f.start)
	o.Chaos, chaosErr = sim.ParseChaos(f.chaos)
	o.Targets = map[string]*url.URL{}
	err := errors.Join(startErr, chaosErr, f.ranges(), f.chooseTargets(o.Targets))
	if err != nil {
		return o, cli.Usage("%w", err)
	}
	o.Exchanges, err = config.Load(f.config, f.exchanges)
	if err != nil {
		return o, err
	}
	lines := len(o.Exchanges) * o.Teams
	switch {
	case lines == 0:
		return o, cli.Usage("%s: no exchange of %s", f.config, strings.Join(f.vendors, ", "))
	case lines > flow.MaxTeams:
		return o, cli.Usage("--teams: want at most %d for %d exchanges", flow.MaxTeams/len(o.Exchanges), len(o.Exchanges))
	case o.Connections > lines:
		return o, cli.Usage("--connections: want at most %d, one for each of the %d --teams of %d exchanges",
			lines, o.Teams, len(o.Exchanges))
	case o.Clock:
		o.Connections = 1
	case o.Connections == 0:
		o.Connections = min(64, lines)
	}
	o.Flags = given(set)
	return o, nil
}

// checks collects what is wrong with a command line.
type checks []error

func (c *checks) check(ok bool, format string, args ...any) {
	if !ok {
		*c = append(*c, cli.Usage(format, args...))
	}
}

// ranges checks the flags of register and of registerTraffic.
func (f *flags) ranges() error {
	var c checks
	c.check(f.Calls >= 0, "--calls: want 0 or more, have %d", f.Calls)
	c.check(f.Rate >= 0, "--rate: want 0 or more, have %v", f.Rate)
	c.check(f.Connections >= 0, "--connections: want 0 or more, have %d", f.Connections)
	c.check(f.order == byCall || f.order == byClock, "--order: want %s or %s, have %q", byCall, byClock, f.order)
	if f.order == byClock {
		c.check(f.Rate == 0, "--rate: want none with --order clock, where the exchanges' clocks say when calls begin")
		c.check(f.Connections <= 1, "--connections: want 1 with --order clock, which sends one request at a time")
	}
	return errors.Join(f.sharedRanges(), errors.Join(c...))
}

// sharedRanges checks the flags of register.
func (f *flags) sharedRanges() error {
	var c checks
	c.check(f.Speed >= 0, "--speed: want 0 or more, have %v", f.Speed)
	c.check(f.Teams >= 1, "--teams: want 1 or more, have %d", f.Teams)
	c.check(f.Timeout > 0, "--timeout: want more than 0, have %v", f.Timeout)
	for _, vendor := range f.vendors {
		c.check(slices.Contains(vendors(), vendor),
			"--vendors: want some of %s, have %q", strings.Join(vendors(), ", "), vendor)
	}
	return errors.Join(c...)
}

func startTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	start, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return start, cli.Usage("--start: want a time such as 2026-01-05T08:00:00Z, have %q", text)
	}
	return start.UTC().Truncate(time.Second), nil
}

func (f *flags) chooseTargets(targets map[string]*url.URL) error {
	var errs []error
	for _, vendor := range f.vendors {
		name, text := "--target", strings.TrimSuffix(f.target, "/")+"/"+vendor
		if own := f.targets[vendor]; own != nil && *own != "" {
			name, text = "--"+vendor, *own
		}
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			errs = append(errs, cli.Usage("%s: want a URL such as http://127.0.0.1:8080, have %q", name, text))
			continue
		}
		targets[vendor] = u
	}
	return errors.Join(errs...)
}

// exchanges returns those of the chosen vendors.
func (f *flags) exchanges(c *config.Config) ([]*dialect.Exchange, error) {
	var exchanges []*dialect.Exchange
	var errs []error
	for _, tenant := range c.Tenants {
		for _, configured := range tenant.Exchanges {
			if !slices.Contains(f.vendors, configured.Vendor) {
				continue
			}
			e, err := dialect.New(configured)
			exchanges, errs = append(exchanges, e), append(errs, err)
		}
	}
	return exchanges, errors.Join(errs...)
}

// given returns the flags that were set, for the ledger. Nothing that could hold a credential is among them.
func given(set *pflag.FlagSet) map[string]string {
	values := map[string]string{}
	set.Visit(func(f *pflag.Flag) { values[f.Name] = f.Value.String() })
	maps.DeleteFunc(values, func(name, _ string) bool { return name == "target" || slices.Contains(vendors(), name) })
	return values
}
