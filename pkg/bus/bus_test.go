package bus_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"
	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

func newQuarantined(id string) *pbxv1.Quarantined {
	return &pbxv1.Quarantined{
		Id: id, Vendor: "ipex", Tenant: "acme", Exchange: "prague", Service: "ingress", Error: "not JSON",
		Content: &pbxv1.Quarantined_Request{Request: &pbxv1.WebhookRequest{Method: "POST", Path: "/", Body: []byte("\xff{")}},
	}
}

func TestConnectRedacts(t *testing.T) {
	s := bustest.Start(t)
	address := strings.TrimPrefix(s.URL(), "nats://")
	s.Stop()
	for _, url := range []string{
		"nats://admin:hunter2hunter2@" + address, "nats://admin:hunter2hunter2@[::1", "admin:hunter2hunter2@" + address,
		"admin:hunter2://b@c@" + address, "nats://" + address + ",admin:hunter2hunter2@" + address,
	} {
		_, err := bus.Connect(bus.Options{URL: url, Wait: true})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("want an error without the password, have %v", err)
		}
	}
}

func TestEnsureStreams(t *testing.T) {
	s := bustest.Start(t)
	b := s.Connect()
	_, js := s.Raw()
	var group sync.WaitGroup
	for range 4 { // replicas start together
		group.Go(func() {
			if err := b.EnsureStreams(t.Context(), bustest.Streams); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	limit(t, js, func(c *jetstream.StreamConfig) { c.MaxBytes = 1 << 30 })
	changed := bustest.Streams
	changed.EventsMaxAge = 2 * time.Hour
	if err := b.EnsureStreams(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), bus.EventStream)
	if err != nil {
		t.Fatal(err)
	}
	c := stream.CachedInfo().Config
	if c.MaxAge != 2*time.Hour || c.MaxBytes != 1<<30 || !c.AllowAtomicPublish || c.Duplicates != 2*time.Minute ||
		c.Storage != jetstream.FileStorage || c.Retention != jetstream.LimitsPolicy || !slices.Equal(c.Subjects, []string{"pbx.events.>"}) {
		t.Errorf("want the change, and the operator's limit kept, have %+v", c)
	}
}

func TestReadAndFilter(t *testing.T) {
	b := bustest.Start(t).Bus()
	other := newEvent("b")
	other.Tenant = "globex"
	if err := b.Publish(within(t, 5*time.Second), newEvent("a"), other, newEvent("c")); err != nil {
		t.Fatal(err)
	}
	read := func(f bus.Filter) (have []string) {
		for s, err := range b.Events(within(t, 5*time.Second), f) {
			if err != nil {
				t.Fatal(err)
			}
			have = append(have, s.Message.GetId())
		}
		return have
	}
	all := read(bus.Filter{})
	slices.Sort(all) // those of one call may be stored in any order
	if want := []string{"a", "b", "c"}; !slices.Equal(want, all) {
		t.Errorf("want %v, have %v", want, all)
	}
	if want, have := []string{"b"}, read(bus.Filter{Subject: "pbx.events.*.globex.>"}); !slices.Equal(want, have) {
		t.Errorf("want %v, have %v", want, have)
	}
	if have := read(bus.Filter{Since: time.Now().Add(time.Hour)}); len(have) != 0 {
		t.Errorf("want nothing from the future, have %v", have)
	}
	if have := read(bus.Filter{Since: time.Now().Add(-time.Hour)}); len(have) != 3 {
		t.Errorf("want 3 of the last hour, have %v", have)
	}
}

// A server keeps a thousand consumers of a stream at most, so none may stay behind a reader.
func TestReadLeavesNoConsumer(t *testing.T) {
	server := bustest.Start(t)
	b := server.Bus()
	for range 3 {
		for _, err := range b.Events(t.Context(), bus.Filter{}) {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	_, js := server.Raw()
	stream, err := js.Stream(t.Context(), bus.EventStream)
	if err != nil {
		t.Fatal(err)
	}
	if left := stream.CachedInfo().State.Consumers; left != 0 {
		t.Errorf("want no consumer left, have %d", left)
	}
}

func TestFollow(t *testing.T) {
	b := bustest.Start(t).Bus()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	have := make(chan string)
	go func() {
		defer close(have)
		for s, err := range b.Events(ctx, bus.Filter{Follow: true}) {
			if err != nil {
				t.Error(err)
			}
			have <- s.Message.GetId()
		}
	}()
	for _, want := range []string{"a", "b"} {
		if err := b.Publish(within(t, 5*time.Second), newEvent(want)); err != nil {
			t.Fatal(err)
		}
		if have := <-have; want != have {
			t.Errorf("want %q, have %q", want, have)
		}
	}
	stop()
	if id, more := <-have; more {
		t.Errorf("want it to end with its context, have %q", id)
	}
}

// Following goes on, without a gap, when the server was away.
func TestFollowThroughRestart(t *testing.T) {
	s := bustest.Start(t)
	b := s.Bus()
	ctx, stop := context.WithCancel(t.Context())
	have := make(chan string, 10)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for s, err := range b.Events(ctx, bus.Filter{Follow: true}) {
			if err != nil {
				t.Error(err)
				return
			}
			have <- s.Message.GetId()
		}
	}()
	for _, want := range []string{"a", "b", "c"} {
		if err := b.Publish(within(t, 10*time.Second), newEvent(want)); err != nil {
			t.Fatal(err)
		}
		select {
		case id := <-have:
			if want != id {
				t.Errorf("want %q, have %q", want, id)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("want %q, have nothing", want)
		}
		s.Stop()
		s.Restart()
	}
	stop()
	<-done
}

func TestReadWhatIsNoEvent(t *testing.T) {
	s := bustest.Start(t)
	b := s.Bus()
	_, js := s.Raw()
	if _, err := js.Publish(t.Context(), "pbx.events.ipex.acme.call.ringing", []byte("\xff")); err != nil {
		t.Fatal(err)
	}
	if err := b.Publish(within(t, 5*time.Second), newEvent("a")); err != nil {
		t.Fatal(err)
	}
	var errs, events int
	for _, err := range b.Events(within(t, 5*time.Second), bus.Filter{}) {
		if err != nil {
			errs++
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("want invalid, have %v", err)
			}
			continue
		}
		events++
	}
	if errs != 1 || events != 1 {
		t.Errorf("want an error and then an event, have %d and %d", errs, events)
	}
}

// Reading ends although the rest of what was there is deleted meanwhile.
func TestReadWhatIsDeleted(t *testing.T) {
	s := bustest.Start(t)
	b := s.Bus()
	_, js := s.Raw()
	for range 2000 { // more than are on their way to a reader at once
		if _, err := js.PublishAsync("pbx.events.ipex.acme.call.ringing", nil); err != nil {
			t.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
	stream, err := js.Stream(t.Context(), bus.EventStream)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	ctx := within(t, 10*time.Second)
	for _, err := range b.Events(ctx, bus.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 1 {
			if err := stream.Purge(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	if ctx.Err() != nil || n == 2000 {
		t.Errorf("want an end before all 2000, have %d (%v)", n, ctx.Err())
	}
}

func TestReadWithoutStream(t *testing.T) {
	b := bustest.Start(t).Connect()
	for _, err := range b.Events(within(t, 5*time.Second), bus.Filter{}) {
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("want not found, have %v", err)
		}
	}
}

func TestQuarantine(t *testing.T) {
	b := bustest.Start(t).Bus()
	want := newQuarantined("q1")
	for range 2 { // the second is a repetition of ours
		if err := b.Quarantine(within(t, 5*time.Second), want); err != nil {
			t.Fatal(err)
		}
	}
	var sequences []uint64
	for s, err := range b.Quarantined(within(t, 5*time.Second), bus.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if s.Subject != "pbx.quarantine.ipex.acme.ingress" || !proto.Equal(want, s.Message) {
			t.Errorf("want %v, have %v on %s", want, s.Message, s.Subject)
		}
		sequences = append(sequences, s.Sequence)
	}
	if len(sequences) != 1 {
		t.Fatalf("want it once, have it %d times", len(sequences))
	}
	if err := b.DeleteQuarantined(within(t, 5*time.Second), sequences[0]); err != nil {
		t.Fatal(err)
	}
	if err := b.DeleteQuarantined(within(t, 5*time.Second), sequences[0]); !fault.Is(err, fault.NotFound) {
		t.Errorf("want not found, have %v", err)
	}
}

func TestMaintain(t *testing.T) {
	s := bustest.Start(t)
	b := s.Connect()
	if b.Ready() == nil {
		t.Error("want a bus that is not ready before anything was acknowledged, have one that is")
	}
	execute, interrupt := b.Maintain(func() config.Streams { return bustest.Streams })
	done := make(chan error)
	go func() { done <- execute() }()
	bustest.Eventually(t, "a bus that is ready", func() bool { return b.Ready() == nil })
	if err := b.Publish(within(t, 5*time.Second), newEvent("a")); err != nil {
		t.Error(err)
	}
	_, js := s.Raw()
	if err := js.DeleteStream(t.Context(), bus.EventStream); err != nil {
		t.Fatal(err)
	}
	bustest.Eventually(t, "the stream made again", func() bool {
		_, err := js.Stream(t.Context(), bus.EventStream)
		return err == nil
	})
	s.Stop()
	bustest.Eventually(t, "a bus that is not ready", func() bool { return b.Ready() != nil })
	s.Restart()
	bustest.Eventually(t, "a bus that is ready again", func() bool { return b.Ready() == nil })
	interrupt(nil)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// handlerFunc makes a function a bus.Handler.
type handlerFunc func(*pbxv1.Event) error

func (f handlerFunc) Handle(_ context.Context, ev *pbxv1.Event) error { return f(ev) }

func consume(t *testing.T, b *bus.Bus, h bus.Handler) (stop func()) {
	t.Helper()
	execute, interrupt := b.Consume("test", "pbx.events.>", h)
	done := make(chan error, 1)
	go func() { done <- execute() }()
	return sync.OnceFunc(func() {
		interrupt(nil)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestConsume(t *testing.T) {
	s := bustest.Start(t)
	b := s.Bus()
	var seen atomic.Int32
	stop := consume(t, b, handlerFunc(func(ev *pbxv1.Event) error {
		switch {
		case ev.GetId() == "invalid":
			return fault.New(fault.Invalid, "makes no sense")
		case ev.GetId() == "flaky" && seen.Add(1) < 3:
			return errors.New("not now")
		}
		return nil
	}))
	defer stop()
	if err := b.Publish(within(t, 5*time.Second), newEvent("flaky"), newEvent("invalid")); err != nil {
		t.Fatal(err)
	}
	_, js := s.Raw()
	for _, subject := range []string{"pbx.events.ipex.acme.call.ringing", "pbx.events.stray"} {
		if _, err := js.Publish(t.Context(), subject, []byte("\xff")); err != nil {
			t.Fatal(err)
		}
	}
	bustest.Eventually(t, "everything settled", func() bool {
		consumer, err := js.Consumer(t.Context(), bus.EventStream, "test")
		return err == nil && consumer.CachedInfo().AckFloor.Stream == 4
	})
	if want, have := int32(3), seen.Load(); want != have {
		t.Errorf("want %d tries, have %d", want, have)
	}
	var kept []string
	for q, err := range b.Quarantined(within(t, 5*time.Second), bus.Filter{Subject: "pbx.quarantine.ipex.acme.test"}) {
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, string(q.Message.GetMessage().GetData()))
	}
	if len(kept) != 2 || !slices.Contains(kept, "\xff") {
		t.Errorf("want the event that makes no sense and what is no event in the quarantine, have %q", kept)
	}
}

// A consumer goes on where it was, and survives its own deletion and the server's restart.
func TestConsumeGoesOn(t *testing.T) {
	s := bustest.Start(t)
	b := s.Bus()
	handled := make(chan string, 10)
	handler := handlerFunc(func(ev *pbxv1.Event) error { handled <- ev.GetId(); return nil })
	publish := func(id string) {
		t.Helper()
		if err := b.Publish(within(t, 10*time.Second), newEvent(id)); err != nil {
			t.Fatal(err)
		}
	}
	await := func(want string) {
		t.Helper()
		select {
		case have := <-handled:
			if want != have {
				t.Errorf("want %q, have %q", want, have)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("want %q, have nothing", want)
		}
	}
	stop := consume(t, b, handler)
	publish("a")
	await("a")
	_, js := s.Raw()
	bustest.Eventually(t, "the acknowledgement", func() bool {
		consumer, err := js.Consumer(t.Context(), bus.EventStream, "test")
		return err == nil && consumer.CachedInfo().AckFloor.Stream == 1
	})
	stop()
	publish("b")
	stop = consume(t, b, handler)
	defer stop()
	await("b")
	s.Stop()
	s.Restart()
	publish("c")
	await("c")
}

func TestLookupContact(t *testing.T) {
	s := bustest.Start(t)
	b := s.Connect()
	ask := func(number string) (*pbxv1.Contact, error) {
		return b.LookupContact(within(t, 200*time.Millisecond), &pbxv1.ContactLookupRequest{Tenant: "acme", Number: number})
	}
	began := time.Now()
	if _, err := ask("1"); !fault.Is(err, fault.Unavailable) || time.Since(began) > 150*time.Millisecond {
		t.Errorf("want unavailable at once when nobody is there, have %v after %v", err, time.Since(began))
	}
	nc, _ := s.Raw()
	service, err := micro.AddService(nc, micro.Config{Name: "directory", Version: "1.0.0"})
	if err != nil {
		t.Fatal(err)
	}
	err = service.AddEndpoint("lookup", micro.HandlerFunc(func(r micro.Request) {
		var q pbxv1.ContactLookupRequest
		_ = proto.Unmarshal(r.Data(), &q)
		switch q.GetNumber() {
		case "known":
			data, _ := proto.Marshal(&pbxv1.ContactLookupResponse{Contact: &pbxv1.Contact{Kind: pbxv1.Contact_RESOLVED}})
			_ = r.Respond(data)
		case "refused":
			_ = r.Error("400", "no such tenant", nil)
		case "garbage":
			_ = r.Respond([]byte("\xff"))
		}
	}), micro.WithEndpointSubject("pbx.query.contact.lookup"))
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if contact, err := ask("known"); err != nil || contact.GetKind() != pbxv1.Contact_RESOLVED {
		t.Errorf("want the contact, have %v, %v", contact, err)
	}
	for number, want := range map[string]fault.Kind{
		"refused": fault.Invalid, "garbage": fault.Internal, "silence": fault.Unavailable,
	} {
		if _, err := ask(number); !fault.Is(err, want) {
			t.Errorf("%s: want %v, have %v", number, want, err)
		}
	}
}

// The bus publishes nothing late: what failed while it was disconnected is not sent afterwards.
func TestNothingLate(t *testing.T) {
	s := bustest.Start(t)
	b := s.Bus()
	s.Stop()
	if err := b.Publish(within(t, 100*time.Millisecond), newEvent("late")); err == nil {
		t.Fatal("want an error, have none")
	}
	s.Restart()
	if err := b.Publish(within(t, 10*time.Second), newEvent("next")); err != nil {
		t.Fatal(err)
	}
	if have := ids(t, b); have["late"] != 0 || have["next"] != 1 {
		t.Errorf("want only the next event, have %v", have)
	}
}
