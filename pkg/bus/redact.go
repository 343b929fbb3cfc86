package bus

import (
	"errors"
	"net/url"
	"strings"
)

// redact returns a list of server URLs without the credentials that may stand in them. Its error does not quote them either,
// as an error of nats.go would.
func redact(urls string) (string, error) {
	list := strings.Split(urls, ",")
	for i, raw := range list {
		raw = strings.TrimSpace(raw)
		if _, err := url.Parse(raw); strings.Contains(raw, "://") && err != nil {
			return "", errors.New("the server's URL cannot be read; want one such as nats://user:password@host:4222")
		}
		// Not what url.Parse takes for the user: that depends on the scheme, which may be missing.
		if at := strings.LastIndex(raw, "@"); at >= 0 {
			list[i] = scheme(raw) + "(secret)" + raw[at:]
		}
	}
	return strings.Join(list, ","), nil
}

// checkURLs refuses what cannot be a list of servers: nats.go would go on trying.
func checkURLs(urls string) error {
	for raw := range strings.SplitSeq(urls, ",") {
		raw = strings.TrimSpace(raw)
		if raw == "" || strings.Contains(raw, "://") && scheme(raw) == "" {
			return errors.New("want a server such as nats://host:4222 (or tls, ws, wss), or several, separated by commas")
		}
	}
	return nil
}

// scheme returns how a URL begins, if it is one of those that NATS knows.
func scheme(raw string) string {
	for _, known := range []string{"nats://", "tls://", "ws://", "wss://"} {
		if strings.HasPrefix(raw, known) {
			return known
		}
	}
	return ""
}
