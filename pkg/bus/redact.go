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
		u, err := url.Parse(raw)
		if strings.Contains(raw, "://") && err != nil {
			return "", errors.New("the server's URL cannot be read; want one such as nats://user:password@host:4222")
		}
		if err == nil && u.User != nil {
			list[i] = u.Scheme + "://(secret)@" + u.Host
		}
	}
	return strings.Join(list, ","), nil
}
