package ctl

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/command"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/vendors"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

func (a *app) commandsCommand() *cobra.Command {
	return group("commands", "Show what commands vendors can carry out, and who sent which",
		`Show what commands the vendors' interfaces can carry out, and the audit: who asked for what, and what
came of it. "pbxctl call" sends commands.`,
		`  pbxctl commands capabilities
  pbxctl commands audit --tenant acme --since 24h
  pbxctl commands audit --tenant acme --follow`,
		a.capabilitiesCommand(), a.auditCommand())
}

func (a *app) capabilitiesCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "capabilities",
		Short: "Show which vendor can carry out which commands",
		Long: `Show which vendor's interface can carry out which commands. Nobody is asked: it is what this version
knows of the vendors. An exchange also needs an api section in the configuration.

With --json it is one line, an object with a list for each vendor.`,
		Example: `  pbxctl commands capabilities
  pbxctl commands capabilities --json | jq -r .mcn[]`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return buffered(cmd, func(out *bufio.Writer) error {
				if asJSON {
					return newEncoder(out).Encode(vendors.Capabilities())
				}
				drawCapabilities(a.canvas(cmd, out))
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func drawCapabilities(c canvas) {
	names, can := vendors.Names(), vendors.Capabilities()
	t := table{titles: []string{"COMMAND"}}
	for _, name := range names {
		t.titles = append(t.titles, strings.ToUpper(name))
	}
	for _, capability := range command.All() {
		row := []cell{{string(capability), plain}}
		for _, name := range names {
			if slices.Contains(can[name], capability) {
				row = append(row, cell{"yes", green})
			} else {
				row = append(row, cell{"no", dim})
			}
		}
		t.rows = append(t.rows, row)
	}
	t.draw(c)
}

func (a *app) auditCommand() *cobra.Command {
	var f struct {
		tenant       tenant
		since        since
		follow, json bool
	}
	f.since = newSince("24h")
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Show who sent which commands, and what came of them",
		Long: `Show who sent which commands, and what came of them: a line for each command when it came, refused
ones too, and a line for its outcome. A line tells when, at which exchange, the beginning of the
command's id, who asked for what, and what they were told or what came of it.

With --json a line is {"subject": …, "seq": …, "audit": …}, the entry in the JSON form of protocol
buffers.`,
		Example: `  pbxctl commands audit --tenant acme --since 7d
  pbxctl commands audit --tenant acme --follow
  pbxctl commands audit --tenant acme --json | jq 'select(.audit.outcome.outcome == "UNKNOWN")'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter := bus.Filter{
				Subject: event.AuditRoot + ".*." + string(f.tenant) + ".command", Since: f.since.from(a.Now()), Follow: f.follow,
			}
			return buffered(cmd, func(out *bufio.Writer) error { return a.audit(cmd, out, filter, f.json) })
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	f.tenant.register(cmd, "whose commands")
	flags.Var(&f.since, "since", "how far back to begin, such as 15m, 24h or 7d")
	flags.BoolVarP(&f.follow, "follow", "f", false, "wait for what comes next, until interrupted")
	flags.BoolVar(&f.json, "json", false, "print JSON lines")
	complete(cmd, "since", "15m", "1h", "24h", "7d", "all")
	return cmd
}

// audited is an entry of the audit.
type audited = bus.Stored[*pbxv1.CommandAudit]

func (a *app) audit(cmd *cobra.Command, out *bufio.Writer, f bus.Filter, asJSON bool) error {
	b, err := a.connect()
	if err != nil {
		return err
	}
	defer b.Close()
	show := a.auditWriter(out, a.palette(cmd.OutOrStdout()))
	if asJSON {
		show = auditEncoder(out)
	}
	empty := true
	err = read(a, cmd, b.Audited, f, func(s audited) error {
		empty = false
		if err := show(s); err != nil || !f.Follow {
			return err
		}
		return out.Flush()
	})
	if err == nil && empty && !f.Follow && !asJSON {
		_, err = fmt.Fprintln(out, "no commands")
	}
	return err
}

func auditEncoder(out io.Writer) func(audited) error {
	encoder := newEncoder(out)
	return func(s audited) error {
		data, err := protojson.Marshal(s.Message)
		if err != nil {
			return err
		}
		return encoder.Encode(struct {
			Subject string          `json:"subject"`
			Seq     uint64          `json:"seq"`
			Audit   json.RawMessage `json:"audit"` // the encoder makes it compact
		}{s.Subject, s.Sequence, data})
	}
}

// auditWriter returns what writes an entry as a line of text.
func (a *app) auditWriter(out io.Writer, p palette) func(audited) error {
	widths := columns{8, 12, 8, 12, 32} // what usually suffices, so that the columns stay where they are
	return func(s audited) error {
		entry := s.Message
		r := entry.GetRequest()
		at, outcome := entry.GetReceivedAt().AsTime(), replyCell(entry.GetReply())
		if entry.GetOutcome() != nil {
			at, outcome = s.At, outcomeCell(entry.GetOutcome()) // the entry itself tells only when the command came
		}
		row := []cell{
			{fmt.Sprintf("%*s", widths[0], a.clock(at)), dim},
			{clean(strings.TrimSuffix(entry.GetVendor()+"/"+r.GetExchange(), "/")), plain},
			{clean(fmt.Sprintf("%.8s", entry.GetCommandId())), dim},
			{clean(whoAsked(r)), plain},
			{clean(whatAsked(r)), plain},
			{clean(outcome.text), outcome.style},
		}
		widths.fit(row)
		_, err := io.WriteString(out, widths.line(p, row)+"\n")
		return err
	}
}

// whoAsked returns who asked for a command.
func whoAsked(r *pbxv1.CommandRequest) string {
	if who := person(r.GetUser()); who != "" || r.GetExtension() == "" {
		return who
	}
	return "ext " + r.GetExtension()
}

// whatAsked returns what a command is to do, with numbers and ids as they were given.
func whatAsked(r *pbxv1.CommandRequest) string {
	need, err := command.Needs(r)
	if err != nil {
		return "nothing that can be done"
	}
	text := strings.ReplaceAll(string(need), ".", " ")
	if to := r.GetOriginate().GetTo() + r.GetTransfer().GetTo(); to != "" {
		text += " " + between(r.GetExtension(), to)
	} else if r.GetExtension() != "" {
		text += " " + r.GetExtension()
	}
	if id := cmp.Or(r.GetHangup().GetCallId(), r.GetTransfer().GetCallId()); id != "" {
		text += " call " + id
	}
	return text
}

// replyCell tells what whoever sent a command was told.
func replyCell(r *pbxv1.CommandReply) cell {
	switch {
	case !r.GetAccepted():
		return cell{"refused: " + r.GetReason(), red}
	case r.GetPrevious() != nil:
		return cell{"taken before: " + r.GetReason(), yellow}
	case r.GetReason() != "":
		return cell{"accepted: " + r.GetReason(), plain}
	}
	return cell{"accepted", plain}
}
