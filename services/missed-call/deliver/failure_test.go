package deliver_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/bustest"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/missed-call/alerts"
	"github.com/switchhook/switchhook/services/missed-call/deliver"
)

// A replica dies between sent and recorded: another tells it again after the lease, under the same id.
func TestCrash(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var dying *replica
	var die sync.Once
	in := newInbox(t, func(message, int) int {
		die.Do(func() {
			dying.bus.Close() // Nothing that it does from now on reaches anybody.
			go dying.stop()
		})
		return http.StatusOK
	})
	yaml := routed(atOnce, map[string]*inbox{"hook": in})
	dying = w.start(yaml)
	w.start(yaml, standby, func(o *deliver.Options) { o.Patience = time.Second })
	w.tell(w.open("e1"))
	in.want(t, "opened e1", "opened e1")
	if ids := in.ids(); ids[0] != ids[1] {
		t.Errorf("want the same id again, have %q", ids)
	}
	in.mu.Lock()
	lease := in.messages[1].at.Sub(in.messages[0].at)
	in.mu.Unlock()
	if lease < 2500*time.Millisecond {
		t.Errorf("want it again after the lease of 3 s, have it after %v", lease)
	}
	bustest.Eventually(t, "a record", func() bool { return w.count(pbxv1.AlertRecord_SENT) == 1 })
	w.tell(w.open("e2"))
	in.want(t, "opened e1", "opened e1", "opened e2")
}

// The bus goes away between sent and recorded, and comes back: nothing is told again.
func TestBusAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var once sync.Once
	stopped := make(chan struct{})
	in := newInbox(t, func(message, int) int {
		once.Do(func() { w.server.Stop(); close(stopped) })
		return http.StatusOK
	})
	w.start(routed(atOnce, map[string]*inbox{"hook": in}))
	w.tell(w.open("e1"))
	in.want(t, "opened e1")
	w.tell(w.open("e2"))
	<-stopped
	w.server.Restart()
	in.want(t, "opened e1", "opened e2")
	bustest.Eventually(t, "both recorded", func() bool { return w.count(pbxv1.AlertRecord_SENT) == 2 })
}

// What a replica began to send and never got to, it sends, though another began what would be told with it.
func TestEachBeganAPart(t *testing.T) {
	t.Parallel()
	w, in := newWorld(t), newInbox(t, nil)
	w.start(routed(`{alerts: {routes: [{receivers: [hook], group_by: tenant, group_wait: 200ms}]}}`, map[string]*inbox{"hook": in}), func(o *deliver.Options) { o.Lease = 10 * time.Second })
	w.tell(w.open("e0"))
	in.want(t, "opened e0")
	bustest.Eventually(t, "a record", func() bool { return w.count(pbxv1.AlertRecord_SENT) == 1 })
	for key, rec := range w.records() {
		own, _, _ := strings.Cut(rec.GetSending(), ".")
		for entry, who := range map[string]string{"e1": own, "e2": "another"} {
			w.put(strings.Replace(key, "e0", entry, 1), &pbxv1.AlertRecord{
				State: pbxv1.AlertRecord_BEGAN, At: timestamppb.New(w.now()), Sending: who + ".lost", Tries: 1,
			})
		}
	}
	w.tell(w.open("e1"))
	w.tell(w.open("e2"))
	in.want(t, "opened e0", "opened e1")
	bustest.Eventually(t, "it recorded, and not what another may send", func() bool {
		return w.count(pbxv1.AlertRecord_SENT) == 2 && w.count(pbxv1.AlertRecord_BEGAN) == 1
	})
	w.forward(10 * time.Second)
	in.want(t, "opened e0", "opened e1", "opened e2")
}

// A replica that ends finishes what it sends.
func TestEnd(t *testing.T) {
	t.Parallel()
	w, begun := newWorld(t), make(chan struct{})
	in := newInbox(t, func(message, int) int {
		close(begun)
		<-time.After(300 * time.Millisecond)
		return http.StatusOK
	})
	r := w.start(routed(atOnce, map[string]*inbox{"hook": in}))
	w.tell(w.open("e1"))
	<-begun
	r.stop()
	if n := w.count(pbxv1.AlertRecord_SENT); n != 1 {
		t.Errorf("want it recorded, have %v", w.records())
	}
}

