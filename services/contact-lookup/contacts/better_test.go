package contacts_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/contact-lookup/contacts"
)

// better calls Better until there is nothing more, and returns the names and when they came.
func better(t *testing.T, b *contacts.Book, than *pbxv1.ContactLookupResponse) (names []string) {
	t.Helper()
	began := time.Now()
	for {
		next, err := b.Better(t.Context(), &pbxv1.ContactLookupRequest{Tenant: "acme", Number: number}, than)
		if err != nil {
			t.Fatalf("want an answer or none, have %v", err)
		}
		took := time.Since(began).Round(10 * time.Millisecond)
		if next == nil {
			return append(names, fmt.Sprintf("end %v", took))
		}
		name := next.GetContact().GetMatch().GetName()
		names = append(names, fmt.Sprintf("%s %v", name, took))
		than = next
	}
}

func TestBetter(t *testing.T) {
	const s = time.Second
	stranger := changing(s, matches{}, matches{called("A")})
	tests := map[string]struct {
		directories []*directory
		age         time.Duration // of an answer that is known
		first       string
		want        string
	}{
		"ordinary":                   {[]*directory{says(called("A"))}, 0, "A", "[end 0s]"},
		"nobody knows":               {[]*directory{says()}, 0, "", "[end 0s]"},
		"late":                       {[]*directory{after(5*s, called("A")), says(called("B"))}, 0, "B", "[A 3s end 3s]"},
		"late, where nobody knew":    {[]*directory{after(3*s, called("A")), says()}, 0, "", "[A 1s end 1s]"},
		"each better":                {[]*directory{after(6*s, called("A")), after(4*s, called("B")), says(called("C"))}, 0, "C", "[B 2s A 4s end 4s]"},
		"never came":                 {[]*directory{after(time.Hour, called("A")), says(called("B"))}, 0, "B", "[end 10s]"},
		"past its time, now known":   {[]*directory{stranger}, time.Hour, "", "[A 1s end 1s]"},
		"past its time, at once":     {[]*directory{changing(0, matches{called("A")}, matches{called("A.")})}, 2 * time.Hour, "A", "[A. 0s end 0s]"},
		"past its time, renamed":     {[]*directory{changing(s, matches{called("A")}, matches{called("A.")})}, 2 * time.Hour, "A", "[A. 1s end 1s]"},
		"past its time, as before":   {[]*directory{after(s, called("A"))}, 2 * time.Hour, "A", "[end 1s]"},
		"past its time, gone":        {[]*directory{changing(s, matches{called("A")}, matches{})}, 2 * time.Hour, "A", "[ 1s end 1s]"},
		"past its time, and failing": {[]*directory{changing(s, matches{called("A")}, nil)}, 2 * time.Hour, "A", "[end 0s]"},
		"past its time, and silent":  {[]*directory{inTurn(says(called("A")), after(time.Hour)), says()}, 2 * time.Hour, "A", "[end 12s]"},
		"past its time, a lower and worse": {
			[]*directory{changing(s, matches{}, nil), changing(s, matches{called("B")}, matches{})}, 2 * time.Hour, "B", "[end 1s]",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T) {
				truth := newBucket(time.Millisecond)
				f := finder(test.directories...)
				if test.age > 0 {
					lookup(t, book(truth.view(), "0", f), false)
					time.Sleep(test.age)
				}
				var wait sync.WaitGroup
				for _, b := range []*contacts.Book{book(truth.view(), "1", f), book(truth.view(), "2", f), book(truth.view(), "3", f)} {
					wait.Go(func() {
						first := lookup(t, b, false)
						if name := first.GetContact().GetMatch().GetName(); test.first != name {
							t.Errorf("want %q first, have %q", test.first, name)
						}
						if have := fmt.Sprint(better(t, b, first)); test.want != have {
							t.Errorf("want %s, have %s", test.want, have)
						}
					})
				}
				wait.Wait()
			})
		})
	}
}

func TestBetterThanAnImpatientCallersAnswer(t *testing.T) {
	simulate(t, func(t *testing.T) {
		b := book(newBucket(time.Millisecond).view(), "1", finder(after(time.Second, called("A")), says(called("B"))))
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		first, err := b.Lookup(ctx, &pbxv1.ContactLookupRequest{Tenant: "acme", Number: number, Explain: true})
		if err != nil {
			t.Fatal(err)
		}
		want(t, first, "B", fromDirectories)
		if have := fmt.Sprint(better(t, b, first)); have != "[A 900ms end 900ms]" {
			t.Errorf("want A when it comes, have %s", have)
		}
	})
}

