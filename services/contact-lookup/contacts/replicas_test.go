package contacts_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/contact-lookup/contacts"
)

const key = "acme.420224941111"

// TestOneAtATime has many callers of several replicas ask about a few numbers.
func TestOneAtATime(t *testing.T) {
	for _, lag := range []time.Duration{0, time.Millisecond, 50 * time.Millisecond} {
		t.Run(lag.String(), func(t *testing.T) {
			simulate(t, func(t *testing.T) {
				const replicas, callers, numbers = 5, 1000, 7
				truth := newBucket(lag)
				d := after(300*time.Millisecond, called("A"))
				all := make([]*contacts.Book, replicas)
				for i := range all {
					all[i] = book(truth.view(), fmt.Sprint(i), finder(d))
				}
				var wait sync.WaitGroup
				var sources [6]atomic.Int32
				for i := range replicas * callers {
					wait.Go(func() {
						r := &pbxv1.ContactLookupRequest{Tenant: "acme", Number: fmt.Sprintf("+42022494111%d", i%numbers), Explain: true}
						have, err := all[i/numbers%replicas].Lookup(t.Context(), r)
						if err != nil || have.GetContact().GetMatch().GetName() != "A" {
							t.Errorf("want A, have %v, %v", have, err)
						}
						sources[have.GetTrace().GetSource()].Add(1)
					})
				}
				wait.Wait()
				wantAsked(t, d, numbers)
				if have := sources[fromDirectories].Load(); have != numbers {
					t.Errorf("want %d answers of the directories and the rest shared, have %d", numbers, have)
				}
			})
		})
	}
}

// TestOneAtATimeForLong goes through expiry, refreshing and forgetting, with one number.
func TestOneAtATimeForLong(t *testing.T) {
	simulate(t, func(t *testing.T) {
		truth := newBucket(3 * time.Millisecond)
		d := after(time.Second, called("A"))
		var wait sync.WaitGroup
		for i := range 4 {
			b := book(truth.view(), fmt.Sprint(i), finder(d))
			for caller := range 50 {
				wait.Go(func() {
					for turn := range 20 {
						lookup(t, b, (turn+caller)%7 == 0)
						time.Sleep(time.Duration(7+(caller*31+i*17)%40) * time.Minute)
					}
				})
			}
		}
		wait.Wait()
		if have := d.most.Load(); have != 1 {
			t.Errorf("want one question at a time, have %d", have)
		}
	})
}

func claimed(t *testing.T, v *view, left time.Duration) {
	t.Helper()
	value := &pbxv1.CachedContact{ClaimedBy: "dead", ClaimedUntil: timestamppb.New(time.Now().Add(left))}
	if _, err := v.Put(t.Context(), key, value, 0); err != nil {
		t.Fatal(err)
	}
}

func TestDeadHolder(t *testing.T) {
	tests := map[string]struct{ left, want time.Duration }{
		"its claim runs out":             {1500 * time.Millisecond, 1500 * time.Millisecond},
		"its claim has run out":          {-time.Second, 0},
		"its clock was an hour ahead":    {time.Hour, 3 * time.Second}, // the deadline and the margin
		"it died as soon as it could":    {3 * time.Second, 3 * time.Second},
		"it died as it was at the point": {0, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T) {
				truth := newBucket(time.Millisecond)
				d := after(100*time.Millisecond, called("A"))
				claimed(t, truth.view(), test.left)
				began := time.Now()
				var wait sync.WaitGroup
				for i := range 3 {
					b := book(truth.view(), fmt.Sprint(i), finder(d))
					for range 100 {
						wait.Go(func() { lookup(t, b, false) })
					}
				}
				wait.Wait()
				if took := time.Since(began) - 100*time.Millisecond; took < test.want || took > test.want+20*time.Millisecond {
					t.Errorf("want it taken over after %v, have %v", test.want, took)
				}
				wantAsked(t, d, 1)
			})
		})
	}
}

// TestNobodyAsksBesideHolder also where there is an answer past its time.
func TestNobodyAsksBesideHolder(t *testing.T) {
	simulate(t, func(t *testing.T) {
		truth := newBucket(0)
		replica := truth.view()
		d := says(called("A"))
		b := book(replica, "1", finder(d))
		lookup(t, b, false)
		time.Sleep(2 * time.Hour)
		v, revision := replica.Get(key)
		v = proto.CloneOf(v)
		v.ClaimedBy, v.ClaimedUntil = "2", timestamppb.New(time.Now().Add(time.Second))
		if _, err := replica.Put(t.Context(), key, v, revision); err != nil {
			t.Fatal(err)
		}
		want(t, lookup(t, b, false), "A", fromStaleCache)
		time.Sleep(900 * time.Millisecond)
		wantAsked(t, d, 1)
		time.Sleep(time.Second)
		want(t, lookup(t, b, false), "A", fromStaleCache)
		time.Sleep(time.Second)
		wantAsked(t, d, 2)
	})
}

