package ctl

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/switchhook/switchhook/pkg/cli"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/service"
)

// tenant is a flag that must be given: whose data.
type tenant string

func (t *tenant) String() string { return string(*t) }
func (t *tenant) Type() string   { return "tenant" }

func (t *tenant) Set(text string) error {
	if !event.IsToken(text) {
		return errors.New("want a name of a-z, 0-9 and -")
	}
	*t = tenant(text)
	return nil
}

func (t *tenant) register(cmd *cobra.Command, usage string) {
	cmd.Flags().Var(t, "tenant", usage)
	cli.EnvFlag(cmd.Flags().Lookup("tenant"), service.Prefix)
	complete(cmd, "tenant")
	if err := cmd.MarkFlagRequired("tenant"); err != nil { // there is no such flag
		panic(err)
	}
}

// checkGiven refuses flags that were given with nothing.
func checkGiven(cmd *cobra.Command, names ...string) error {
	var errs []error
	for _, name := range names {
		if flag := cmd.Flags().Lookup(name); flag.Changed && flag.Value.String() == "" {
			errs = append(errs, cli.Usage("--%s is empty", name))
		}
	}
	return errors.Join(errs...)
}

// choice is a flag with a few values.
type choice struct {
	value  string
	values []string
}

func (c *choice) String() string { return c.value }
func (c *choice) Type() string   { return strings.Join(c.values, "|") }

func (c *choice) Set(text string) error {
	if !slices.Contains(c.values, text) {
		return fmt.Errorf("want %s", strings.Join(c.values, " or "))
	}
	c.value = text
	return nil
}

// enums is a flag: some values of an enum of the contract.
type enums[E ~int32] struct {
	names map[int32]string
	list  []E
}

func (e *enums[E]) String() string {
	names := make([]string, len(e.list))
	for i, value := range e.list {
		names[i] = strings.ToLower(e.names[int32(value)])
	}
	return strings.Join(names, ",")
}

func (e *enums[E]) Type() string { return "list" }

// Set reads names with commas between them, in either case, and with any of _, - and a space within.
func (e *enums[E]) Set(text string) error {
	values := make(map[string]E)
	for value, name := range e.names {
		values[strings.ToLower(name)] = E(value)
	}
	var list []E
	for name := range strings.SplitSeq(text, ",") {
		value := values[strings.NewReplacer("-", "_", " ", "_").Replace(strings.ToLower(strings.TrimSpace(name)))]
		if value == 0 {
			return fmt.Errorf("want some of %s", strings.Join(e.words(), ", "))
		}
		list = append(list, value)
	}
	e.list = append(e.list, list...)
	return nil
}

// words are the names of all values but the zero one, in their order.
func (e *enums[E]) words() (list []string) {
	for _, value := range slices.Sorted(maps.Keys(e.names)) {
		if value != 0 {
			list = append(list, strings.ToLower(e.names[value]))
		}
	}
	return list
}

// day is a flag: today, yesterday, or a date.
type day string

func (d *day) String() string { return string(*d) }
func (d *day) Type() string   { return "day" }

func (d *day) Set(text string) error {
	if _, err := time.Parse(time.DateOnly, text); err != nil && text != "today" && text != "yesterday" {
		return errors.New("want today, yesterday, or a date such as 2026-01-31")
	}
	*d = day(text)
	return nil
}

// refresh is flags: whether to show something again and again.
type refresh struct {
	on    bool
	every time.Duration
}

func (r *refresh) register(flags *pflag.FlagSet) {
	flags.BoolVarP(&r.on, "watch", "w", false, "show it again and again, until interrupted")
	flags.DurationVar(&r.every, "every", time.Second, "with --watch: how often (100ms to 1h)")
}

func (r *refresh) check(cmd *cobra.Command) error {
	switch {
	case cmd.Flags().Changed("every") && !r.on:
		return cli.Usage("--every goes with --watch")
	case r.every < 100*time.Millisecond || r.every > time.Hour:
		return cli.Usage("--every: want 100ms to 1h, have %s", r.every)
	}
	return nil
}
