package contacts

import (
	"context"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/switchhook/switchhook/pkg/phone"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// search is one question to all directories of a tenant, while and after they answer. It is safe for concurrent use.
type search struct {
	finder *Finder
	number phone.Number
	forms  []phone.Form
	began  time.Time

	mu      sync.Mutex
	answers []*pbxv1.DirectoryAnswer // by priority; nil while a directory is silent
	news    chan struct{}            // closed at the next answer
}

// search begins to ask all directories.
func (f *Finder) search(ctx context.Context, n phone.Number) *search {
	s := &search{
		finder: f, number: n, forms: phone.Forms(n, f.region), began: f.now(),
		answers: make([]*pbxv1.DirectoryAnswer, len(f.sources)), news: make(chan struct{}),
	}
	for i, source := range f.sources {
		done, err := source.breaker.Allow()
		if err != nil {
			s.answer(i, nil, errBroken)
			continue
		}
		go func() {
			// Whether or not the caller goes on waiting: the answer is for all who ask, and may be of use when the caller is gone.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.contacts.Deadline+Grace)
			defer cancel()
			matches, err := source.ask(ctx, s.forms, f.contacts.Deadline, done)
			s.answer(i, matches, err)
		}()
	}
	return s
}

func (s *search) answer(i int, matches []*pbxv1.ContactMatch, err error) {
	answer := s.finder.sources[i].answer(matches, err)
	answer.Took = durationpb.New(s.finder.now().Sub(s.began))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[i] = answer
	close(s.news)
	s.news = make(chan struct{})
}

// wait returns when all have answered, when nobody can win any more and the rest had its moment, or when time is up.
func (s *search) wait(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, s.finder.contacts.Deadline)
	defer cancel()
	var settled <-chan time.Time
	for {
		silent, news := s.silent(len(s.answers))
		if !silent {
			return
		}
		if silent, _ := s.silent(s.first()); !silent && settled == nil {
			timer := time.NewTimer(settle)
			defer timer.Stop()
			settled = timer.C
		}
		select {
		case <-news:
		case <-settled:
			return
		case <-ctx.Done():
			return
		}
	}
}

// silent reports whether any of the n directories of highest priority has not answered, and returns what is closed when
// the next one does.
func (s *search) silent(n int) (bool, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, answer := range s.answers[:n] {
		if answer == nil {
			return true, s.news
		}
	}
	return false, s.news
}

// first returns the place of the first directory that found somebody; how many there are if none did.
func (s *search) first() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, answer := range s.answers {
		if answer.GetOutcome() == pbxv1.DirectoryAnswer_FOUND {
			return i
		}
	}
	return len(s.answers)
}

// result is what is known so far: whoever is silent has not answered in time.
func (s *search) result() *Result {
	s.mu.Lock()
	answers := slices.Clone(s.answers)
	s.mu.Unlock()
	for i, answer := range answers {
		if answer == nil {
			answers[i] = s.finder.sources[i].answer(nil, errSilent)
			answers[i].Took = durationpb.New(s.finder.now().Sub(s.began))
		}
	}
	return s.finder.result(s.number, s.forms, s.began, answers)
}

// finish returns what is known, and goes on listening to those who may still win over that.
func (s *search) finish() *Result {
	result := s.result()
	better := make(chan *Result, len(s.answers)) // One for each place that an answer can rise to: sending never waits.
	result.Late = better
	if silent, _ := s.silent(rank(result.Contact, result.Trace)); silent {
		go s.listen(result, better)
	} else {
		close(better)
	}
	return result
}

func (s *search) listen(best *Result, better chan *Result) {
	defer close(better)
	timer := time.NewTimer(s.finder.contacts.Deadline + Grace - s.finder.now().Sub(s.began))
	defer timer.Stop()
	for {
		silent, news := s.silent(rank(best.Contact, best.Trace))
		if now := s.result(); rank(now.Contact, now.Trace) < rank(best.Contact, best.Trace) {
			now.Late = better
			best = now
			better <- now
			continue
		}
		if !silent {
			return
		}
		select {
		case <-news:
		case <-timer.C:
			return
		}
	}
}
