// Command subscribe is what another team's service looks like: it reads the answered and missed calls of one tenant
// through a durable consumer, which remembers how far it came.
//
//	go run ./examples/subscribe nats://127.0.0.1:4222 acme
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: subscribe NATS-URL TENANT")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := subscribe(ctx, os.Args[1], os.Args[2])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "subscribe:", err)
		os.Exit(1)
	}
}

func subscribe(ctx context.Context, url, tenant string) error {
	nc, err := nats.Connect(url, nats.Name("subscribe"), nats.MaxReconnects(-1))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	consumer, err := js.CreateOrUpdateConsumer(ctx, "PBX_EVENTS", jetstream.ConsumerConfig{
		Durable: "example-" + tenant,
		FilterSubjects: []string{
			"pbx.events.*." + tenant + ".call.answered",
			"pbx.events.*." + tenant + ".call.ended",
		},
		AckPolicy: jetstream.AckExplicitPolicy,
	})
	if err != nil {
		return fmt.Errorf("open a consumer: %w", err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		return err
	}
	defer messages.Stop()
	for {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if errors.Is(err, context.Canceled) {
			return nil
		} else if err != nil {
			return err
		}
		var ev pbxv1.Event
		if err := proto.Unmarshal(msg.Data(), &ev); err != nil {
			_ = msg.TermWithReason(err.Error()) // it will not become an event by coming again
			continue
		}
		handle(&ev)
		if err := msg.Ack(); err != nil { // then it comes again: keep what you do safe to repeat, by ev.GetId()
			fmt.Fprintln(os.Stderr, "subscribe: acknowledge:", err)
		}
	}
}

func handle(ev *pbxv1.Event) {
	call := ev.GetCall()
	fmt.Printf("%s %-8s call %s, extension %q, %v\n", ev.GetTime().AsTime().Format("15:04:05"), call.GetKind(), call.GetKey(),
		call.GetExtension(), call.GetCause())
}
