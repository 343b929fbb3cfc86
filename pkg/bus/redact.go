package bus

import (
	"net/url"
	"strings"
)

// redact returns a list of server URLs without the credentials that may stand in them.
func redact(urls string) string {
	list := strings.Split(urls, ",")
	for i, raw := range list {
		u, err := url.Parse(strings.TrimSpace(raw))
		switch {
		case err != nil:
			list[i] = "(an unreadable URL)"
		case u.User != nil:
			u.User = url.User("(secret)")
			list[i] = strings.Replace(u.String(), "%28secret%29", "(secret)", 1)
		}
	}
	return strings.Join(list, ",")
}
