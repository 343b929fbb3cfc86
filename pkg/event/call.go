package event

import (
	"strings"

	"github.com/switchhook/switchhook/pkg/phone"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// Party returns one side of a call, its number completed by the tenant's default region; nil for an empty number.
func Party(number, region string) *pbxv1.Party {
	n := phone.Parse(number, region)
	if n.Raw == "" {
		return nil
	}
	return &pbxv1.Party{Number: n.Raw, E164: n.E164}
}

// User returns a person, or nil when neither field says who.
func User(login, email string) *pbxv1.User {
	if login == "" && email == "" {
		return nil
	}
	return &pbxv1.User{Login: login, Email: email}
}

// CallKey returns what names a call for correlation: the vendor's id, or, when there is none, what stays the same during
// the call. The outside party's E.164 form is preferred, since exchanges write one number in several ways.
func CallKey(id, tenant, extension string, outside *pbxv1.Party) string {
	if id != "" {
		return id
	}
	number := outside.GetE164()
	if number == "" {
		number = outside.GetNumber()
	}
	return strings.Join([]string{tenant, extension, number}, "/")
}

// Outside returns the party of a call that is not the tenant's: the caller of an incoming call, the called party of an
// outgoing one. When the direction does not tell, it is the one with an outside number, the caller before the called; when
// neither has one, the called.
func Outside(call *pbxv1.Call) *pbxv1.Party {
	switch call.GetDirection() {
	case pbxv1.Call_INCOMING, pbxv1.Call_INTERNAL_INCOMING:
		return call.GetFrom()
	case pbxv1.Call_OUTGOING, pbxv1.Call_INTERNAL_OUTGOING:
		return call.GetTo()
	}
	if call.GetFrom().GetE164() == "" && call.GetTo() != nil {
		return call.GetTo()
	}
	return call.GetFrom()
}
