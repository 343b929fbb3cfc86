package live_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/oklog/run"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/missed-call/live"
)

// tenants has one that calls a call missed at once, and tells a webhook.
const tenants = `tenants:
  - name: acme
    region: CZ
    timezone: Europe/Prague
    exchanges: [{vendor: ipex, webhook: {username: webhook, password: secret}}]
    channels: [{type: slack, url: %q}]
    missed_calls:
      settle: {ipex: 200ms}
      alerts: {routes: [{receivers: [slack], group_wait: 0s}]}
  - name: globex
    region: CZ
    exchanges: [{vendor: ipex, webhook: {username: webhook, password: secret}}]
`

// world is a server with a channel that keeps what it is told.
type world struct {
	*bustest.Server
	t    *testing.T
	b    *bus.Bus
	yaml string
	told chan string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Server: bustest.Start(t), t: t, told: make(chan string, 100)}
	channel := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.told <- string(body)
		_, _ = io.WriteString(rw, "ok")
	}))
	t.Cleanup(channel.Close)
	w.b, w.yaml = w.Bus(), fmt.Sprintf(tenants, channel.URL)
	return w
}

// start starts a replica, and returns what stops it.
func (w *world) start() (stop func()) {
	w.t.Helper()
	c, err := config.Parse([]byte(w.yaml))
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := live.New(live.Options{Bus: w.Connect(), Log: slog.New(slog.DiscardHandler), Replicas: bustest.Replicas, Config: c})
	if err != nil {
		w.t.Fatal(err)
	}
	stop = bustest.Run(w.t, s.Join)
	bustest.Eventually(w.t, "the replica ready", func() bool { return s.Ready() == nil })
	return stop
}

// call publishes a call that ends: answered, or not.
func (w *world) call(id string, direction pbxv1.Call_Direction, answered bool) {
	w.t.Helper()
	kinds := []pbxv1.Call_Kind{pbxv1.Call_RINGING, pbxv1.Call_ENDED}
	if answered {
		kinds = slices.Insert(kinds, 1, pbxv1.Call_ANSWERED)
	}
	for _, kind := range kinds {
		c := &pbxv1.Call{Kind: kind, Id: id, Key: id, Direction: direction, Extension: "20", Queue: "NOC"}
		outside, inside := event.Party("777888999", "CZ"), &pbxv1.Party{Number: "20"}
		if c.From, c.To = outside, inside; direction == pbxv1.Call_OUTGOING {
			c.From, c.To = inside, outside
		}
		if kind == pbxv1.Call_ENDED && !answered {
			c.Cause = pbxv1.Call_NO_ANSWER
		}
		now := timestamppb.Now()
		ev := &pbxv1.Event{
			Id: event.NewID(), Time: now, ReceivedAt: now, Vendor: "ipex", Tenant: "acme", Exchange: "ipex",
			Payload: &pbxv1.Event_Call{Call: c},
		}
		if err := w.b.Publish(w.t.Context(), ev); err != nil {
			w.t.Fatal(err)
		}
	}
}

// kinds returns what was published, in order.
func (w *world) kinds() (all []pbxv1.MissedCall_Kind) {
	w.t.Helper()
	for s, err := range w.b.Events(w.t.Context(), bus.Filter{Subject: "pbx.events.*.acme.missed_call.*"}) {
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, s.Message.GetMissedCall().GetKind())
	}
	return all
}

func (w *world) publishes(want ...pbxv1.MissedCall_Kind) {
	w.t.Helper()
	bustest.Eventually(w.t, fmt.Sprintf("the events %v", want), func() bool { return slices.Equal(want, w.kinds()) })
}

func (w *world) ask(subject string, question, answer proto.Message) error {
	ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
	defer cancel()
	return w.b.Ask(ctx, subject, question, answer)
}

func (w *world) entries() []*pbxv1.MissedCall {
	w.t.Helper()
	var list pbxv1.MissedCallListResponse
	if err := w.ask(event.QueryMissedCallList, &pbxv1.MissedCallListRequest{Tenant: "acme", IncludeResolved: true}, &list); err != nil {
		w.t.Fatal(err)
	}
	return list.GetMissedCalls()
}

func (w *world) act(action pbxv1.MissedCallActRequest_Action, id, login string) (*pbxv1.MissedCall, error) {
	var answer pbxv1.MissedCallActResponse
	q := &pbxv1.MissedCallActRequest{Tenant: "acme", Id: id, Action: action, User: &pbxv1.User{Login: login}, Note: "by " + login}
	err := w.ask(event.QueryMissedCallAct, q, &answer)
	return answer.GetMissedCall(), err
}

// Two replicas call a call missed once, tell the channel once, and tell it when somebody has called back.
func TestLedger(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.start()
	w.call("1", pbxv1.Call_INCOMING, false)
	w.publishes(pbxv1.MissedCall_OPENED)
	<-w.told
	e := w.entries()
	if len(e) != 1 || e[0].GetFrom().GetE164() != "+420777888999" || e[0].GetReason() != pbxv1.MissedCall_RANG_OUT {
		t.Fatalf("want an entry of a call that rang out, have %v", e)
	}
	w.call("2", pbxv1.Call_OUTGOING, true)
	w.publishes(pbxv1.MissedCall_OPENED, pbxv1.MissedCall_RESOLVED)
	<-w.told
	if e := w.entries(); e[0].GetResolution() != pbxv1.MissedCall_CALLED_BACK {
		t.Errorf("want the entry called back, have %v", e)
	}
	w.call("3", pbxv1.Call_INCOMING, true)
	if len(w.told) > 0 {
		t.Errorf("want nothing told of a call that was answered, have %s", <-w.told)
	}
}

