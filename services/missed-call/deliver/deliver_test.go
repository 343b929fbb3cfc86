package deliver_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/bustest"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/missed-call/deliver"
)

// atOnce is a route that tells a channel named hook of everything.
const atOnce = `{alerts: {routes: [{receivers: [hook], group_wait: 0s}]}}`

// Two replicas that are both active tell of each entry once, and so do a standby and one that starts later.
func TestOnce(t *testing.T) {
	t.Parallel()
	w, in := newWorld(t), newInbox(t, nil)
	yaml := routed(atOnce, map[string]*inbox{"hook": in})
	first := w.start(yaml)
	w.start(yaml)
	w.start(yaml, standby)
	var want []string
	for i := range 30 {
		id := fmt.Sprintf("e%02d", i)
		w.tell(w.open(id))
		want = append(want, "opened "+id)
	}
	bustest.Eventually(t, "all told", func() bool { return len(in.received()) >= len(want) })
	bustest.Eventually(t, "all recorded", func() bool { return w.count(pbxv1.AlertRecord_SENT) == len(want) })
	first.stop()
	w.start(yaml)
	w.tell(w.open("last"))
	bustest.Eventually(t, "another one", func() bool { return slices.Contains(in.received(), "opened last") })
	have := in.received()
	slices.Sort(have)
	if want = append(want, "opened last"); !slices.Equal(want, have) {
		t.Errorf("want %q, have %q", want, have)
	}
}

// A standby tells by itself when the active replica does not.
func TestStandby(t *testing.T) {
	t.Parallel()
	w, in := newWorld(t), newInbox(t, nil)
	w.start(routed(atOnce, map[string]*inbox{"hook": in}), standby, func(o *deliver.Options) { o.Patience = 700 * time.Millisecond })
	began := time.Now()
	w.tell(w.open("e1"))
	in.want(t, "opened e1")
	if took := time.Since(began); took < 600*time.Millisecond {
		t.Errorf("want it after 700 ms, have it after %v", took)
	}
}

// Nothing is sent while it is not known what has been.
func TestNotCaughtUp(t *testing.T) {
	t.Parallel()
	w, in := newWorld(t), newInbox(t, nil)
	o := w.options()
	d, err := deliver.New(o, read(t, routed(atOnce, map[string]*inbox{"hook": in})))
	if err != nil {
		t.Fatal(err)
	}
	bustest.Run(t, d.Join)
	bustest.Eventually(t, "the buckets read", d.Loaded)
	opened := w.open("e1")
	d.Apply(w.now(), &pbxv1.Event{Id: "1", Tenant: "acme", Vendor: "ipex", Payload: &pbxv1.Event_MissedCall{MissedCall: opened}})
	time.AfterFunc(400*time.Millisecond, func() {
		resolved := w.resolved(opened, pbxv1.MissedCall_CALLED_BACK)
		d.Apply(w.now(), &pbxv1.Event{Id: "2", Tenant: "acme", Vendor: "ipex", Payload: &pbxv1.Event_MissedCall{MissedCall: resolved}})
		d.Apply(w.now(), &pbxv1.Event{Id: "3", Tenant: "acme", Vendor: "ipex", Payload: &pbxv1.Event_MissedCall{MissedCall: w.open("e2")}})
		d.CaughtUp()
	})
	in.want(t, "opened e2")
}

// What is said, and of what kind, through the life of an entry.
func TestKinds(t *testing.T) {
	t.Parallel()
	w, in, boss := newWorld(t), newInbox(t, nil), newInbox(t, nil)
	yaml := routed(`{language: cs, link: "https://phone.example.com/#missed/{id}", roles: {supervisor: boss}, alerts: {routes: [
      {receivers: [hook], group_wait: 0s, repeat: 30m, escalation: [{after: 10m, to: [supervisor]}]}]}}`,
		map[string]*inbox{"hook": in, "boss": boss})
	r := w.start(yaml)
	e := w.open("e1")
	w.tell(e)
	in.want(t, "opened e1")
	recorded := func(n int) {
		t.Helper()
		bustest.Eventually(t, "it recorded", func() bool { return w.count(pbxv1.AlertRecord_SENT) == n })
	}
	recorded(1)
	w.forward(11 * time.Minute)
	boss.want(t, "escalated e1")
	recorded(2)
	w.forward(20 * time.Minute)
	in.want(t, "opened e1", "escalated e1")
	again := proto.CloneOf(e)
	again.Attempts = 2
	w.tell(again)
	w.tell(w.resolved(again, pbxv1.MissedCall_CALLED_BACK))
	in.want(t, "opened e1", "escalated e1", "resolved e1")
	boss.want(t, "escalated e1", "resolved e1")
	second := w.open("e2")
	second.Attempts = 3
	w.tell(second)
	in.want(t, "opened e1", "escalated e1", "resolved e1", "again e2")
	w.tell(w.resolved(second, pbxv1.MissedCall_WITHDRAWN))
	in.want(t, "opened e1", "escalated e1", "resolved e1", "again e2", "withdrawn e2")

	boss.mu.Lock()
	escalated := boss.messages[0].text
	boss.mu.Unlock()
	for _, want := range []string{"supervisor", "777 888 999", "https://phone.example.com/#missed/e1"} {
		if !strings.Contains(escalated, want) {
			t.Errorf("want %q in the message, have %q", want, escalated)
		}
	}
	bustest.Eventually(t, "5 messages counted", func() bool { return r.counted(t, "hook", "sent") == 5 })
}

