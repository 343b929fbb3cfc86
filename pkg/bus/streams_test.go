package bus_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/oklog/run"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/config"
)

// What a newer version, or an operator, has made of a stream stays; what the configuration says is followed, also downwards.
func TestEnsureStreamsForwardOnly(t *testing.T) {
	s := bustest.Start(t)
	b := s.Bus()
	_, js := s.Raw()
	change := func(name string, set func(*jetstream.StreamConfig)) {
		t.Helper()
		stream, err := js.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		c := stream.CachedInfo().Config
		set(&c)
		if _, err := js.UpdateStream(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	change(bus.EventStream, func(c *jetstream.StreamConfig) {
		c.Description, c.MaxAge, c.AllowMsgTTL, c.MaxMsgSize = "newer words", 48*time.Hour, true, 1<<20
		c.Subjects = append(c.Subjects, "pbx.later.>")
		c.Metadata["team"] = "telephony"
	})
	change(bus.CommandStream, func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour })
	if err := b.EnsureStreams(t.Context(), bustest.Streams); err != nil {
		t.Fatal(err)
	}
	events, err := js.Stream(t.Context(), bus.EventStream)
	if err != nil {
		t.Fatal(err)
	}
	c := events.CachedInfo().Config
	if c.Description != "newer words" || !c.AllowMsgTTL || c.MaxMsgSize != 1<<20 || c.Metadata["team"] != "telephony" ||
		strings.Join(c.Subjects, " ") != "pbx.events.> pbx.later.>" {
		t.Errorf("want all that is newer kept, have %+v", c)
	}
	if c.MaxAge != bustest.Streams.EventsMaxAge {
		t.Errorf("want events kept for %v, as configured, have %v", bustest.Streams.EventsMaxAge, c.MaxAge)
	}
	commands, err := js.Stream(t.Context(), bus.CommandStream)
	if err != nil {
		t.Fatal(err)
	}
	if have := commands.CachedInfo().Config.MaxAge; have != time.Hour {
		t.Errorf("want the hour that commands are kept for, have %v", have)
	}
}

// Settings that nobody here has ever heard of are sent back as they came.
func TestEnsureStreamsOfTheFuture(t *testing.T) {
	const config = `{"name": "PBX_EVENTS", "subjects": ["pbx.events.>"], "max_age": 1, "max_bytes": 9007199254740993, "future": {"level": 3}}`
	address, _ := serveNATS(t, `listen: "LISTEN"`)
	nc, err := nats.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	var mu sync.Mutex
	var updated map[string]json.RawMessage
	_, err = nc.Subscribe("$JS.API.STREAM.*.*", func(msg *nats.Msg) { // A JetStream of another time.
		if strings.Contains(msg.Subject, ".UPDATE.PBX_EVENTS") {
			mu.Lock()
			defer mu.Unlock()
			_ = json.Unmarshal(msg.Data, &updated)
		}
		_ = msg.Respond([]byte(`{"config": ` + config + `, "state": {}}`))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	b, err := bus.Connect(bus.Options{URL: address, Wait: true})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.EnsureStreams(t.Context(), bustest.Streams); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	for key, want := range map[string]string{"future": `{"level": 3}`, "max_bytes": "9007199254740993", "max_age": "3600000000000"} {
		if have := string(updated[key]); strings.ReplaceAll(have, " ", "") != strings.ReplaceAll(want, " ", "") {
			t.Errorf("%s: want %s, have %s", key, want, have)
		}
	}
}

// A process that was cut off comes back with the configuration of before, and another has a newer one by now: that stays.
func TestMaintainAfterABreak(t *testing.T) {
	s := bustest.Start(t)
	b := s.Connect()
	bustest.Run(t, func(g *run.Group) { g.Add(b.Maintain(func() config.Streams { return bustest.Streams })) })
	bustest.Eventually(t, "ready", func() bool { return b.Ready() == nil })
	newer := bustest.Streams
	newer.EventsMaxAge = 48 * time.Hour
	s.Stop()
	bustest.Eventually(t, "not ready", func() bool { return b.Ready() != nil })
	s.Restart()
	if err := s.Connect().EnsureStreams(t.Context(), newer); err != nil {
		t.Fatal(err)
	}
	bustest.Eventually(t, "ready again", func() bool { return b.Ready() == nil })
	_, js := s.Raw()
	stream, err := js.Stream(t.Context(), bus.EventStream)
	if err != nil {
		t.Fatal(err)
	}
	if have := stream.CachedInfo().Config.MaxAge; have != newer.EventsMaxAge {
		t.Errorf("want events kept for %v still, have %v", newer.EventsMaxAge, have)
	}
}
