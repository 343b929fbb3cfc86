package contacts

import (
	"context"
	"fmt"
	"maps"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

const (
	// margin is how long a claim lasts beyond the deadline of the directories: the time to store the answer.
	margin = time.Second
	// bucketLimit is how long the bucket may take for one operation, and for showing it. Beyond that it is as good as away.
	bucketLimit = margin / 2
	// incompleteTTL is the longest that an answer is served which might have been better.
	incompleteTTL = 30 * time.Second
)

// flight is one lookup of this process, with all who wait for it.
type flight struct {
	search atomic.Pointer[search] // set when this process asks
	found  found                  // to be read when done is closed
	done   chan struct{}          // closed when the answer is there
	gone   chan struct{}          // closed when the bucket has it, and nobody joins any more
}

// join returns the lookup of a number that goes on, or begins one.
func (b *Book) join(ctx context.Context, q question) (fl *flight, first bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if fl := b.flights[q.place()]; fl != nil {
		return fl, false
	}
	fl = &flight{done: make(chan struct{}), gone: make(chan struct{})}
	b.flights[q.place()] = fl
	b.begun++
	q.number.Raw, q.claimant = q.number.E164, fmt.Sprintf("%s/%d", b.options.ID, b.begun)
	go b.fly(context.WithoutCancel(ctx), q, fl)
	return fl, true
}

// renew looks a number up in the background, unless somebody is at it.
func (b *Book) renew(ctx context.Context, q question) {
	if v, _ := b.shared.Get(q.key); b.claimLeft(v) <= 0 {
		b.join(ctx, q)
	}
}

// wait joins a lookup, and returns what is known when it is over or there is no more time. Who wants to refresh does not
// take an answer from before the request.
func (b *Book) wait(ctx context.Context, q question, timeout *durationpb.Duration) (found, error) {
	if timeout != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout.AsDuration())
		defer cancel()
	}
	for {
		fl, first := b.join(ctx, q)
		select {
		case <-fl.done:
		case <-ctx.Done():
			return b.meanwhile(q, fl)
		}
		if f := fl.found; !q.refresh || !f.trace.GetAskedAt().AsTime().Before(q.began) {
			if !first && f.source == pbxv1.ContactTrace_DIRECTORIES {
				f.source = pbxv1.ContactTrace_SHARED
			}
			return f, nil
		}
		select {
		case <-fl.gone:
		case <-ctx.Done():
			return b.meanwhile(q, fl)
		}
	}
}

// landed returns when no lookup of the number goes on in this process, or the context ends.
func (b *Book) landed(ctx context.Context, q question) {
	b.mu.Lock()
	fl := b.flights[q.place()]
	b.mu.Unlock()
	if fl == nil {
		return
	}
	select {
	case <-fl.gone:
	case <-ctx.Done():
	}
}

// meanwhile returns what is known while a lookup goes on.
func (b *Book) meanwhile(q question, fl *flight) (found, error) {
	if f, ok := b.known(q); ok {
		return f, nil
	}
	if s := fl.search.Load(); s != nil {
		if r := s.result(); r.Contact.GetKind() == pbxv1.Contact_RESOLVED {
			return found{r.Contact, r.Trace, pbxv1.ContactTrace_DIRECTORIES}, nil
		}
	}
	return found{}, fault.New(fault.Unavailable, "contacts: %s: the directories did not answer in time", q.finder.tenant)
}

// fly looks a number up: it takes the answer of whoever is at it, or claims the number, asks and stores.
func (b *Book) fly(ctx context.Context, q question, fl *flight) {
	answer, revision := b.claim(q)
	if answer != nil {
		fl.found = found{answer.GetContact(), answer.GetTrace(), pbxv1.ContactTrace_SHARED}
		close(fl.done)
		b.land(q, fl)
		return
	}
	s := q.finder.search(ctx, q.number)
	fl.search.Store(s)
	s.wait(ctx)
	result := s.finish()
	old, _ := b.shared.Get(q.key)
	value, source := b.value(q, result, old), pbxv1.ContactTrace_DIRECTORIES
	if value.GetContact() != result.Contact {
		source = pbxv1.ContactTrace_STALE_CACHE
	}
	fl.found = found{value.GetContact(), value.GetTrace(), source}
	close(fl.done)
	revision = b.store(q, value, revision)
	b.land(q, fl)
	for better := range result.Late {
		revision = b.store(q, b.value(q, better, old), revision)
	}
}

func (b *Book) land(q question, fl *flight) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.flights[q.place()] == fl {
		delete(b.flights, q.place())
	}
	close(fl.gone)
}

// leave has nobody join the lookups any more that go on for these keys.
func (b *Book) leave(keys func(string) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	maps.DeleteFunc(b.flights, func(p place, _ *flight) bool { return keys(p.key) })
}

// claim makes this process the one that asks, and returns the revision to store its answer with; or the answer of
// somebody else who was faster. Without the bucket, or after long in vain, this process asks without a claim.
func (b *Book) claim(q question) (answer *pbxv1.CachedContact, revision uint64) {
	limit := q.finder.contacts.Deadline + margin
	ctx, cancel := context.WithTimeout(context.Background(), 2*limit)
	defer cancel()
	for {
		v, revision := b.shared.Get(q.key)
		if serves(v, q, b.options.Now()) {
			return v, revision
		}
		// Whoever does not answer in that time has died: even if their clock says otherwise.
		if left := min(b.claimLeft(v), limit); left > 0 && b.moved(ctx, q.key, revision, left) {
			continue
		}
		claimed := &pbxv1.CachedContact{
			Contact: v.GetContact(), Trace: v.GetTrace(), FreshUntil: v.GetFreshUntil(), Directories: v.GetDirectories(),
			ClaimedUntil: timestamppb.New(b.options.Now().Add(limit)), ClaimedBy: q.claimant,
		}
		next, err := b.put(q.key, claimed, revision)
		switch {
		case err == nil:
			return nil, next
		case ctx.Err() != nil || !fault.Is(err, fault.Conflict) || !b.moved(ctx, q.key, revision, bucketLimit):
			return nil, revision
		}
	}
}

