package contacts

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/phone"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// Shared is the bucket of answers as this process sees it: kept whole in memory, and so perhaps a moment behind; changes
// come in order. Keys are the tenant, a dot, and the digits of the number in E.164. It is safe for concurrent use.
type Shared interface {
	// Get returns a value, which is never changed, and its revision; if there is none, nil, and 0 or the revision of its
	// deletion.
	Get(key string) (value *pbxv1.CachedContact, revision uint64)
	// Put stores a value if the revision is still the last, and returns the new one. If it is not, the error is
	// fault.Conflict; of any other error nobody knows whether the value was stored.
	Put(ctx context.Context, key string, value *pbxv1.CachedContact, revision uint64) (uint64, error)
	// Delete removes a value, whatever its revision.
	Delete(ctx context.Context, key string) error
	// Keys returns the keys of all values that begin so.
	Keys(prefix string) []string
	// Wait returns nil when Get gives another revision than this, or the context's error.
	Wait(ctx context.Context, key string, revision uint64) error
}

// Options are what a Book works with. The ID is needed.
type Options struct {
	ID  string           // names this process among all that share the bucket, of no meaning otherwise
	Now func() time.Time // nil: time.Now
	// Status returns what an agent of a tenant does now, by an extension or an e-mail address; nil when it knows none. Nil: no
	// agent is known, and Responsible changes nothing.
	Status func(tenant, agent string) *pbxv1.AgentStatus
}

// Book answers who a number belongs to, from memory where it can. However many processes share a bucket, one at a time asks
// the directories about a number, and the others take its answer. If it dies, another takes over; if the bucket cannot be
// written, each asks for itself. A Book is safe for concurrent use.
type Book struct {
	shared  Shared
	finders func(tenant string) *Finder
	options Options

	mu      sync.Mutex
	flights map[place]*flight
	begun   int // flights so far
}

// place names a lookup in this process: one that was begun with other directories is of no use.
type place struct{ key, digest string }

// NewBook returns a book. Finders returns the finder of a tenant as now configured, nil for an unknown tenant.
func NewBook(s Shared, finders func(tenant string) *Finder, o Options) *Book {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Book{shared: s, finders: finders, options: o, flights: make(map[place]*flight)}
}

// question is a request that was read.
type question struct {
	finder  *Finder
	number  phone.Number
	key     string // in the bucket; of no use but for an outside number
	began   time.Time
	refresh bool
	// claimant names the lookup in the bucket. It is not the process: a lookup that was left behind must not take the claim of
	// the next one for its own.
	claimant string
}

func (q question) place() place { return place{q.key, q.finder.digest} }

// found is an answer, and where it comes from.
type found struct {
	contact *pbxv1.Contact
	trace   *pbxv1.ContactTrace
	source  pbxv1.ContactTrace_Source
}

// Lookup answers who a number belongs to: from memory while the answer is young, and also when it is past its time, while it
// is looked up anew; else it is looked up while the caller waits. A lookup goes on when its caller has no more time.
//
// A caller who runs out of time, by the context or the request, gets what is known by then, which may be what a directory of
// lower priority said; if that is nothing, the error is fault.Unavailable. So UNKNOWN always means that the directories were
// asked. An unknown tenant is fault.NotFound, an empty number fault.Invalid.
//
// Answers may be shared with other callers and with the bucket: whoever changes one clones it first.
func (b *Book) Lookup(ctx context.Context, r *pbxv1.ContactLookupRequest) (*pbxv1.ContactLookupResponse, error) {
	q, err := b.question(r.GetTenant(), r.GetNumber())
	if err != nil {
		return nil, err
	}
	q.refresh = r.GetRefresh()
	if !q.asks() {
		nobody := q.finder.notAsked(q.number)
		return b.response(q, found{nobody.Contact, nobody.Trace, nobody.Trace.Source}, r.GetExplain()), nil
	}
	known, ok := b.known(q)
	switch {
	case q.finder.inMemory():
		now := q.finder.Find(ctx, q.number)
		known = found{now.Contact, now.Trace, now.Trace.Source}
	case !ok || q.refresh:
		if known, err = b.wait(ctx, q, r.GetTimeout()); err != nil {
			return nil, err
		}
	case known.source == pbxv1.ContactTrace_STALE_CACHE:
		b.renew(ctx, q)
	}
	return b.response(q, known, r.GetExplain()), nil
}

// asks reports whether there is anybody to ask about such a number.
func (q question) asks() bool { return q.number.Kind == phone.Outside && len(q.finder.sources) > 0 }

// question reads whom a request is about.
func (b *Book) question(tenant, number string) (question, error) {
	f := b.finders(tenant)
	if f == nil {
		return question{}, fault.New(fault.NotFound, "contacts: there is no tenant %q", tenant)
	}
	if strings.TrimSpace(number) == "" {
		return question{}, fault.New(fault.Invalid, "contacts: %s: the number is empty", tenant)
	}
	q := question{finder: f, began: b.options.Now()}
	if digits, ok := strings.CutPrefix(number, "+"); ok {
		key := tenant + "." + digits
		// Reading a number takes longer than all the rest; what is known under its E.164 has been read before.
		if v, _ := b.shared.Get(key); v.GetContact() != nil {
			q.number, q.key = phone.Number{Raw: number, E164: number, Kind: phone.Outside}, key
			return q, nil
		}
	}
	q.number = phone.Parse(number, f.region)
	q.key = tenant + "." + strings.TrimPrefix(q.number.E164, "+")
	return q, nil
}

