package dialect

import (
	"cmp"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/vendors/mcn"
	"github.com/switchhook/switchhook/services/pbxsim/flow"
)

func mcnVariants(e *Exchange, c *config.Exchange) ([]Dialect, error) {
	var s mcn.Settings
	err := c.Decode(&s)
	return []Dialect{
		&mcnClassic{Exchange: e, settings: s, variant: "documents"},
		&mcnClassic{Exchange: e, settings: s, variant: "call-id", named: true},
		&mcnClassic{Exchange: e, settings: s, variant: "line", named: true, line: true},
		&mcnComposed{Exchange: e, settings: s, variant: "composed-post", method: http.MethodPost, event: "eventType"},
		&mcnComposed{Exchange: e, settings: s, variant: "composed-get", method: http.MethodGet, event: "event"},
	}, err
}

// mcnID is a call id as MCN makes them.
func mcnID(c *flow.Call) string { return fmt.Sprintf("12-%d.%08d", c.Start.Unix(), c.Number) }

func mcnHeader() http.Header { return http.Header{"Content-Type": {"application/json"}} }

// mcnClassic sends the events of the document and those seen in the field. The zero value of its options is the document's
// exchange, which does not name its calls.
type mcnClassic struct {
	*Exchange
	settings mcn.Settings
	variant  string

	named bool // calls have an id, and their ends tell more
	line  bool // events of the telephone line and of the subscriber come too, and who loses is reported as missed
}

func (d *mcnClassic) Variant() string { return d.variant }

// Scenarios leaves out what cannot be told: without a call id, that a phone rings twice in one call; without the events of
// the line, a call that reaches no phone.
func (d *mcnClassic) Scenarios() []flow.Scenario {
	none := []flow.Scenario{
		flow.Transferred, flow.TransferCancelled, flow.InternalAnswered, flow.InternalUnanswered,
	}
	if !d.named {
		none = append(none, flow.QueueRetried)
	}
	if !d.line {
		none = append(none, flow.AbandonedQueue, flow.Busy)
	}
	return scenarios(none...)
}

func (d *mcnClassic) Call(c *flow.Call) []Message {
	var messages []Message
	for _, m := range c.Moments {
		for _, e := range d.moment(c, m) {
			message := message(c, m, e.name, e.kind)
			message.Request = d.post(c, e)
			if d.named {
				message.Key = mcnID(c)
			}
			messages = append(messages, message)
		}
	}
	return messages
}

// mcnEvent is an event and what only it has.
type mcnEvent struct {
	name, kind string
	agent      *flow.Agent // nil for events of the line
	did        string
	more       []field
}

func (d *mcnClassic) moment(c *flow.Call, m flow.Moment) []mcnEvent {
	if c.Direction == flow.Outgoing {
		return d.outgoing(c, m)
	}
	other := d.other(c)
	switch m.Kind {
	case flow.Entered:
		return d.ofLine(mcnEvent{"InboundCallStart", "call.new", nil, other, nil})
	case flow.Rang:
		return []mcnEvent{{"onInCallingStart", "call.ringing", m.Agent, other, nil}}
	case flow.PickedUp:
		return []mcnEvent{{"onInCallingAnswered", "call.answered", m.Agent, other, nil}}
	case flow.Left:
		return d.left(c, m)
	case flow.Ended:
		return d.ofLine(mcnEvent{"InboundCallEnd", "call.ended", nil, d.form(c.Line), nil})
	default:
		return nil
	}
}

func (d *mcnClassic) left(c *flow.Call, m flow.Moment) []mcnEvent {
	other := d.other(c)
	switch {
	case m.Cause == flow.Normal:
		end := mcnEvent{"onInCallingEnd", "call.ended", m.Agent, other, d.bill(c)}
		if d.named {
			end.more = append(end.more, field{"who_answered", []string{c.AnsweredBy}})
		}
		return append([]mcnEvent{end}, d.ofLine(mcnEvent{"onInAbonEnd", "call.ended", m.Agent, other, nil})...)
	case m.Cause == flow.Elsewhere && !d.line:
		return []mcnEvent{{"onCloseIncomingNotice", "call.ended", m.Agent, other, nil}}
	default:
		return []mcnEvent{{"onInCallingMissed", "call.ended", m.Agent, other, nil}}
	}
}

