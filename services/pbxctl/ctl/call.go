package ctl

import (
	"bufio"
	"cmp"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/switchhook/switchhook/pkg/cli"
	"github.com/switchhook/switchhook/pkg/command"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/phone"
	"github.com/switchhook/switchhook/pkg/service"
	"github.com/switchhook/switchhook/pkg/vendors"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

func (a *app) callCommand() *cobra.Command {
	return group("call", "Make, end and transfer calls", `Make, end and transfer calls, on behalf of whoever --as names. It asks command-relay, and tells
whether the command was accepted, and what came of it.

A command has a key. Within 24 hours a second one with the same key is not carried out, but told
what came of the first: so whoever is in doubt repeats it with the key that was printed, and no
phone rings twice. Without --key each command gets a fresh one.

With --dry-run nothing is sent and nobody is asked: it prints the request that the exchange would
get, with credentials concealed. Policy, limits and agent-state have no say in it.

The exit code is 0 when it is done, or accepted with --wait 0; and 1 when it was refused, failed, or
nobody knows, yet or ever, what came of it.`,
		`  pbxctl call originate 777123456 --tenant acme --vendor ipex --as alice
  pbxctl call hangup --tenant acme --vendor ipex --as alice
  pbxctl call transfer 201 --mode blind --tenant acme --vendor ipex --as 200
  pbxctl call originate 777123456 --tenant acme --vendor mcn --extension 200 --dry-run`,
		a.originateCommand(), a.hangupCommand(), a.transferCommand())
}

func (a *app) originateCommand() *cobra.Command {
	var f callFlags
	var o pbxv1.Originate
	cmd := &cobra.Command{
		Use:   "originate TO",
		Short: "Call a number from a person's phone",
		Long: `Call a number, in any form that people write, or an extension. The phone of whoever asks rings
first; when it is picked up, the exchange calls the number.`,
		Example: `  pbxctl call originate 777123456 --tenant acme --vendor ipex --as alice
  pbxctl call originate 201 --tenant acme --vendor ipex --as alice@acme.example --wait 0
  pbxctl call originate 777123456 --tenant acme --vendor xvb --extension 200 --dry-run`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.To = args[0]
			return a.order(cmd, &f, checkText("TO", o.To),
				&pbxv1.CommandRequest{Action: &pbxv1.CommandRequest_Originate{Originate: &o}})
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	f.identify(cmd)
	flags.StringVar(&o.CallerId, "caller-id", "", "`number` to show to the called side, where the vendor can")
	flags.StringVar(&o.CallerIdName, "caller-id-name", "", "`name` to show with it")
	f.send(cmd)
	complete(cmd, "caller-id")
	complete(cmd, "caller-id-name")
	return cmd
}

func (a *app) hangupCommand() *cobra.Command {
	var f callFlags
	cmd := &cobra.Command{
		Use:   "hangup [CALL-ID]",
		Short: "End a person's call",
		Long: `End a call of whoever asks: the one that the exchange calls CALL-ID, as events show it with --json,
or the current one.`,
		Example: `  pbxctl call hangup --tenant acme --vendor ipex --as alice
  pbxctl call hangup 1412256225.1941 --tenant acme --vendor ipex --as alice`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var h pbxv1.Hangup
			var wrong error
			if len(args) > 0 { // an empty one would be the current call
				h.CallId, wrong = args[0], checkText("CALL-ID", args[0])
			}
			return a.order(cmd, &f, wrong, &pbxv1.CommandRequest{Action: &pbxv1.CommandRequest_Hangup{Hangup: &h}})
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().SortFlags = false
	f.identify(cmd)
	f.send(cmd)
	return cmd
}

func (a *app) transferCommand() *cobra.Command {
	var f callFlags
	var call string
	mode := choice{values: []string{"blind", "attended", "cancel", "complete"}}
	cmd := &cobra.Command{
		Use:   "transfer [TO]",
		Short: "Send a person's call elsewhere",
		Long: `Send a call of whoever asks to another number:

  blind     without asking there
  attended  after a consultation, which it begins
  cancel    ends the consultation and returns to the caller
  complete  ends the consultation and joins the two others

TO is given for the first two only. What a vendor can do of it, "pbxctl commands capabilities" tells.`,
		Example: `  pbxctl call transfer 201 --mode blind --tenant acme --vendor ipex --as alice
  pbxctl call transfer 201 --mode attended --tenant acme --vendor ipex --as alice
  pbxctl call transfer --mode cancel --tenant acme --vendor ipex --as alice`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t := &pbxv1.Transfer{Mode: command.TransferMode(mode.value), CallId: call, To: strings.Join(args, "")}
			return a.order(cmd, &f, checkTransfer(mode.value, args),
				&pbxv1.CommandRequest{Action: &pbxv1.CommandRequest_Transfer{Transfer: t}})
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().Var(&mode, "mode", "how")
	require(cmd, "mode")
	f.identify(cmd)
	cmd.Flags().StringVar(&call, "call", "", "`id` of the call; without it, the current one")
	f.send(cmd)
	complete(cmd, "mode", mode.values...)
	complete(cmd, "call")
	return cmd
}

func checkTransfer(mode string, args []string) error {
	wanted := mode == "blind" || mode == "attended"
	switch {
	case wanted && len(args) == 0:
		return cli.Usage("--mode %s: want TO", mode)
	case !wanted && len(args) > 0:
		return cli.Usage("--mode %s: want no TO, have %q", mode, args[0])
	case wanted:
		return checkText("TO", args[0])
	}
	return nil
}

// callFlags are of every command: where, who, and how it is sent.
type callFlags struct {
	tenant                 tenant
	vendor                 choice
	exchange               string
	as, extension          string
	key                    string
	wait                   time.Duration
	json, dryRun           bool
	config                 string
	login, email, ownPhone string // what as means
}

// identify adds flags: where to act, and who asks.
func (f *callFlags) identify(cmd *cobra.Command) {
	flags := cmd.Flags()
	f.tenant.register(cmd, "whose exchange")
	f.vendor.values = vendors.Names()
	flags.Var(&f.vendor, "vendor", "of the exchange")
	require(cmd, "vendor")
	flags.StringVar(&f.exchange, "exchange", "", "its `name`, where the tenant has several of the vendor")
	flags.StringVar(&f.as, "as", "", "who asks: `person` by login, e-mail address or extension")
	flags.StringVar(&f.extension, "extension", "", "`extension` to act on; without it, the only one of who asks")
	complete(cmd, "vendor", f.vendor.values...)
	complete(cmd, "exchange")
	complete(cmd, "as")
	complete(cmd, "extension")
}

// send adds flags: how to send it.
func (f *callFlags) send(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.key, "key", "", "`text` that names the command, to repeat it without doing it twice (default: a fresh UUID)")
	flags.DurationVar(&f.wait, "wait", 30*time.Second, "how long to wait for what comes of it; 0: not at all")
	flags.BoolVar(&f.json, "json", false, "print JSON lines: the reply, then the outcome")
	flags.BoolVar(&f.dryRun, "dry-run", false, "print what the exchange would get, and send nothing")
	flags.StringVar(&f.config, "config", "switchhook.yaml", "with --dry-run: configuration `file` with the exchanges")
	cli.EnvFlag(flags.Lookup("config"), service.Prefix)
	complete(cmd, "key")
}

// require marks a flag that must be given.
func require(cmd *cobra.Command, flag string) {
	if err := cmd.MarkFlagRequired(flag); err != nil { // there is no such flag
		panic(err)
	}
}

// order carries out what the command line says, unless that is wrong.
func (a *app) order(cmd *cobra.Command, f *callFlags, wrong error, r *pbxv1.CommandRequest) error {
	if err := errors.Join(wrong, f.check(cmd)); err != nil {
		return err
	}
	r.IdempotencyKey = cmp.Or(f.key, event.NewID())
	r.Exchange, r.User, r.Extension = f.exchange, event.User(f.login, f.email), cmp.Or(f.extension, f.ownPhone)
	return buffered(cmd, func(out *bufio.Writer) error {
		if f.dryRun {
			return dryRun(out, f, r)
		}
		return a.carryOut(cmd, out, f, r)
	})
}

// check says what is wrong with the command line, and reads who asks.
func (f *callFlags) check(cmd *cobra.Command) error {
	errs := []error{checkGiven(cmd, "exchange", "as", "extension", "key")}
	switch {
	case phone.Parse(f.as, "").Kind == phone.Extension:
		f.ownPhone = f.as
	case strings.Contains(f.as, "@"):
		f.email = f.as
	default:
		f.login = f.as
	}
	switch {
	case f.ownPhone != "" && f.extension != "" && f.ownPhone != f.extension:
		errs = append(errs, cli.Usage("--as %s is an extension, and --extension %s another: want a login or an e-mail address", f.as, f.extension))
	case f.dryRun && f.ownPhone+f.extension == "":
		errs = append(errs, cli.Usage("--dry-run: want --extension, since nobody is asked whose phone it is"))
	case f.as+f.extension == "":
		errs = append(errs, cli.Usage("want --as or --extension, to say who asks"))
	}
	if f.wait < 0 {
		errs = append(errs, cli.Usage("--wait: want 0 or more, have %s", f.wait))
	}
	return errors.Join(errs...)
}