// known returns what is known from memory, young or not.
func (b *Book) known(q question) (found, bool) {
	v, _ := b.shared.Get(q.key)
	if v.GetContact() == nil || v.GetDirectories() != q.finder.digest {
		return found{}, false
	}
	source := pbxv1.ContactTrace_STALE_CACHE
	if q.began.Before(v.GetFreshUntil().AsTime()) {
		source = pbxv1.ContactTrace_CACHE
	}
	return found{v.GetContact(), v.GetTrace(), source}, true
}

// response puts an answer into the words of the one who asked.
func (b *Book) response(q question, f found, explain bool) *pbxv1.ContactLookupResponse {
	contact := f.contact
	if contact.GetParty().GetNumber() != q.number.Raw {
		contact = &pbxv1.Contact{
			Kind: contact.GetKind(), Party: &pbxv1.Party{Number: q.number.Raw, E164: q.number.E164},
			Match: contact.GetMatch(), Alternatives: contact.GetAlternatives(),
		}
	}
	if b.options.Status != nil {
		status := func(name string) *pbxv1.AgentStatus { return b.options.Status(q.finder.tenant, name) }
		contact = Responsible(contact, status, q.finder.contacts)
	}
	r := &pbxv1.ContactLookupResponse{Contact: contact}
	if explain {
		r.Trace = &pbxv1.ContactTrace{
			Source: f.source, AskedAt: f.trace.GetAskedAt(), Forms: f.trace.GetForms(), Answers: f.trace.GetAnswers(),
			Reason: f.trace.GetReason(), Took: durationpb.New(b.options.Now().Sub(q.began)),
		}
	}
	return r
}

// Better waits for an answer that takes the place of an earlier one, which was asked for with Explain: of a directory that
// missed the deadline, or of directories asked anew where the earlier answer was past its time. It returns nil when none
// is to be expected any more, which is at once after an ordinary answer, or when the context ends; else it can be called
// again with what it returned. It does not matter which process asks the directories.
func (b *Book) Better(
	ctx context.Context, r *pbxv1.ContactLookupRequest, than *pbxv1.ContactLookupResponse,
) (*pbxv1.ContactLookupResponse, error) {
	q, err := b.question(r.GetTenant(), r.GetNumber())
	if err != nil || !q.asks() {
		return nil, err
	}
	if than.GetTrace() == nil {
		return nil, fault.New(fault.Invalid, "contacts: %s: the answer was asked for without its trace", q.finder.tenant)
	}
	b.landed(ctx, q)
	for ctx.Err() == nil {
		v, revision := b.shared.Get(q.key)
		if v.GetDirectories() == q.finder.digest && improves(v, than) {
			return b.response(q, found{v.GetContact(), v.GetTrace(), pbxv1.ContactTrace_SHARED}, true), nil
		}
		left := max(b.claimLeft(v), b.lateLeft(q, v))
		if left <= 0 || !b.moved(ctx, q.key, revision, left) {
			return nil, nil
		}
	}
	return nil, nil
}

// improves reports whether a value says something else than an earlier answer, and is to be believed more.
func improves(v *pbxv1.CachedContact, than *pbxv1.ContactLookupResponse) bool {
	if v.GetContact() == nil || v.GetTrace().GetAskedAt().AsTime().Before(than.GetTrace().GetAskedAt().AsTime()) {
		return false
	}
	worse := rank(v.GetContact(), v.GetTrace()) > rank(than.GetContact(), v.GetTrace())
	if worse && !complete(v.GetContact(), v.GetTrace().GetAnswers()) {
		return false
	}
	return !proto.Equal(bare(v.GetContact()), bare(than.GetContact()))
}

// bare leaves of a contact what the directories said.
func bare(c *pbxv1.Contact) *pbxv1.Contact {
	c = proto.CloneOf(c)
	c.CallKey, c.Supersedes, c.Party = "", "", nil
	if c.Match != nil {
		c.Match.FallbackExtension = ""
	}
	return c
}

// Forget removes what is known of a number, or of all numbers of a tenant, and returns how many answers that were. Lookups
// that go on meanwhile answer those who wait, and are not kept; who asks afterwards does not wait for them. Errors are
// fault.NotFound for an unknown tenant, fault.Invalid for what is no outside number, or those of the bucket: then some
// answers may be left.
func (b *Book) Forget(ctx context.Context, r *pbxv1.ContactInvalidateRequest) (int, error) {
	keys, err := b.keys(r.GetTenant(), r.GetNumber())
	if err != nil {
		return 0, err
	}
	b.leave(func(key string) bool {
		return slices.Contains(keys, key) || r.GetNumber() == "" && strings.HasPrefix(key, r.GetTenant()+".")
	})
	forgotten, last, revision := 0, "", uint64(0)
	for _, last = range keys {
		var v *pbxv1.CachedContact
		v, revision = b.shared.Get(last)
		if err := b.shared.Delete(ctx, last); err != nil {
			return forgotten, err
		}
		if v.GetContact() != nil {
			forgotten++
		}
	}
	if last != "" {
		b.moved(ctx, last, revision, bucketLimit) // Until then this process would still answer from memory.
	}
	return forgotten, nil
}

// keys returns the key of a number, or of all numbers of a tenant if the number is empty.
func (b *Book) keys(tenant, number string) ([]string, error) {
	if number == "" && b.finders(tenant) != nil {
		return b.shared.Keys(tenant + "."), nil
	}
	q, err := b.question(tenant, number)
	if err == nil && q.number.Kind != phone.Outside {
		err = fault.New(fault.Invalid, "contacts: %s: it is no number that a directory could know", tenant)
	}
	return []string{q.key}, err
}
