package contacts_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/directories"
	"github.com/switchhook/switchhook/pkg/phone"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/contact-lookup/contacts"
)

// sheet writes a contact on one line: name@directory of the match, then of the alternatives.
func sheet(c *pbxv1.Contact) string {
	if c.GetMatch() == nil {
		return c.GetKind().String()
	}
	var all []string
	for _, m := range append(matches{c.GetMatch()}, c.GetAlternatives()...) {
		all = append(all, m.GetName()+"@"+m.GetDirectory())
	}
	return strings.Join(all, " ")
}

func TestMerge(t *testing.T) {
	hanging := after(time.Hour)
	broken := errors.New("connection refused")
	anna := &pbxv1.ContactMatch{Name: "Anna Nováková", MatchedForm: "e164"}
	tests := map[string]struct {
		directories []*directory
		want        string
		reason      string
		complete    bool
	}{
		"the only one": {
			[]*directory{says(anna)}, "Anna Nováková@a", "directory a knows it (priority 1 of 1)", true,
		},
		"priority wins": {
			[]*directory{after(time.Second, called("Petr")), says(called("Pavel")), says()},
			"Petr@a Pavel@b", "directory a knows it (priority 1 of 3); b knows it too", true,
		},
		"the higher does not know": {
			[]*directory{says(), says(), says(called("Pavel"))},
			"Pavel@c", "directory c knows it (priority 3 of 3); a and b do not", true,
		},
		"a family": {
			[]*directory{says(called("Petr"), called("Petra")), says(called("Pavel"), called("Pavla"))},
			"Petr@a Petra@a Pavel@b Pavla@b", "directory a knows it (priority 1 of 2); b knows it too", true,
		},
		"the same name in one directory": {
			[]*directory{says(called("Petr"), called("Petr"))}, "Petr@a Petr@a", "directory a knows it (priority 1 of 1)", true,
		},
		"the same name in two": {
			[]*directory{says(called("Petr Malý")), says(called("  petr  MALÝ "), called("Pavel"))},
			"Petr Malý@a Pavel@b", "directory a knows it (priority 1 of 2); b knows it too", true,
		},
		"two of the same name against one": {
			[]*directory{says(called("Petr")), says(called("Petr"), called("Petr"))},
			"Petr@a Petr@b", "directory a knows it (priority 1 of 2); b knows it too", true,
		},
		"the same alternative": {
			[]*directory{says(called("Petr"), called("Pavel")), says(called("Pavel")), says(called("PAVEL"))},
			"Petr@a Pavel@a", "directory a knows it (priority 1 of 3); b and c know it too", true,
		},
		"the same URL": {
			[]*directory{
				says(&pbxv1.ContactMatch{Name: "Petr", Url: "https://crm/1"}), says(&pbxv1.ContactMatch{Name: "P. Malý", Url: "https://crm/1"}),
			},
			"Petr@a", "directory a knows it (priority 1 of 2); b knows it too", true,
		},
		"filled in": {
			[]*directory{
				says(called("Petr")),
				says(&pbxv1.ContactMatch{Name: "Petr", Organisation: "Globex", ResponsibleExtension: "20"}),
				says(&pbxv1.ContactMatch{Name: "Petr", Organisation: "Acme", Url: "https://crm/1"}),
			},
			"Petr@a",
			"directory a knows it (priority 1 of 3); b and c know it too; added: organisation and responsible from b, url from c", true,
		},
		"nobody knows": {
			[]*directory{says(), says()}, "UNKNOWN", "no directory knows it (2 asked)", true,
		},
		"the higher failed": {
			[]*directory{fails(broken), says(called("Pavel"))},
			"Pavel@b", "directory b knows it (priority 2 of 2); a failed", false,
		},
		"the lower failed": {
			[]*directory{says(called("Petr")), fails(broken), hanging},
			"Petr@a", "directory a knows it (priority 1 of 3); c did not answer in time; b failed", true,
		},
		"the higher hangs": {
			[]*directory{hanging, says(called("Pavel"))},
			"Pavel@b", "directory b knows it (priority 2 of 2); a did not answer in time", false,
		},
		"some failed": {
			[]*directory{says(), fails(broken)}, "UNKNOWN", "a does not know it; b failed", false,
		},
		"all failed": {
			[]*directory{fails(broken), hanging}, "UNKNOWN", "no directory could say; b did not answer in time; a failed", false,
		},
		"timed out by itself": {
			[]*directory{fails(context.DeadlineExceeded)}, "UNKNOWN", "no directory could say; a did not answer in time", false,
		},
		"no name but an organisation": {
			[]*directory{says(&pbxv1.ContactMatch{Organisation: "Globex"}), says(&pbxv1.ContactMatch{Url: "https://crm/1"})},
			"Globex@a", "directory a knows it (priority 1 of 2)", true,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T) {
				have := finder(test.directories...).Find(t.Context(), outside())
				if s := sheet(have.Contact); test.want != s {
					t.Errorf("want %s, have %s", test.want, s)
				}
				if test.reason != have.Trace.GetReason() {
					t.Errorf("want %q, have %q", test.reason, have.Trace.GetReason())
				}
				if test.complete != have.Complete {
					t.Errorf("want complete %v, have %v", test.complete, have.Complete)
				}
				if n := len(have.Trace.GetAnswers()); len(test.directories) != n {
					t.Errorf("want an answer of each of %d directories, have %d", len(test.directories), n)
				}
			})
		})
	}
}

