package ipex

import (
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/vendors/fields"
	"github.com/switchhook/switchhook/pkg/webhook"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// keys are the body keys of every event, by their default names.
var keys = []string{
	"EventName", "From", "To", "Line", "Email", "Login", "UniqueId", "linkedid", "Queue", "Direction", "Reason",
	"CustomField", "PauseName",
}

// recordKeys are the keys of the exchange's own call record, which the CDR event is taken to carry.
var recordKeys = []string{
	"calldate", "clid", "src", "dst", "duration", "billsec", "disposition", "filename", "way", "trunk", "hangupcause",
}

// callKinds maps the EventName of calls, in lower case. The vendor's list says Ringin, its examples Ringing.
var callKinds = map[string]pbxv1.Call_Kind{
	"newcall":                pbxv1.Call_NEW,
	"ringing":                pbxv1.Call_RINGING,
	"ringin":                 pbxv1.Call_RINGING,
	"answered":               pbxv1.Call_ANSWERED,
	"hangup":                 pbxv1.Call_ENDED,
	"attendedtransfer":       pbxv1.Call_TRANSFERRED,
	"cancelattendedtransfer": pbxv1.Call_TRANSFER_CANCELLED,
	"cdr":                    pbxv1.Call_RECORDED,
}

// agentKinds maps the EventName of agents, in lower case.
var agentKinds = map[string]pbxv1.Agent_Kind{
	"agentlogin":    pbxv1.Agent_LOGIN,
	"agentlogout":   pbxv1.Agent_LOGOUT,
	"agentpaused":   pbxv1.Agent_PAUSED,
	"agentunpaused": pbxv1.Agent_UNPAUSED,
}

// directions maps Direction, and the call record's way, in lower case: the vendor writes both incomingLocal and
// incominglocal.
var directions = map[string]pbxv1.Call_Direction{
	"incoming":      pbxv1.Call_INCOMING,
	"outgoing":      pbxv1.Call_OUTGOING,
	"incominglocal": pbxv1.Call_INTERNAL_INCOMING,
	"outgoinglocal": pbxv1.Call_INTERNAL_OUTGOING,
	"barge":         pbxv1.Call_BARGE,
	"in":            pbxv1.Call_INCOMING,
	"out":           pbxv1.Call_OUTGOING,
	"loc":           pbxv1.Call_INTERNAL_OUTGOING,
}

// causes maps Reason, and the call record's disposition, in lower case. The vendor's documents show the first three; the
// others are the words of Asterisk, which is underneath. The set is open.
var causes = map[string]pbxv1.Call_Cause{
	"no user response":                pbxv1.Call_NO_ANSWER,
	"answered elsewhere":              pbxv1.Call_ANSWERED_ELSEWHERE,
	"normal clearing":                 pbxv1.Call_NORMAL,
	"answered":                        pbxv1.Call_NORMAL,
	"no user responding":              pbxv1.Call_NO_ANSWER,
	"user alerting, no answer":        pbxv1.Call_NO_ANSWER,
	"no answer":                       pbxv1.Call_NO_ANSWER,
	"user busy":                       pbxv1.Call_BUSY,
	"busy":                            pbxv1.Call_BUSY,
	"call rejected":                   pbxv1.Call_REJECTED,
	"rejected":                        pbxv1.Call_REJECTED,
	"originator cancel":               pbxv1.Call_CANCELLED,
	"cancelled":                       pbxv1.Call_CANCELLED,
	"failed":                          pbxv1.Call_FAILED,
	"congestion":                      pbxv1.Call_FAILED,
	"unallocated (unassigned) number": pbxv1.Call_FAILED,
	"destination out of order":        pbxv1.Call_FAILED,
	"no route to destination":         pbxv1.Call_FAILED,
	"circuit/channel congestion":      pbxv1.Call_FAILED,
	"switching equipment congestion":  pbxv1.Call_FAILED,
	"network out of order":            pbxv1.Call_FAILED,
	"invalid number format":           pbxv1.Call_FAILED,
}

// dispositions maps the call record's disposition, in lower case, to whether somebody picked up. They are Asterisk's.
var dispositions = map[string]bool{
	"answered": true, "no answer": false, "busy": false, "failed": false, "congestion": false,
}

// Read implements webhook.Exchange.
func (e *exchange) Read(r webhook.Request) (webhook.Reading, error) {
	reading, err := e.read(r)
	if err != nil {
		// Values are concealed by now, but quoting one can spell a secret: "\x13f" holds "3f".
		return webhook.Reading{}, webhook.NotUnderstood(webhook.CauseOf(err), "ipex: %s", e.Secrets().Conceal(err.Error()))
	}
	return reading, nil
}

func (e *exchange) read(r webhook.Request) (webhook.Reading, error) {
	if isTokenRequest(r) {
		reply, err := e.tokenReply(r.ReceivedAt)
		return webhook.Reading{Reply: reply}, err
	}
	f, err := fields.JSON(r.Body)
	if err != nil {
		return webhook.Reading{}, err
	}
	f.Conceal(e.Secrets())
	ev, err := e.event(f)
	if err != nil {
		return webhook.Reading{}, err
	}
	ev.Attributes = f.Rest()
	return webhook.Reading{Events: []*pbxv1.Event{ev}, UnknownFields: f.Unknown(slices.Concat(keys, recordKeys)...)}, nil
}

func (e *exchange) event(f *fields.Fields) (*pbxv1.Event, error) {
	name := e.take(f, "EventName")
	ev := &pbxv1.Event{VendorEvent: name}
	if kind, ok := callKinds[strings.ToLower(name)]; ok {
		call := e.call(kind, f)
		if kind == pbxv1.Call_RECORDED {
			e.addRecord(ev, call, f)
		}
		outside := event.Outside(call)
		if call.Id == "" && call.Extension == "" && outside == nil {
			return nil, webhook.NotUnderstood(webhook.NoSubject, "%s: names no call, extension or number", name)
		}
		call.Key = event.CallKey(call.Id, e.origin.Tenant, call.Extension, outside)
		ev.Payload = &pbxv1.Event_Call{Call: call}
		return ev, f.Err()
	}
	if kind, ok := agentKinds[strings.ToLower(name)]; ok {
		agent := e.agent(kind, f)
		if agent.User == nil && agent.Extension == "" {
			return nil, webhook.NotUnderstood(webhook.NoSubject, "%s: names no agent", name)
		}
		ev.Payload = &pbxv1.Event_Agent{Agent: agent}
		return ev, f.Err()
	}
	switch err := f.Err(); {
	case err != nil:
		return nil, err
	case name == "":
		return nil, webhook.NotUnderstood(webhook.NoEvent, "%s is missing", e.key("EventName"))
	}
	return nil, webhook.NotUnderstood(webhook.UnknownEvent, "%s %q is unknown", e.key("EventName"), name)
}

// key returns the name of a body key on this exchange, which may have renamed the default.
func (e *exchange) key(name string) string {
	if renamed, ok := e.settings.Fields[name]; ok {
		return renamed
	}
	return name
}

func (e *exchange) take(f *fields.Fields, name string) string { return f.Take(e.key(name)) }

// direction takes a direction that is known; another stays among the attributes.
func (e *exchange) direction(f *fields.Fields, name string) pbxv1.Call_Direction {
	direction, ok := directions[strings.ToLower(strings.TrimSpace(f.Peek(e.key(name))))]
	if ok {
		f.Use(e.key(name))
	}
	return direction
}

func (e *exchange) call(kind pbxv1.Call_Kind, f *fields.Fields) *pbxv1.Call {
	call := &pbxv1.Call{
		Kind:        kind,
		Direction:   e.direction(f, "Direction"),
		From:        event.Party(e.take(f, "From"), e.region),
		To:          event.Party(e.take(f, "To"), e.region),
		Extension:   e.take(f, "Line"),
		User:        event.User(e.take(f, "Login"), e.take(f, "Email")),
		Queue:       e.take(f, "Queue"),
		Reason:      e.take(f, "Reason"),
		CustomField: e.take(f, "CustomField"),
	}
	call.Cause = causes[strings.ToLower(call.Reason)]
	// UniqueId may name only a leg; linkedid, when there, names the call, and UniqueId stays as an attribute.
	if call.Id = e.take(f, "linkedid"); call.Id == "" {
		call.Id = e.take(f, "UniqueId")
	}
	return call
}

func (e *exchange) agent(kind pbxv1.Agent_Kind, f *fields.Fields) *pbxv1.Agent {
	return &pbxv1.Agent{
		Kind:        kind,
		User:        event.User(e.take(f, "Login"), e.take(f, "Email")),
		Extension:   e.take(f, "Line"),
		Queue:       e.take(f, "Queue"),
		PauseReason: e.take(f, "PauseName"),
	}
}

// addRecord completes a call by the keys of the exchange's own record. The vendor does not document the body of the CDR
// event; these are the keys of the record that its REST API returns.
func (e *exchange) addRecord(ev *pbxv1.Event, call *pbxv1.Call, f *fields.Fields) {
	if call.From == nil {
		call.From = event.Party(e.take(f, "src"), e.region)
	}
	if call.To == nil {
		call.To = event.Party(e.take(f, "dst"), e.region)
	}
	if call.Direction == pbxv1.Call_DIRECTION_UNSPECIFIED {
		call.Direction = e.direction(f, "way")
	}
	disposition := strings.ToLower(strings.TrimSpace(f.Peek(e.key("disposition"))))
	if answered, ok := dispositions[disposition]; ok {
		call.Answered = &answered
	}
	if call.Reason == "" {
		call.Reason = e.take(f, "disposition")
		call.Cause = causes[strings.ToLower(call.Reason)]
	}
	call.Duration = f.TakeSeconds(e.key("duration"))
	call.TalkTime = f.TakeSeconds(e.key("billsec"))
	began, err := time.ParseInLocation(time.DateTime, f.Peek(e.key("calldate")), e.location)
	if at := timestamppb.New(began); err == nil && at.IsValid() {
		ev.Time = at
		f.Use(e.key("calldate"))
	}
}
