package contacts_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/directories"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/phone"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/contact-lookup/contacts"
)

const number = "+420224941111"

// simulate runs a test on a clock of its own, and waits at the end until nobody listens to late answers any more.
func simulate(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(time.Minute)
		test(t)
	})
}

// matches is what a directory says.
type matches = []*pbxv1.ContactMatch

func called(name string) *pbxv1.ContactMatch { return &pbxv1.ContactMatch{Name: name} }

// directory answers with a function, and counts.
type directory struct {
	asked  atomic.Int32
	now    atomic.Int32 // questions being answered
	most   atomic.Int32 // the most of them at once
	answer func(ctx context.Context) (matches, error)
}

func (d *directory) Find(ctx context.Context, _ []phone.Form) (matches, error) {
	d.asked.Add(1)
	now := d.now.Add(1)
	defer d.now.Add(-1)
	for most := d.most.Load(); now > most && !d.most.CompareAndSwap(most, now); most = d.most.Load() {
	}
	return d.answer(ctx)
}

func (d *directory) Close() error { return nil }

// says answers at once.
func says(m ...*pbxv1.ContactMatch) *directory { return after(0, m...) }

// after answers after a time, or fails when its context ends.
func after(d time.Duration, m ...*pbxv1.ContactMatch) *directory {
	return &directory{answer: func(ctx context.Context) (matches, error) {
		if d == 0 { // Without a timer: Go 1.26 may crash where several that are due at once meet synctest and -race.
			return m, nil
		}
		select {
		case <-time.After(d):
			return m, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}
}

func fails(err error) *directory {
	return &directory{answer: func(context.Context) (matches, error) { return nil, err }}
}

// named gives directories the names a, b, c and so on.
func named(all ...*directory) []directories.Named {
	var list []directories.Named
	for i, d := range all {
		list = append(list, directories.Named{Name: string(rune('a' + i)), Type: "file", Digest: "1", Directory: d})
	}
	return list
}

func tenant() *config.Tenant {
	return &config.Tenant{
		Name: "acme", Region: "CZ",
		Contacts: config.Contacts{Deadline: 2 * time.Second, TTL: time.Hour, UnknownTTL: 5 * time.Minute},
	}
}

func finder(all ...*directory) *contacts.Finder {
	return contacts.NewFinder(tenant(), named(all...), time.Now)
}

func outside() phone.Number { return phone.Parse(number, "CZ") }

// bucket is what replicas share.
type bucket struct {
	mu    sync.Mutex
	last  uint64
	truth map[string]entry
	views []*view
	lag   time.Duration // until a view shows a change
}

type entry struct {
	value    *pbxv1.CachedContact
	revision uint64
}

// view is a bucket as one replica sees it.
type view struct {
	bucket *bucket
	away   atomic.Bool // writing fails
	hangs  atomic.Bool // writing takes as long as its context lets it
	puts   atomic.Int32

	mu      sync.Mutex
	seen    map[string]entry
	changed chan struct{}
}

func newBucket(lag time.Duration) *bucket { return &bucket{truth: make(map[string]entry), lag: lag} }

func (b *bucket) view() *view {
	v := &view{bucket: b, seen: make(map[string]entry), changed: make(chan struct{})}
	b.mu.Lock()
	defer b.mu.Unlock()
	maps.Copy(v.seen, b.truth)
	b.views = append(b.views, v)
	return v
}

func (b *bucket) set(key string, value *pbxv1.CachedContact, check func(last uint64) bool) (uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !check(b.truth[key].revision) {
		return 0, fault.New(fault.Conflict, "wrong last revision")
	}
	b.last++
	e := entry{value, b.last}
	b.truth[key] = e
	for _, v := range b.views {
		if b.lag == 0 {
			v.show(key, e)
		} else {
			time.AfterFunc(b.lag, func() { v.show(key, e) })
		}
	}
	return b.last, nil
}

func (v *view) show(key string, e entry) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.seen[key].revision < e.revision {
		v.seen[key] = e
		close(v.changed)
		v.changed = make(chan struct{})
	}
}

func (v *view) Get(key string) (*pbxv1.CachedContact, uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.seen[key].value, v.seen[key].revision
}

func (v *view) Put(ctx context.Context, key string, value *pbxv1.CachedContact, revision uint64) (uint64, error) {
	v.puts.Add(1)
	if v.hangs.Load() {
		<-ctx.Done()
	}
	if v.away.Load() || ctx.Err() != nil {
		return 0, fault.New(fault.Unavailable, "no responders")
	}
	return v.bucket.set(key, value, func(last uint64) bool { return last == revision })
}

func (v *view) Delete(_ context.Context, key string) error {
	if v.away.Load() {
		return fault.New(fault.Unavailable, "no responders")
	}
	_, err := v.bucket.set(key, nil, func(uint64) bool { return true })
	return err
}

func (v *view) Keys(prefix string) []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var keys []string
	for key, e := range v.seen {
		if strings.HasPrefix(key, prefix) && e.value != nil {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

func (v *view) Wait(ctx context.Context, key string, revision uint64) error {
	for {
		v.mu.Lock()
		changed, now := v.changed, v.seen[key].revision
		v.mu.Unlock()
		if now != revision {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// book returns a book of the tenant acme on a view.
func book(s contacts.Shared, id string, f *contacts.Finder) *contacts.Book {
	finders := func(tenant string) *contacts.Finder {
		if tenant != "acme" {
			return nil
		}
		return f
	}
	return contacts.NewBook(s, finders, contacts.Options{ID: id})
}

// lookup asks a book with explanation.
func lookup(t *testing.T, b *contacts.Book, refresh bool) *pbxv1.ContactLookupResponse {
	t.Helper()
	r, err := b.Lookup(t.Context(), &pbxv1.ContactLookupRequest{Tenant: "acme", Number: number, Explain: true, Refresh: refresh})
	if err != nil {
		t.Errorf("want an answer, have %v", err)
	}
	return r
}

// want compares the name that was answered, empty for UNKNOWN, and where it comes from.
func want(t *testing.T, have *pbxv1.ContactLookupResponse, name string, source pbxv1.ContactTrace_Source) {
	t.Helper()
	if n, s := have.GetContact().GetMatch().GetName(), have.GetTrace().GetSource(); name != n || source != s {
		t.Errorf("want %q by %v, have %q by %v (%s)", name, source, n, s, have.GetTrace().GetReason())
	}
}

func wantAsked(t *testing.T, d *directory, times int32) {
	t.Helper()
	if have := d.asked.Load(); times != have {
		t.Errorf("want the directory asked %d times, have %d", times, have)
	}
}