func TestMergeFillsWhatIsEmpty(t *testing.T) {
	simulate(t, func(t *testing.T) {
		full := &pbxv1.ContactMatch{
			Name: "Petr", Organisation: "Globex", ResponsibleExtension: "20", ResponsibleEmail: "jan@globex.example", Url: "https://crm/1",
			MatchedForm: "national", MatchedNumber: "224941111", FallbackExtension: "99",
		}
		tests := map[string]struct{ first, want *pbxv1.ContactMatch }{
			"everything": {
				&pbxv1.ContactMatch{Name: "PETR"},
				&pbxv1.ContactMatch{
					Name: "PETR", Organisation: "Globex", ResponsibleExtension: "20", ResponsibleEmail: "jan@globex.example",
					Url: "https://crm/1", Directory: "a",
				},
			},
			"not one employee's e-mail beside another's extension": {
				&pbxv1.ContactMatch{Name: "Petr", Organisation: "Acme", ResponsibleExtension: "30", Url: "https://acme/7"},
				&pbxv1.ContactMatch{Name: "Petr", Organisation: "Acme", ResponsibleExtension: "30", Url: "https://acme/7", Directory: "a"},
			},
		}
		for name, test := range tests {
			first, second := proto.CloneOf(test.first), proto.CloneOf(full)
			have := finder(says(first), says(second)).Find(t.Context(), outside())
			if !proto.Equal(test.want, have.Contact.GetMatch()) {
				t.Errorf("%s: want %v, have %v", name, test.want, have.Contact.GetMatch())
			}
			if !proto.Equal(test.first, first) || !proto.Equal(full, second) {
				t.Errorf("%s: want the directories' own messages as they were, have %v, %v", name, first, second)
			}
			alone := proto.CloneOf(test.first)
			alone.Directory = "a"
			if said := have.Trace.GetAnswers()[0].GetMatches()[0]; !proto.Equal(alone, said) {
				t.Errorf("%s: want in the trace what the directory said, %v, have %v", name, alone, said)
			}
		}
	})
}

