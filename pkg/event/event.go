// Package event holds what everybody who makes or reads events agrees on: where an event comes from, which subject it
// is published on, how it is identified, and which headers it carries. It does no I/O.
package event

import (
	"fmt"
	"strings"

	"github.com/google/uuid"
	"google.golang.org/protobuf/reflect/protoreflect"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// Roots of the subject trees.
const (
	Root           = "pbx.events"
	QuarantineRoot = "pbx.quarantine"
	CommandRoot    = "pbx.commands"
	AuditRoot      = "pbx.audit"
)

// Origin is where an event comes from.
type Origin struct {
	Vendor   string // ipex, mcn, xvb
	Tenant   string // a DNS label
	Exchange string // its name in the configuration
}

// String returns vendor/tenant/exchange.
func (o Origin) String() string { return o.Vendor + "/" + o.Tenant + "/" + o.Exchange }

// Stamp writes the origin into an event.
func (o Origin) Stamp(ev *pbxv1.Event) {
	ev.Vendor, ev.Tenant, ev.Exchange = o.Vendor, o.Tenant, o.Exchange
}

// tokensOf returns the entity and the kind of an event as they stand in its subject, such as "call" and "ringing". Both
// are empty for an event without a payload, or with a kind that is unspecified or of a later version.
func tokensOf(ev *pbxv1.Event) (entity, kind string) {
	m := ev.ProtoReflect()
	payload := m.WhichOneof(m.Descriptor().Oneofs().ByName("payload"))
	if payload == nil {
		return "", ""
	}
	body := m.Get(payload).Message()
	field := body.Descriptor().Fields().ByName("kind")
	number := body.Get(field).Enum()
	value := field.Enum().Values().ByNumber(number)
	if value == nil || number == 0 {
		return "", ""
	}
	return string(payload.Name()), lower(value.Name())
}

func lower(name protoreflect.Name) string { return strings.ToLower(string(name)) }

// Subject returns the subject that an event is published on. It is an error if any part of it is missing, or is not
// exactly one token: nothing that a vendor sent can reach another subject.
func Subject(ev *pbxv1.Event) (string, error) {
	entity, kind := tokensOf(ev)
	if entity == "" {
		return "", fmt.Errorf("event %q: no payload with a known kind", ev.GetId())
	}
	for _, token := range []string{ev.GetVendor(), ev.GetTenant()} {
		if !IsToken(token) {
			return "", fmt.Errorf("event %q: %q is not a subject token", ev.GetId(), token)
		}
	}
	return strings.Join([]string{Root, ev.GetVendor(), ev.GetTenant(), entity, kind}, "."), nil
}

// QuarantineSubject returns the subject that something quarantined is published on, or an error as Subject does.
func QuarantineSubject(q *pbxv1.Quarantined) (string, error) {
	for _, token := range []string{q.GetVendor(), q.GetTenant(), q.GetService()} {
		if !IsToken(token) {
			return "", fmt.Errorf("quarantine %q: %q is not a subject token", q.GetId(), token)
		}
	}
	return strings.Join([]string{QuarantineRoot, q.GetVendor(), q.GetTenant(), q.GetService()}, "."), nil
}

// IsToken reports whether s is a DNS label in lower case (RFC 1123: 1 to 63 of a-z, 0-9 and "-", which stands at neither
// end). That is what vendors, tenants and services are named by, and all that may enter a subject.
func IsToken(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// namespace makes the derived ids of Switchhook different from anybody else's.
var namespace = uuid.NewSHA1(uuid.NameSpaceDNS, []byte("switchhook.pbx.v1"))

// NewID returns a fresh id: a UUID of version 7, so ids sort by the time of their making.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }

// DerivedID returns the id of an event that the vendor's request names itself: a UUID of version 5, the same for the same
// origin and names, on every replica. The names are told apart: ("ab", "c") is not ("a", "bc").
func DerivedID(o Origin, names ...string) string {
	var b strings.Builder
	for _, s := range append([]string{o.Vendor, o.Tenant, o.Exchange}, names...) {
		fmt.Fprintf(&b, "%d:%s", len(s), s)
	}
	return uuid.NewSHA1(namespace, []byte(b.String())).String()
}

// ParseSubject returns the vendor and the tenant of an event's subject; both are empty for another subject.
func ParseSubject(subject string) (vendor, tenant string) {
	tokens := strings.Split(subject, ".")
	if len(tokens) != 6 || tokens[0]+"."+tokens[1] != Root {
		return "", ""
	}
	return tokens[2], tokens[3]
}
