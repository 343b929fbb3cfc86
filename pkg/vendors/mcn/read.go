package mcn

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/phone"
	"github.com/switchhook/switchhook/pkg/vendors/fields"
	"github.com/switchhook/switchhook/pkg/webhook"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// The names of fields, each time the classic style's before the new one's.
const secretKey = "secret"

var (
	accountKeys = []string{"account_id", "accountId"}
	nameKeys    = []string{"event_type", "eventType", "userEventType", "event"}
	idKeys      = []string{"call_id", "callId", "linkedId", "uniqueId"} // the first that is there names the call
	newIDKeys   = idKeys[1:]
	phoneKeys   = []string{"abon", "internalNumber"}
	partyKeys   = []string{"callerNumber", "calledNumber", "did", "did_mcn"}
	timeKeys    = []string{"timestamp", "dateReceivedAtUTC"} // the first that can be read counts
	otherKeys   = []string{"billsec", "duration", "record", "who_answered", "fileName", "vpbxId"}
	// channelKeys come with the new style when the customer sends all there is: what Asterisk, underneath, tells of the
	// channel, and what Kompaas adds.
	channelKeys = []string{
		"callback", "callerID", "callerIdName", "callerIdNum", "channel", "channelState", "channelStateDesc",
		"connectedLineName", "connectedLineNum", "context", "dateReceived", "exten", "isRedirect", "ivrSchemaId",
		"originateData", "priority", "privilege", "systemName", "transcribationLanguage",
	}
	knownKeys = slices.Concat(accountKeys, nameKeys, idKeys, phoneKeys, partyKeys, timeKeys, otherKeys, channelKeys)
	// eventKeys are what a retry repeats. The time comes after them.
	eventKeys = slices.Concat(idKeys, phoneKeys, partyKeys)
)

// kinds maps the names of events, in lower case. Some starts are not in the documents: they are spelled as the others are.
var kinds = map[string]pbxv1.Call_Kind{
	"onbegin":               pbxv1.Call_NEW,
	"inboundcallstart":      pbxv1.Call_NEW,
	"outboundcallstart":     pbxv1.Call_NEW,
	"outgoingcallstart":     pbxv1.Call_NEW,
	"onoutcallingstart":     pbxv1.Call_NEW,
	"vpbxinboundcallstart":  pbxv1.Call_NEW,
	"vpbxoutgoingstart":     pbxv1.Call_NEW,
	"vpbxoutgoingcallstart": pbxv1.Call_NEW,
	"vpbxoutboundcallstart": pbxv1.Call_NEW,
	"onincallingstart":      pbxv1.Call_RINGING,
	"onincallinganswered":   pbxv1.Call_ANSWERED,
	"onoutcallinganswered":  pbxv1.Call_ANSWERED,
	"onincallingend":        pbxv1.Call_ENDED,
	"onincallingmissed":     pbxv1.Call_ENDED,
	"oninabonend":           pbxv1.Call_ENDED,
	"oncloseincomingnotice": pbxv1.Call_ENDED,
	"onoutcallingend":       pbxv1.Call_ENDED,
	"onoutcallingmissed":    pbxv1.Call_ENDED,
	"onoutabonend":          pbxv1.Call_ENDED,
	"inboundcallend":        pbxv1.Call_ENDED,
	"vpbxinboundcallend":    pbxv1.Call_ENDED,
}

// kindOf returns what an event means, unspecified if nobody knows. Names that are not listed tell it by their last word,
// whose capital counts: an SmsSend is no end.
func kindOf(name string) pbxv1.Call_Kind {
	if kind, ok := kinds[strings.ToLower(name)]; ok {
		return kind
	}
	switch {
	case strings.HasSuffix(name, "End"), strings.HasSuffix(name, "Missed"):
		return pbxv1.Call_ENDED
	case strings.HasSuffix(name, "Answered"):
		return pbxv1.Call_ANSWERED
	}
	return pbxv1.Call_KIND_UNSPECIFIED
}

func causeOf(name string) pbxv1.Call_Cause {
	switch name = strings.ToLower(name); {
	case name == "oncloseincomingnotice":
		return pbxv1.Call_ANSWERED_ELSEWHERE
	case strings.HasSuffix(name, "missed"):
		return pbxv1.Call_NO_ANSWER
	}
	return pbxv1.Call_NORMAL
}

