package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
)

// asker asks the services.
type asker struct {
	bus     *bus.Bus
	server  string // where they are looked for
	timeout time.Duration
}

// asking connects, and runs what asks. A question may take as long as it says.
func (a *app) asking(timeout time.Duration, run func(asker) error) error {
	b, err := a.connect()
	if err != nil {
		return err
	}
	defer b.Close()
	return run(asker{b, withoutUser(a.nats.URL), timeout})
}

// ask asks one question. What the service refuses keeps its kind.
func (s asker) ask(ctx context.Context, subject string, question, answer proto.Message) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	err := s.bus.Ask(ctx, subject, question, answer)
	switch {
	case !fault.Is(err, fault.Unavailable):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return fault.New(fault.Unavailable, "%s did not answer within %s at %s; is it overloaded?", serviceOf(subject), s.timeout, s.server)
	}
	return fault.New(fault.Unavailable, "%s does not answer at %s; is it running? (%w)", serviceOf(subject), s.server, err)
}

// serviceOf returns which service answers questions on a subject.
func serviceOf(subject string) string {
	switch subject {
	case event.QueryContactLookup, event.QueryContactInvalidate:
		return "contact-lookup"
	case event.QueryMissedCallList, event.QueryMissedCallAct, event.QueryMissedCallSilence, event.QueryMissedCallSilences:
		return "missed-call"
	}
	return "agent-state"
}

// withoutUser takes credentials away from a list of URLs.
func withoutUser(urls string) string {
	list := strings.Split(urls, ",")
	for i, url := range list {
		scheme, rest, ok := strings.Cut(strings.TrimSpace(url), "://")
		if !ok {
			scheme, rest = "nats", url
		}
		list[i] = scheme + "://" + rest[strings.LastIndex(rest, "@")+1:]
	}
	return strings.Join(list, ",")
}

// printJSON prints a message in the JSON form of protocol buffers, as one line.
func printJSON(out io.Writer, m proto.Message) error {
	data, err := protojson.Marshal(m)
	if err != nil {
		return err
	}
	return newEncoder(out).Encode(json.RawMessage(data)) // which the encoder makes compact
}
