package bus

import (
	"context"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/fault"
)

const (
	// askedAtOnce is how many questions one endpoint answers at a time; more wait.
	askedAtOnce = 1024
	// answerLimit is how long an answer may take at most.
	answerLimit = 30 * time.Second
)

// Endpoint answers one kind of question.
type Endpoint struct {
	subject string
	answer  func(context.Context, []byte) (proto.Message, error)
}

// Answer returns an endpoint that answers questions on a subject, many at once. An error reaches the asker with its kind
// and its text.
func Answer[Q, A proto.Message](subject string, answer func(context.Context, Q) (A, error)) Endpoint {
	question := reflect.TypeFor[Q]().Elem()
	return Endpoint{subject, func(ctx context.Context, data []byte) (proto.Message, error) {
		q := reflect.New(question).Interface().(Q)
		if err := proto.Unmarshal(data, q); err != nil {
			return nil, fault.New(fault.Invalid, "decode the question: %w", err)
		}
		return answer(ctx, q)
	}}
}

// Serve returns an actor that answers questions as a NATS micro service: replicas of the same name share them, and `nats
// micro` lists them. Interrupted, it takes no new ones and finishes those under way.
func (b *Bus) Serve(name, description string, endpoints ...Endpoint) (execute func() error, interrupt func(error)) {
	ctx, cancel := context.WithCancel(context.Background())
	return func() error {
			s := server{bus: b, places: make(chan struct{}, askedAtOnce)}
			service, err := micro.AddService(b.nc, micro.Config{Name: name, Description: description, Version: "1.0.0"})
			if err != nil {
				return fmt.Errorf("answer as %s: %w", name, err)
			}
			for _, e := range endpoints {
				id := strings.ReplaceAll(strings.TrimPrefix(e.subject, "pbx.query."), ".", "-")
				if err := service.AddEndpoint(id, s.handler(e), micro.WithEndpointSubject(e.subject)); err != nil {
					return fmt.Errorf("answer as %s on %s: %w", name, e.subject, err)
				}
			}
			_ = b.nc.Flush() // else an asker who comes at once may find nobody
			<-ctx.Done()
			err = service.Stop()
			s.underWay.Wait()
			if err != nil && b.nc.IsConnected() {
				b.log.Warn("service not ended in order", "service", name, "err", err)
			}
			return nil
		}, func(error) {
			cancel()
		}
}

type server struct {
	bus      *Bus
	places   chan struct{}
	underWay sync.WaitGroup
}

func (s *server) handler(e Endpoint) micro.Handler {
	return micro.HandlerFunc(func(r micro.Request) {
		s.places <- struct{}{}
		headers := r.Headers()
		s.underWay.Go(func() {
			defer func() { <-s.places }()
			ctx, cancel := context.WithTimeout(context.Background(), answerLimit)
			defer cancel()
			ctx, span := s.bus.Continue(ctx, headers, "answer "+e.subject)
			defer span.End()
			answer, err := e.answer(ctx, r.Data())
			if err := respondTo(s.bus.nc, r.Reply(), answer, err); err != nil {
				s.bus.log.Warn("question not answered", "subject", e.subject, "err", err)
			}
		})
	})
}

// respondTo sends an answer or a refusal. It goes past the micro.Request, which may not be used once the handler returned: the
// service reads from it, for its statistics, what Error and Respond write.
func respondTo(nc *nats.Conn, to string, answer proto.Message, refusal error) error {
	msg := nats.NewMsg(to)
	if refusal != nil {
		msg.Header.Set(micro.ErrorCodeHeader, strconv.Itoa(codes()[fault.Of(refusal)]))
		msg.Header.Set(micro.ErrorHeader, strings.ReplaceAll(refusal.Error(), "\n", "; "))
		return nc.PublishMsg(msg)
	}
	data, err := proto.Marshal(answer)
	if err != nil {
		return err
	}
	if most := nc.MaxPayload(); int64(len(data)) > most {
		return respondTo(nc, to, nil, fault.New(fault.Invalid, "the answer has %d bytes, of which NATS carries %d: ask for less", len(data), most))
	}
	msg.Data = data
	return nc.PublishMsg(msg)
}
