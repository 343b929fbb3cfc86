// Package ctl is the operator's tool: it shows what JetStream keeps and what services know, checks a configuration,
// sends commands to exchanges, and what was quarantined through again, and makes the credentials of web-gateway.
package ctl

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/cli"
	"github.com/switchhook/switchhook/pkg/service"
)

// Options are what the commands know of the world beside their flags. The zero value is the world as it is.
type Options struct {
	Now      func() time.Time
	Location *time.Location // that times are shown in
	// Columns says how wide the terminal behind a writer is; 0 when there is none.
	Columns func(io.Writer) int
	// Lines says how high that terminal is; 0 when there is none.
	Lines func(io.Writer) int
	// Unseen returns what reads a line from the terminal behind a reader, without showing it; nil when there is none.
	Unseen func(io.Reader) func(context.Context) ([]byte, error)
	// Patience is how long to wait for what the server says is there; 10 s by default.
	Patience time.Duration
}

// Command returns pbxctl as people run it.
func Command() *cobra.Command { return New(Options{}) }

// New returns pbxctl in a world of the caller's.
func New(o Options) *cobra.Command {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Location == nil {
		o.Location = time.Local
	}
	if o.Columns == nil {
		o.Columns = func(out io.Writer) int { columns, _ := sizeOf(out); return columns }
	}
	if o.Lines == nil {
		o.Lines = func(out io.Writer) int { _, lines := sizeOf(out); return lines }
	}
	if o.Unseen == nil {
		o.Unseen = unseen
	}
	if o.Patience == 0 {
		o.Patience = 10 * time.Second
	}
	a := &app{Options: o, color: "auto"}
	cmd := group("pbxctl", "Look at calls, agents, contacts, events and the quarantine, make calls, and see to missed ones", `Look at telephone events and at the quarantine, as NATS JetStream keeps them, and ask the services
what they know of calls, missed calls, agents and contacts, or to make, end and transfer calls.

Exit codes:
  0  it is done, or what was checked is right
  1  it was tried and did not work, or what was checked is wrong
  2  the command line is wrong; nothing was tried`, `  pbxctl events --follow
  pbxctl calls --tenant acme --watch
  pbxctl agents --tenant acme --queue NOC --state available
  pbxctl agents stats --tenant acme --day yesterday
  pbxctl missed ls --tenant acme
  pbxctl missed claim 3f2a91c0 --tenant acme --user alice
  pbxctl contact lookup 777123456 --tenant acme --explain
  pbxctl call originate 777123456 --tenant acme --vendor ipex --as alice
  pbxctl call originate 777123456 --tenant acme --vendor mcn --extension 200 --dry-run
  pbxctl commands audit --tenant acme --since 24h
  pbxctl config check switchhook.yaml
  pbxctl quarantine ls
  pbxctl web key --name crm-2026
  source <(pbxctl completion bash)`,
		a.eventsCommand(), a.callsCommand(), a.missedCommand(), a.agentsCommand(), a.callCommand(), a.commandsCommand(), a.contactCommand(),
		a.decodeCommand(), a.configCommand(), a.quarantineCommand(), a.webCommand())
	flags := cmd.PersistentFlags()
	service.NATSFlags(flags, &a.nats)
	flags.Var(&a.color, "color",
		"`when` to use colours: auto (on a terminal, unless NO_COLOR is set), always or never")
	complete(cmd, "color", "auto", "always", "never")
	cli.Env(cmd, service.Prefix)
	return cmd
}

// app is what the commands share.
type app struct {
	Options
	nats  bus.Options
	color colorMode
}

// group returns a command that only has others below it. Alone it shows its help.
func group(name, short, long, example string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: name, Short: short, Long: long, Example: example, Args: noneUnknown,
		SuggestionsMinimumDistance: 2, // letters that differ
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(commands...)
	return cmd
}

// noneUnknown refuses a command that a group does not have, which cobra itself does at the root only.
func noneUnknown(group *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	if similar := group.SuggestionsFor(args[0]); len(similar) > 0 {
		hint = fmt.Sprintf(", did you mean %s?", strings.Join(similar, " or "))
	}
	return cli.Usage("unknown command %q%s", args[0], hint)
}

func (a *app) connect() (*bus.Bus, error) {
	o := a.nats
	o.Name, o.Wait = "pbxctl", true
	return bus.Connect(o)
}

// clock tells a time as a person reads it: without the date when that is today's.
func (a *app) clock(t time.Time) string {
	t = t.In(a.Location)
	year, month, day := a.Now().In(a.Location).Date()
	if y, m, d := t.Date(); y == year && m == month && d == day {
		return t.Format(time.TimeOnly)
	}
	return t.Format(time.DateTime)
}

func sizeOf(out io.Writer) (columns, lines int) {
	file, ok := out.(*os.File)
	if !ok {
		return 0, 0
	}
	columns, lines, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0, 0
	}
	return cmp.Or(columns, 80), cmp.Or(lines, 24) // some terminals do not tell
}
