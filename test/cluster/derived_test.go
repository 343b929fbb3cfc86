package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/config"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/agent-state/agents"
	"github.com/switchhook/switchhook/services/missed-call/missed"
	"github.com/switchhook/switchhook/services/missed-call/settings"
	"github.com/switchhook/switchhook/services/pbxsim/ledger"
	"github.com/switchhook/switchhook/test/process"
)

// derived is what services made of the stream, and what they should have made of it: what the pure cores say of the stream that
// remains, nothing of which was ever restarted.
type derived struct {
	transitions, entries [2][]string       // want, have
	contacts             map[string]int    // how many an IPEX call got, by its key
	open                 map[string]string // tenants, by the ids of the entries that were opened and not resolved
}

// derive reads the stream.
func (o *office) derive(b *bus.Bus) (*derived, error) {
	c, err := config.Load(o.config, func(c *config.Config) (*config.Config, error) { return c, nil })
	if err != nil {
		return nil, err
	}
	tenants, err := settings.Read(c)
	if err != nil {
		return nil, err
	}
	var rules []missed.Settings
	for _, tenant := range tenants {
		rules = append(rules, tenant.Missed)
	}
	d := &derived{contacts: map[string]int{}, open: map[string]string{}}
	states, ledger := agents.New(c.Tenants), missed.New(rules)
	var clock time.Time
	var last uint64
	ctx, cancel := context.WithTimeout(o.t.Context(), 20*time.Second)
	defer cancel()
	for s, err := range b.Events(ctx, bus.Filter{}) {
		if err != nil {
			return nil, err
		}
		ev := s.Message
		if s.At.After(clock) {
			clock = s.At
		}
		last = s.Sequence
		d.note(ev)
		for _, expected := range ledger.Apply(s.Sequence, clock, ev) {
			d.entries[0] = append(d.entries[0], describe(expected))
		}
		at := clock
		if since := ev.GetAgent().GetSince().AsTime(); ev.GetAgent().GetKind() == pbxv1.Agent_STATE_CHANGED && since.After(at) {
			at = since
		}
		for _, expected := range states.Apply(s.Sequence, at, ev) {
			d.transitions[0] = append(d.transitions[0], describe(expected))
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	for _, expected := range ledger.Apply(last+1, time.Now(), &pbxv1.Event{}) {
		d.entries[0] = append(d.entries[0], describe(expected))
	}
	for _, lists := range [][2][]string{d.transitions, d.entries} {
		slices.Sort(lists[0])
		slices.Sort(lists[1])
	}
	return d, nil
}

// note notes an event that a service made.
func (d *derived) note(ev *pbxv1.Event) {
	switch m := ev.GetMissedCall(); {
	case ev.GetAgent().GetKind() == pbxv1.Agent_STATE_CHANGED:
		d.transitions[1] = append(d.transitions[1], describe(ev))
	case ev.GetContact() != nil && ev.GetVendor() == "ipex":
		d.contacts[ev.GetContact().GetCallKey()]++
	case m.GetKind() == pbxv1.MissedCall_OPENED:
		d.open[m.GetId()] = ev.GetTenant()
	case m.GetKind() == pbxv1.MissedCall_RESOLVED:
		delete(d.open, m.GetId())
	}
	if ev.GetMissedCall() != nil {
		d.entries[1] = append(d.entries[1], describe(ev))
	}
}

func describe(ev *pbxv1.Event) string {
	if m := ev.GetMissedCall(); m != nil {
		return fmt.Sprintf("%s at %s: %s %s of %q, %s", ev.GetId(), ev.GetTime().AsTime(), m.GetKind(), m.GetId(), m.GetCallKeys(),
			m.GetResolution())
	}
	a := ev.GetAgent()
	return fmt.Sprintf("%s %s: %s to %s since %s", ev.GetTenant(), a.GetId(), a.GetPreviousState(), a.GetState(),
		a.GetSince().AsTime().Format(time.RFC3339Nano))
}

// awaitDerived waits until services have made of the stream exactly what they should, and until people were told of all that is
// still open.
func (o *office) awaitDerived(b *bus.Bus, path string) {
	o.t.Helper()
	calls := o.ipexCalls(path)
	// An alert that a replica began to send, without hearing that it did, is taken up again after the lease of 90 s.
	process.Eventually(o.t, "all that follows of the events, once", 150*time.Second, func() error {
		d, err := o.derive(b)
		if err != nil {
			return err
		}
		errs := []error{difference("transition", d.transitions), difference("missed call", d.entries)}
		for key, cut := range calls {
			if n := d.contacts[key]; n != 1 && !cut {
				errs = append(errs, fmt.Errorf("call %s: want one contact, have %d", key, n))
			}
		}
		for entry, tenant := range d.open {
			if !o.hook.knows(tenant, entry) {
				errs = append(errs, fmt.Errorf("missed call %s of %s: want an alert, have none", entry, tenant))
			}
		}
		errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
		if len(errs) > 0 {
			return errors.Join(errs[:min(len(errs), 10)]...)
		}
		o.t.Logf("%d transitions, %d contacts of IPEX calls, %d events of missed calls, %d of which are open",
			len(d.transitions[1]), len(d.contacts), len(d.entries[1]), len(d.open))
		return nil
	})
}

// ipexCalls returns the calls with an outside number, by their keys, and whether they were cut short.
func (o *office) ipexCalls(path string) map[string]bool {
	o.t.Helper()
	file, err := os.Open(path)
	if err != nil {
		o.t.Fatal(err)
	}
	defer file.Close()
	calls := map[string]bool{}
	for entry, err := range ledger.Read(file) {
		if err != nil {
			o.t.Fatal(err)
		}
		if c, ok := entry.(*ledger.Call); ok && c.Vendor == "ipex" && c.Tenant == "acme" && c.Direction != "internal" && c.Caller != "" {
			calls[c.Key] = c.Cut
		}
	}
	if len(calls) == 0 {
		o.t.Error("want calls in the ledger, have none")
	}
	return calls
}

// difference names the first of what two sorted lists do not have in common.
func difference(what string, lists [2][]string) error {
	want, have := lists[0], lists[1]
	for i := range max(len(want), len(have)) {
		if i >= len(want) || i >= len(have) || want[i] != have[i] {
			return fmt.Errorf("%d %ss wanted, %d published; first difference:\nwant %q\nhave %q", len(want), what, len(have),
				want[min(i, len(want)):min(i+2, len(want))], have[min(i, len(have)):min(i+2, len(have))])
		}
	}
	return nil
}
