// Package contacts answers who a number belongs to. Finder asks the directories of one tenant and merges what they say;
// Book keeps the answers in a bucket that all replicas share, and sees to it that one of them asks at a time; Responsible
// looks whether the employee in charge can take a call. None of them does I/O but through the interfaces Shared and
// directories.Directory.
//
// Messages that these return are shared with others: whoever changes one clones it first.
package contacts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/directories"
	"github.com/switchhook/switchhook/pkg/phone"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

const (
	// Grace is how long an answer is waited for that comes after the deadline and would win over what was returned.
	Grace = 10 * time.Second
	// settle is how long an answer that no other directory can win over waits for those of lower priority: they can only
	// add alternatives, and fill in what it lacks.
	settle = 200 * time.Millisecond
)

// Finder asks the directories of one tenant. It is safe for concurrent use.
type Finder struct {
	tenant   string
	region   string
	contacts config.Contacts
	sources  []*source // by priority
	digest   string
	now      func() time.Time
}

// Result is what the directories of a tenant said about a number.
type Result struct {
	Contact *pbxv1.Contact
	Trace   *pbxv1.ContactTrace // its source is DIRECTORIES, or NOT_ASKED
	// Complete says that asking again now would find nothing better: every directory that could win over the answer really
	// answered; for UNKNOWN these are all. An answer that is not complete deserves no long life.
	Complete bool
	// Late brings answers that win over this one, and over each other, from directories that missed the deadline. It is
	// closed when none can come any more, at the latest Grace after the deadline. It is never nil, and nobody has to read it.
	Late <-chan *Result
}

// NewFinder returns a finder for a tenant with these directories, the one of highest priority first.
func NewFinder(t *config.Tenant, all []directories.Named, clock func() time.Time) *Finder {
	f := &Finder{tenant: t.Name, region: t.Region, contacts: t.Contacts, now: clock}
	hash := sha256.New()
	fmt.Fprintf(hash, "%q", t.Region)
	for _, named := range all {
		f.sources = append(f.sources, newSource(named))
		fmt.Fprintf(hash, "%q%q%q", named.Name, named.Type, named.Digest)
	}
	f.digest = hex.EncodeToString(hash.Sum(nil)[:16])
	return f
}

// Digest names the configuration that answers are found with: another region, another directory, another order or another
// setting of a directory gives another digest. It reveals no secret.
func (f *Finder) Digest() string { return f.digest }

// inMemory reports whether all directories answer from memory: then their answers are not kept, and what changes in a file
// shows with the next call.
func (f *Finder) inMemory() bool {
	return !slices.ContainsFunc(f.sources, func(s *source) bool { return !s.InMemory })
}

// Find asks all directories in parallel and merges by priority what they say before the context's deadline, at most the
// tenant's Contacts.Deadline. It never fails: what went wrong with a directory is in its answer.
//
// It waits for every directory that could win over what was found so far, and then only a moment more (200 ms) for the
// rest. A directory is not disturbed by the end of the context: it has the tenant's deadline and Grace, whoever asks.
// What is no outside number is UNKNOWN, and nobody is asked.
func (f *Finder) Find(ctx context.Context, n phone.Number) *Result {
	if n.Kind != phone.Outside || len(f.sources) == 0 {
		return f.notAsked(n)
	}
	s := f.search(ctx, n)
	s.wait(ctx)
	return s.finish()
}

func (f *Finder) notAsked(n phone.Number) *Result {
	reason := "it is no number that can be read"
	switch n.Kind {
	case phone.Outside:
		reason = "the tenant has no directory"
	case phone.Extension:
		reason = "no directory is asked about an extension"
	case phone.Withheld:
		reason = "the caller withheld the number"
	}
	none := make(chan *Result)
	close(none)
	return &Result{
		Contact:  unknown(n),
		Trace:    &pbxv1.ContactTrace{Source: pbxv1.ContactTrace_NOT_ASKED, Reason: reason},
		Complete: true,
		Late:     none,
	}
}

func unknown(n phone.Number) *pbxv1.Contact {
	return &pbxv1.Contact{Kind: pbxv1.Contact_UNKNOWN, Party: &pbxv1.Party{Number: n.Raw, E164: n.E164}}
}

// result merges answers, of which there is one of each directory.
func (f *Finder) result(n phone.Number, forms []phone.Form, began time.Time, answers []*pbxv1.DirectoryAnswer) *Result {
	contact, reason := merge(answers)
	contact.Party = &pbxv1.Party{Number: n.Raw, E164: n.E164}
	trace := &pbxv1.ContactTrace{
		Source: pbxv1.ContactTrace_DIRECTORIES, AskedAt: timestamppb.New(began), Answers: answers, Reason: reason,
		Took: durationpb.New(f.now().Sub(began)),
	}
	for _, form := range forms {
		trace.Forms = append(trace.Forms, &pbxv1.NumberForm{Name: form.Name, Number: form.Number})
	}
	return &Result{Contact: contact, Trace: trace, Complete: complete(contact, answers)}
}