// A channel that is slow holds up no other.
func TestSlow(t *testing.T) {
	t.Parallel()
	w, release := newWorld(t), make(chan struct{})
	slow := newInbox(t, func(message, int) int { <-release; return http.StatusOK })
	quick := newInbox(t, nil)
	w.start(routed(`{alerts: {routes: [{receivers: [slow, quick], group_wait: 0s}]}}`, map[string]*inbox{"slow": slow, "quick": quick}),
		func(o *deliver.Options) { o.Lease = time.Minute })
	for _, id := range []string{"e1", "e2", "e3"} {
		w.tell(w.open(id))
	}
	quick.want(t, "opened e1", "opened e2", "opened e3")
	slow.want(t, "opened e1")
	close(release)
	slow.want(t, "opened e1", "opened e2", "opened e3")
}

// What fails for as long as configured is put into the quarantine, once, whoever of two does it, and others are told as usual.
func TestGiveUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bad, good := newInbox(t, func(message, int) int { return http.StatusInternalServerError }), newInbox(t, nil)
	yaml := routed(`{alerts: {give_up: 1m, routes: [{receivers: [bad, good], group_wait: 0s}]}}`, map[string]*inbox{"bad": bad, "good": good})
	r := w.start(yaml)
	w.start(yaml)
	w.tell(w.open("e1"))
	bustest.Eventually(t, "it given up", func() bool {
		w.forward(500 * time.Millisecond)
		return len(w.quarantined()) > 0
	})
	q := w.quarantined()[0]
	if q.GetVendor() != "ipex" || q.GetService() != "missed-call" || q.GetTenant() != "acme" || !strings.Contains(q.GetError(), "500") {
		t.Errorf("want it described, have %v", q)
	}
	if a := q.GetAlert(); a.GetReceiver() != "bad" || a.GetStep() != "0s" || len(a.GetMissedCalls()) != 1 {
		t.Errorf("want all that it tells, have %v", a)
	}
	bustest.Eventually(t, "it recorded", func() bool { return w.count(pbxv1.AlertRecord_DROPPED) == 1 })
	tried := len(bad.received())
	if tried < 3 || tried > 6 {
		t.Errorf("want it tried after 10 s, 20 s and so on, have %d tries", tried)
	}
	good.want(t, "opened e1")
	w.start(yaml)
	w.forward(time.Hour)
	bad.mu.Lock()
	bad.answer = nil
	bad.mu.Unlock()
	w.tell(w.open("e2"))
	good.want(t, "opened e1", "opened e2")
	bustest.Eventually(t, "the next one", func() bool { return len(bad.received()) > tried })
	if have := bad.received()[tried:]; !slices.Equal([]string{"opened e2"}, have) {
		t.Errorf("want only the next one, have %q", have)
	}
	if all := w.quarantined(); len(all) != 1 {
		t.Errorf("want it once in the quarantine, have %v", all)
	}
	if r.counted(t, "bad", "failed") == 0 && w.replicas[1].counted(t, "bad", "failed") == 0 {
		t.Error("want failures counted, have none")
	}
}

// What never can be told is put into the quarantine at once: here, to a channel that is no more.
func TestNoChannel(t *testing.T) {
	t.Parallel()
	w, in := newWorld(t), newInbox(t, nil)
	r := w.start(routed(atOnce, map[string]*inbox{"hook": in}))
	e := w.open("e1")
	w.tell(e)
	in.want(t, "opened e1")
	bustest.Eventually(t, "a record", func() bool { return w.count(pbxv1.AlertRecord_SENT) == 1 })
	if err := r.Configure(read(t, routed(`{}`, map[string]*inbox{"other": in}))); err != nil {
		t.Fatal(err)
	}
	w.tell(w.resolved(e, pbxv1.MissedCall_CLOSED))
	bustest.Eventually(t, "it in the quarantine", func() bool { return len(w.quarantined()) == 1 })
	if have := w.quarantined()[0].GetError(); !strings.Contains(have, "tell hook: no channel is configured") {
		t.Errorf("want to know why, have %s", have)
	}
}

// A receiver that wants to be left alone is, also by a replica that starts meanwhile.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	busy := newInbox(t, func(_ message, n int) int {
		if n == 1 {
			return http.StatusTooManyRequests
		}
		return http.StatusOK
	})
	busy.header = map[string]string{"Retry-After": "120"}
	quick := newInbox(t, nil)
	yaml := routed(`{alerts: {routes: [{receivers: [busy, quick], group_wait: 0s}]}}`, map[string]*inbox{"busy": busy, "quick": quick})
	first := w.start(yaml)
	second := w.start(yaml, standby)
	w.tell(w.open("e1"))
	quick.want(t, "opened e1")
	bustest.Eventually(t, "a record of the failure", func() bool { return w.count(pbxv1.AlertRecord_FAILED) == 1 })
	first.stop()
	w.forward(100 * time.Second)
	third := w.start(yaml)
	w.tell(w.open("e2"))
	quick.want(t, "opened e1", "opened e2")
	busy.want(t, "opened e1")
	second.stop()
	w.forward(25 * time.Second)
	bustest.Eventually(t, "both told", func() bool { return len(busy.received()) == 3 })
	bustest.Eventually(t, "both counted", func() bool { return third.counted(t, "busy", "sent") == 2 })
}