func (d *mcnClassic) outgoing(c *flow.Call, m flow.Moment) []mcnEvent {
	other := d.other(c)
	switch {
	case m.Kind == flow.Entered:
		return []mcnEvent{{"onOutCallingStart", "call.new", m.Agent, other, nil}}
	case m.Kind == flow.PickedUp:
		return []mcnEvent{{"onOutCallingAnswered", "call.answered", m.Agent, other, nil}}
	case m.Kind == flow.Left && m.Cause == flow.Normal:
		end := mcnEvent{"onOutCallingEnd", "call.ended", m.Agent, other, d.bill(c)}
		return append([]mcnEvent{end}, d.ofLine(mcnEvent{"onOutAbonEnd", "call.ended", m.Agent, other, nil})...)
	case m.Kind == flow.Left:
		return []mcnEvent{{"onOutCallingMissed", "call.ended", m.Agent, other, nil}}
	default:
		return nil
	}
}

// ofLine keeps an event only if the customer has chosen such events.
func (d *mcnClassic) ofLine(e mcnEvent) []mcnEvent {
	if !d.line {
		return nil
	}
	return []mcnEvent{e}
}

func (d *mcnClassic) bill(c *flow.Call) []field {
	if !d.named {
		return nil
	}
	return []field{{"billsec", seconds(c.Talk)}, {"record", c.Recording}}
}

// other is the other party's number.
func (d *mcnClassic) other(c *flow.Call) string {
	if c.Withheld() {
		return "anonymous"
	}
	return d.form(c.Outside)
}

// form writes a number as one of the forms that are seen: national, with a plus, or without.
func (d *mcnClassic) form(n flow.Number) string {
	switch {
	case d.line:
		return d.bare(n)
	case d.named:
		return n.E164()
	default:
		return n.Local(d.Region)
	}
}

func (d *mcnClassic) post(c *flow.Call, e mcnEvent) Request {
	fields := []field{{"event_type", e.name}}
	switch {
	case e.agent == nil:
		fields = append(fields, field{"abon", nil})
	case d.named && !d.line:
		fields = append(fields, field{"abon", digits(e.agent.Extension)})
	default:
		fields = append(fields, field{"abon", e.agent.Extension})
	}
	fields = append(fields, field{"did", e.did})
	fields = append(fields, d.credentials()...)
	if d.named {
		fields = append(fields, field{"call_id", mcnID(c)}, field{"did_mcn", d.form(c.Line)})
	}
	return mcnPost(append(fields, e.more...))
}

func (d *mcnClassic) credentials() []field {
	secret, account := d.settings.Webhook.Secret.Reveal(), d.settings.Webhook.AccountID
	if d.line {
		return []field{{"secret", secret}, {"account_id", account}}
	}
	return []field{{"secret", secret}, {"account_id", digits(account)}}
}

func (d *mcnClassic) Broken(b Break, at time.Time) Message {
	return mcnBroken(b, at, "event_type", "onInCallingStart", d.credentials())
}

// mcnComposed sends what the customer composed, in the way that is new under the name Kompaas: events about whole calls,
// which name themselves by ids and a time. It does not tell who rang, or when somebody answered.
type mcnComposed struct {
	*Exchange
	settings mcn.Settings
	variant  string
	method   string
	event    string // the key of the event's name
}

func (d *mcnComposed) Variant() string { return d.variant }

func (d *mcnComposed) Scenarios() []flow.Scenario {
	return scenarios(flow.Transferred, flow.TransferCancelled, flow.InternalAnswered, flow.InternalUnanswered)
}

