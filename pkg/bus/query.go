package bus

import (
	"context"
	"errors"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// LookupContact asks who a number belongs to. It is fault.Unavailable when nobody answers before the context's deadline,
// and at once when nobody is there to answer.
func (b *Bus) LookupContact(ctx context.Context, q *pbxv1.ContactLookupRequest) (*pbxv1.Contact, error) {
	var response pbxv1.ContactLookupResponse
	if err := b.Ask(ctx, event.QueryContactLookup, q, &response); err != nil {
		return nil, err
	}
	return response.GetContact(), nil
}

// Ask sends a question and reads the answer. It is fault.Unavailable when nobody answers before the context's deadline, and
// at once when nobody is there to answer; what the service refuses has the kind that the service gave it.
func (b *Bus) Ask(ctx context.Context, subject string, question, answer proto.Message) error {
	data, err := proto.Marshal(question)
	if err != nil {
		return fault.New(fault.Invalid, "ask %s: %w", subject, err)
	}
	msg := nats.NewMsg(subject)
	msg.Data = data
	ctx, done := b.inquire(ctx, subject)
	inject(ctx, msg.Header)
	reply, err := b.nc.RequestMsgWithContext(ctx, msg)
	done(err)
	if err != nil {
		return unavailable("ask "+subject, err)
	}
	if refusal := reply.Header.Get(micro.ErrorHeader); refusal != "" {
		return fault.New(kindOf(reply.Header.Get(micro.ErrorCodeHeader)), "ask %s: %w", subject, errors.New(refusal))
	}
	if err := proto.Unmarshal(reply.Data, answer); err != nil {
		return fault.New(fault.Internal, "ask %s: decode the answer: %w", subject, err)
	}
	return nil
}

// codes are how the kinds of error travel in the micro protocol: as the HTTP statuses of the same meaning.
func codes() map[fault.Kind]int {
	return map[fault.Kind]int{
		fault.Internal: 500, fault.Invalid: 400, fault.Denied: 403, fault.NotFound: 404, fault.Conflict: 409, fault.Unavailable: 503,
	}
}

func kindOf(code string) fault.Kind {
	for kind, known := range codes() {
		if strconv.Itoa(known) == code {
			return kind
		}
	}
	return fault.Internal
}
