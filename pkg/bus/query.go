package bus

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// contactLookup is the subject of the question who a number belongs to.
const contactLookup = "pbx.query.contact.lookup"

// LookupContact asks who a number belongs to. It is fault.Unavailable when nobody answers before the context's deadline,
// and at once when nobody is there to answer.
func (b *Bus) LookupContact(ctx context.Context, q *pbxv1.ContactLookupRequest) (*pbxv1.Contact, error) {
	var response pbxv1.ContactLookupResponse
	if err := b.ask(ctx, contactLookup, q, &response); err != nil {
		return nil, err
	}
	return response.GetContact(), nil
}

// ask sends a question and reads the answer. A service's refusal is fault.Internal.
func (b *Bus) ask(ctx context.Context, subject string, question, answer proto.Message) error {
	data, err := proto.Marshal(question)
	if err != nil {
		return fault.New(fault.Invalid, "ask %s: %w", subject, err)
	}
	msg := nats.NewMsg(subject)
	msg.Data = data
	inject(ctx, msg.Header)
	reply, err := b.nc.RequestMsgWithContext(ctx, msg)
	if err != nil {
		return unavailable("ask "+subject, err)
	}
	// As the micro protocol reports errors.
	if refusal := reply.Header.Get("Nats-Service-Error"); refusal != "" {
		return fault.New(fault.Internal, "ask %s: %w", subject, errors.New(refusal))
	}
	if err := proto.Unmarshal(reply.Data, answer); err != nil {
		return fault.New(fault.Internal, "ask %s: decode the answer: %w", subject, err)
	}
	return nil
}