// TestWithoutBucket must not prevent answers.
func TestWithoutBucket(t *testing.T) {
	tests := map[string]struct {
		fail func(v *view)
		want time.Duration
	}{
		"refuses": {func(v *view) { v.away.Store(true) }, 0},
		"hangs":   {func(v *view) { v.hangs.Store(true) }, 500 * time.Millisecond},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T) {
				replica := newBucket(0).view()
				test.fail(replica)
				d := says(called("A"))
				b := book(replica, "1", finder(d))
				for range 3 {
					began := time.Now()
					want(t, lookup(t, b, false), "A", fromDirectories)
					if took := time.Since(began); test.want != took {
						t.Errorf("want an answer after %v, have it after %v", test.want, took)
					}
					time.Sleep(time.Second)
				}
				replica.away.Store(false)
				replica.hangs.Store(false)
				want(t, lookup(t, b, false), "A", fromDirectories)
				time.Sleep(time.Second)
				want(t, lookup(t, b, false), "A", fromCache)
			})
		})
	}
}

// TestViewStandsStill has a replica that no change reaches any more.
func TestViewStandsStill(t *testing.T) {
	simulate(t, func(t *testing.T) {
		truth := newBucket(time.Hour)
		d := says(called("A"))
		first, second := book(truth.view(), "1", finder(d)), book(truth.view(), "2", finder(d))
		want(t, lookup(t, first, false), "A", fromDirectories)
		began := time.Now()
		want(t, lookup(t, second, false), "A", fromDirectories)
		if took := time.Since(began); took != 500*time.Millisecond {
			t.Errorf("want it given up after 500 ms, have %v", took)
		}
	})
}

// slowStore is a replica that freezes before it stores its answer: its second Put.
type slowStore struct {
	*view
	frozen time.Duration
}

func (s *slowStore) Put(_ context.Context, key string, value *pbxv1.CachedContact, revision uint64) (uint64, error) {
	if s.puts.Load() == 1 {
		time.Sleep(s.frozen)
	}
	return s.view.Put(context.Background(), key, value, revision)
}

// TestFrozenHolder wakes up when another has taken over.
func TestFrozenHolder(t *testing.T) {
	tests := map[string]struct {
		frozen time.Duration
		want   string
	}{
		"not for long":               {time.Second, "old"},
		"while another asks":         {3500 * time.Millisecond, "new"},
		"until another has answered": {10 * time.Second, "new"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T) {
				truth := newBucket(time.Millisecond)
				d := changing(time.Second, matches{called("old")}, matches{called("new")})
				frozen := book(&slowStore{view: truth.view(), frozen: test.frozen}, "1", finder(d))
				want(t, lookup(t, frozen, false), "old", fromDirectories)
				replica := truth.view()
				other := book(replica, "2", finder(d))
				want(t, lookup(t, other, false), test.want, map[string]pbxv1.ContactTrace_Source{"old": shared, "new": fromDirectories}[test.want])
				time.Sleep(30 * time.Second)
				want(t, lookup(t, other, false), test.want, fromCache)
				if v, _ := replica.Get(key); v.GetClaimedUntil() != nil {
					t.Errorf("want no claim left, have %v", v)
				}
			})
		})
	}
}

// uncertain stores claims and answers, and says that it does not know whether it has.
type uncertain struct{ *view }

func (u *uncertain) Put(ctx context.Context, key string, value *pbxv1.CachedContact, revision uint64) (uint64, error) {
	next, err := u.view.Put(ctx, key, value, revision)
	if u.puts.Load() == 1 {
		return 0, fault.New(fault.Unavailable, "the acknowledgement was lost")
	}
	return next, err
}

func TestUncertainClaim(t *testing.T) {
	simulate(t, func(t *testing.T) {
		d := after(time.Second, called("A"))
		truth := newBucket(time.Millisecond)
		b := book(&uncertain{truth.view()}, "1", finder(d))
		want(t, lookup(t, b, false), "A", fromDirectories)
		time.Sleep(time.Second)
		want(t, lookup(t, b, false), "A", fromCache)
		wantAsked(t, d, 1)
	})
}

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
				for i := range 3 {
					wait.Go(func() {
						b := book(truth.view(), fmt.Sprint(i), f)
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

func BenchmarkLookup(b *testing.B) {
	replica := newBucket(0).view()
	book := book(replica, "1", finder(says(&pbxv1.ContactMatch{Name: "A", ResponsibleExtension: "20"}), fails(errors.New("refused"))))
	for name, request := range map[string]*pbxv1.ContactLookupRequest{
		"e164":      {Tenant: "acme", Number: number},
		"national":  {Tenant: "acme", Number: "224 941 111"},
		"explained": {Tenant: "acme", Number: number, Explain: true},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := book.Lookup(b.Context(), request); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lookups/s")
		})
	}
}
