package bus

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// Incoming is a command as it came.
type Incoming struct {
	Vendor, Tenant, Action string
	Request                *pbxv1.CommandRequest
	At                     time.Time // when it was stored or, for one that is being answered, received
	Sequence               uint64    // its place in the stream; 0 for one that is being answered
}

// Relay decides about commands and carries them out. It is used concurrently.
type Relay interface {
	// Take says at once whether a command will be tried. It may be asked about the same one again.
	Take(ctx context.Context, in Incoming) (*pbxv1.CommandReply, error)
	// Execute carries it out, taken or not, perhaps again after a crash. nil means that it is settled, whatever came of it; a
	// fault.Invalid error sends it to the log and nowhere else; any other asks for it again a moment later.
	Execute(ctx context.Context, in Incoming) error
}

const (
	commandsAtOnce = 256             // that one replica carries out
	commandLimit   = 2 * time.Minute // for one of them; then another replica gets it
	commandRetry   = time.Second     // before one that was not settled comes again
)

// Commands returns an actor that gives commands to a relay: each at once to one of the replicas that answers whoever asks,
// and from the stream, which keeps it until it is settled.
func (b *Bus) Commands(name string, r Relay) (execute func() error, interrupt func(error)) {
	ctx, cancel := context.WithCancel(context.Background())
	return func() error {
			h := &commandHandler{bus: b, relay: r, places: make(chan struct{}, commandsAtOnce)}
			subscription, err := b.nc.QueueSubscribe(event.CommandRoot+".*.*.*", name, h.answer)
			if err != nil {
				return unavailable("listen to commands", err)
			}
			for ctx.Err() == nil {
				if err := h.consume(ctx, name); err != nil && ctx.Err() == nil {
					b.log.Warn("consumer broke, opening it again", "consumer", name, "err", err)
				}
				select {
				case <-ctx.Done():
				case <-time.After(restart):
				}
			}
			_ = subscription.Unsubscribe()
			h.underWay.Wait()
			return nil
		}, func(error) {
			cancel()
		}
}

type commandHandler struct {
	bus      *Bus
	relay    Relay
	places   chan struct{}
	underWay sync.WaitGroup
}

// answer answers whoever sent a command as a request.
func (h *commandHandler) answer(msg *nats.Msg) {
	if msg.Reply == "" {
		return // it is in the stream, too
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), answerLimit)
		defer cancel()
		in, err := incoming(msg.Subject, msg.Data, time.Now())
		var reply *pbxv1.CommandReply
		if err == nil {
			reply, err = h.relay.Take(ctx, in)
		}
		if err := respondTo(h.bus.nc, msg.Reply, reply, err); err != nil {
			h.bus.log.Warn("command not answered", "subject", msg.Subject, "err", err)
		}
	}()
}

func (h *commandHandler) consume(ctx context.Context, name string) error {
	consumer, err := h.bus.js.CreateOrUpdateConsumer(ctx, CommandStream, jetstream.ConsumerConfig{
		Durable: name, AckPolicy: jetstream.AckExplicitPolicy, AckWait: commandLimit + 10*time.Second, MaxDeliver: -1,
		MaxAckPending: 4 * commandsAtOnce,
	})
	if err != nil {
		return unavailable("open consumer "+name, err)
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(commandsAtOnce), jetstream.PullHeartbeat(time.Second),
		jetstream.PullExpiry(10*time.Second))
	if err != nil {
		return unavailable("open consumer "+name, err)
	}
	defer messages.Stop()
	for {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return unavailable("consume "+name, err)
		}
		h.places <- struct{}{}
		h.underWay.Go(func() {
			defer func() { <-h.places }()
			h.execute(msg)
		})
	}
}

// execute lets a command that has begun finish, whatever ends meanwhile.
func (h *commandHandler) execute(msg jetstream.Msg) {
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	ctx, span := h.bus.Continue(ctx, msg.Headers(), "carry out a command")
	defer span.End()
	meta, err := msg.Metadata()
	var in Incoming
	if err == nil {
		in, err = incoming(msg.Subject(), msg.Data(), meta.Timestamp)
		in.Sequence = meta.Sequence.Stream
	}
	if err == nil {
		err = h.relay.Execute(ctx, in)
	}
	switch {
	case err == nil:
		err = msg.Ack()
	case fault.Is(err, fault.Invalid):
		h.bus.log.Error("command left out", "subject", msg.Subject(), "err", err)
		err = msg.Term()
	default:
		h.bus.log.Warn("command not settled, trying again", "subject", msg.Subject(), "in", commandRetry.String(), "err", err)
		err = msg.NakWithDelay(commandRetry)
	}
	if err != nil {
		h.bus.log.Warn("command not acknowledged, it comes again", "subject", msg.Subject(), "err", err)
	}
}

func incoming(subject string, data []byte, at time.Time) (Incoming, error) {
	in := Incoming{Request: new(pbxv1.CommandRequest), At: at}
	in.Vendor, in.Tenant, in.Action = event.ParseCommandSubject(subject)
	if in.Vendor == "" {
		return in, fault.New(fault.Invalid, "read a command: %s is no subject of one", subject)
	}
	if err := proto.Unmarshal(data, in.Request); err != nil {
		return in, fault.New(fault.Invalid, "decode a command on %s: %w", subject, err)
	}
	return in, nil
}

// Command sends a command and returns what a relay answers at once: what comes of it follows as an event. The error is
// fault.Unavailable when no relay answers before the context ends; the command may be carried out all the same until it expires.
func (b *Bus) Command(
	ctx context.Context, vendor, tenant, action string, request *pbxv1.CommandRequest,
) (*pbxv1.CommandReply, error) {
	subject, err := event.CommandSubject(vendor, tenant, action)
	if err != nil {
		return nil, fault.New(fault.Invalid, "%w", err)
	}
	var reply pbxv1.CommandReply
	if err := b.Ask(ctx, subject, request, &reply); err != nil {
		return nil, err
	}
	return &reply, nil
}

// Audit stores an entry of the audit, once for each id.
func (b *Bus) Audit(ctx context.Context, id string, entry *pbxv1.CommandAudit) error {
	subject, err := event.AuditSubject(entry.GetVendor(), entry.GetTenant())
	if err != nil {
		return fault.New(fault.Invalid, "%w", err)
	}
	data, err := proto.Marshal(entry)
	if err != nil {
		return fault.New(fault.Invalid, "audit command %s: %w", entry.GetCommandId(), err)
	}
	msg := nats.NewMsg(subject)
	msg.Data = data
	msg.Header[jetstream.MsgIDHeader] = []string{id}
	msg.Header["Content-Type"] = []string{event.ContentType}
	inject(ctx, msg.Header)
	if err := b.store(ctx, AuditStream, msg); err != nil {
		return unavailable("audit command "+entry.GetCommandId(), err)
	}
	return nil
}

// Audited reads the audit as Events reads the event stream.
func (b *Bus) Audited(ctx context.Context, f Filter) iter.Seq2[Stored[*pbxv1.CommandAudit], error] {
	return read(ctx, b, AuditStream, event.AuditRoot+".>", f, func() *pbxv1.CommandAudit { return new(pbxv1.CommandAudit) })
}
