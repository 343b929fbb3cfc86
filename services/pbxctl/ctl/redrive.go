package ctl

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/cli"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/ingress"
	"github.com/switchhook/switchhook/pkg/service"
	"github.com/switchhook/switchhook/pkg/vendors"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// redriveFlags say what to redrive, and how.
type redriveFlags struct {
	filters
	config            string
	all, dryRun, json bool
	timeout           time.Duration
	narrowing         []string // the flags of filters
}

func (a *app) redriveCommand() *cobra.Command {
	f := &redriveFlags{}
	cmd := &cobra.Command{
		Use:   "redrive (ID... | --all)",
		Short: "Send quarantined requests through today's code and configuration",
		Long: `Send quarantined requests through today's code and configuration: publish the events that they
carry, and only then delete them from the quarantine. One that carries no event is deleted. One
that still cannot be understood stays; the others are tried all the same, and the exit code is 1.
Alerts stay, too: they are for people to pass on.

It may be interrupted and run again: events have ids that come from the request, and within the
streams' duplicate window (10 minutes unless configured) JetStream stores each id once.

With --dry-run nothing changes: the events are printed as "pbxctl events" would.`,
		Example: `  pbxctl quarantine redrive --config switchhook.yaml 0195f2d0-7c1a
  pbxctl quarantine redrive --all --vendor mcn --dry-run
  pbxctl quarantine redrive --all --vendor mcn`,
		RunE: func(cmd *cobra.Command, ids []string) error {
			filter, err := f.check(cmd, ids, a.Now())
			if err != nil {
				return err
			}
			return a.redrive(cmd, f, filter, ids)
		},
		ValidArgsFunction: a.completeIDs,
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.config, "config", "switchhook.yaml", "configuration `file` with the exchanges")
	cli.EnvFlag(flags.Lookup("config"), service.Prefix)
	flags.BoolVar(&f.dryRun, "dry-run", false, "print what would be published, and change nothing")
	flags.BoolVar(&f.json, "json", false, "with --dry-run: print JSON lines")
	flags.DurationVar(&f.timeout, "timeout", 10*time.Second, "how long to wait for JetStream to store a request's events")
	flags.BoolVar(&f.all, "all", false, "redrive all that is in the quarantine, or what these let through:")
	f.narrowing = f.register(cmd)
	return cmd
}

// check says what is wrong with the command line.
func (f *redriveFlags) check(cmd *cobra.Command, ids []string, now time.Time) (bus.Filter, error) {
	errs := []error{checkIDs(ids)}
	if f.all == (len(ids) > 0) {
		errs = append(errs, cli.Usage("want either ids or --all"))
	}
	for _, name := range f.narrowing {
		if cmd.Flags().Changed(name) && !f.all {
			errs = append(errs, cli.Usage("--%s goes with --all", name))
		}
	}
	if f.json && !f.dryRun {
		errs = append(errs, cli.Usage("--json goes with --dry-run"))
	}
	if f.timeout <= 0 {
		errs = append(errs, cli.Usage("--timeout: want more than 0, have %s", f.timeout))
	}
	filter, err := f.filter(now)
	return filter, errors.Join(append(errs, err)...)
}

func (a *app) redrive(cmd *cobra.Command, f *redriveFlags, filter bus.Filter, ids []string) error {
	settings, err := service.Load(f.config)
	if err != nil {
		return err
	}
	b, err := a.connect()
	if err != nil {
		return err
	}
	defer b.Close()
	var chosen selection
	if f.all {
		chosen, err = a.selectAll(cmd, b, filter)
	} else {
		chosen, err = a.selectByID(cmd, b, ids)
	}
	if err != nil {
		return err
	}
	r := &redriver{
		bus: b, vendors: settings.Vendors, timeout: f.timeout, dry: f.dryRun,
		report: a.newReport(cmd, f, len(chosen.sequences)),
	}
	err = a.readSelected(cmd, b, chosen, func(h held) error { return r.redrive(cmd.Context(), h) })
	return r.report.end(err)
}

// redriver sends requests through again, one by one, so that their events keep their order.
type redriver struct {
	bus     *bus.Bus
	vendors vendors.Set
	timeout time.Duration
	dry     bool
	report  *report
}

// redrive returns an error when there is no use in going on.
func (r *redriver) redrive(ctx context.Context, h held) error {
	events, err := r.events(h.Message)
	if err == nil && !r.dry {
		err = r.settle(ctx, h.Sequence, events)
	}
	if err != nil && !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.NotFound) {
		return fmt.Errorf("redrive %s: %w", h.Message.GetId(), err)
	}
	return r.report.add(h.Message.GetId(), events, err)
}

// events returns what a request carries by the code and configuration of today.
func (r *redriver) events(q *pbxv1.Quarantined) ([]*pbxv1.Event, error) {
	if q.GetAlert() != nil {
		return nil, fault.New(fault.Invalid, `an alert is not sent again: see "pbxctl quarantine show", and pass it on yourself`)
	}
	vendor, ok := r.vendors[q.GetVendor()]
	if !ok {
		return nil, fault.New(fault.NotFound, "%q is no vendor that can be connected", q.GetVendor())
	}
	reading, err := ingress.Redrive(vendor, q)
	return reading.Events, err
}

// settle publishes the events of a request and then deletes it. After an error, it is safe to do it again.
func (r *redriver) settle(ctx context.Context, sequence uint64, events []*pbxv1.Event) error {
	if len(events) > 0 {
		limited, cancel := context.WithTimeout(ctx, r.timeout)
		defer cancel()
		if err := r.bus.Publish(limited, events...); err != nil {
			return err
		}
	}
	err := r.bus.DeleteQuarantined(ctx, sequence)
	if fault.Is(err, fault.NotFound) {
		return nil // somebody else redrives too, and was faster
	}
	return err
}
