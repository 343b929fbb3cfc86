package ctl

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/switchhook/switchhook/pkg/cli"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/service"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
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

// states is a flag: the states of agents.
type states []pbxv1.AgentState

func (s *states) String() string {
	names := make([]string, len(*s))
	for i, state := range *s {
		names[i] = stateWord(state)
	}
	return strings.Join(names, ",")
}

func (s *states) Type() string { return "states" }

// Set reads names with commas between them, in either case, and with any of _, - and a space within.
func (s *states) Set(text string) error {
	var list states
	for name := range strings.SplitSeq(text, ",") {
		name = strings.NewReplacer("-", "_", " ", "_").Replace(strings.ToUpper(strings.TrimSpace(name)))
		state := pbxv1.AgentState(pbxv1.AgentState_value[name])
		if state == pbxv1.AgentState_AGENT_STATE_UNSPECIFIED {
			return fmt.Errorf("want some of %s", strings.Join(stateWords(), ", "))
		}
		list = append(list, state)
	}
	*s = append(*s, list...)
	return nil
}

// stateWord is how a state is written on the command line and in titles.
func stateWord(s pbxv1.AgentState) string { return strings.ToLower(s.String()) }

func stateWords() (list []string) {
	for i := range pbxv1.AgentState_name {
		if i != 0 {
			list = append(list, stateWord(pbxv1.AgentState(i)))
		}
	}
	slices.SortFunc(list, func(a, b string) int {
		return int(pbxv1.AgentState_value[strings.ToUpper(a)] - pbxv1.AgentState_value[strings.ToUpper(b)])
	})
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
