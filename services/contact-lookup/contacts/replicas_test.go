package contacts_test

import (
	"context"
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

// TestWithoutBucketCallersShare one lookup nevertheless, within their process. Whoever asks after it was demanded to forget does not
// join what began before.
func TestWithoutBucketCallersShare(t *testing.T) {
	simulate(t, func(t *testing.T) {
		replica := newBucket(0).view()
		replica.away.Store(true)
		d := after(time.Second, called("A"))
		b := book(replica, "1", finder(d))
		var wait sync.WaitGroup
		ask := func() { wait.Go(func() { lookup(t, b, false) }) }
		for range 1000 {
			ask()
		}
		time.Sleep(500 * time.Millisecond)
		wantAsked(t, d, 1)
		if _, err := b.Forget(t.Context(), &pbxv1.ContactInvalidateRequest{Tenant: "acme"}); err != nil {
			t.Error(err)
		}
		ask()
		time.Sleep(600 * time.Millisecond) // The first is over, the second goes on.
		wantAsked(t, d, 2)
		ask()
		wait.Wait()
		wantAsked(t, d, 2)
	})
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
	for _, took := range []time.Duration{0, time.Second} {
		simulate(t, func(t *testing.T) {
			d := after(took, called("A"))
			truth := newBucket(time.Millisecond)
			b := book(&uncertain{truth.view()}, "1", finder(d))
			want(t, lookup(t, b, false), "A", fromDirectories)
			time.Sleep(time.Second)
			want(t, lookup(t, b, false), "A", fromCache)
			wantAsked(t, d, 1)
		})
	}
}
