package contacts_test

import (
	"slices"
	"testing"
	"time"

	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/contact-lookup/contacts"
)

func TestForget(t *testing.T) {
	simulate(t, func(t *testing.T) {
		d := says(called("A"))
		truth := newBucket(0)
		b := book(truth.view(), "1", finder(d))
		other := &pbxv1.CachedContact{Contact: &pbxv1.Contact{}}
		for _, key := range []string{"acme.420224941112", "acme-2.420224941111"} {
			if _, err := truth.view().Put(t.Context(), key, other, 0); err != nil {
				t.Fatal(err)
			}
		}
		claimed := &pbxv1.CachedContact{ClaimedBy: "2"}
		if _, err := truth.view().Put(t.Context(), "acme.420224941113", claimed, 0); err != nil {
			t.Fatal(err)
		}
		lookup(t, b, false)
		time.Sleep(time.Second)
		steps := []struct {
			tenant, number string
			want           int
			err            fault.Kind
		}{
			{"acme", "224 941 111", 1, 0},
			{"acme", "224 941 111", 0, 0},
			{"acme", "123", 0, fault.Invalid},
			{"acme", "nonsense", 0, fault.Invalid},
			{"acme-2", "", 0, fault.NotFound},
			{"acme-2", number, 0, fault.NotFound},
			{"acme", "", 1, 0},
			{"acme", "", 0, 0},
		}
		for _, s := range steps {
			have, err := b.Forget(t.Context(), &pbxv1.ContactInvalidateRequest{Tenant: s.tenant, Number: s.number})
			if s.want != have || (s.err == 0) != (err == nil) || s.err != 0 && !fault.Is(err, s.err) {
				t.Errorf("%s %s: want %d, %v, have %d, %v", s.tenant, s.number, s.want, s.err, have, err)
			}
		}
		if keys := truth.view().Keys(""); !slices.Equal(keys, []string{"acme-2.420224941111"}) {
			t.Errorf("want nothing left but another tenant's, have %q", keys)
		}
		want(t, lookup(t, b, false), "A", fromDirectories)
		wantAsked(t, d, 2)
	})
}

func TestForgetDuringLookup(t *testing.T) {
	for name, next := range map[string]int{"nobody asks again": -1, "the same process does": 0, "another process does": 1} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T) {
				d := changing(time.Second, matches{called("old")}, matches{called("new")}, matches{called("newest")})
				truth := newBucket(time.Millisecond)
				replicas := []*contacts.Book{book(truth.view(), "1", finder(d)), book(truth.view(), "2", finder(d))}
				first, second := make(chan *pbxv1.ContactLookupResponse), make(chan *pbxv1.ContactLookupResponse)
				go func() { first <- lookup(t, replicas[0], false) }()
				time.Sleep(500 * time.Millisecond)
				forget(t, replicas[0], 0)
				if next >= 0 {
					go func() { second <- lookup(t, replicas[next], false) }()
				}
				want(t, <-first, "old", fromDirectories)
				time.Sleep(100 * time.Millisecond)
				have := lookup(t, replicas[0], false)
				if next >= 0 {
					want(t, have, "new", shared)
					want(t, <-second, "new", fromDirectories)
				} else {
					want(t, have, "new", fromDirectories)
				}
				time.Sleep(time.Second)
				want(t, lookup(t, replicas[0], false), "new", fromCache)
				forget(t, replicas[0], 1)
				want(t, lookup(t, replicas[0], false), "newest", fromDirectories)
			})
		})
	}
}

// forget forgets the number, and compares how many answers that were.
func forget(t *testing.T, b *contacts.Book, want int) {
	t.Helper()
	have, err := b.Forget(t.Context(), &pbxv1.ContactInvalidateRequest{Tenant: "acme", Number: number})
	if want != have || err != nil {
		t.Errorf("want %d answers forgotten, have %d, %v", want, have, err)
	}
}

func TestForgetWithoutBucket(t *testing.T) {
	simulate(t, func(t *testing.T) {
		replica := newBucket(0).view()
		b := book(replica, "1", finder(says()))
		lookup(t, b, false)
		replica.away.Store(true)
		for _, number := range []string{"", number} {
			have, err := b.Forget(t.Context(), &pbxv1.ContactInvalidateRequest{Tenant: "acme", Number: number})
			if have != 0 || !fault.Is(err, fault.Unavailable) {
				t.Errorf("want nothing forgotten, and why, have %d, %v", have, err)
			}
		}
	})
}
