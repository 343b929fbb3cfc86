package xvb

import (
	"bytes"
	"cmp"
	"encoding/json"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/phone"
	"github.com/switchhook/switchhook/pkg/vendors/fields"
	"github.com/switchhook/switchhook/pkg/webhook"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// keys are the body keys of both dialects.
var keys = []string{
	"cmd", "event", "type", "direction", "callid", "second_callid", "phone", "ext", "user", "line_number", "diversion",
	"telnum", "groupRealName", "status", "start", "duration", "wait", "record_link", "link", "rating",
}

// kinds maps what happened to a call, in lower case. Both dialects use one set of names.
var kinds = map[string]pbxv1.Call_Kind{
	"incoming":    pbxv1.Call_NEW,
	"outgoing":    pbxv1.Call_NEW,
	"answered":    pbxv1.Call_ANSWERED,
	"accepted":    pbxv1.Call_ANSWERED,
	"completed":   pbxv1.Call_ENDED,
	"cancelled":   pbxv1.Call_ENDED,
	"transferred": pbxv1.Call_TRANSFERRED,
}

// causes maps the status at the end of a call, in lower case: exchanges write it in either.
var causes = map[string]pbxv1.Call_Cause{
	"success":      pbxv1.Call_NORMAL,
	"missed":       pbxv1.Call_NO_ANSWER,
	"cancel":       pbxv1.Call_CANCELLED,
	"busy":         pbxv1.Call_BUSY,
	"notavailable": pbxv1.Call_FAILED,
	"notallowed":   pbxv1.Call_FAILED,
	"notfound":     pbxv1.Call_FAILED,
}

// Read implements webhook.Exchange.
func (e *exchange) Read(r webhook.Request) (webhook.Reading, error) {
	reading, err := e.read(r.Body)
	if err != nil {
		// Values are concealed by now, but quoting one can spell a secret: "\x13f" holds "3f".
		return webhook.Reading{}, webhook.NotUnderstood(webhook.CauseOf(err), "xvb: %s", e.Secrets().Conceal(err.Error()))
	}
	return reading, nil
}

func (e *exchange) read(data []byte) (webhook.Reading, error) {
	b, err := readBody(data)
	if err != nil {
		return webhook.Reading{}, err
	}
	f := b.merge()
	f.Conceal(e.Secrets())
	if strings.EqualFold(strings.TrimSpace(f.Peek("cmd")), "contact") {
		return contact(f)
	}
	if strings.TrimSpace(f.Peek("cmd", "event", "type")) == "" && isEmpty(f) {
		return webhook.Reading{}, nil
	}
	ev, err := e.event(f)
	if err != nil {
		return webhook.Reading{}, err
	}
	return webhook.Reading{Events: []*pbxv1.Event{ev}, UnknownFields: f.Unknown(keys...)}, nil
}

// isEmpty reports whether nothing is said, as by a test request.
func isEmpty(f *fields.Fields) bool {
	for _, value := range f.Rest() {
		if strings.TrimSpace(value) != "" {
			return false
		}
	}
	return true
}

// contact reads the question who is calling.
func contact(f *fields.Fields) (webhook.Reading, error) {
	number := f.Take("phone")
	if err := f.Err(); err != nil {
		return webhook.Reading{}, err
	}
	if number == "" {
		nobody := reply(nil)
		return webhook.Reading{Reply: &nobody}, nil
	}
	return webhook.Reading{Question: &webhook.Question{Number: number, Reply: reply}}, nil
}

// reply says who is calling, and which extension the exchange should ring: the responsible employee's, or that of who takes
// the call for them now. Both are empty when nobody knows.
func reply(c *pbxv1.Contact) webhook.Reply {
	responsible := cmp.Or(c.GetMatch().GetFallbackExtension(), c.GetMatch().GetResponsibleExtension())
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(struct { // strings always encode
		ContactName string `json:"contact_name"`
		Responsible string `json:"responsible"`
	}{c.GetMatch().GetName(), responsible})
	return webhook.Reply{ContentType: "application/json", Body: text.Bytes()}
}

func (e *exchange) event(f *fields.Fields) (*pbxv1.Event, error) {
	name, kind, err := takeName(f)
	if err != nil {
		return nil, err
	}
	call := e.call(kind, f)
	switch strings.ToLower(name) {
	case "incoming":
		if call.Extension != "" {
			call.Kind = pbxv1.Call_RINGING
		}
	case "cancelled":
		// It is about one of the phones that rang, and no missed call, whatever the status says: that may be of the call.
		call.Cause, call.Answered = pbxv1.Call_CANCELLED, nil
	}
	outside := event.Outside(call)
	if call.Id == "" && call.Extension == "" && outside == nil {
		return nil, cmp.Or(f.Err(), webhook.NotUnderstood(webhook.NoSubject, "%s: names no call, extension or number", name))
	}
	call.Key = event.CallKey(call.Id, e.origin.Tenant, call.Extension, outside)
	ev := &pbxv1.Event{VendorEvent: name, Payload: &pbxv1.Event_Call{Call: call}}
	if kind == pbxv1.Call_RECORDED {
		e.identify(ev, f)
	}
	ev.Attributes = f.Rest()
	return ev, f.Err()
}

// takeName takes what happened. XVB names it in `event`; its relatives have no such key, and name it in `type`.
func takeName(f *fields.Fields) (string, pbxv1.Call_Kind, error) {
	cmd := f.Take("cmd")
	switch strings.ToLower(cmd) {
	case "history":
		return cmd, pbxv1.Call_RECORDED, nil
	case "rating":
		return cmd, pbxv1.Call_RATED, nil
	case "event", "":
	default:
		return "", 0, webhook.NotUnderstood(webhook.UnknownEvent, "cmd %q is unknown", cmd)
	}
	name := f.Take("event", "type")
	kind, known := kinds[strings.ToLower(name)]
	switch err := f.Err(); {
	case err != nil:
		return "", 0, err
	case name == "":
		return "", 0, webhook.NotUnderstood(webhook.NoEvent, "event and type are missing")
	case !known:
		return "", 0, webhook.NotUnderstood(webhook.UnknownEvent, "event %q is unknown", name)
	}
	return name, kind, nil
}

func (e *exchange) call(kind pbxv1.Call_Kind, f *fields.Fields) *pbxv1.Call {
	number := f.Take("phone")
	call := &pbxv1.Call{
		Kind:         kind,
		Id:           f.Take("callid"),
		Direction:    direction(f),
		Extension:    f.Take("ext"),
		User:         takeUser(f),
		Queue:        f.Take("groupRealName"),
		RecordingUrl: f.Take("record_link", "link"),
	}
	if call.Direction == pbxv1.Call_OUTGOING {
		call.From = event.Party(f.Take("diversion", "telnum", "line_number"), e.region)
		call.To = event.Party(number, e.region)
	} else {
		call.From = event.Party(number, e.region)
		call.To = event.Party(f.Take("line_number", "diversion", "telnum"), e.region)
	}
	if phone.Parse(number, e.region).Kind == phone.Extension {
		call.Direction = internal(call.Direction)
	}
	if kind == pbxv1.Call_ENDED || kind == pbxv1.Call_RECORDED {
		addEnd(call, f)
	}
	return call
}

// direction finds where the call goes: XVB and every history say it in `type`, the relatives' events in `direction`, and
// the name of an event may tell it too.
func direction(f *fields.Fields) pbxv1.Call_Direction {
	for _, key := range []string{"direction", "type", "event"} {
		switch lower(f, key) {
		case "in", "incoming":
			f.Use(key)
			return pbxv1.Call_INCOMING
		case "out", "outgoing":
			f.Use(key)
			return pbxv1.Call_OUTGOING
		case "missed": // stays among the attributes: it says more than a direction
			return pbxv1.Call_INCOMING
		}
	}
	return pbxv1.Call_DIRECTION_UNSPECIFIED
}

func internal(d pbxv1.Call_Direction) pbxv1.Call_Direction {
	switch d {
	case pbxv1.Call_INCOMING:
		return pbxv1.Call_INTERNAL_INCOMING
	case pbxv1.Call_OUTGOING:
		return pbxv1.Call_INTERNAL_OUTGOING
	}
	return d
}

func lower(f *fields.Fields, key string) string {
	return strings.ToLower(strings.TrimSpace(f.Peek(key)))
}

// takeUser takes a person. A group, `g_` and a UUID, or the exchange itself is none, so it stays among the attributes;
// there stays also a login with the tenant behind it.
func takeUser(f *fields.Fields) *pbxv1.User {
	login, _, hasTenant := strings.Cut(strings.TrimSpace(f.Peek("user")), "@")
	if group, ok := strings.CutPrefix(login, "g_"); ok && uuid.Validate(group) == nil || strings.EqualFold(login, "pbx") {
		return nil
	}
	if !hasTenant {
		login = f.Take("user")
	}
	return event.User(login, "")
}

func addEnd(call *pbxv1.Call, f *fields.Fields) {
	call.Reason = f.Take("status")
	call.Cause = causes[strings.ToLower(call.Reason)]
	if call.Cause == pbxv1.Call_CAUSE_UNSPECIFIED && lower(f, "type") == "missed" {
		call.Cause = pbxv1.Call_NO_ANSWER
	}
	if call.Cause != pbxv1.Call_CAUSE_UNSPECIFIED {
		call.Answered = proto.Bool(call.Cause == pbxv1.Call_NORMAL)
	}
	call.Duration = f.TakeSeconds("duration")
}

// timeLayouts are how exchanges write when a call began. What names no offset is in the tenant's time zone.
var timeLayouts = []string{
	"20060102T150405Z0700", "20060102T150405",
	time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05",
	time.DateTime,
}

// identify gives a history, by what it says itself, its time and its id, which is then the same when the exchange sends it
// again. Other events say neither, so each is a new one.
func (e *exchange) identify(ev *pbxv1.Event, f *fields.Fields) {
	start := e.parseTime(f.Peek("start"))
	if start == nil {
		return
	}
	names := []string{"history"}
	for _, key := range []string{"callid", "start", "type", "user", "ext", "phone", "status"} {
		names = append(names, f.Peek(key))
	}
	ev.Id, ev.Time = event.DerivedID(e.origin, names...), start
	f.Use("start")
}

// parseTime returns nil for what is no time, or none that an event can carry.
func (e *exchange) parseTime(text string) *timestamppb.Timestamp {
	for _, layout := range timeLayouts {
		at, err := time.ParseInLocation(layout, strings.TrimSpace(text), e.location)
		if stamp := timestamppb.New(at); err == nil && stamp.IsValid() {
			return stamp
		}
	}
	return nil
}