func TestFindCleansMatches(t *testing.T) {
	simulate(t, func(t *testing.T) {
		many := make(matches, 1000)
		for i := range many {
			many[i] = called(strings.Repeat("ž", i+1))
		}
		many[0] = &pbxv1.ContactMatch{Name: " Nov\xe1k\t"}
		latin := errors.New("na\xefve " + strings.Repeat("x", 5000))
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

func TestFindTakes(t *testing.T) {
	tests := map[string]struct {
		directories []*directory
		limit       time.Duration // of the context
		want        time.Duration
		name        string
	}{
		"as long as the slowest":                   {[]*directory{after(time.Second), after(100 * time.Millisecond)}, time.Hour, time.Second, ""},
		"as long as one that may win":              {[]*directory{after(time.Second, called("A")), says(called("B"))}, time.Hour, time.Second, "A"},
		"the deadline, for one that may win":       {[]*directory{after(time.Hour), says(called("B"))}, time.Hour, 2 * time.Second, "B"},
		"the deadline at most":                     {[]*directory{after(time.Hour), after(time.Hour)}, time.Hour, 2 * time.Second, ""},
		"the context's deadline":                   {[]*directory{after(time.Hour), says(called("B"))}, 400 * time.Millisecond, 400 * time.Millisecond, "B"},
		"a moment more for alternatives":           {[]*directory{says(called("A")), after(time.Hour)}, time.Hour, 200 * time.Millisecond, "A"},
		"a moment more from when it is decided":    {[]*directory{after(time.Second), says(called("B")), after(time.Hour)}, time.Hour, 1200 * time.Millisecond, "B"},
		"a moment more, unless the context's ends": {[]*directory{says(called("A")), after(time.Hour)}, 50 * time.Millisecond, 50 * time.Millisecond, "A"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), test.limit)
				defer cancel()
				began := time.Now()
				have := finder(test.directories...).Find(ctx, outside())
				if took := time.Since(began); test.want != took || test.want != have.Trace.GetTook().AsDuration() {
					t.Errorf("want %v, have %v, and %v in the trace", test.want, took, have.Trace.GetTook().AsDuration())
				}
				if test.name != have.Contact.GetMatch().GetName() || !began.Equal(have.Trace.GetAskedAt().AsTime()) {
					t.Errorf("want %q as of %v, have %v, %v", test.name, began, have.Contact, have.Trace.GetAskedAt().AsTime())
				}
			})
		})
	}
}

func TestFindNotAsked(t *testing.T) {
	d := says(called("Petr"))
	asked, none := finder(d), finder()
	tests := map[string]struct {
		finder *contacts.Finder
		number string
		want   string
	}{
		"an extension":  {asked, "123", "no directory is asked about an extension"},
		"withheld":      {asked, "anonymous", "the caller withheld the number"},
		"unreadable":    {asked, "a name", "it is no number that can be read"},
		"no directory":  {none, number, "the tenant has no directory"},
		"nothing there": {asked, "", "it is no number that can be read"},
	}
	for name, test := range tests {
		have := test.finder.Find(t.Context(), phone.Parse(test.number, "CZ"))
		trace := &pbxv1.ContactTrace{Source: pbxv1.ContactTrace_NOT_ASKED, Reason: test.want}
		if have.Contact.GetKind() != pbxv1.Contact_UNKNOWN || !proto.Equal(trace, have.Trace) || !have.Complete {
			t.Errorf("%s: want UNKNOWN with %v, have %v with %v", name, trace, have.Contact, have.Trace)
		}
		if have.Contact.GetParty().GetNumber() != test.number {
			t.Errorf("%s: want the number as it was given, have %v", name, have.Contact.GetParty())
		}
		if _, open := <-have.Late; open {
			t.Errorf("%s: want no late answer, have one", name)
		}
	}
	wantAsked(t, d, 0)
}

