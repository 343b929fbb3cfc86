package dialect

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/vendors/ipex"
	"github.com/switchhook/switchhook/services/pbxsim/flow"
)

// ipexDialect is an IPEX exchange. The zero value of its options writes as the vendor's documents do.
type ipexDialect struct {
	*Exchange
	settings ipex.Settings
	header   http.Header
	variant  string

	numbers bool   // numbers are JSON numbers where they can be
	nulls   bool   // what is not known is null instead of empty
	linked  bool   // UniqueId names the leg, and linkedid the call
	rewrite bool   // From has its country code until numbers are rewritten, after NewCall
	ringing string // the name of the event
	local   string // what follows incoming and outgoing in the direction of an internal call
}

func ipexVariants(e *Exchange, c *config.Exchange) ([]Dialect, error) {
	var s ipex.Settings
	err := c.Decode(&s)
	documents := ipexDialect{Exchange: e, settings: s, variant: "documents", ringing: "Ringing", local: "Local"}
	documents.header = basic(s.Webhook.Username, s.Webhook.Password.Reveal())
	numbers, nulls, linked := documents, documents, documents
	numbers.variant, numbers.numbers = "numbers", true
	nulls.variant, nulls.nulls, nulls.ringing, nulls.local = "nulls", true, "Ringin", "local"
	linked.variant, linked.linked, linked.rewrite = "linked", true, true
	return []Dialect{&documents, &numbers, &nulls, &linked}, err
}

func (d *ipexDialect) Variant() string            { return d.variant }
func (d *ipexDialect) Scenarios() []flow.Scenario { return scenarios() }

// ipexID is Asterisk's: seconds and a serial number. Legs count on from the call.
func ipexID(c *flow.Call, leg int) string {
	return fmt.Sprintf("%d.%d", c.Start.Unix(), c.Number*10+int64(leg))
}

func (d *ipexDialect) Call(c *flow.Call) []Message {
	var messages []Message
	for _, m := range c.Moments {
		event, kind, fields := d.moment(c, m)
		if event == "" {
			continue
		}
		message := message(c, m, event, kind)
		message.Request = d.post(append([]field{{"EventName", event}}, fields...))
		message.Key = ipexID(c, 0)
		messages = append(messages, message)
	}
	return messages
}

// moment returns the event, its kind, and the other fields; no event when the exchange does not report the moment.
func (d *ipexDialect) moment(c *flow.Call, m flow.Moment) (event, kind string, fields []field) {
	switch m.Kind {
	case flow.Entered:
		return "NewCall", "call.new", d.entered(c)
	case flow.Alerted, flow.Rang:
		return d.ringing, "call.ringing", d.leg(c, m.Agent)
	case flow.PickedUp:
		return "Answered", "call.answered", d.leg(c, m.Agent)
	case flow.HandedOver:
		return "AttendedTransfer", "call.transferred", d.consultation(c, m)
	case flow.TookBack:
		return "CancelAttendedTransfer", "call.transfer_cancelled", d.consultation(c, m)
	case flow.Left:
		wholeTells := c.Outcome != flow.OutcomeAnswered && c.Direction != flow.Outgoing
		queueGoesOn := m.Cause == flow.NoAnswer && c.AnsweredBy != "" && c.Queue != ""
		if wholeTells || queueGoesOn {
			return "", "", nil
		}
		return "Hangup", "call.ended", append(d.leg(c, m.Agent), field{"Reason", d.reason(m.Cause)})
	case flow.Ended:
		if c.Outcome == flow.OutcomeAnswered || c.Direction == flow.Outgoing {
			return "", "", nil // the last leg told
		}
		return "Hangup", "call.ended", append(d.leg(c, nil), field{"Reason", d.reason(m.Cause)})
	case flow.Recorded:
		return "CDR", "call.recorded", d.record(c)
	default:
		return "", "", nil
	}
}

func (d *ipexDialect) reason(c flow.Cause) string {
	switch c {
	case flow.NoAnswer:
		return "No user response"
	case flow.Elsewhere:
		return "Answered elsewhere"
	case flow.CauseBusy:
		return "User busy"
	case flow.Cancelled:
		return "Originator cancel"
	default:
		return "Normal Clearing"
	}
}

// parties returns the calling and the called number.
func (d *ipexDialect) parties(c *flow.Call) (from, to string) {
	switch c.Direction {
	case flow.Outgoing:
		return c.From.Extension, c.Outside.Local(d.Region)
	case flow.Internal:
		return c.From.Extension, c.To.Extension
	}
	if c.Withheld() {
		return "anonymous", c.Line.Local(d.Region)
	}
	return c.Outside.Local(d.Region), c.Line.Local(d.Region)
}

// direction is seen from the phone of an agent; for nil, that of the called side of an internal call. Whoever an outgoing
// call is transferred to is called from within.
func (d *ipexDialect) direction(c *flow.Call, a *flow.Agent) string {
	switch {
	case c.Direction == flow.Incoming, c.Direction == flow.Outgoing && (a == nil || a == c.From):
		return string(c.Direction)
	case a == c.From:
		return "outgoing" + d.local
	default:
		return "incoming" + d.local
	}
}

func (d *ipexDialect) entered(c *flow.Call) []field {
	from, to := d.parties(c)
	if d.rewrite && c.Direction == flow.Incoming && !c.Withheld() {
		from = c.Outside.E164()
	}
	fields := []field{{"Line", nil}, {"UniqueId", ipexID(c, 0)}}
	fields = append(fields, d.link(c)...)
	return append(fields, field{"From", d.number(from)}, field{"To", d.number(to)},
		field{"Direction", d.direction(c, c.From)})
}