// TestBetterOfAnotherConfiguration is of no use here.
func TestBetterOfAnotherConfiguration(t *testing.T) {
	simulate(t, func(t *testing.T) {
		truth := newBucket(time.Millisecond)
		late, other := named(after(5*time.Second, called("A")), says(called("B"))), named(says(called("C")))
		other[0].Digest = "2"
		b := book(truth.view(), "1", contacts.NewFinder(tenant(), late, time.Now))
		first := lookup(t, b, false)
		time.Sleep(time.Second)
		want(t, lookup(t, book(truth.view(), "2", contacts.NewFinder(tenant(), other, time.Now)), false), "C", fromDirectories)
		time.Sleep(time.Second)
		if have := fmt.Sprint(better(t, b, first)); have != "[end 0s]" {
			t.Errorf("want nothing of the other configuration, have %s", have)
		}
		time.Sleep(10 * time.Second)
		newer := book(truth.view(), "3", contacts.NewFinder(tenant(), other, time.Now))
		want(t, lookup(t, newer, false), "C", fromCache) // The late answer has not taken its place.
	})
}

// TestBetterSaysSomethingElse than who takes the call for the responsible.
func TestBetterSaysSomethingElse(t *testing.T) {
	simulate(t, func(t *testing.T) {
		tenant := tenant()
		tenant.Contacts.DutyAware, tenant.Contacts.Fallback = true, "99"
		f := contacts.NewFinder(tenant, named(says(&pbxv1.ContactMatch{Name: "A", ResponsibleExtension: "20"})), time.Now)
		b := contacts.NewBook(newBucket(0).view(), func(string) *contacts.Finder { return f }, contacts.Options{
			ID:     "1",
			Status: func(string, string) *pbxv1.AgentStatus { return &pbxv1.AgentStatus{State: pbxv1.AgentState_PAUSED} },
		})
		first := lookup(t, b, false)
		if first.GetContact().GetMatch().GetFallbackExtension() != "99" {
			t.Errorf("want the fallback, have %v", first)
		}
		if have := fmt.Sprint(better(t, b, first)); have != "[end 0s]" {
			t.Errorf("want nothing better, have %s", have)
		}
	})
}

func TestBetterEnds(t *testing.T) {
	simulate(t, func(t *testing.T) {
		b := book(newBucket(0).view(), "1", finder(after(5*time.Second, called("A")), says(called("B"))))
		first := lookup(t, b, false)
		request := &pbxv1.ContactLookupRequest{Tenant: "acme", Number: number}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if have, err := b.Better(ctx, request, first); have != nil || err != nil {
			t.Errorf("want nothing when the context ends, have %v, %v", have, err)
		}
		if _, err := b.Better(t.Context(), request, &pbxv1.ContactLookupResponse{Contact: first.GetContact()}); !fault.Is(err, fault.Invalid) {
			t.Errorf("want the trace demanded, have %v", err)
		}
		if _, err := b.Better(t.Context(), &pbxv1.ContactLookupRequest{Tenant: "globex", Number: number}, first); !fault.Is(err, fault.NotFound) {
			t.Errorf("want the tenant not found, have %v", err)
		}
		if have, err := b.Better(t.Context(), &pbxv1.ContactLookupRequest{Tenant: "acme", Number: "123"}, first); have != nil || err != nil {
			t.Errorf("want nothing about an extension, have %v, %v", have, err)
		}
	})
}

// TestLateAnswerIsOutdated has the number asked anew before the late answer comes.
func TestLateAnswerIsOutdated(t *testing.T) {
	simulate(t, func(t *testing.T) {
		truth := newBucket(time.Millisecond)
		crm := inTurn(after(5*time.Second, called("old")), says(called("new")))
		f := finder(crm, says(called("B")))
		first, second := book(truth.view(), "1", f), book(truth.view(), "2", f)
		want(t, lookup(t, first, false), "B", fromDirectories)
		time.Sleep(time.Second)
		want(t, lookup(t, second, true), "new", fromDirectories)
		time.Sleep(10 * time.Second)
		want(t, lookup(t, first, false), "new", fromCache)
	})
}

// TestLateAnswerBesideWhatIsKept must not take the place of what a directory of higher priority said before.
func TestLateAnswerBesideWhatIsKept(t *testing.T) {
	simulate(t, func(t *testing.T) {
		slow := inTurn(says(), after(4*time.Second, called("B")))
		f := finder(changing(0, matches{called("A")}, nil), slow, says(called("C")))
		b := book(newBucket(0).view(), "1", f)
		want(t, lookup(t, b, false), "A", fromDirectories)
		time.Sleep(2 * time.Hour)
		want(t, lookup(t, b, true), "A", fromStaleCache)
		time.Sleep(5 * time.Second)
		want(t, lookup(t, b, false), "A", fromCache)
	})
}
