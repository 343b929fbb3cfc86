package dialect

import (
	"net/http"
	"time"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/vendors/xvb"
	"github.com/switchhook/switchhook/services/pbxsim/flow"
)

// xvbPath is where the exchange was told to send to; some send to the root whatever they were told.
func xvbPath(s xvb.Settings, root bool) string {
	switch secret := s.Webhook.PathSecret.Reveal(); {
	case secret != "":
		return "/crm-api/" + secret
	case root:
		return "/"
	default:
		return "/crm-api"
	}
}

// xvbVariants depend on what the credential is called.
func xvbVariants(e *Exchange, c *config.Exchange) ([]Dialect, error) {
	var s xvb.Settings
	err := c.Decode(&s)
	if !s.Webhook.CRMToken.IsZero() {
		return familyVariants(e, s), err
	}
	return []Dialect{
		&xvbDialect{Exchange: e, settings: s, variant: "body", body: true},
		&xvbDialect{Exchange: e, settings: s, variant: "both", body: true, header: true, asks: true},
		&xvbDialect{Exchange: e, settings: s, variant: "header", header: true, direct: true},
	}, err
}

// xvbDialect is XVB-PBX itself. It does not tell whose phones ring.
type xvbDialect struct {
	*Exchange
	settings xvb.Settings
	variant  string

	body, header bool // where the credential is
	asks         bool // it asks who is calling
	direct       bool // it reports an answer also when the call came through no queue
}

func (d *xvbDialect) Variant() string { return d.variant }

func (d *xvbDialect) Scenarios() []flow.Scenario {
	return scenarios(flow.Transferred, flow.TransferCancelled, flow.InternalAnswered, flow.InternalUnanswered)
}

func (d *xvbDialect) Call(c *flow.Call) []Message {
	var messages []Message
	for _, m := range c.Moments {
		event, kind, fields := d.moment(c, m)
		if event == "" {
			continue
		}
		message := message(c, m, event, kind)
		message.Key, message.Request = xvbID(c, 0), d.post(fields)
		messages = append(messages, message)
		if m.Kind == flow.Entered && c.Direction == flow.Incoming && d.asks {
			question := Message{At: message.At, VendorEvent: "contact", Status: http.StatusOK}
			question.Request = d.post([]field{{"cmd", "contact"}, {"phone", d.outside(c)}})
			messages = append(messages, question)
		}
	}
	return messages
}

func (d *xvbDialect) moment(c *flow.Call, m flow.Moment) (event, kind string, fields []field) {
	switch {
	case m.Kind == flow.Entered && c.Direction == flow.Outgoing:
		return "OUTGOING", "call.new", d.event(c, "out", "OUTGOING", c.From.Extension)
	case m.Kind == flow.Entered:
		fields = append(d.event(c, "in", "INCOMING", ""), field{"line_number", d.bare(c.Line)})
		return "INCOMING", "call.new", fields
	case m.Kind == flow.PickedUp && c.Direction == flow.Incoming && (d.direct || c.Queue != ""):
		return "ANSWERED", "call.answered", d.event(c, "in", "ANSWERED", m.Agent.Extension)
	case m.Kind == flow.Ended:
		return "COMPLETED", "call.ended", d.completed(c)
	default:
		return "", "", nil
	}
}

func (d *xvbDialect) event(c *flow.Call, direction, event, extension string) []field {
	return []field{
		{"cmd", "event"},
		{"callid", xvbID(c, 0)},
		{"type", direction},
		{"event", event},
		{"ext", extension},
		{"phone", d.outside(c)},
	}
}

func (d *xvbDialect) completed(c *flow.Call) []field {
	extension := c.AnsweredBy
	if c.From != nil {
		extension = c.From.Extension
	}
	return []field{
		{"cmd", "event"},
		{"status", xvbStatus(c)},
		{"duration", seconds(c.Duration())},
		{"event", "COMPLETED"},
		{"phone", d.outside(c)},
		{"record_link", recordLink(c)},
		{"callid", xvbID(c, 0)},
		{"ext", extension},
	}
}

func (d *xvbDialect) post(fields []field) Request {
	return d.postAs(d.settings.Webhook.AccessCode.Reveal(), fields)
}

func (d *xvbDialect) postAs(code string, fields []field) Request {
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	if d.header {
		header["X-Xvb-Ac"] = []string{code}
	}
	if d.body {
		fields = append([]field{{"access_code", code}}, fields...)
	}
	return Request{Method: http.MethodPost, Path: xvbPath(d.settings, false), Header: header, Body: []byte(asForm(fields))}
}

func (d *xvbDialect) Broken(b Break, at time.Time) Message {
	fields := []field{{"cmd", "event"}, {"callid", "DVzqd2I5zmRev0"}, {"phone", "79201119613"}, {"event", "INCOMING"}}
	request := d.post(fields)
	switch b {
	case Truncated:
		request.Body = request.Body[:len(request.Body)-4]
		return broken(at, "INCO", http.StatusAccepted, request)
	case UnknownEvent:
		return broken(at, "LEVITATED", http.StatusAccepted, d.post(append(fields[:3], field{"event", "LEVITATED"})))
	case WrongShape:
		return broken(at, "", http.StatusAccepted, d.post(fields[:3]))
	}
	return xvbRefused(b, at, request, d.postAs("wrong", fields))
}

// xvbRefused is what is broken in the same way in both dialects.
func xvbRefused(b Break, at time.Time, request, stranger Request) Message {
	switch b {
	case Stranger:
		return broken(at, "INCOMING", http.StatusUnauthorized, stranger)
	case WrongMethod:
		request.Method = http.MethodPut
		return broken(at, "INCOMING", http.StatusMethodNotAllowed, request)
	default:
		request.Body = append(request.Body, huge()...)
		return broken(at, "INCOMING", http.StatusRequestEntityTooLarge, request)
	}
}
