package contacts_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/contact-lookup/contacts"
)

func TestFindCleansMatches(t *testing.T) {
	simulate(t, func(t *testing.T) {
		many := make(matches, 1000)
		for i := range many {
			many[i] = called(strings.Repeat("ž", i+1))
		}
		many[0] = &pbxv1.ContactMatch{Name: " Nov\xe1k\t"}
		latin := errors.New("na\xefve " + strings.Repeat("x", 50_000))
		have := finder(says(many...), fails(latin)).Find(t.Context(), outside())
		if name := have.Contact.GetMatch().GetName(); name != "Nov\uFFFDk" {
			t.Errorf("want a name in UTF-8 without spaces around it, have %q", name)
		}
		if n := len(have.Contact.GetAlternatives()); n != 19 {
			t.Errorf("want 20 matches at most, have %d", n+1)
		}
		data, err := proto.Marshal(&pbxv1.ContactLookupResponse{Contact: have.Contact, Trace: have.Trace})
		if err != nil || len(data) > 10_000 {
			t.Errorf("want a message of bounded size, have %d bytes, %v", len(data), err)
		}
	})
}

func outcomeOf(t *testing.T, f *contacts.Finder) pbxv1.DirectoryAnswer_Outcome {
	have := f.Find(t.Context(), outside()).Trace.GetAnswers()[0].GetOutcome()
	synctest.Wait() // The breaker learns of a timeout at the same moment.
	return have
}

func TestBreaker(t *testing.T) {
	tests := map[string]struct {
		failing *directory
		want    pbxv1.DirectoryAnswer_Outcome
	}{
		"failures":  {fails(errors.New("refused")), pbxv1.DirectoryAnswer_FAILED},
		"timeouts":  {after(time.Hour), pbxv1.DirectoryAnswer_TIMED_OUT},
		"slow":      {after(3*time.Second, called("A")), pbxv1.DirectoryAnswer_TIMED_OUT},
		"panics":    {&directory{answer: func(context.Context) (matches, error) { panic("!") }}, pbxv1.DirectoryAnswer_FAILED},
		"not found": {says(), pbxv1.DirectoryAnswer_NOT_FOUND},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T) {
				var mended atomic.Bool
				d := &directory{answer: func(ctx context.Context) (matches, error) {
					if mended.Load() {
						return matches{called("A")}, nil
					}
					return test.failing.answer(ctx)
				}}
				f := finder(d)
				for range 5 {
					if have := outcomeOf(t, f); test.want != have {
						t.Errorf("want %v, have %v", test.want, have)
					}
				}
				if test.want == pbxv1.DirectoryAnswer_NOT_FOUND {
					outcomeOf(t, f)
					wantAsked(t, d, 6)
					return
				}
				began := time.Now()
				if have := outcomeOf(t, f); have != pbxv1.DirectoryAnswer_BROKEN || time.Since(began) != 0 {
					t.Errorf("want it not asked and no time lost, have %v after %v", have, time.Since(began))
				}
				wantAsked(t, d, 5)
				time.Sleep(31 * time.Second)
				if have := outcomeOf(t, f); test.want != have {
					t.Errorf("want one try after 30 s, %v, have %v", test.want, have)
				}
				if have := outcomeOf(t, f); have != pbxv1.DirectoryAnswer_BROKEN {
					t.Errorf("want it broken again, have %v", have)
				}
				wantAsked(t, d, 6)
				mended.Store(true)
				time.Sleep(31 * time.Second)
				for range 7 {
					if have := outcomeOf(t, f); have != pbxv1.DirectoryAnswer_FOUND {
						t.Errorf("want it mended, have %v", have)
					}
				}
			})
		})
	}
}

// TestBreakerCountsFailuresInARow has every fifth question answered.
func TestBreakerCountsFailuresInARow(t *testing.T) {
	simulate(t, func(t *testing.T) {
		d := &directory{}
		d.answer = func(context.Context) (matches, error) {
			if d.asked.Load()%5 == 0 {
				return nil, nil
			}
			return nil, errors.New("refused")
		}
		f := finder(d)
		for range 50 {
			f.Find(t.Context(), outside())
		}
		wantAsked(t, d, 50)
	})
}

// TestImpatience has callers who wait too short for a directory that keeps its deadline.
func TestImpatience(t *testing.T) {
	simulate(t, func(t *testing.T) {
		d := after(time.Second, called("A"))
		f := finder(d)
		for range 20 {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			if have := f.Find(ctx, outside()).Trace.GetAnswers()[0].GetOutcome(); have != pbxv1.DirectoryAnswer_TIMED_OUT {
				t.Errorf("want no answer in time, have %v", have)
			}
			cancel()
		}
		if have := outcomeOf(t, f); have != pbxv1.DirectoryAnswer_FOUND {
			t.Errorf("want the directory not blamed, have %v", have)
		}
	})
}

// TestHanging has a directory that ignores its context, and many who ask.
func TestHanging(t *testing.T) {
	simulate(t, func(t *testing.T) {
		release := make(chan struct{})
		deaf := &directory{answer: func(context.Context) (matches, error) {
			<-release
			return nil, nil
		}}
		f := finder(deaf, says(called("B")))
		began := time.Now()
		for range 3 {
			var all sync.WaitGroup
			for range 300 {
				all.Go(func() {
					if have := sheet(f.Find(t.Context(), outside()).Contact); have != "B@b" {
						t.Errorf("want B@b, have %s", have)
					}
				})
			}
			all.Wait()
			synctest.Wait()
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("want the deadline once, then the breaker open, have %v", took)
		}
		for range 100 {
			time.Sleep(35 * time.Second)
			f.Find(t.Context(), outside())
		}
		if have := deaf.most.Load(); have != 64 {
			t.Errorf("want 64 questions hanging at most, have %d", have)
		}
		close(release)
		time.Sleep(31 * time.Second)
		if have := outcomeOf(t, f); have != pbxv1.DirectoryAnswer_NOT_FOUND {
			t.Errorf("want it mended, have %v", have)
		}
	})
}

func TestPanic(t *testing.T) {
	simulate(t, func(t *testing.T) {
		tests := map[string]struct {
			answer func(context.Context) (matches, error)
			want   string
		}{
			"a text":   {func(context.Context) (matches, error) { panic("token hunter2") }, "panic"},
			"an error": {func(context.Context) (matches, error) { panic(errors.New("token hunter2")) }, "panic"},
			"Go's own": {func(context.Context) (matches, error) { return matches{}[len(t.Name()):], nil }, "panic: runtime error: slice bounds out of range [9:0]"},
			"nothing": {func(context.Context) (matches, error) {
				var none *string
				_ = *none
				return nil, nil
			}, "panic: runtime error: invalid memory address or nil pointer dereference"},
		}
		for name, test := range tests {
			have := finder(&directory{answer: test.answer}, says(called("B"))).Find(t.Context(), outside())
			answer := have.Trace.GetAnswers()[0]
			if answer.GetOutcome() != pbxv1.DirectoryAnswer_FAILED || test.want != answer.GetError() || sheet(have.Contact) != "B@b" {
				t.Errorf("%s: want %q and the other directory's answer, have %v, %v", name, test.want, answer, have.Contact)
			}
			if strings.Contains(have.Trace.String(), "hunter2") {
				t.Errorf("%s: want no secret, have %v", name, have.Trace)
			}
		}
	})
}
