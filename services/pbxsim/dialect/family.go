package dialect

import (
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/switchhook/switchhook/pkg/vendors/xvb"
	"github.com/switchhook/switchhook/services/pbxsim/flow"
)

// encoding is how the family's exchanges write a body.
type encoding int

const (
	form encoding = iota
	object
	payload // a form whose payload is an object
)

// familyDialect is an exchange of the VATS CRM API family.
type familyDialect struct {
	*Exchange
	settings xvb.Settings
	variant  string

	encoding encoding
	header   string // that has the credential; empty when the body has it
	root     bool   // it sends to the root, whatever it was told
	domain   bool   // the login of a user comes with the tenant behind it
	line     string // the key of the number dialled
	start    string // the layout of times
	lower    bool   // the status is in small letters
}

func familyVariants(e *Exchange, s xvb.Settings) []Dialect {
	const basic = "20060102T150405Z"
	return []Dialect{
		&familyDialect{Exchange: e, settings: s, variant: "family-form", line: "diversion", start: basic},
		&familyDialect{
			Exchange: e, settings: s, variant: "family-json", encoding: object, header: "X-Crm-Token",
			line: "telnum", start: time.RFC3339, domain: true,
		},
		&familyDialect{
			Exchange: e, settings: s, variant: "family-payload", encoding: payload,
			line: "diversion", start: basic, lower: true,
		},
		&familyDialect{
			Exchange: e, settings: s, variant: "family-key", header: "X-Api-Key", root: true,
			line: "telnum", start: time.DateTime,
		},
		&familyDialect{
			Exchange: e, settings: s, variant: "family-bearer", encoding: object, header: "Authorization",
			line: "diversion", start: basic,
		},
	}
}

func (d *familyDialect) Variant() string { return d.variant }

func (d *familyDialect) Scenarios() []flow.Scenario { return scenarios(flow.TransferCancelled) }

func (d *familyDialect) Call(c *flow.Call) []Message {
	var messages []Message
	for _, m := range c.Moments {
		event, kind, fields := d.moment(c, m)
		if event == "" {
			continue
		}
		message := message(c, m, event, kind)
		message.Key, message.Named, message.Request = xvbID(c, 0), event == "history", d.post(fields)
		messages = append(messages, message)
	}
	return messages
}

func (d *familyDialect) moment(c *flow.Call, m flow.Moment) (event, kind string, fields []field) {
	switch {
	case m.Kind == flow.Entered && c.Direction == flow.Outgoing:
		return "OUTGOING", "call.new", d.event(c, "OUTGOING", c.From)
	case m.Kind == flow.Entered && c.Direction == flow.Incoming && (c.Queue != "" || len(c.Rang) == 0):
		return "INCOMING", "call.new", d.event(c, "INCOMING", nil)
	case m.Kind == flow.Rang && c.Direction != flow.Outgoing:
		return "INCOMING", "call.ringing", d.event(c, "INCOMING", m.Agent)
	case m.Kind == flow.PickedUp:
		return "ACCEPTED", "call.answered", d.event(c, "ACCEPTED", m.Agent)
	case m.Kind == flow.HandedOver:
		fields = append(d.event(c, "TRANSFERRED", m.To), field{"second_callid", xvbID(c, 1)})
		return "TRANSFERRED", "call.transferred", fields
	case m.Kind == flow.Left && m.Cause != flow.Normal:
		return "CANCELLED", "call.ended", d.event(c, "CANCELLED", m.Agent)
	case m.Kind == flow.Left && (c.TransferredTo == "" || c.TransferredTo == m.Agent.Extension):
		return "COMPLETED", "call.ended", d.event(c, "COMPLETED", m.Agent)
	case m.Kind == flow.Ended && c.Direction == flow.Incoming && len(c.Rang) == 0:
		return "CANCELLED", "call.ended", d.event(c, "CANCELLED", nil)
	case m.Kind == flow.Recorded:
		return "history", "call.recorded", d.history(c)
	case m.Kind == flow.Rated:
		fields = []field{
			{"cmd", "rating"}, {"callid", xvbID(c, 0)}, {"rating", c.Rating}, {"phone", d.phone(c)},
		}
		return "rating", "call.rated", fields
	default:
		return "", "", nil
	}
}

func (d *familyDialect) event(c *flow.Call, event string, a *flow.Agent) []field {
	fields := []field{{"cmd", "event"}, {"type", event}, {"callid", xvbID(c, 0)}, {"phone", d.phone(c)}}
	fields = append(fields, d.user(c, a)...)
	direction := "in"
	if c.Direction == flow.Outgoing {
		direction = "out"
	}
	return append(append(fields, d.dialled(c)...), field{"direction", direction})
}

// dialled is our own number, which an internal call has not.
func (d *familyDialect) dialled(c *flow.Call) []field {
	if c.Direction == flow.Internal {
		return nil
	}
	return []field{{d.line, d.bare(c.Line)}}
}

