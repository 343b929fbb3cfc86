package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// After is what was stored last where somebody looked.
type After struct {
	Subject  string // with wildcards; empty: anywhere in the event stream
	Sequence uint64 // 0: nothing
}

// PublishAfter publishes an event if nothing else has been stored behind what the publisher saw last; else it is
// fault.Conflict. It tries once: when the answer is lost it is fault.Unavailable, and the event may be stored; then trying
// again is a conflict with itself. It returns the event's sequence.
func (b *Bus) PublishAfter(ctx context.Context, ev *pbxv1.Event, after After) (uint64, error) {
	ctx, done := b.produce(ctx, EventStream)
	msg, err := eventMsg(ctx, ev)
	if err != nil {
		done(err)
		return 0, err
	}
	expect := jetstream.WithExpectLastSequence(after.Sequence)
	if after.Subject != "" {
		expect = jetstream.WithExpectLastSequenceForSubject(after.Sequence, after.Subject)
	}
	began := time.Now()
	ack, err := b.js.PublishMsg(ctx, msg, jetstream.WithRetryAttempts(0), expect)
	b.metrics.published(EventStream, began, err)
	done(err)
	if isConflict(err) {
		return 0, fault.New(fault.Conflict, "publish after %s: %w", after, err)
	}
	if b.health.published(err) != nil {
		return 0, unavailable("publish", err)
	}
	return ack.Sequence, nil
}

// Last returns the sequence of the last event on a subject with wildcards; 0 when there is none.
func (b *Bus) Last(ctx context.Context, subject string) (uint64, error) {
	doing := "look for the last event on " + subject
	stream, err := b.js.Stream(ctx, EventStream)
	if err != nil {
		return 0, unavailable(doing, err)
	}
	msg, err := stream.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, unavailable(doing, err)
	}
	return msg.Sequence, nil
}

// isConflict tells the server's word that a sequence was not the last.
func isConflict(err error) bool {
	refused, ok := errors.AsType[*jetstream.APIError](err)
	return ok && refused.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence
}

// String returns the sequence and where it is one of.
func (a After) String() string {
	return fmt.Sprintf("%d of %s", a.Sequence, cmp.Or(a.Subject, EventStream))
}