// What is missed at night comes at opening in one message, and what was resolved meanwhile by itself.
func TestDigest(t *testing.T) {
	t.Parallel()
	w, in := newWorld(t), newInbox(t, nil)
	at := func(text string) time.Time {
		prague, err := time.LoadLocation("Europe/Prague")
		if err != nil {
			t.Fatal(err)
		}
		moment, err := time.ParseInLocation(time.DateTime, text, prague)
		if err != nil {
			t.Fatal(err)
		}
		return moment
	}
	w.set(at("2026-07-02 16:30:00"))
	yaml := routed(`{hours: {week: ["mon-fri 08:00-17:00"]}, alerts: {routes: [{receivers: [hook], group_wait: 0s}]}}`,
		map[string]*inbox{"hook": in})
	w.start(yaml)
	w.start(yaml, standby)
	early := w.open("early")
	w.tell(early)
	in.want(t, "opened early")
	w.set(at("2026-07-02 20:00:00"))
	w.tell(w.open("night"))
	w.tell(w.resolved(early, pbxv1.MissedCall_CALLED_BACK))
	gone := w.open("gone")
	w.tell(gone)
	w.tell(w.resolved(gone, pbxv1.MissedCall_GOT_THROUGH))
	w.set(at("2026-07-03 06:00:00"))
	w.tell(w.open("morning"))
	w.set(at("2026-07-03 07:59:57"))
	bustest.Eventually(t, "the digest", func() bool { return len(in.received()) >= 3 })
	if open := at("2026-07-03 08:00:00"); w.now().Before(open) {
		t.Errorf("want it not before %v, have it at %v", open, w.now())
	}
	w.set(at("2026-07-03 08:30:00"))
	w.tell(w.open("day"))
	bustest.Eventually(t, "the next one", func() bool { return slices.Contains(in.received(), "opened day") })
	want := []string{"digest night,morning", "opened day", "opened early", "resolved early"}
	have := in.received()
	if slices.Sort(have); !slices.Equal(want, have) {
		t.Errorf("want %q, have %q", want, have)
	}
}

// A new configuration counts at once, and one that is broken changes nothing.
func TestConfigure(t *testing.T) {
	t.Parallel()
	w, old, fresh := newWorld(t), newInbox(t, nil), newInbox(t, nil)
	r := w.start(routed(atOnce, map[string]*inbox{"hook": old}))
	e := w.open("e1")
	w.tell(e)
	old.want(t, "opened e1")
	broken := read(t, routed(atOnce, map[string]*inbox{"hook": fresh}))
	broken[0].Channels[0].Type = "pigeon"
	if err := r.Configure(broken); err == nil || !strings.Contains(err.Error(), "pigeon") {
		t.Errorf("want an unknown type, have %v", err)
	}
	w.tell(w.open("e2"))
	old.want(t, "opened e1", "opened e2")
	if err := r.Configure(read(t, routed(atOnce, map[string]*inbox{"hook": fresh}))); err != nil {
		t.Fatal(err)
	}
	w.tell(w.resolved(e, pbxv1.MissedCall_CLOSED))
	fresh.want(t, "resolved e1")
	old.want(t, "opened e1", "opened e2")
	if err := r.Configure(nil); err != nil {
		t.Fatal(err)
	}
	w.tell(w.open("e3"))
	if err := r.Configure(read(t, routed(atOnce, map[string]*inbox{"hook": fresh}))); err != nil {
		t.Fatal(err)
	}
	fresh.want(t, "resolved e1", "opened e3")
}
