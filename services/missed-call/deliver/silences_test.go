package deliver_test

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// What one replica is told to keep back, all keep back, also one that starts later; and what is still open is told at the end.
func TestSilence(t *testing.T) {
	t.Parallel()
	w, in := newWorld(t), newInbox(t, nil)
	yaml := routed(atOnce, map[string]*inbox{"hook": in})
	first := w.start(yaml)
	second := w.start(yaml)
	put, err := first.PutSilence(t.Context(), &pbxv1.Silence{
		Tenant: "acme", Queues: []string{"NOC"}, EndsAt: timestamppb.New(w.now().Add(time.Hour)), CreatedBy: &pbxv1.User{Login: "karel"},
	})
	if err != nil || put.GetId() == "" || put.GetBeginsAt() == nil {
		t.Fatalf("want it stored, have %v, %v", put, err)
	}
	bustest.Eventually(t, "the other to know", func() bool {
		all := second.Silences("acme")
		return len(all) == 1 && proto.Equal(put, all[0])
	})
	first.stop()
	third := w.start(yaml)
	noc := w.open("noc")
	noc.Queue = "NOC"
	bustest.Eventually(t, "the second to have it planned", func() bool { return len(third.Silences("acme")) == 1 })
	w.forward(time.Second)
	w.tell(w.open("before")) // Planning it, whoever tells it has looked at the silences.
	in.want(t, "opened before")
	w.tell(noc)
	w.tell(w.open("sales"))
	in.want(t, "opened before", "opened sales")
	put.EndsAt = timestamppb.New(w.now())
	ended, err := third.PutSilence(t.Context(), put)
	if err != nil || ended.GetId() != put.GetId() {
		t.Fatalf("want it ended, have %v, %v", ended, err)
	}
	in.want(t, "opened before", "opened sales", "opened noc")
	if all := third.Silences("acme"); len(all) != 0 {
		t.Errorf("want none left, have %v", all)
	}
}

func TestPutSilence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.start(routed(atOnce, map[string]*inbox{"hook": newInbox(t, nil)}))
	at := func(d time.Duration) *timestamppb.Timestamp { return timestamppb.New(w.now().Add(d)) }
	later, err := r.PutSilence(t.Context(), &pbxv1.Silence{Tenant: "acme", BeginsAt: at(time.Hour), EndsAt: at(2 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if later, err = r.PutSilence(t.Context(), &pbxv1.Silence{Tenant: "acme", Id: later.GetId(), EndsAt: at(3 * time.Hour), Note: "longer"}); err != nil ||
		later.GetBeginsAt().AsTime().Before(w.now().Add(30*time.Minute)) || later.GetNote() != "longer" {
		t.Errorf("want it to begin as before, have %v, %v", later, err)
	}
	tests := map[string]struct {
		silence *pbxv1.Silence
		want    fault.Kind
	}{
		"no end":            {&pbxv1.Silence{Tenant: "acme"}, fault.Invalid},
		"over":              {&pbxv1.Silence{Tenant: "acme", EndsAt: at(-time.Second)}, fault.Invalid},
		"end before begin":  {&pbxv1.Silence{Tenant: "acme", BeginsAt: at(2 * time.Hour), EndsAt: at(time.Hour)}, fault.Invalid},
		"no point in time":  {&pbxv1.Silence{Tenant: "acme", EndsAt: &timestamppb.Timestamp{Seconds: 1 << 60}}, fault.Invalid},
		"all numbers":       {&pbxv1.Silence{Tenant: "acme", From: []string{""}, EndsAt: at(time.Hour)}, fault.Invalid},
		"no such tenant":    {&pbxv1.Silence{Tenant: "globex", EndsAt: at(time.Hour)}, fault.NotFound},
		"no such silence":   {&pbxv1.Silence{Tenant: "acme", Id: event.NewID(), EndsAt: at(time.Hour)}, fault.NotFound},
		"not even a name":   {&pbxv1.Silence{Tenant: "acme", Id: "a b.*", EndsAt: at(time.Hour)}, fault.NotFound},
		"another's silence": {&pbxv1.Silence{Tenant: "globex", Id: later.GetId(), EndsAt: at(time.Hour)}, fault.NotFound},
	}
	for name, test := range tests {
		if s, err := r.PutSilence(t.Context(), test.silence); !fault.Is(err, test.want) {
			t.Errorf("%s: want %v, have %v, %v", name, test.want, s, err)
		}
	}
	later.EndsAt = at(0)
	if ended, err := r.PutSilence(t.Context(), later); err != nil || len(r.Silences("acme")) != 0 {
		t.Errorf("want it over before it began, have %v, %v", ended, err)
	}
}
