package contacts

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/switchhook/switchhook/pkg/directories"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/phone"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

const (
	// breakAfter is how many failures in a row, timeouts among them, open a directory's circuit breaker. Whoever asks then
	// does not wait for a directory that is down.
	breakAfter = 5
	// breakFor is how long an open breaker lets nobody through. Then one question may try; it closes the breaker or opens it
	// anew.
	breakFor = 30 * time.Second
	// maxAsking is how many questions at a time one directory may have, those included that it never answers. More wait.
	maxAsking = 64
	// maxMatches is how many matches of one directory are taken: a switchboard's number may belong to thousands.
	maxMatches = 20
	// maxText is the longest text of a match or an error, in bytes: an answer must fit into a message.
	maxText = 1000
)

var (
	errBroken = fault.New(fault.Unavailable, "not asked, for it failed %d times in a row", breakAfter)
	errSilent = fault.New(fault.Unavailable, "no answer in time")
)

// source is a directory as it is asked: behind a circuit breaker, and a limited number of times at once.
type source struct {
	directories.Named
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
	asking  chan struct{}
}

func newSource(n directories.Named) *source {
	return &source{
		Named: n,
		breaker: gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
			Timeout:     breakFor,
			ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= breakAfter },
		}),
		asking: make(chan struct{}, maxAsking),
	}
}

// ask asks the directory until the context ends; a directory that does not heed that keeps its place among maxAsking. It
// tells the breaker what came of it, when that is known or after the limit.
func (s *source) ask(
	ctx context.Context, forms []phone.Form, limit time.Duration, done func(error),
) ([]*pbxv1.ContactMatch, error) {
	var once sync.Once
	late := make(chan struct{})
	timer := time.AfterFunc(limit, func() {
		once.Do(func() { done(errSilent) })
		close(late)
	})
	defer timer.Stop()
	select {
	case s.asking <- struct{}{}:
		defer func() { <-s.asking }()
	case <-late:
		return nil, errSilent
	}
	matches, err := s.find(ctx, forms)
	once.Do(func() { done(err) })
	return matches, err
}

// find turns a panic into an error. What was panicked with may be anything, a credential too, and is told only if it is
// of Go itself.
func (s *source) find(ctx context.Context, forms []phone.Form) (matches []*pbxv1.ContactMatch, err error) {
	defer func() {
		switch cause := recover().(type) {
		case nil:
		case runtime.Error:
			err = fault.New(fault.Internal, "panic: %w", cause)
		default:
			err = fault.New(fault.Internal, "panic")
		}
	}()
	return s.Find(ctx, forms)
}

// answer puts what the directory said into words.
func (s *source) answer(matches []*pbxv1.ContactMatch, err error) *pbxv1.DirectoryAnswer {
	answer := &pbxv1.DirectoryAnswer{Directory: s.Name, Type: s.Type}
	if err != nil {
		answer.Outcome, answer.Error = outcome(err), clean(err.Error())
		return answer
	}
	for _, match := range matches[:min(len(matches), maxMatches)] {
		if match := s.match(match); match != nil {
			answer.Matches = append(answer.Matches, match)
		}
	}
	answer.Outcome = pbxv1.DirectoryAnswer_NOT_FOUND
	if len(answer.Matches) > 0 {
		answer.Outcome = pbxv1.DirectoryAnswer_FOUND
	}
	return answer
}

func outcome(err error) pbxv1.DirectoryAnswer_Outcome {
	timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	switch {
	case errors.Is(err, errBroken):
		return pbxv1.DirectoryAnswer_BROKEN
	case errors.Is(err, errSilent), ok && timeout.Timeout():
		return pbxv1.DirectoryAnswer_TIMED_OUT
	default:
		return pbxv1.DirectoryAnswer_FAILED
	}
}

// match returns a copy that can be sent, for the directory may keep the original; nil if it says nothing about anybody.
func (s *source) match(m *pbxv1.ContactMatch) *pbxv1.ContactMatch {
	copied := &pbxv1.ContactMatch{
		Name: clean(m.GetName()), Organisation: clean(m.GetOrganisation()),
		ResponsibleExtension: clean(m.GetResponsibleExtension()), ResponsibleEmail: clean(m.GetResponsibleEmail()),
		Url: clean(m.GetUrl()), Directory: s.Name,
		MatchedNumber: clean(m.GetMatchedNumber()), MatchedForm: clean(m.GetMatchedForm()),
	}
	if copied.Name == "" {
		copied.Name = copied.Organisation
	}
	if copied.Name == "" {
		return nil
	}
	return copied
}

// clean returns text as protobuf can hold it, at most maxText long.
func clean(text string) string {
	text = strings.ToValidUTF8(strings.TrimSpace(text), "\uFFFD")
	return strings.ToValidUTF8(text[:min(len(text), maxText)], "") // It may have been cut within a character.
}