// key is how a telling of an entry to hook at once is recorded.
func key(entry string) string {
	return alerts.Key{Tenant: "acme", Entry: entry, Step: "0s", Receiver: alerts.Receiver{Name: "hook"}}.String()
}

// A sending that somebody else began is left alone for the lease, and then taken over.
func TestLease(t *testing.T) {
	t.Parallel()
	w, in := newWorld(t), newInbox(t, nil)
	yaml := routed(atOnce, map[string]*inbox{"hook": in})
	w.start(yaml) // which makes the bucket
	w.put(key("e1"), &pbxv1.AlertRecord{State: pbxv1.AlertRecord_BEGAN, At: timestamppb.New(w.now()), Sending: "theirs", Tries: 1})
	w.put(key("e2"), &pbxv1.AlertRecord{State: pbxv1.AlertRecord_SENT, At: timestamppb.New(w.now()), Sending: "theirs", Tries: 1})
	w.start(yaml)
	w.tell(w.open("e1"))
	w.tell(w.open("e2"))
	w.tell(w.open("e3"))
	in.want(t, "opened e3")
	w.forward(3 * time.Second)
	in.want(t, "opened e3", "opened e1")
	bustest.Eventually(t, "it recorded", func() bool { return w.count(pbxv1.AlertRecord_SENT) == 3 })
	if have := w.records()[key("e1")]; have.GetTries() != 2 || have.GetChannel() != "hook" {
		t.Errorf("want the second try, by hook, have %v", have)
	}
}

// What has failed so often is given up, though nobody who is left was there all the time.
func TestGiveUpAfterRestart(t *testing.T) {
	t.Parallel()
	w, in := newWorld(t), newInbox(t, func(message, int) int { return http.StatusInternalServerError })
	yaml := routed(`{alerts: {give_up: 2h, routes: [{receivers: [hook], group_wait: 0s}]}}`, map[string]*inbox{"hook": in})
	w.start(yaml).stop()
	e := w.open("e1")
	w.forward(3 * time.Hour)
	w.put(key("e1"), &pbxv1.AlertRecord{
		State: pbxv1.AlertRecord_FAILED, At: timestamppb.New(w.now()), Sending: "theirs", Tries: 15, Error: "down", ErrorKind: "unavailable",
	})
	w.forward(16 * time.Minute)
	w.tell(e)
	w.start(yaml)
	bustest.Eventually(t, "it in the quarantine", func() bool { return len(w.quarantined()) == 1 })
}

// A sending of which only a part was recorded is taken over whole, when its lease is over.
func TestHalfRecorded(t *testing.T) {
	t.Parallel()
	w, in, other := newWorld(t), newInbox(t, nil), newInbox(t, nil)
	yaml := routed(`{alerts: {routes: [{receivers: [hook, other], group_by: tenant, group_wait: 0s}]}}`,
		map[string]*inbox{"hook": in, "other": other})
	w.start(yaml).stop()
	at := timestamppb.New(w.now())
	w.put(key("e1"), &pbxv1.AlertRecord{State: pbxv1.AlertRecord_BEGAN, At: at, Sending: "theirs", Tries: 1})
	w.put(key("e2"), &pbxv1.AlertRecord{
		State: pbxv1.AlertRecord_FAILED, At: at, Sending: "theirs", Tries: 1, Error: "down", ErrorKind: "unavailable",
	})
	w.tell(w.open("e1"))
	w.tell(w.open("e2"))
	w.start(yaml)
	bustest.Eventually(t, "the other told", func() bool { return w.count(pbxv1.AlertRecord_SENT) == 2 })
	quiet := time.Now().Add(600 * time.Millisecond) // Nothing is written any more that would have the records looked through.
	bustest.Eventually(t, "some time to pass", func() bool { return time.Now().After(quiet) })
	w.forward(20 * time.Second)
	in.want(t, "digest e1,e2")
	bustest.Eventually(t, "all recorded", func() bool { return w.count(pbxv1.AlertRecord_SENT) == 4 })
}
