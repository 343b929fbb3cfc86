package cluster_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/test/process"
)

// stored publishes events of two tenants, and returns the ids of acme's.
func stored(t *testing.T, c *servers) (acme []string) {
	t.Helper()
	b, err := bus.Connect(bus.Options{URL: c.url("admin"), Wait: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	err = b.EnsureStreams(t.Context(), config.Streams{
		Replicas: len(c.all), EventsMaxAge: time.Hour, QuarantineMaxAge: time.Hour, AuditMaxAge: time.Hour, DuplicateWindow: 2 * time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	return publish(t, b, 3)
}

func publish(t *testing.T, b *bus.Bus, n int) (acme []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for range n {
		for _, tenant := range []string{"globex", "acme"} {
			ev := &pbxv1.Event{
				Id: event.NewID(), Vendor: "ipex", Tenant: tenant, Exchange: "ipex",
				Payload: &pbxv1.Event_Call{Call: &pbxv1.Call{Kind: pbxv1.Call_NEW, Key: "1"}},
			}
			if err := b.Publish(ctx, ev); err != nil {
				t.Fatal(err)
			}
			if tenant == "acme" {
				acme = append(acme, ev.GetId())
			}
		}
	}
	return acme
}

// makeTeamConsumer makes the durable consumer of team-acme, as an operator does.
func makeTeamConsumer(t *testing.T, c *servers) {
	t.Helper()
	var consumer jetstream.ConsumerConfig
	if err := json.Unmarshal([]byte(process.ReadFile(t, deploy+"team-acme.json")), &consumer); err != nil {
		t.Fatal(err)
	}
	_, js := c.connect("operator")
	if _, err := js.CreateConsumer(t.Context(), bus.EventStream, consumer); err != nil {
		t.Fatal(err)
	}
}

// Another team gets the events of its tenant, goes on where it was after a break, and gets nothing else.
func TestAnotherTeam(t *testing.T) {
	c := startServers(t, 3)
	want := stored(t, c)
	makeTeamConsumer(t, c)
	for i, id := range want { // each by a connection of its own: the consumer remembers
		nc, js := c.connectTeam()
		consumer, err := js.Consumer(t.Context(), bus.EventStream, "team-acme")
		if err != nil {
			t.Fatal(err)
		}
		msg, err := consumer.Next()
		if err != nil {
			t.Fatal(err)
		}
		if err := msg.DoubleAck(t.Context()); err != nil {
			t.Fatal(err)
		}
		var ev pbxv1.Event
		if err := proto.Unmarshal(msg.Data(), &ev); err != nil || ev.GetId() != id || ev.GetTenant() != "acme" {
			t.Errorf("event %d: want %s of acme, have %v (%v)", i, id, &ev, err)
		}
		nc.Close()
	}
	c.attempt()
	if have := consumersOf(t, c); len(have) != 1 || have[0] != "team-acme" {
		t.Errorf("want the stream to have no consumer but team-acme, have %v", have)
	}
	_, js := c.connect("admin")
	stream, err := js.Stream(t.Context(), bus.EventStream)
	if err != nil {
		t.Fatal(err)
	}
	if have := stream.CachedInfo().State.Msgs; have != 6 {
		t.Errorf("want the 6 events that were stored, have %d", have)
	}
}

// connectTeam connects team-acme, which reaches JetStream by the prefix that its account imports it under.
func (c *servers) connectTeam() (*nats.Conn, jetstream.JetStream) {
	c.t.Helper()
	nc, _ := c.connect("team-acme", nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	js, err := jetstream.NewWithAPIPrefix(nc, "pbx.api")
	if err != nil {
		c.t.Fatal(err)
	}
	return nc, js
}

func consumersOf(t *testing.T, c *servers) (names []string) {
	t.Helper()
	_, js := c.connect("admin")
	stream, err := js.Stream(t.Context(), bus.EventStream)
	if err != nil {
		t.Fatal(err)
	}
	list := stream.ConsumerNames(t.Context())
	for name := range list.Name() {
		names = append(names, name)
	}
	if list.Err() != nil {
		t.Fatal(list.Err())
	}
	return names
}

// attempt lets team-acme try everything that could show it more than its events, or change anything. All of it has to be refused,
// without an answer.
func (c *servers) attempt() {
	c.t.Helper()
	const filter = "pbx.events.*.acme.>"
	create := func(name, filter string, more string) string {
		return fmt.Sprintf(`{"stream_name": "PBX_EVENTS", "config": {"durable_name": %q, "name": %[1]q, "ack_policy": "explicit", %s %s}}`,
			name, filter, more)
	}
	one := func(subject string) string { return fmt.Sprintf(`"filter_subject": %q`, subject) }
	tries := map[string]struct{ subject, body string }{
		"a consumer with another tenant's filter": {
			"$JS.API.CONSUMER.CREATE.PBX_EVENTS.team-acme.pbx.events.*.globex.>", create("team-acme", one("pbx.events.*.globex.>"), ""),
		},
		"a consumer that says one filter and has another": {
			"$JS.API.CONSUMER.CREATE.PBX_EVENTS.team-acme." + filter, create("team-acme", one("pbx.events.*.globex.>"), ""),
		},
		"a consumer with two filters": {
			"$JS.API.CONSUMER.CREATE.PBX_EVENTS.team-acme", create("team-acme", `"filter_subjects": ["pbx.events.*.acme.>", "pbx.events.*.globex.>"]`, ""),
		},
		"a consumer without a filter": {"$JS.API.CONSUMER.CREATE.PBX_EVENTS.team-acme", create("team-acme", `"description": "all"`, "")},
		"a consumer with the right filter that is sent elsewhere": {
			"$JS.API.CONSUMER.CREATE.PBX_EVENTS.team-acme." + filter, create("team-acme", one(filter), `, "deliver_subject": "pbx.commands.ipex.globex.originate"`),
		},
		"a consumer in the old way": {
			"$JS.API.CONSUMER.DURABLE.CREATE.PBX_EVENTS.team-acme", create("team-acme", one("pbx.events.*.globex.>"), ""),
		},
		"a consumer that vanishes":  {"$JS.API.CONSUMER.CREATE.PBX_EVENTS", `{"stream_name": "PBX_EVENTS", "config": {"ack_policy": "none"}}`},
		"a consumer of its own":     {"$JS.API.CONSUMER.CREATE.PBX_EVENTS.other." + filter, create("other", one(filter), "")},
		"its consumer deleted":      {"$JS.API.CONSUMER.DELETE.PBX_EVENTS.team-acme", ""},
		"another's consumer":        {"$JS.API.CONSUMER.MSG.NEXT.PBX_EVENTS.command-relay", `{"batch": 1}`},
		"whose consumers there are": {"$JS.API.CONSUMER.LIST.PBX_EVENTS", ""},
		"what streams there are":    {"$JS.API.STREAM.LIST", ""},
		"what the stream holds":     {"$JS.API.STREAM.INFO.PBX_EVENTS", `{"subjects_filter": ">"}`},
		"the account":               {"$JS.API.INFO", ""},
		"a message by number":       {"$JS.API.STREAM.MSG.GET.PBX_EVENTS", `{"seq": 1}`},
		"a message, directly":       {"$JS.API.DIRECT.GET.PBX_EVENTS", `{"seq": 1}`},
		"a subject's last message":  {"$JS.API.DIRECT.GET.PBX_EVENTS.pbx.events.ipex.globex.call.new", ""},
		"its own last message":      {"$JS.API.DIRECT.GET.PBX_EVENTS.pbx.events.ipex.acme.call.new", ""},
		"the commands":              {"$JS.API.CONSUMER.CREATE.PBX_COMMANDS.team-acme", `{"stream_name": "PBX_COMMANDS", "config": {"durable_name": "team-acme"}}`},
		"a bucket's row":            {"$JS.API.DIRECT.GET.KV_pbx_agents.$KV.pbx_agents.globex.200", ""},
		"a stream of its own":       {"$JS.API.STREAM.CREATE.MINE", `{"name": "MINE", "mirror": {"name": "PBX_EVENTS"}}`},
		"the stream purged":         {"$JS.API.STREAM.PURGE.PBX_EVENTS", ""},
		"the stream changed":        {"$JS.API.STREAM.UPDATE.PBX_EVENTS", `{"name": "PBX_EVENTS", "max_msgs": 1}`},
		"the stream deleted":        {"$JS.API.STREAM.DELETE.PBX_EVENTS", ""},
		"a message deleted":         {"$JS.API.STREAM.MSG.DELETE.PBX_EVENTS", `{"seq": 1}`},
		"a backup":                  {"$JS.API.STREAM.SNAPSHOT.PBX_EVENTS", `{"deliver_subject": "_INBOX.backup"}`},
		"an event of another":       {"pbx.events.ipex.globex.call.new", "forged"},
		"an event of its own":       {"pbx.events.ipex.acme.call.new", "forged"},
		"a command":                 {"pbx.commands.ipex.acme.originate", "forged"},
		"a question":                {"pbx.query.agent.list", "\n\x06globex"},
		"who is there":              {"$SRV.PING", ""},
		"the servers":               {"$SYS.REQ.SERVER.PING", ""},
	}
	nc, _ := c.connectTeam()
	_, js := c.connect("admin")
	before, err := js.Consumer(c.t.Context(), bus.EventStream, "team-acme")
	if err != nil {
		c.t.Fatal(err)
	}
	var group sync.WaitGroup
	for name, try := range tries {
		group.Go(func() {
			answer, err := nc.Request(try.subject, []byte(try.body), time.Second)
			if err == nil {
				c.t.Errorf("%s: want no answer, have %s", name, answer.Data)
			}
		})
	}
	group.Wait()
	after, err := js.Consumer(c.t.Context(), bus.EventStream, "team-acme")
	if err != nil {
		c.t.Fatal(err)
	}
	if want, have := before.CachedInfo().Config.FilterSubject, after.CachedInfo().Config.FilterSubject; want != have || want != filter {
		c.t.Errorf("want the filter %s still, have %s", want, have)
	}
	c.listen(nc)
	c.deputise(nc)
}

// listen lets it listen where the others speak.
func (c *servers) listen(nc *nats.Conn) {
	c.t.Helper()
	heard := make(chan *nats.Msg, 100)
	for _, subject := range []string{
		">", "pbx.>", "pbx.events.*.acme.>", "pbx.events.*.globex.>", "$JS.>", "$KV.>", "$SRV.>", "_INBOX.>", "_INBOX.agent-state.>", "$JS.ACK.>",
	} {
		if _, err := nc.ChanSubscribe(subject, heard); err != nil {
			c.t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		c.t.Fatal(err)
	}
	admin, js := c.connect("admin")
	if _, err := js.Stream(c.t.Context(), bus.EventStream); err != nil { // an answer that comes to an inbox
		c.t.Fatal(err)
	}
	if _, err := admin.Request("pbx.query.agent.list", nil, 50*time.Millisecond); err == nil {
		c.t.Error("want nobody to answer, have an answer")
	}
	if err := errors.Join(admin.Publish("_INBOX.agent-state.1", []byte("secret")), admin.Publish("pbx.spoken", nil), admin.Flush()); err != nil {
		c.t.Fatal(err)
	}
	select {
	case msg := <-heard:
		c.t.Errorf("want it to hear nothing, have %s: %q", msg.Subject, msg.Data)
	case <-time.After(300 * time.Millisecond):
	}
}

// deputise asks for events, and names what is not its own as the inbox: the server would publish there what the team may not. As a
// user of the account PBX it could, and even purge the stream.
func (c *servers) deputise(nc *nats.Conn) {
	c.t.Helper()
	admin, _ := c.connect("admin")
	heard := make(chan *nats.Msg, 100)
	for _, subject := range []string{"pbx.commands.>", "pbx.victim", "$KV.>"} {
		if _, err := admin.ChanSubscribe(subject, heard); err != nil {
			c.t.Fatal(err)
		}
	}
	if err := admin.Flush(); err != nil {
		c.t.Fatal(err)
	}
	fetch := func(nc *nats.Conn, prefix, inbox string) {
		// Nothing is there to fetch, so the answers have no body, which is what the API would need.
		for _, body := range []string{`{"batch": 1, "no_wait": true}`, `{"batch": 1, "expires": 100000000}`} {
			if err := nc.PublishRequest(prefix+".CONSUMER.MSG.NEXT.PBX_EVENTS.team-acme", inbox, []byte(body)); err != nil {
				c.t.Fatal(err)
			}
		}
		if err := nc.Flush(); err != nil {
			c.t.Fatal(err)
		}
	}
	for _, inbox := range []string{
		"pbx.commands.ipex.globex.originate", "pbx.victim", "pbx.events.ipex.globex.call.new", "$KV.pbx_agents.globex.200",
		"$JS.API.STREAM.PURGE.PBX_EVENTS", "$JS.API.STREAM.DELETE.PBX_EVENTS",
	} {
		fetch(nc, "pbx.api", inbox)
	}
	select {
	case msg := <-heard:
		c.t.Errorf("want nothing published in the name of the team, have %s: %q", msg.Subject, msg.Data)
	case <-time.After(500 * time.Millisecond):
	}
	operator, _ := c.connect("operator")
	fetch(operator, "$JS.API", "pbx.victim")
	select {
	case <-heard:
	case <-time.After(10 * time.Second):
		c.t.Error("want to hear what an operator has sent to pbx.victim, else nothing was tried above, have heard nothing")
	}
}