// leg returns the fields of an event about an agent's phone; or, for nil, about the call as a whole.
func (d *ipexDialect) leg(c *flow.Call, a *flow.Agent) []field {
	from, to := d.parties(c)
	line, login, email, leg := "", "", "", 0
	if a != nil {
		line, login, email = a.Extension, a.Login, a.Email
		leg = 1 + slices.Index(c.Rang, a.Extension) // 0 for who calls
	}
	fields := []field{
		{"From", d.number(from)},
		{"To", d.number(to)},
		{"Line", d.number(line)},
		{"Email", d.text(email)},
		{"Login", d.text(login)},
	}
	if d.linked {
		fields = append(fields, field{"UniqueId", ipexID(c, leg)})
	} else {
		fields = append(fields, field{"UniqueId", ipexID(c, 0)})
	}
	fields = append(fields, d.link(c)...)
	if c.Queue != "" {
		fields = append(fields, field{"Queue", c.Queue})
	}
	return append(fields, field{"Direction", d.direction(c, a)})
}

// consultation names the colleague as the called number.
func (d *ipexDialect) consultation(c *flow.Call, m flow.Moment) []field {
	fields := d.leg(c, m.Agent)
	fields[1].value = d.number(m.To.Extension)
	return fields
}

func (d *ipexDialect) link(c *flow.Call) []field {
	if !d.linked {
		return nil
	}
	return []field{{"linkedid", ipexID(c, 0)}}
}

// record has the keys of the exchange's own call record.
func (d *ipexDialect) record(c *flow.Call) []field {
	from, to := d.parties(c)
	way := map[flow.Direction]string{flow.Incoming: "In", flow.Outgoing: "Out", flow.Internal: "Loc"}[c.Direction]
	disposition, cause := "NO ANSWER", 19
	switch c.Outcome {
	case flow.OutcomeAnswered:
		disposition, cause = "ANSWERED", 16
	case flow.OutcomeBusy, flow.OutcomeBusyOutgoing:
		disposition, cause = "BUSY", 17
	}
	file := ""
	if c.Recording {
		file = c.Start.In(d.Location).Format("2006/01/02/") + ipexID(c, 0) + ".wav"
	}
	return []field{
		{"calldate", c.Start.In(d.Location).Format(time.DateTime)},
		{"clid", fmt.Sprintf("%q <%s>", from, from)},
		{"src", d.number(from)},
		{"dst", d.number(to)},
		{"duration", seconds(c.Duration())},
		{"billsec", seconds(c.Talk)},
		{"disposition", disposition},
		{"filename", d.text(file)},
		{"way", way},
		{"trunk", "trunk-1"},
		{"hangupcause", cause},
		{"uniqueid", ipexID(c, 0)},
		{"linkedid", ipexID(c, 0)},
		{"queue", d.text(c.Queue)},
	}
}

func (d *ipexDialect) Shift(s flow.Shift) Message {
	event := map[flow.ShiftKind]string{
		flow.LoggedIn: "AgentLogin", flow.LoggedOut: "AgentLogout", flow.Paused: "AgentPaused", flow.Unpaused: "AgentUnPaused",
	}[s.Kind]
	fields := []field{
		{"EventName", event},
		{"Queue", s.Agent.Queue},
		{"Login", s.Agent.Login},
		{"Line", d.number(s.Agent.Extension)},
		{"Email", s.Agent.Email},
	}
	if s.Reason != "" {
		fields = append(fields, field{"PauseName", s.Reason})
	}
	return Message{
		At: s.At, VendorEvent: event, Event: "agent." + string(s.Kind), Status: http.StatusOK, Request: d.post(fields),
	}
}

func (d *ipexDialect) Broken(b Break, at time.Time) Message {
	request := d.post([]field{{"EventName", "Ringing"}, {"From", "777888999"}, {"Line", "20"}, {"UniqueId", "1412256225.1941"}})
	switch b {
	case Truncated:
		request.Body = request.Body[:len(request.Body)/2]
	case UnknownEvent:
		request = d.post([]field{{"EventName", "Levitated"}, {"From", "777888999"}, {"UniqueId", "1412256225.1941"}})
		return broken(at, "Levitated", http.StatusAccepted, request)
	case WrongShape:
		request.Body = []byte(`["EventName","Ringing"]`)
	case Stranger:
		request.Header = basic("nobody", "wrong")
		return broken(at, "Ringing", http.StatusUnauthorized, request)
	case WrongMethod:
		request.Method = http.MethodPut
		return broken(at, "Ringing", http.StatusMethodNotAllowed, request)
	case Oversized:
		request.Body = append(request.Body, huge()...)
		return broken(at, "Ringing", http.StatusRequestEntityTooLarge, request)
	}
	return broken(at, "Ringing", http.StatusAccepted, request)
}

func (d *ipexDialect) post(fields []field) Request {
	for i, f := range fields {
		if renamed, ok := d.settings.Fields[f.name]; ok {
			fields[i].name = renamed
		}
	}
	return Request{Method: http.MethodPost, Path: "/", Header: d.header, Body: asJSON(fields)}
}

func basic(username, password string) http.Header {
	login := base64.StdEncoding.EncodeToString([]byte(username + ":" + password))
	return http.Header{"Content-Type": {"application/json"}, "Authorization": {"Basic " + login}}
}

// text returns what is not known as the exchange does.
func (d *ipexDialect) text(s string) any {
	if s == "" && d.nulls {
		return nil
	}
	return s
}

// number returns a number as the exchange does: one with a plus or a zero in front cannot be a JSON number.
func (d *ipexDialect) number(s string) any {
	n, err := strconv.ParseInt(s, 10, 64)
	if d.numbers && err == nil && !strings.HasPrefix(s, "0") && !strings.HasPrefix(s, "+") {
		return n
	}
	return d.text(s)
}

func seconds(d time.Duration) int { return int(d / time.Second) }