// answered returns what the name of an end says of whether somebody picked up; nil when it says nothing. The new style reports
// no answers: an incoming call that was answered names, at its end, the extension that did it.
func answered(name string, call *pbxv1.Call) *bool {
	switch name = strings.ToLower(name); {
	case strings.HasSuffix(name, "missed"):
		return proto.Bool(false)
	case name == "onincallingend", name == "onoutcallingend":
		return proto.Bool(true)
	case strings.HasPrefix(name, "vpbxinbound") && call.GetExtension() != "":
		return proto.Bool(true)
	}
	return nil
}

// directions maps how the names of events begin, in lower case.
var directions = map[string]pbxv1.Call_Direction{
	"onin":            pbxv1.Call_INCOMING,
	"oncloseincoming": pbxv1.Call_INCOMING,
	"inbound":         pbxv1.Call_INCOMING,
	"vpbxinbound":     pbxv1.Call_INCOMING,
	"onout":           pbxv1.Call_OUTGOING,
	"outgoing":        pbxv1.Call_OUTGOING,
	"outbound":        pbxv1.Call_OUTGOING,
	"vpbxoutgoing":    pbxv1.Call_OUTGOING,
	"vpbxoutbound":    pbxv1.Call_OUTGOING,
}

func directionOf(name string) pbxv1.Call_Direction {
	name = strings.ToLower(name)
	for prefix, direction := range directions {
		if strings.HasPrefix(name, prefix) {
			return direction
		}
	}
	return pbxv1.Call_DIRECTION_UNSPECIFIED
}

// internal is what a direction becomes between two extensions.
var internal = map[pbxv1.Call_Direction]pbxv1.Call_Direction{
	pbxv1.Call_INCOMING: pbxv1.Call_INTERNAL_INCOMING,
	pbxv1.Call_OUTGOING: pbxv1.Call_INTERNAL_OUTGOING,
}

// gather returns the fields of a request's body and, behind them, those of its query: a customer who cannot put the secret
// into the one puts it into the other. With an error, which is fault.Invalid, it returns the fields that can be read.
func gather(r webhook.Request) (*fields.Fields, error) {
	f, bodyErr := fields.Read(r.Body)
	if bodyErr != nil {
		f = &fields.Fields{}
	}
	query, queryErr := fields.Form(r.Query)
	if queryErr == nil {
		f.Merge(query)
	}
	return f, cmp.Or(bodyErr, queryErr)
}

// Read implements webhook.Exchange.
func (e *exchange) Read(r webhook.Request) (webhook.Reading, error) {
	reading, err := e.read(r)
	if err != nil {
		// Values are concealed by now, but quoting one can spell a secret: "\x13f" holds "3f".
		return webhook.Reading{}, webhook.NotUnderstood(webhook.CauseOf(err), "mcn: %s", e.Secrets().Conceal(err.Error()))
	}
	return reading, nil
}

func (e *exchange) read(r webhook.Request) (webhook.Reading, error) {
	f, err := gather(r)
	if err != nil {
		return webhook.Reading{}, err
	}
	f.Drop(secretKey)
	f.Conceal(e.Secrets())
	if isTrial(f) {
		return webhook.Reading{}, nil
	}
	ev, err := e.event(f)
	if err != nil {
		return webhook.Reading{}, err
	}
	ev.Attributes = f.Rest()
	return webhook.Reading{Events: []*pbxv1.Event{ev}, UnknownFields: f.Unknown(knownKeys...)}, nil
}

// isTrial reports whether a request says no more than who sends it, as when somebody tries the webhook out.
func isTrial(f *fields.Fields) bool {
	if strings.TrimSpace(f.Peek(nameKeys...)) != "" {
		return false
	}
	for name, value := range f.Rest() {
		isAccount := slices.ContainsFunc(accountKeys, func(key string) bool { return strings.EqualFold(key, name) })
		if !isAccount && strings.TrimSpace(value) != "" {
			return false
		}
	}
	return true
}

func (e *exchange) event(f *fields.Fields) (*pbxv1.Event, error) {
	name := f.Take(nameKeys...)
	kind := kindOf(name)
	switch {
	case f.Err() != nil:
		return nil, f.Err()
	case name == "":
		return nil, webhook.NotUnderstood(webhook.NoEvent, "%s is missing", strings.Join(nameKeys, " or "))
	case kind == pbxv1.Call_KIND_UNSPECIFIED:
		return nil, webhook.NotUnderstood(webhook.UnknownEvent, "event %q is unknown", name)
	}
	call := e.call(name, kind, f)
	// InboundCallEnd names the called number only; that is then what it shares with its start.
	outside := cmp.Or(event.Outside(call), call.From, call.To)
	if call.Id == "" && call.Extension == "" && outside == nil {
		return nil, cmp.Or(f.Err(), webhook.NotUnderstood(webhook.NoSubject, "%s: names no call, extension or number", name))
	}
	call.Key = event.CallKey(call.Id, e.origin.Tenant, call.Extension, outside)
	ev := &pbxv1.Event{VendorEvent: name, Payload: &pbxv1.Event_Call{Call: call}}
	var at string
	if ev.Time, at = takeTime(f); ev.Time != nil && f.Peek(newIDKeys...) != "" {
		ev.Id = e.derivedID(name, at, f)
	}
	return ev, f.Err()
}

