package event

import (
	"fmt"
	"strings"
	"time"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// ContentType is the media type of every message.
const ContentType = "application/protobuf"

// Headers returns what every event carries beside its data: its id for JetStream's deduplication, and CloudEvents 1.0 in
// the binary mode of the NATS binding. Values are percent-encoded as that binding demands, so nothing that a vendor sent
// can begin another header.
func Headers(ev *pbxv1.Event) map[string]string {
	entity, kind := tokensOf(ev)
	headers := map[string]string{
		"Nats-Msg-Id":    ev.GetId(),
		"Content-Type":   ContentType,
		"ce-specversion": "1.0",
		"ce-id":          ev.GetId(),
		"ce-source":      "/" + ev.GetVendor() + "/" + ev.GetTenant(),
		"ce-type":        "pbx.v1." + entity + "." + kind,
		"ce-time":        ev.GetTime().AsTime().Format(time.RFC3339Nano),
	}
	if ev.GetExchange() != "" {
		headers["ce-source"] += "/" + ev.GetExchange()
	}
	if subject := about(ev); subject != "" { // CloudEvents has no empty subject
		headers["ce-subject"] = subject
	}
	for name, value := range headers {
		headers[name] = percentEncode(value)
	}
	return headers
}

// about returns what an event is about: the call, the agent, the entry or the command.
func about(ev *pbxv1.Event) string {
	switch p := ev.GetPayload().(type) {
	case *pbxv1.Event_Call:
		return p.Call.GetKey()
	case *pbxv1.Event_Agent:
		for _, name := range []string{p.Agent.GetUser().GetLogin(), p.Agent.GetUser().GetEmail()} {
			if name != "" {
				return name
			}
		}
		return p.Agent.GetExtension()
	case *pbxv1.Event_Contact:
		return p.Contact.GetCallKey()
	case *pbxv1.Event_MissedCall:
		return p.MissedCall.GetId()
	case *pbxv1.Event_Command:
		return p.Command.GetId()
	}
	return ""
}

func percentEncode(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' || c == '"' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}