// serves reports whether a value answers a lookup without asking.
func serves(v *pbxv1.CachedContact, q question, now time.Time) bool {
	return v.GetContact() != nil && v.GetDirectories() == q.finder.digest && now.Before(v.GetFreshUntil().AsTime()) &&
		(!q.refresh || !v.GetTrace().GetAskedAt().AsTime().Before(q.began))
}

// value is what to store of a result.
func (b *Book) value(q question, r *Result, old *pbxv1.CachedContact) *pbxv1.CachedContact {
	v := &pbxv1.CachedContact{Contact: r.Contact, Trace: r.Trace, Directories: q.finder.digest}
	ttl := q.finder.contacts.TTL
	switch {
	case !r.Complete:
		ttl = min(incompleteTTL, q.finder.contacts.UnknownTTL)
	case r.Contact.GetKind() == pbxv1.Contact_UNKNOWN:
		ttl = q.finder.contacts.UnknownTTL
	}
	if old.GetDirectories() == q.finder.digest && outlives(old.GetContact(), r) {
		v.Contact = old.GetContact()
		v.Trace = withReason(r.Trace, "; what "+old.GetContact().GetMatch().GetDirectory()+" said before is kept")
	}
	v.FreshUntil = timestamppb.New(b.options.Now().Add(ttl))
	return v
}

// outlives reports whether what a directory said before is better than a result: it did not answer now, and nobody of
// higher priority knows the number. So the contacts of a CRM do not become strangers while it is down.
func outlives(before *pbxv1.Contact, r *Result) bool {
	place := rank(before, r.Trace)
	return place < rank(r.Contact, r.Trace) && !answered(r.Trace.GetAnswers()[place])
}

func withReason(t *pbxv1.ContactTrace, more string) *pbxv1.ContactTrace {
	return &pbxv1.ContactTrace{
		Source: t.GetSource(), AskedAt: t.GetAskedAt(), Forms: t.GetForms(), Answers: t.GetAnswers(), Took: t.GetTook(),
		Reason: t.GetReason() + more,
	}
}

// store keeps an answer, unless somebody else meanwhile took over, knows better, or demanded that it be forgotten. It
// returns when this process sees what it stored, with the revision.
func (b *Book) store(q question, value *pbxv1.CachedContact, revision uint64) uint64 {
	for range 3 {
		next, err := b.put(q.key, value, revision)
		if err == nil {
			b.sees(q.key, next)
			return next
		}
		if !fault.Is(err, fault.Conflict) || !b.sees(q.key, revision+1) {
			return revision
		}
		var now *pbxv1.CachedContact
		if now, revision = b.shared.Get(q.key); !b.yields(now, q.claimant, value) {
			return revision
		}
	}
	return revision
}

// yields reports whether what is now in the bucket may be replaced by the value of a claimant who did not expect it.
func (b *Book) yields(now *pbxv1.CachedContact, to string, value *pbxv1.CachedContact) bool {
	if now == nil || b.claimLeft(now) > 0 && now.GetClaimedBy() != to {
		return false
	}
	return !now.GetTrace().GetAskedAt().AsTime().After(value.GetTrace().GetAskedAt().AsTime())
}

func (b *Book) put(key string, value *pbxv1.CachedContact, revision uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), bucketLimit)
	defer cancel()
	return b.shared.Put(ctx, key, value, revision)
}

// moved waits until a key has another revision than this one, at most so long, and reports whether it has.
func (b *Book) moved(ctx context.Context, key string, revision uint64, limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return b.shared.Wait(ctx, key, revision) == nil
}

// sees waits until this process sees at least this revision of a key, and reports whether it does.
func (b *Book) sees(key string, revision uint64) bool {
	ctx, cancel := context.WithTimeout(context.Background(), bucketLimit)
	defer cancel()
	for {
		_, now := b.shared.Get(key)
		if now >= revision {
			return true
		}
		if b.shared.Wait(ctx, key, now) != nil {
			return false
		}
	}
}

// claimLeft returns how long somebody is still asking; nothing if nobody is.
func (b *Book) claimLeft(v *pbxv1.CachedContact) time.Duration {
	if v.GetClaimedUntil() == nil {
		return 0
	}
	return v.GetClaimedUntil().AsTime().Sub(b.options.Now())
}

// lateLeft returns how long a directory that missed the deadline may still answer; nothing if that would change nothing.
func (b *Book) lateLeft(q question, v *pbxv1.CachedContact) time.Duration {
	silent := named(decisive(v.GetContact(), v.GetTrace().GetAnswers()), pbxv1.DirectoryAnswer_TIMED_OUT)
	if len(silent) == 0 {
		return 0
	}
	return v.GetTrace().GetAskedAt().AsTime().Add(q.finder.contacts.Deadline + Grace).Sub(b.options.Now())
}
