package ctl

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

func (a *app) eventsCommand() *cobra.Command {
	var f struct {
		subject      string
		since        since
		follow, json bool
	}
	f.since = newSince("1h")
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Show the events, a line each",
		Long: `Show the events of telephone calls and agents, a line each: when it happened, at which tenant
and exchange, what, and who to whom. Arrows tell which way a call goes: ↓ incoming, ↑ outgoing,
⇄ between two extensions, ⇢ somebody listens in.

A subject is pbx.events.<vendor>.<tenant>.<entity>.<kind>; in a pattern, * stands for any one
part and > for all that follow.

With --json a line is {"subject": …, "seq": …, "event": …}, the event in the JSON form of
protocol buffers. A message that is no event is reported on stderr.`,
		Example: `  pbxctl events --follow
  pbxctl events --since 24h --subject 'pbx.events.*.acme.>'
  pbxctl events --since all --subject 'pbx.events.*.*.missed_call.opened' --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkPattern(f.subject); err != nil {
				return err
			}
			filter := bus.Filter{Subject: f.subject, Since: f.since.from(a.Now()), Follow: f.follow}
			return buffered(cmd, func(out *bufio.Writer) error { return a.events(cmd, out, filter, f.json) })
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.subject, "subject", event.Root+".>", "`pattern` that the events' subjects match")
	flags.Var(&f.since, "since", "how far back to begin, such as 15m, 24h or 7d")
	flags.BoolVarP(&f.follow, "follow", "f", false, "wait for what comes next, and for a stream that is not there yet, until interrupted")
	flags.BoolVar(&f.json, "json", false, "print JSON lines")
	complete(cmd, "subject", patterns()...)
	complete(cmd, "since", "15m", "1h", "24h", "7d", "all")
	return cmd
}

func (a *app) events(cmd *cobra.Command, out *bufio.Writer, f bus.Filter, asJSON bool) error {
	b, err := a.connect()
	if err != nil {
		return err
	}
	defer b.Close()
	show := a.eventWriter(out, a.palette(cmd.OutOrStdout()), asJSON)
	return read(a, cmd, b.Events, f, func(s bus.Stored[*pbxv1.Event]) error {
		if err := show(s.Subject, s.Sequence, s.Message); err != nil || !f.Follow {
			return err
		}
		return out.Flush()
	})
}

// eventWriter returns what writes an event, as a line of text or of JSON.
func (a *app) eventWriter(out io.Writer, p palette, asJSON bool) func(subject string, seq uint64, ev *pbxv1.Event) error {
	if asJSON {
		encoder := newEncoder(out)
		return func(subject string, seq uint64, ev *pbxv1.Event) error {
			data, err := protojson.Marshal(ev)
			if err != nil {
				return err
			}
			return encoder.Encode(struct {
				Subject string          `json:"subject"`
				Seq     uint64          `json:"seq"`
				Event   json.RawMessage `json:"event"` // the encoder makes it compact
			}{subject, seq, data})
		}
	}
	widths := columns{8, 12, 4, 19, 32} // what usually suffices, so that the columns stay where they are
	return func(subject string, _ uint64, ev *pbxv1.Event) error {
		what := kindOf(subject)
		who, rest := details(p, ev)
		row := []cell{
			{fmt.Sprintf("%*s", widths[0], a.clock(ev.GetTime().AsTime())), dim}, // so that times stand below times
			{place(ev), plain},
			{clean(ev.GetVendor()), dim},
			{clean(what), eventStyle(what, ev)},
			{who, plain},
			{rest, plain},
		}
		widths.fit(row)
		_, err := io.WriteString(out, widths.line(p, row)+"\n")
		return err
	}
}

// place returns the tenant and, unless an event is of none, the exchange.
func place(of interface {
	GetTenant() string
	GetExchange() string
},
) string {
	return clean(strings.TrimSuffix(of.GetTenant()+"/"+of.GetExchange(), "/"))
}

func newEncoder(out io.Writer) *json.Encoder {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return encoder
}

// kindOf returns the entity and kind, such as call.ringing, from a subject: there they stand also for an event of a later
// version.
func kindOf(subject string) string {
	tokens := strings.Split(subject, ".")
	return strings.Join(tokens[max(0, len(tokens)-2):], ".")
}

// eventStyle is kindStyle, but for a command whose outcome nobody knows: it is no failure.
func eventStyle(what string, ev *pbxv1.Event) string {
	if c := ev.GetCommand(); c.GetOutcome() == pbxv1.Command_UNKNOWN {
		return commandStyle(c.GetOutcome())
	}
	return kindStyle(what)
}

func kindStyle(what string) string {
	_, kind, _ := strings.Cut(what, ".")
	switch kind {
	case "new":
		return blue
	case "ringing", "paused", "acknowledged":
		return yellow
	case "answered", "login", "unpaused", "succeeded":
		return green
	case "opened", "failed":
		return red
	case "ended", "logout", "unknown":
		return dim
	}
	return cyan
}
