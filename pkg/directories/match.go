package directories

import (
	"cmp"
	"slices"

	"github.com/switchhook/switchhook/pkg/phone"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

const defaultLimit = 10

// formOf returns the name of the form that a stored number has; one that is written in yet another way, or stands in other
// text, is e164, as it is equal in that. It is empty for a number that is not the one asked for.
func formOf(stored string, forms []phone.Form, region string) string {
	if i := slices.IndexFunc(forms, func(f phone.Form) bool { return f.Number == stored }); i >= 0 {
		return forms[i].Name
	}
	if len(forms) > 0 && slices.ContainsFunc(phone.Numbers(stored, region), func(n phone.Number) bool { return n.E164 == forms[0].Number }) {
		return forms[0].Name
	}
	return ""
}

// numberOf returns the form of a name, or not.
func numberOf(name string, forms []phone.Form) (phone.Form, bool) {
	i := slices.IndexFunc(forms, func(f phone.Form) bool { return f.Name == name })
	if i < 0 {
		return phone.Form{}, false
	}
	return forms[i], true
}

// complete gives a match a name if it has none.
func complete(m *pbxv1.ContactMatch, e164 string) *pbxv1.ContactMatch {
	m.Name = cmp.Or(m.GetName(), m.GetOrganisation(), m.GetMatchedNumber(), e164)
	return m
}