func TestPeople(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.start()
	w.call("1", pbxv1.Call_INCOMING, false)
	w.publishes(pbxv1.MissedCall_OPENED)
	id := w.entries()[0].GetId()
	mine, err := w.act(pbxv1.MissedCallActRequest_CLAIM, id, "karel")
	if err != nil || mine.GetClaimedBy().GetLogin() != "karel" || mine.GetNote() != "by karel" {
		t.Fatalf("want it claimed by Karel, have %v, %v", mine, err)
	}
	if _, err := w.act(pbxv1.MissedCallActRequest_CLAIM, id, "jana"); !fault.Is(err, fault.Conflict) {
		t.Errorf("want a conflict with Karel's claim, have %v", err)
	}
	if _, err := w.act(pbxv1.MissedCallActRequest_RELEASE, id, "karel"); err != nil {
		t.Error(err)
	}
	closed, err := w.act(pbxv1.MissedCallActRequest_RESOLVE, id, "jana")
	if err != nil || closed.GetResolution() != pbxv1.MissedCall_CLOSED {
		t.Errorf("want it closed by Jana, have %v, %v", closed, err)
	}
	w.publishes(pbxv1.MissedCall_OPENED, pbxv1.MissedCall_ACKNOWLEDGED, pbxv1.MissedCall_ACKNOWLEDGED, pbxv1.MissedCall_RESOLVED)
	for tenant, want := range map[string]fault.Kind{"nobody": fault.NotFound, "globex": fault.NotFound} {
		q := &pbxv1.MissedCallActRequest{
			Tenant: tenant, Id: id, Action: pbxv1.MissedCallActRequest_CLAIM, User: &pbxv1.User{Login: "eva"},
		}
		if err := w.ask(event.QueryMissedCallAct, q, new(pbxv1.MissedCallActResponse)); !fault.Is(err, want) {
			t.Errorf("%s: want %v, have %v", tenant, want, err)
		}
	}
	if _, err := w.act(pbxv1.MissedCallActRequest_ACTION_UNSPECIFIED, id, "eva"); !fault.Is(err, fault.Invalid) {
		t.Errorf("want no such action, have %v", err)
	}
}

// What is known from before the stream is in the bucket, a claim too; nothing is told twice.
func TestBeforeTheStream(t *testing.T) {
	w := newWorld(t)
	stop := w.start()
	entries := w.Connect().MissedCalls(bustest.Replicas)
	bustest.Run(t, func(g *run.Group) { g.Add(entries.Maintain()) })
	w.call("1", pbxv1.Call_INCOMING, false)
	w.publishes(pbxv1.MissedCall_OPENED)
	<-w.told
	id := w.entries()[0].GetId()
	if _, err := w.act(pbxv1.MissedCallActRequest_CLAIM, id, "karel"); err != nil {
		t.Fatal(err)
	}
	bustest.Eventually(t, "the claim in the bucket", func() bool {
		return entries.Get("acme."+id).Value.GetClaimedBy().GetLogin() == "karel"
	})
	stop()
	_, js := w.Raw()
	stream, err := js.Stream(t.Context(), bus.EventStream)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.start()
	e := w.entries()
	if len(e) != 1 || e[0].GetId() != id || e[0].GetClaimedBy().GetLogin() != "karel" {
		t.Fatalf("want the entry that Karel claimed, have %v", e)
	}
	w.call("2", pbxv1.Call_INCOMING, false)
	bustest.Eventually(t, "the second attempt", func() bool { return w.entries()[0].GetAttempts() == 2 })
	w.call("3", pbxv1.Call_OUTGOING, true)
	w.publishes(pbxv1.MissedCall_OPENED, pbxv1.MissedCall_RESOLVED)
}

func TestSilence(t *testing.T) {
	w := newWorld(t)
	w.start()
	put := &pbxv1.SilencePutRequest{Silence: &pbxv1.Silence{Tenant: "acme", Queues: []string{"NOC"}, EndsAt: timestamppb.New(time.Now().Add(time.Hour))}}
	var stored pbxv1.SilencePutResponse
	if err := w.ask(event.QueryMissedCallSilence, put, &stored); err != nil {
		t.Fatal(err)
	}
	w.call("1", pbxv1.Call_INCOMING, false)
	w.publishes(pbxv1.MissedCall_OPENED)
	var list pbxv1.SilenceListResponse
	if err := w.ask(event.QueryMissedCallSilences, &pbxv1.SilenceListRequest{Tenant: "acme"}, &list); err != nil {
		t.Fatal(err)
	}
	if len(list.GetSilences()) != 1 || !proto.Equal(list.GetSilences()[0], stored.GetSilence()) {
		t.Errorf("want the silence, have %v", list.GetSilences())
	}
	stored.Silence.EndsAt = timestamppb.Now()
	if err := w.ask(event.QueryMissedCallSilence, &pbxv1.SilencePutRequest{Silence: stored.GetSilence()}, new(pbxv1.SilencePutResponse)); err != nil {
		t.Fatal(err)
	}
	<-w.told // now that it ended
	if err := w.ask(event.QueryMissedCallSilences, &pbxv1.SilenceListRequest{Tenant: "nobody"}, &list); !fault.Is(err, fault.NotFound) {
		t.Errorf("want an unknown tenant not found, have %v", err)
	}
}
