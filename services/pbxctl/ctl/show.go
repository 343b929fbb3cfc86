package ctl

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

func (a *app) showCommand() *cobra.Command {
	var raw bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show one message of the quarantine whole",
		Long: `Show one message of the quarantine whole: what was wrong with it, and the request as it came
or, when a service gave up on it, the event, or the alert and the missed calls that it was about.

A body that is text is shown as such, JSON with line breaks, and everything else as bytes. Some
vendors put their credentials into the body or the URL: values of fields named secret,
access_code, crm_token, password or token are masked, unless --raw is given.`,
		Example: `  pbxctl quarantine show 0195f2d0-7c1a-7000-8000-000000000001
  pbxctl quarantine show 0195f2d0-7c1a --raw`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkIDs(args); err != nil {
				return err
			}
			return buffered(cmd, func(out *bufio.Writer) error { return a.show(cmd, out, args[0], raw) })
		},
		ValidArgsFunction: first(a.completeIDs),
	}
	cmd.Flags().BoolVar(&raw, "raw", false, "show credentials too")
	return cmd
}

func (a *app) show(cmd *cobra.Command, out io.Writer, id string, raw bool) error {
	b, err := a.connect()
	if err != nil {
		return err
	}
	defer b.Close()
	chosen, err := a.selectByID(cmd, b, []string{id})
	if err != nil {
		return err
	}
	page := &page{out: out, palette: a.palette(cmd.OutOrStdout())}
	if !raw {
		page.masker = newMasker()
	}
	return a.readSelected(cmd, b, chosen, func(h held) error {
		page.show(h, a.Location)
		return nil
	})
}

// page writes one message for a person to read.
type page struct {
	out     io.Writer
	palette palette
	masker  masker
	hidden  bool // something was masked
}

func (p *page) show(h held, location *time.Location) {
	q := h.Message
	p.field("id", q.GetId())
	p.field("received", receivedAt(h).In(location).Format("2006-01-02 15:04:05 MST"))
	p.field("vendor", q.GetVendor())
	p.field("tenant", q.GetTenant())
	p.field("exchange", q.GetExchange())
	p.field("service", q.GetService())
	p.field("error", q.GetError())
	switch {
	case q.GetRequest() != nil:
		p.request(q.GetRequest())
	case q.GetMessage() != nil:
		p.message(q.GetMessage())
	case q.GetAlert() != nil:
		p.alert(q.GetAlert(), location)
	}
	if p.hidden {
		fmt.Fprintf(p.out, "\n%s\n", p.palette.paint(yellow, "Credentials are masked; --raw shows them."))
	}
}

func (p *page) request(r *pbxv1.WebhookRequest) {
	url := r.GetPath()
	if r.GetQuery() != "" {
		url += "?" + r.GetQuery()
	}
	p.field("request", r.GetMethod()+" "+string(p.mask([]byte(url))))
	p.field("from", r.GetRemoteAddress())
	p.headers(r.GetHeaders())
	p.body(r.GetBody())
}

// message shows what a service gave up on: an event, unless that is what is wrong with it.
func (p *page) message(m *pbxv1.StreamMessage) {
	p.field("subject", m.GetSubject())
	p.field("sequence", fmt.Sprint(m.GetSequence()))
	p.headers(m.GetHeaders())
	ev := new(pbxv1.Event)
	if proto.Unmarshal(m.GetData(), ev) == nil {
		if data, err := protojson.Marshal(ev); err == nil {
			p.body(data)
			return
		}
	}
	p.body(m.GetData())
}

// alert shows what nobody could be told: a line for each caller, and then all that is known.
func (p *page) alert(alert *pbxv1.Alert, location *time.Location) {
	p.field("receiver", alert.GetReceiver())
	p.field("whom", alert.GetWhom())
	p.field("step", alert.GetStep())
	for _, m := range alert.GetMissedCalls() {
		at := m.GetMissedAt().AsTime().In(location).Format("2006-01-02 15:04:05 MST")
		p.field("missed", party(m.GetFrom())+" at "+at+", "+m.GetId())
	}
	if data, err := protojson.Marshal(alert); err == nil {
		p.body(data)
	}
}

func (p *page) field(name, value string) {
	if value != "" {
		fmt.Fprintf(p.out, "%s  %s\n", p.palette.paint(bold, fmt.Sprintf("%-8s", name)), clean(value))
	}
}

func (p *page) headers(list []*pbxv1.Header) {
	for _, header := range list {
		p.field("header", string(p.mask([]byte(header.GetName()+": "+header.GetValue()))))
	}
}

// body shows text as it is, and everything else as bytes: nothing in it can make a terminal do anything but show it.
func (p *page) body(data []byte) {
	if len(data) == 0 {
		p.field("body", "(empty)")
		return
	}
	data = p.mask(data)
	text := strings.ReplaceAll(string(data), "\r\n", "\n")
	var indented bytes.Buffer
	if json.Indent(&indented, data, "", "  ") == nil {
		text = indented.String()
	}
	if !isText(text) {
		text = hex.Dump(data)
	}
	fmt.Fprintf(p.out, "\n%s\n", strings.TrimSuffix(text, "\n"))
}

func isText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsGraphic(r) && r != '\n' && r != '\t'
	})
}

func (p *page) mask(data []byte) []byte {
	data, found := p.masker.hide(data)
	p.hidden = p.hidden || found
	return data
}
