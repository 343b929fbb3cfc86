package ctl

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/cli"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/vendors"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// held is a message of the quarantine.
type held = bus.Stored[*pbxv1.Quarantined]

func (a *app) quarantineCommand() *cobra.Command {
	return group("quarantine", "Look at what could not be understood, and redrive it",
		`Look at what could not be understood or processed and is kept whole, and redrive it.

An ID may be shortened to a beginning that no other in the quarantine has.`,
		`  pbxctl quarantine ls --vendor mcn --since 24h
  pbxctl quarantine show 0195f2d0-7c1a
  pbxctl quarantine redrive --all --dry-run`,
		a.listCommand(), a.showCommand(), a.redriveCommand())
}

// filters are flags: which messages of the quarantine.
type filters struct {
	vendor, tenant, service string
	since                   since
}

// register adds the flags and returns their names.
func (f *filters) register(cmd *cobra.Command) (names []string) {
	f.since = newSince("all")
	own := pflag.NewFlagSet("", pflag.ContinueOnError)
	own.StringVar(&f.vendor, "vendor", "", "only what came from exchanges of this `vendor`")
	own.StringVar(&f.tenant, "tenant", "", "only what came from this `tenant`")
	own.StringVar(&f.service, "service", "", "only what this `service` gave up on, such as ingress")
	own.Var(&f.since, "since", "how far back to begin, such as 15m, 24h or 7d")
	own.VisitAll(func(flag *pflag.Flag) { names = append(names, flag.Name) })
	cmd.Flags().AddFlagSet(own)
	complete(cmd, "vendor", vendors.Names()...)
	complete(cmd, "tenant")
	complete(cmd, "service", "ingress")
	complete(cmd, "since", "15m", "1h", "24h", "7d", "all")
	return names
}

func (f *filters) filter(now time.Time) (bus.Filter, error) {
	subject := event.QuarantineRoot
	for _, token := range []struct{ flag, value string }{{"vendor", f.vendor}, {"tenant", f.tenant}, {"service", f.service}} {
		if token.value != "" && !event.IsToken(token.value) {
			return bus.Filter{}, cli.Usage("--%s: want a name of a-z, 0-9 and -, have %q", token.flag, token.value)
		}
		subject += "." + cmp.Or(token.value, "*")
	}
	return bus.Filter{Subject: subject, Since: f.since.from(now)}, nil
}

func (a *app) listCommand() *cobra.Command {
	var f filters
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List what is in the quarantine",
		Long: `List what is in the quarantine, oldest first. The size is that of the request's body, or of
the alert, in bytes. On a terminal, errors are cut to its width.

With --json a line is an object, with the whole error and without the request.`,
		Example: `  pbxctl quarantine ls
  pbxctl quarantine ls --vendor mcn --tenant acme --since 7d
  pbxctl quarantine ls --json | jq -r .error | sort | uniq -c | sort -rn`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter, err := f.filter(a.Now())
			if err != nil {
				return err
			}
			return buffered(cmd, func(out *bufio.Writer) error {
				if asJSON {
					return a.listJSON(cmd, out, filter)
				}
				return a.list(cmd, out, filter)
			})
		},
	}
	f.register(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON lines")
	return cmd
}

func (a *app) list(cmd *cobra.Command, out *bufio.Writer, f bus.Filter) error {
	var rows [][]cell
	err := a.quarantined(cmd, f, func(h held) error {
		q := h.Message
		rows = append(rows, []cell{
			{clean(q.GetId()), plain},
			{a.clock(receivedAt(h)), dim},
			{clean(q.GetVendor()), plain},
			{place(q), plain},
			{clean(q.GetService()), plain},
			{strconv.Itoa(size(q)), plain},
			{clean(q.GetError()), plain},
		})
		return nil
	})
	if err != nil {
		return err
	}
	titles := []string{"ID", "WHEN", "VENDOR", "TENANT/EXCHANGE", "SERVICE", "SIZE", "ERROR"}
	table{titles: titles, rows: rows}.draw(a.canvas(cmd, out))
	fmt.Fprintln(out, len(rows), "in the quarantine")
	return nil
}

func (a *app) listJSON(cmd *cobra.Command, out io.Writer, f bus.Filter) error {
	encoder := newEncoder(out)
	return a.quarantined(cmd, f, func(h held) error {
		q := h.Message
		return encoder.Encode(struct {
			ID         string    `json:"id"`
			Seq        uint64    `json:"seq"`
			ReceivedAt time.Time `json:"receivedAt"`
			Vendor     string    `json:"vendor"`
			Tenant     string    `json:"tenant"`
			Exchange   string    `json:"exchange"`
			Service    string    `json:"service"`
			Size       int       `json:"size"`
			Error      string    `json:"error"`
		}{
			q.GetId(), h.Sequence, receivedAt(h).UTC(), q.GetVendor(), q.GetTenant(), q.GetExchange(), q.GetService(),
			size(q), q.GetError(),
		})
	})
}

// quarantined connects and reads the quarantine.
func (a *app) quarantined(cmd *cobra.Command, f bus.Filter, each func(held) error) error {
	b, err := a.connect()
	if err != nil {
		return err
	}
	defer b.Close()
	return read(a, cmd, b.Quarantined, f, each)
}

// size returns how many bytes the body of a webhook has, the data of a message of the event stream, or an alert.
func size(q *pbxv1.Quarantined) int {
	return len(q.GetRequest().GetBody()) + len(q.GetMessage().GetData()) + proto.Size(q.GetAlert())
}

func receivedAt(h held) time.Time {
	if h.Message.GetReceivedAt() == nil {
		return h.At
	}
	return h.Message.GetReceivedAt().AsTime()
}
