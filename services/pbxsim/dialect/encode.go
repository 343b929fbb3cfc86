package dialect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

// field is one field of a body. Exchanges write them in an order of their own, which a map would lose.
type field struct {
	name  string
	value any // string, int, bool, []string, or nil for JSON's null
}

// asJSON writes an object.
func asJSON(fields []field) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	separator := byte('{')
	for _, f := range fields {
		b.WriteByte(separator)
		separator = ','
		fmt.Fprintf(&b, "%q:", f.name)
		_ = encoder.Encode(f.value) // cannot fail: see field
		b.Truncate(b.Len() - 1)     // the end of line
	}
	b.WriteByte('}')
	return b.Bytes()
}

// asForm writes a form or a query. Null is written as nothing.
func asForm(fields []field) string {
	var b strings.Builder
	for i, f := range fields {
		if i > 0 {
			b.WriteByte('&')
		}
		value := ""
		if f.value != nil {
			value = fmt.Sprint(f.value)
		}
		b.WriteString(url.QueryEscape(f.name) + "=" + url.QueryEscape(value))
	}
	return b.String()
}
