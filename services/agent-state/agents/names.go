package agents

import (
	"fmt"
	"strings"
)

// escape writes a name so that it can stand in a key of a bucket, which allows [-_=a-zA-Z0-9]. Letters, digits and "-" stay;
// "." becomes "_", as logins and addresses are full of them; any other byte is "=" and two hexadecimal digits. Different
// names stay different.
func escape(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-':
			b.WriteByte(c)
		case c == '.':
			b.WriteByte('_')
		default:
			fmt.Fprintf(&b, "=%02X", c)
		}
	}
	return b.String()
}

// fold makes names that differ in case alone the same.
func fold(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// newID names an agent by the best of its names. Should an agent of that name exist, which only a login that looks like
// somebody else's extension can bring about, the kind of name tells them apart: "=" and a letter are in no escaped name.
func (t *tenant) newID(login, email, extension string) string {
	name, kind := login, "login"
	switch {
	case login != "":
	case email != "":
		name, kind = email, "mail"
	default:
		name, kind = extension, "phone"
	}
	id := escape(fold(name))
	for t.agents[id] != nil {
		id += "=" + kind
	}
	return id
}
