package api

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/switchhook/switchhook/pkg/fault"
)

// refusal is an error as who asked is told.
type refusal struct {
	status int
	detail string
	retry  time.Duration // when to come again; zero says nothing
}

func (r refusal) Error() string { return r.detail }

// problem is a refusal as RFC 9457 has it.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
}

func refuse(w http.ResponseWriter, r refusal) {
	if r.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if r.retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(r.retry.Seconds()))))
	}
	writeJSON(w, r.status, "application/problem+json", problem{"about:blank", http.StatusText(r.status), r.status, r.detail})
}

func notKnown(detail string) refusal {
	return refusal{status: http.StatusUnauthorized, detail: detail}
}

// deniedToken translates why a token was not believed.
func deniedToken(err error) error {
	if fault.Is(err, fault.Denied) {
		return notKnown(sentence(err))
	}
	return err
}

// asRefusal translates an error. What went wrong inside is not told.
func asRefusal(err error) refusal {
	if r, ok := errors.AsType[refusal](err); ok {
		return r
	}
	switch fault.Of(err) {
	case fault.Invalid:
		return refusal{status: http.StatusBadRequest, detail: sentence(err)}
	case fault.Denied:
		return refusal{status: http.StatusForbidden, detail: sentence(err)}
	case fault.NotFound:
		return refusal{status: http.StatusNotFound, detail: sentence(err)}
	case fault.Conflict:
		return refusal{status: http.StatusConflict, detail: sentence(err)}
	case fault.Unavailable:
		return refusal{
			status: http.StatusServiceUnavailable, detail: "What is needed for this does not answer now.", retry: retryAfter,
		}
	default:
		return refusal{status: http.StatusInternalServerError, detail: "Something went wrong. The log says what."}
	}
}

// sentence returns what the innermost error says: those around it tell how the question travelled.
func sentence(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}
