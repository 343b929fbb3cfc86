package ctl

import (
	"bytes"
	"regexp"
)

// masker hides credentials that vendors put into requests, by the names of the fields that hold them. It does its best:
// nobody knows what a broken body means.
type masker []rule

type rule struct {
	pattern *regexp.Regexp
	instead []byte
}

func newRule(before, value, instead string) rule {
	return rule{regexp.MustCompile(`(?i)(` + before + `)(?:` + value + `)`), []byte("${1}" + instead)}
}

func newMasker() masker {
	const (
		// The end of a name counts: client_secret is one too.
		name    = `[\w.-]*(?:secret|access_code|crm_token|password|token)`
		blank   = `(?:%20|%09|%0A|%0D|\+)*`             // white space in a form
		encoded = `%(?:[013-9A-F][0-9A-F]|2[013-9A-F])` // anything but a quotation mark
	)
	return masker{
		// JSON, also without its end: "secret": "…", "secret": 5, "secret": ["…"].
		newRule(`"`+name+`"\s*:\s*`, `"(?:[^"\\]|\\.)+"?|[\[{][^\]}]*[\]}]?|[^\s",\[\]{}]+`, `"(masked)"`),
		// JSON within a string of JSON: \"secret\": \"…\".
		newRule(`\\"`+name+`\\"\s*:\s*`, `\\"(?:[^"\\]|\\\\.)+(?:\\")?|[^\s"\\,\[\]{}]+`, `\"(masked)\"`),
		// A form, or a query: secret=….
		newRule(`(?:^|[?&\s])`+name+`=`, `[^&\s"\\]+`, `(masked)`),
		// A header: X-Token: ….
		newRule(`(?m:^)`+name+`:[ \t]*`, `[^\r\n]+`, `(masked)`),
		// JSON within a form: %22secret%22%3A%22…%22.
		newRule(`%22`+name+`%22`+blank+`(?::|%3A)`+blank,
			`%22(?:%5C%22|[^%&\s]|`+encoded+`)+(?:%22)?|[^&\s%,}]+`, `%22(masked)%22`),
	}
}

// hide returns data without credentials, and whether there were any.
func (m masker) hide(data []byte) ([]byte, bool) {
	hidden := data
	for _, r := range m {
		hidden = r.pattern.ReplaceAll(hidden, r.instead)
	}
	return hidden, !bytes.Equal(data, hidden)
}
