package ingress

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/webhook"
)

// outcome is what became of a request; its text is a value of metrics and logs.
type outcome int

const (
	stored outcome = iota
	empty
	answered
	inQuarantine
	denied
	unreadable
	wrongMethod
	tooLong
	unavailable
)

// outcomes tells each outcome's name, HTTP status and, for refusals, what a person should know.
var outcomes = [...]struct {
	name   string
	status int
	detail string
}{
	stored:       {"stored", http.StatusOK, ""},
	empty:        {"empty", http.StatusOK, ""},
	answered:     {"answered", http.StatusOK, ""},
	inQuarantine: {"quarantined", http.StatusAccepted, ""},
	denied:       {"denied", http.StatusUnauthorized, "The credentials are missing, or are those of no configured exchange."},
	unreadable:   {"unreadable", http.StatusBadRequest, "The credentials are in a body that cannot be read."},
	wrongMethod:  {"wrong_method", http.StatusMethodNotAllowed, "Exchanges of this vendor use other methods; see Allow."},
	tooLong:      {"too_large", http.StatusRequestEntityTooLarge, "A webhook has at most 64 KiB."},
	unavailable:  {"unavailable", http.StatusServiceUnavailable, "The event cannot be stored now. Nothing was accepted."},
}

func (o outcome) String() string { return outcomes[o].name }

// answer is what the exchange is told, and what we note about it.
type answer struct {
	outcome       outcome
	origin        event.Origin // of requests that were authenticated
	ids           []string
	reply         *webhook.Reply
	unknownFields []string
	err           error // why it went as it did; for the log
}

func (a answer) status() int { return outcomes[a.outcome].status }

func (a answer) write(w http.ResponseWriter, p webhook.Profile) {
	switch a.outcome {
	case stored, empty, inQuarantine:
		a.writeJSON(w, "application/json", a.result())
	case answered:
		w.Header().Set("Content-Type", a.reply.ContentType)
		_, _ = w.Write(a.reply.Body) // the exchange hung up: nothing is left to tell it
	default:
		a.writeProblem(w, p)
	}
}

func (a answer) result() any {
	switch {
	case a.outcome == inQuarantine:
		return map[string]string{"quarantined": a.ids[0]}
	case len(a.ids) == 1:
		return map[string]string{"id": a.ids[0]}
	case len(a.ids) > 1:
		return map[string][]string{"ids": a.ids}
	}
	return struct{}{}
}

// writeProblem writes a refusal as RFC 9457 has it. It tells a stranger nothing of the cause.
func (a answer) writeProblem(w http.ResponseWriter, p webhook.Profile) {
	switch a.outcome {
	case wrongMethod:
		w.Header().Set("Allow", strings.Join(p.Methods, ", "))
	case denied:
		if p.Challenge != "" {
			w.Header().Set("WWW-Authenticate", p.Challenge)
		}
	case tooLong:
		w.Header().Set("Connection", "close") // the rest of the body is not worth reading
	case unavailable:
		w.Header().Set("Retry-After", retryAfter)
	}
	a.writeJSON(w, "application/problem+json", struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}{"about:blank", http.StatusText(a.status()), a.status(), outcomes[a.outcome].detail})
}

func (a answer) writeJSON(w http.ResponseWriter, contentType string, body any) {
	data, err := json.Marshal(body)
	if err != nil { // strings and numbers always marshal
		panic(fmt.Sprintf("ingress: marshal an answer: %v", err))
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(a.status())
	_, _ = w.Write(append(data, '\n'))
}