func (d *mcnComposed) Call(c *flow.Call) []Message {
	var messages []Message
	for _, m := range c.Moments {
		var event, kind string
		switch {
		case m.Kind == flow.Entered && c.Direction == flow.Incoming:
			event, kind = "VpbxInboundCallStart", "call.new"
		case m.Kind == flow.Entered:
			event, kind = "VpbxOutgoingStart", "call.new"
		case m.Kind == flow.Ended && c.Direction == flow.Incoming:
			event, kind = "VpbxInboundCallEnd", "call.ended"
		case m.Kind == flow.Ended:
			event, kind = "VpbxOutgoingEnd", "call.ended"
		default:
			continue
		}
		message := message(c, m, event, kind)
		message.Key, message.Named, message.Retry = mcnID(c), true, true
		message.Request = d.compose(d.fields(c, m, event))
		messages = append(messages, message)
	}
	return messages
}

func (d *mcnComposed) fields(c *flow.Call, m flow.Moment, event string) []field {
	at := c.Start.Add(m.At).UTC()
	outside, line, extension := d.outside(c), d.bare(c.Line), ""
	caller, called := outside, line
	if c.Direction == flow.Outgoing {
		caller, called, extension = line, outside, c.From.Extension
	}
	fields := append([]field{{d.event, event}}, d.credentials()...)
	fields = append(fields, field{"callId", mcnID(c)}, field{"linkedId", mcnID(c)}, field{"uniqueId", mcnID(c) + "-1"},
		field{"vpbxId", digits(cmp.Or(d.settings.API.VPBXID, "42"))}, field{"did", outside},
		field{"callerNumber", caller}, field{"calledNumber", called})
	if m.Kind == flow.Ended {
		file := ""
		if c.Recording {
			file = mcnID(c) + ".mp3"
		}
		extension = cmp.Or(extension, c.AnsweredBy)
		fields = append(fields, field{"duration", seconds(c.Duration())}, field{"fileName", file})
	}
	return append(fields, field{"internalNumber", extension}, field{"timestamp", int(at.Unix())},
		field{"dateReceivedAtUTC", at.Format(time.DateTime)})
}

func (d *mcnComposed) credentials() []field {
	return []field{
		{"secret", d.settings.Webhook.Secret.Reveal()}, {"accountId", digits(d.settings.Webhook.AccountID)},
	}
}

func (d *mcnComposed) compose(fields []field) Request {
	if d.method == http.MethodGet {
		return Request{Method: http.MethodGet, Path: "/", Query: asForm(fields), Header: http.Header{}}
	}
	return mcnPost(fields)
}

// Broken needs a body.
func (d *mcnComposed) Broken(b Break, at time.Time) Message {
	return mcnBroken(b, at, d.event, "VpbxInboundCallStart", d.credentials())
}

func mcnPost(fields []field) Request {
	return Request{Method: http.MethodPost, Path: "/", Header: mcnHeader(), Body: asJSON(fields)}
}

func mcnBroken(b Break, at time.Time, key, event string, credentials []field) Message {
	request := mcnPost(append([]field{{key, event}, {"did", "0222202999"}}, credentials...))
	switch b {
	case Truncated:
		request.Body = request.Body[:len(request.Body)/2]
		return broken(at, event, http.StatusBadRequest, request)
	case UnknownEvent:
		event = "onLevitated"
		request = mcnPost(append([]field{{key, event}, {"did", "0222202999"}}, credentials...))
	case WrongShape:
		request = mcnPost(append([]field{{key, []string{event}}, {"did", "0222202999"}}, credentials...))
	case Stranger:
		request = mcnPost([]field{{key, event}, {"secret", "wrong"}, credentials[1]})
		return broken(at, event, http.StatusUnauthorized, request)
	case WrongMethod:
		request.Method = http.MethodPut
		return broken(at, event, http.StatusMethodNotAllowed, request)
	case Oversized:
		request.Body = append(request.Body, huge()...)
		return broken(at, event, http.StatusRequestEntityTooLarge, request)
	}
	return broken(at, event, http.StatusAccepted, request)
}

// digits returns a number as a JSON number, if it is one.
func digits(s string) any {
	if n, err := strconv.Atoi(s); err == nil {
		return n
	}
	return s
}