// user is whoever the event is about: a person with an extension, a group, or the exchange itself.
func (d *familyDialect) user(c *flow.Call, a *flow.Agent) []field {
	var fields []field
	switch {
	case a != nil && d.domain:
		fields = []field{{"user", a.Login + "@" + d.Tenant}, {"ext", a.Extension}}
	case a != nil:
		fields = []field{{"user", a.Login}, {"ext", a.Extension}}
	case c.Queue != "":
		fields = []field{{"user", groupID(c.Queue)}}
	default:
		fields = []field{{"user", "pbx"}}
	}
	if c.Queue != "" {
		fields = append(fields, field{"groupRealName", c.Queue})
	}
	return fields
}

func (d *familyDialect) history(c *flow.Call) []field {
	kind := "in"
	switch {
	case c.Missed:
		kind = "missed"
	case c.Direction == flow.Outgoing:
		kind = "out"
	}
	last := c.AnsweredBy
	switch {
	case c.TransferredTo != "":
		last = c.TransferredTo
	case c.Direction == flow.Outgoing:
		last = c.From.Extension
	}
	status := xvbStatus(c)
	if d.lower {
		status = strings.ToLower(status)
	}
	at := c.Start.UTC()
	if d.start == time.DateTime {
		at = at.In(d.Location)
	}
	fields := []field{
		{"cmd", "history"},
		{"type", kind},
		{"callid", xvbID(c, 0)},
		{"phone", d.phone(c)},
		{"ext", last},
		{"start", at.Format(d.start)},
		{"duration", seconds(c.Duration())},
		{"wait", seconds(c.Wait + c.Ring)},
		{"link", recordLink(c)},
		{"status", status},
	}
	return append(fields, d.dialled(c)...)
}

// phone is short for an internal call.
func (d *familyDialect) phone(c *flow.Call) string {
	if c.Direction == flow.Internal {
		return c.From.Extension
	}
	return d.outside(c)
}

func (d *familyDialect) post(fields []field) Request {
	return d.postAs(d.settings.Webhook.CRMToken.Reveal(), fields)
}

func (d *familyDialect) postAs(token string, fields []field) Request {
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	switch d.header {
	case "":
		fields = append([]field{{"crm_token", token}}, fields...)
	case "Authorization":
		header[d.header] = []string{"Bearer " + token}
	default:
		header[d.header] = []string{token}
	}
	request := Request{Method: http.MethodPost, Path: xvbPath(d.settings, d.root), Header: header}
	switch d.encoding {
	case form:
		request.Body = []byte(asForm(fields))
	case object:
		header["Content-Type"] = []string{"application/json"}
		request.Body = asJSON(fields)
	case payload:
		request.Body = []byte(asForm([]field{{"payload", string(asJSON(fields))}}))
	}
	return request
}

// Broken knows that a form can lose its end and still be one; an object cannot.
func (d *familyDialect) Broken(b Break, at time.Time) Message {
	fields := []field{{"cmd", "event"}, {"callid", "DVzqd2I5zmRev0"}, {"phone", "79201119613"}, {"type", "INCOMING"}}
	request := d.post(fields)
	switch b {
	case Truncated:
		request.Body = request.Body[:len(request.Body)-4]
		if d.encoding == payload {
			return broken(at, "INCOMING", http.StatusBadRequest, request)
		}
		return broken(at, "INCO", http.StatusAccepted, request)
	case UnknownEvent:
		return broken(at, "LEVITATED", http.StatusAccepted, d.post(append(fields[:3], field{"type", "LEVITATED"})))
	case WrongShape:
		return broken(at, "", http.StatusAccepted, d.post(fields[:3]))
	}
	return xvbRefused(b, at, request, d.postAs("wrong", fields))
}

// xvbID is opaque, and may hold - and _.
func xvbID(c *flow.Call, second uint64) string {
	var id [16]byte
	binary.BigEndian.PutUint64(id[:8], c.Salt+second)
	binary.BigEndian.PutUint64(id[8:], uint64(c.Start.Unix())<<24|uint64(c.Number)&0xffffff)
	return base64.RawURLEncoding.EncodeToString(id[:])
}

// groupID is the exchange's own id of a queue.
func groupID(queue string) string {
	return "g_" + uuid.NewSHA1(uuid.NameSpaceOID, []byte(queue)).String()
}

func recordLink(c *flow.Call) string {
	if !c.Recording {
		return ""
	}
	return "https://pbx.example/ui/msg_download/" + xvbID(c, 0)
}

func xvbStatus(c *flow.Call) string {
	switch c.Outcome {
	case flow.OutcomeAnswered:
		return "Success"
	case flow.OutcomeBusy, flow.OutcomeBusyOutgoing:
		return "Busy"
	case flow.OutcomeAbandonedRinging, flow.OutcomeAbandonedQueue:
		return "Cancel"
	case flow.OutcomeUnansweredOutgoing:
		return "NotAvailable"
	default:
		return "missed"
	}
}
