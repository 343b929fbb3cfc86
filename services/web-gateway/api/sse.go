package api

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/services/web-gateway/tokens"
)

const (
	// heartbeat is how long a stream is silent at most.
	heartbeat = 15 * time.Second
	// writeLimit is how long a write may take before the reader counts as gone.
	writeLimit = 10 * time.Second
	// grace is how long a stream goes on behind the end of its token, as clocks differ.
	grace = 30 * time.Second
)

// frame writes one server-sent event. The name and the id may be empty; the data has no line break.
func frame(name, id string, data ...string) []byte {
	var b bytes.Buffer
	if name != "" {
		b.WriteString("event: " + name + "\n")
	}
	if id != "" {
		b.WriteString("id: " + id + "\n")
	}
	b.WriteString("data: ")
	for _, part := range data {
		b.WriteString(part)
	}
	b.WriteString("\n\n")
	return b.Bytes()
}

// source gives the frames of a stream: it waits for some, and returns the context's error when there are none before it ends.
type source func(context.Context) ([][]byte, error)

// stream writes frames until the reader has gone or is too slow, the token has expired or the process ends.
func (a *api) stream(r *request, name string, first [][]byte, next source) error {
	out := http.NewResponseController(r.w)
	header := r.w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("X-Accel-Buffering", "no") // nginx would keep it back
	a.metrics.streams.WithLabelValues(name).Inc()
	defer a.metrics.streams.WithLabelValues(name).Dec()
	ctx, cancel := context.WithTimeout(r.Context(), r.claims.Expires.Add(grace).Sub(r.now))
	defer cancel()
	go func() {
		select {
		case <-a.Done: // never, if there is none
			cancel()
		case <-ctx.Done():
		}
	}()
	write := func(frames ...[]byte) bool {
		_ = out.SetWriteDeadline(time.Now().Add(writeLimit))
		for _, f := range frames {
			if _, err := r.w.Write(f); err != nil {
				return false
			}
		}
		return out.Flush() == nil
	}
	for frames := first; write(frames...); {
		var err error
		if frames, err = a.wait(ctx, next); err != nil {
			_ = write(frame("end", "", `{"reason":`, strconv.Quote(why(err)), `}`))
			break
		}
	}
	return nil
}

var (
	errClosing = errors.New("closing")
	errExpired = errors.New("expired")
)

// wait returns the next frames, or a heartbeat.
func (a *api) wait(ctx context.Context, next source) ([][]byte, error) {
	limited, cancel := context.WithTimeout(ctx, heartbeat)
	defer cancel()
	frames, err := next(limited)
	switch {
	case err == nil:
		return frames, nil
	case a.closing():
		return nil, errClosing
	case ctx.Err() != nil:
		return nil, errExpired // or the reader has gone, and will not read it
	case limited.Err() != nil:
		return [][]byte{[]byte(": still here\n\n")}, nil
	}
	return nil, err
}

func (a *api) closing() bool {
	select {
	case <-a.Done:
		return true
	default:
		return false
	}
}

// why says in a word why a stream ends.
func why(err error) string {
	if fault.Is(err, fault.Conflict) {
		return "slow"
	}
	return err.Error()
}

func (a *api) events() operation {
	return operation{
		method: http.MethodGet, path: "/api/v1/events", name: "events",
		summary: "Server-sent events: the tenant's live events, each as {\"seq\", \"subject\", \"event\"} (the event as the contract's " +
			"pbx.v1.Event) with its sequence for an id. `gap` {\"since\"} comes first if events behind that sequence are not kept any " +
			"more; `end` {\"reason\": \"expired\", \"closing\" or \"slow\"} is the last: come again with the last id.",
		credential: access, right: tokens.Events, streams: true, refusals: []int{http.StatusBadRequest, http.StatusTooManyRequests},
		query: []parameter{{
			"since", "string", "uint64",
			"The sequence behind which to begin, as far as events are kept; the header Last-Event-ID says the same. Without it: now.",
		}},
		serve: func(r *request) (any, error) {
			since, err := sinceOf(r)
			if err != nil {
				return nil, err
			}
			if !a.streams.enter(r.tenant.Name, maxStreams) {
				return nil, tooManyStreams()
			}
			defer a.streams.leave(r.tenant.Name)
			subscription := a.Events.Subscribe(r.tenant.Name, since)
			first := [][]byte{[]byte(": welcome\n\n")}
			if subscription.Gap() {
				first = append(first, frame("gap", "", `{"since":`, strconv.FormatUint(since, 10), `}`))
			}
			return nil, a.stream(r, "events", first, subscription.Next)
		},
	}
}

func tooManyStreams() refusal {
	return refusal{status: http.StatusTooManyRequests, detail: "The tenant has too many streams open.", retry: heartbeat}
}

// sinceOf returns from where on a reader wants events.
func sinceOf(r *request) (uint64, error) {
	since := r.URL.Query().Get("since")
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		since = last
	}
	if since == "" {
		return FromNow, nil
	}
	sequence, err := strconv.ParseUint(since, 10, 64)
	if err != nil || sequence > greatest {
		return 0, fault.New(fault.Invalid, "since: want a sequence, have %q", since)
	}
	return sequence, nil
}

// greatest is the greatest whole number that a page can tell from the next.
const greatest = 1<<53 - 1
