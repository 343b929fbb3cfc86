// Package harmless says why talking to somebody came to nothing, without showing what must not be shown.
package harmless

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
)

// Error returns what may be said of an error of a client. Such errors show URLs, connection strings and what the other side
// sent, credentials among it, so anything not known to be free of these becomes a general word; further known ones, which are
// free of them, may be given.
func Error(err error, further ...error) error {
	known := append([]error{
		context.DeadlineExceeded, context.Canceled, io.EOF, io.ErrUnexpectedEOF, http.ErrSchemeMismatch,
	}, further...)
	for _, e := range known {
		if errors.Is(err, e) {
			return e
		}
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return e
	}
	return errors.New("the connection failed")
}