func TestLate(t *testing.T) {
	const s = time.Second
	tests := map[string]struct {
		directories []*directory
		want        []string // the late answers
		ends        time.Duration
	}{
		"in time":                {[]*directory{says(called("A"))}, nil, 0},
		"wins":                   {[]*directory{after(5*s, called("A")), says(called("B"))}, []string{"A@a B@b"}, 5 * s},
		"where nobody knew":      {[]*directory{says(), after(3*s, called("B"))}, []string{"B@b"}, 3 * s},
		"each better":            {[]*directory{after(6*s, called("A")), after(4*s, called("B")), says(called("C"))}, []string{"B@b C@c", "A@a B@b C@c"}, 6 * s},
		"the best first":         {[]*directory{after(4*s, called("A")), after(6*s, called("B")), says(called("C"))}, []string{"A@a C@c"}, 4 * s},
		"nothing new":            {[]*directory{after(5 * s), says(called("B"))}, nil, 5 * s},
		"would not win":          {[]*directory{says(called("A")), after(5*s, called("B"))}, nil, 200 * time.Millisecond},
		"failed, and not silent": {[]*directory{fails(errors.New("refused")), says(called("B"))}, nil, 0},
		"too late":               {[]*directory{after(13*s, called("A")), says(called("B"))}, nil, 12 * s},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T) {
				began := time.Now()
				var have []string
				for better := range finder(test.directories...).Find(t.Context(), outside()).Late {
					have = append(have, sheet(better.Contact))
				}
				if !slices.Equal(test.want, have) {
					t.Errorf("want %q, have %q", test.want, have)
				}
				if took := time.Since(began); test.ends != took {
					t.Errorf("want the end after %v, have it after %v", test.ends, took)
				}
			})
		})
	}
}

// TestLateOfOneThatIgnoresItsContext ends the listening nevertheless.
func TestLateOfOneThatIgnoresItsContext(t *testing.T) {
	simulate(t, func(t *testing.T) {
		deaf := &directory{answer: func(context.Context) (matches, error) {
			time.Sleep(time.Minute)
			return matches{called("A")}, nil
		}}
		began := time.Now()
		for better := range finder(deaf, says(called("B"))).Find(t.Context(), outside()).Late {
			t.Errorf("want nothing, have %v", better.Contact)
		}
		if took := time.Since(began); took != 2*time.Second+contacts.Grace {
			t.Errorf("want the end after the deadline and the grace, have it after %v", took)
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
			for range 1000 {
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

func TestTrace(t *testing.T) {
	simulate(t, func(t *testing.T) {
		have := finder(after(time.Second), fails(errors.New("connection refused"))).Find(t.Context(), outside()).Trace
		if len(have.GetForms()) < 3 || have.GetForms()[0].GetName() != "e164" || have.GetForms()[0].GetNumber() != number {
			t.Errorf("want the forms that were tried, have %v", have.GetForms())
		}
		slow, failed := have.GetAnswers()[0], have.GetAnswers()[1]
		if slow.GetDirectory() != "a" || slow.GetType() != "file" || slow.GetTook().AsDuration() != time.Second {
			t.Errorf("want name, type and time of the first, have %v", slow)
		}
		if failed.GetError() != "connection refused" || failed.GetTook().AsDuration() != 0 {
			t.Errorf("want what went wrong, have %v", failed)
		}
	})
}

func TestDigest(t *testing.T) {
	d := says()
	base := func() []directories.Named { return named(d, d) }
	digest := func(region string, all []directories.Named) string {
		tenant := tenant()
		tenant.Region = region
		return contacts.NewFinder(tenant, all, time.Now).Digest()
	}
	seen := map[string]string{digest("CZ", base()): "base"}
	if have := digest("CZ", base()); seen[have] != "base" {
		t.Error("want the same digest for the same configuration, have another")
	}
	changes := map[string]func(all []directories.Named) []directories.Named{
		"settings": func(all []directories.Named) []directories.Named { all[1].Digest = "2"; return all },
		"name":     func(all []directories.Named) []directories.Named { all[1].Name = "x"; return all },
		"type":     func(all []directories.Named) []directories.Named { all[1].Type = "sql"; return all },
		"order":    func(all []directories.Named) []directories.Named { return []directories.Named{all[1], all[0]} },
		"fewer":    func(all []directories.Named) []directories.Named { return all[:1] },
		"none":     func([]directories.Named) []directories.Named { return nil },
		"moved":    func(all []directories.Named) []directories.Named { all[0].Name, all[0].Type = "af", "ile"; return all },
	}
	for name, change := range changes {
		have := digest("CZ", change(base()))
		if seen[have] != "" || have == "" {
			t.Errorf("%s: want a digest of its own, have that of %s", name, seen[have])
		}
		seen[have] = name
	}
	if have := digest("SK", base()); seen[have] != "" {
		t.Errorf("region: want a digest of its own, have that of %s", seen[have])
	}
}