// derivedID returns the id of an event in the new style, which a retry has too.
func (e *exchange) derivedID(name, at string, f *fields.Fields) string {
	names := []string{name}
	for _, key := range eventKeys {
		names = append(names, f.Peek(key))
	}
	return event.DerivedID(e.origin, append(names, at)...)
}

func (e *exchange) call(name string, kind pbxv1.Call_Kind, f *fields.Fields) *pbxv1.Call {
	call := &pbxv1.Call{
		Kind:      kind,
		Id:        f.Take(idKeys...),
		Direction: directionOf(name),
		Extension: f.Take(phoneKeys...),
	}
	e.setParties(call, name, f)
	if kind == pbxv1.Call_ENDED {
		call.Cause = causeOf(name)
		call.Answered = answered(name, call)
		call.Duration = f.TakeSeconds("duration")
		call.TalkTime = f.TakeSeconds("billsec")
	}
	return call
}

// setParties goes by callerNumber and calledNumber where they are there. did is the outside party's number or, when that is
// known, the other one; for InboundCallEnd, by the document, and for the new style's incoming calls it is the called one
// only. did_mcn is our own.
func (e *exchange) setParties(call *pbxv1.Call, name string, f *fields.Fields) {
	call.From = event.Party(f.Take("callerNumber"), e.region)
	call.To = event.Party(f.Take("calledNumber"), e.region)
	outside, own := &call.From, &call.To
	if call.Direction == pbxv1.Call_OUTGOING {
		outside, own = own, outside
	}
	switch name = strings.ToLower(name); {
	case name == "inboundcallend", strings.HasPrefix(name, "vpbxinbound"):
		e.fill(call, f, "did", &call.To)
	default:
		e.fill(call, f, "did", outside, own)
	}
	e.fill(call, f, "did_mcn", own)
	between := e.isShort(*outside) && (e.isShort(*own) || *own == nil && call.Extension != "")
	if direction, ok := internal[call.Direction]; ok && between {
		call.Direction = direction
	}
}

// fill puts a number on the first of these sides of a call that is free. Where none is, or the number is a party of the
// call already, it stays among the attributes.
func (e *exchange) fill(call *pbxv1.Call, f *fields.Fields, key string, sides ...**pbxv1.Party) {
	party := event.Party(f.Peek(key), e.region)
	if isSame(party, call.From) || isSame(party, call.To) {
		return
	}
	for _, side := range sides {
		if *side == nil {
			*side = party
			f.Take(key)
			return
		}
	}
}

func isSame(a, b *pbxv1.Party) bool {
	return a != nil && b != nil && (a.GetNumber() == b.GetNumber() || a.GetE164() != "" && a.GetE164() == b.GetE164())
}

// isShort reports whether a party is an extension.
func (e *exchange) isShort(p *pbxv1.Party) bool {
	return p.GetE164() == "" && phone.Parse(p.GetNumber(), e.region).Kind == phone.Extension
}

// takeTime returns when it happened, and the text that says so; nil if no text does. A time that cannot be read stays among
// the attributes.
func takeTime(f *fields.Fields) (*timestamppb.Timestamp, string) {
	for _, key := range timeKeys {
		text := strings.TrimSpace(f.Peek(key))
		if at := timestamppb.New(parseTime(text)); at.AsTime().Unix() > 0 && at.IsValid() {
			f.Use(key)
			return at, text
		}
	}
	return nil, ""
}

// parseTime reads seconds since 1970, or milliseconds, or a date and time, in UTC unless it says otherwise. For anything
// else it returns the zero time.
func parseTime(text string) time.Time {
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		if seconds > 1e11 { // the year 5138, or milliseconds since 1973
			seconds /= 1000
		}
		if seconds > 0 && seconds < 1e12 {
			return time.UnixMicro(int64(math.Round(seconds * 1e6)))
		}
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, "2006-01-02T15:04:05"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at
		}
	}
	return time.Time{}
}
