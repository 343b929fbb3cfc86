package contacts_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/contact-lookup/contacts"
)

const (
	fromDirectories = pbxv1.ContactTrace_DIRECTORIES
	fromCache       = pbxv1.ContactTrace_CACHE
	fromStaleCache  = pbxv1.ContactTrace_STALE_CACHE
	shared          = pbxv1.ContactTrace_SHARED
)

// inTurn answers each time as the next of these. The last one stays.
func inTurn(all ...*directory) *directory {
	d := &directory{}
	d.answer = func(ctx context.Context) (matches, error) {
		return all[min(int(d.asked.Load()), len(all))-1].answer(ctx)
	}
	return d
}

// changing answers each time with the next of these; nil is a failure. The last one stays.
func changing(took time.Duration, answers ...matches) *directory {
	var all []*directory
	for _, m := range answers {
		if m == nil {
			all = append(all, fails(errors.New("connection refused")))
		} else {
			all = append(all, after(took, m...))
		}
	}
	return inTurn(all...)
}

func TestLookupTwice(t *testing.T) {
	tests := map[string]struct {
		directories []*directory
		name        string
		young       time.Duration
	}{
		"resolved":              {[]*directory{says(called("A"))}, "A", time.Hour},
		"unknown":               {[]*directory{says()}, "", 5 * time.Minute},
		"nobody could say":      {[]*directory{fails(errors.New("refused"))}, "", 30 * time.Second},
		"might have been won":   {[]*directory{fails(errors.New("refused")), says(called("B"))}, "B", 30 * time.Second},
		"could not be won over": {[]*directory{says(called("A")), fails(errors.New("refused"))}, "A", time.Hour},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T) {
				first := test.directories[0]
				b := book(newBucket(time.Millisecond).view(), "1", finder(test.directories...))
				want(t, lookup(t, b, false), test.name, fromDirectories)
				want(t, lookup(t, b, false), test.name, shared) // It is on its way to the bucket.
				time.Sleep(test.young - time.Second)
				want(t, lookup(t, b, false), test.name, fromCache)
				wantAsked(t, first, 1)
				time.Sleep(2 * time.Second)
				want(t, lookup(t, b, false), test.name, fromStaleCache)
				time.Sleep(time.Second)
				wantAsked(t, first, 2)
				want(t, lookup(t, b, false), test.name, fromCache)
				wantAsked(t, first, 2)
			})
		})
	}
}

// Directories in memory are asked each time, and the bucket is left alone; with one that is not, all answers are kept.
func TestInMemory(t *testing.T) {
	for name, test := range map[string]struct {
		second bool
		asked  int32
	}{"all": {true, 2}, "some": {false, 1}} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T) {
				one, two := says(called("A")), says(called("B"))
				list := named(one, two)
				list[0].InMemory, list[1].InMemory = true, test.second
				v := newBucket(0).view()
				b := book(v, "1", contacts.NewFinder(tenant(), list, time.Now))
				want(t, lookup(t, b, false), "A", fromDirectories)
				synctest.Wait()
				lookup(t, b, false)
				wantAsked(t, one, test.asked)
				if kept := v.puts.Load() > 0; kept == test.second {
					t.Errorf("want answers kept %v, have %v", !test.second, kept)
				}
			})
		})
	}
}

func TestShortUnknownTTLIsNotExtended(t *testing.T) {
	simulate(t, func(t *testing.T) {
		tenant := tenant()
		tenant.Contacts.UnknownTTL = 5 * time.Second
		f := contacts.NewFinder(tenant, named(fails(errors.New("refused"))), time.Now)
		b := book(newBucket(0).view(), "1", f)
		lookup(t, b, false)
		time.Sleep(6 * time.Second)
		want(t, lookup(t, b, false), "", fromStaleCache)
	})
}

func TestStaleWhileAskedAnew(t *testing.T) {
	simulate(t, func(t *testing.T) {
		d := changing(time.Second, matches{called("old")}, matches{called("new")})
		truth := newBucket(time.Millisecond)
		replicas := []*contacts.Book{book(truth.view(), "1", finder(d)), book(truth.view(), "2", finder(d))}
		want(t, lookup(t, replicas[0], false), "old", fromDirectories)
		time.Sleep(2 * time.Hour)
		for range 100 {
			for _, b := range replicas {
				began := time.Now()
				want(t, lookup(t, b, false), "old", fromStaleCache)
				if took := time.Since(began); took != 0 {
					t.Errorf("want it at once, have it after %v", took)
				}
			}
			time.Sleep(5 * time.Millisecond)
		}
		time.Sleep(time.Second)
		wantAsked(t, d, 2)
		for _, b := range replicas {
			want(t, lookup(t, b, false), "new", fromCache)
		}
	})
}

func TestRefresh(t *testing.T) {
	simulate(t, func(t *testing.T) {
		d := changing(time.Second, matches{called("old")}, matches{called("new")})
		b := book(newBucket(time.Millisecond).view(), "1", finder(d))
		lookup(t, b, false)
		time.Sleep(time.Minute)
		answers := make(chan *pbxv1.ContactLookupResponse)
		go func() { answers <- lookup(t, b, true) }()
		time.Sleep(500 * time.Millisecond)
		want(t, lookup(t, b, false), "old", fromCache) // Whoever does not ask for news does not wait for them.
		want(t, <-answers, "new", fromDirectories)
		time.Sleep(time.Minute)
		want(t, lookup(t, b, false), "new", fromCache)
	})
}

// TestRefreshDuringLookup must not take an answer from before the request.
func TestRefreshDuringLookup(t *testing.T) {
	simulate(t, func(t *testing.T) {
		d := changing(time.Second, matches{called("old")}, matches{called("new")}, matches{called("newest")})
		truth := newBucket(time.Millisecond)
		replicas := []*contacts.Book{book(truth.view(), "1", finder(d)), book(truth.view(), "2", finder(d))}
		go lookup(t, replicas[0], false)
		time.Sleep(500 * time.Millisecond)
		answers := make(chan *pbxv1.ContactLookupResponse)
		for i := range 200 {
			go func() { answers <- lookup(t, replicas[i%2], true) }()
		}
		for range 200 {
			if have := <-answers; have.GetContact().GetMatch().GetName() == "old" {
				t.Errorf("want an answer of after the request, have %v", have)
			}
		}
		if asked := d.asked.Load(); asked > 3 || d.most.Load() != 1 {
			t.Errorf("want it asked once before and at most once a replica after, one at a time, have %d, %d at once", asked, d.most.Load())
		}
	})
}

func TestOtherConfiguration(t *testing.T) {
	simulate(t, func(t *testing.T) {
		d := changing(0, matches{called("removed")}, matches{called("A")})
		f := finder(d)
		b := contacts.NewBook(newBucket(0).view(), func(string) *contacts.Finder { return f }, contacts.Options{ID: "1"})
		want(t, lookup(t, b, false), "removed", fromDirectories)
		time.Sleep(time.Second)
		changed := named(d)
		changed[0].Digest = "2"
		f = contacts.NewFinder(tenant(), changed, time.Now)
		want(t, lookup(t, b, false), "A", fromDirectories)
		time.Sleep(time.Second)
		want(t, lookup(t, b, false), "A", fromCache)
		changed[0] = named(fails(errors.New("refused")))[0]
		changed[0].Digest = "3"
		f = contacts.NewFinder(tenant(), changed, time.Now)
		want(t, lookup(t, b, false), "", fromDirectories)
	})
}

// TestOutage has a directory that knew somebody and then fails.
func TestOutage(t *testing.T) {
	known, failure, nobody := matches{called("A")}, matches(nil), matches{}
	tests := map[string]struct {
		first, second []matches // what a directory says at the first, the second lookup
		want          string
		source        pbxv1.ContactTrace_Source
		reason        string
	}{
		"kept":                    {[]matches{known, failure}, []matches{nobody, nobody}, "A", fromStaleCache, "b does not know it; a failed; what a said before is kept"},
		"kept before a lower":     {[]matches{known, failure}, []matches{nobody, {called("B")}}, "A", fromStaleCache, "directory b knows it (priority 2 of 2); a failed; what a said before is kept"},
		"gone":                    {[]matches{known, nobody}, []matches{nobody, failure}, "", fromDirectories, "a does not know it; b failed"},
		"another of higher":       {[]matches{nobody, {called("C")}}, []matches{known, failure}, "C", fromDirectories, "directory a knows it (priority 1 of 2); b failed"},
		"gone, the higher failed": {[]matches{nobody, failure}, []matches{known, nobody}, "", fromDirectories, "b does not know it; a failed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T) {
				f := finder(changing(0, test.first...), changing(0, test.second...))
				b := book(newBucket(0).view(), "1", f)
				lookup(t, b, false)
				time.Sleep(2 * time.Hour)
				have := lookup(t, b, true)
				want(t, have, test.want, test.source)
				if test.reason != have.GetTrace().GetReason() {
					t.Errorf("want %q, have %q", test.reason, have.GetTrace().GetReason())
				}
				time.Sleep(time.Second)
				want(t, lookup(t, b, false), test.want, fromCache)
			})
		})
	}
}

// TestOutageEnds keeps what is known as long as it takes.
func TestOutageEnds(t *testing.T) {
	simulate(t, func(t *testing.T) {
		d := changing(0, matches{called("old")}, nil, nil, nil, matches{called("new")})
		b := book(newBucket(0).view(), "1", finder(d))
		lookup(t, b, false)
		time.Sleep(2 * time.Hour)
		for range 3 {
			want(t, lookup(t, b, false), "old", fromStaleCache)
			time.Sleep(31 * time.Second)
		}
		want(t, lookup(t, b, false), "old", fromStaleCache)
		time.Sleep(time.Second)
		want(t, lookup(t, b, false), "new", fromCache)
	})
}

func TestNoTime(t *testing.T) {
	tests := map[string]struct {
		directories []*directory
		known       bool // there is an answer past its time, and the request wants it anew
		want        string
		source      pbxv1.ContactTrace_Source
	}{
		"nothing known":      {directories: []*directory{after(time.Second, called("A"))}},
		"nobody so far":      {directories: []*directory{after(time.Second, called("A")), says()}},
		"a lower knows":      {[]*directory{after(time.Second, called("A")), says(called("B"))}, false, "B", fromDirectories},
		"the earlier answer": {[]*directory{changing(time.Second, matches{called("old")}, matches{called("A")})}, true, "old", fromStaleCache},
	}
	request := func(known bool) *pbxv1.ContactLookupRequest {
		return &pbxv1.ContactLookupRequest{Tenant: "acme", Number: number, Explain: true, Refresh: known}
	}
	for name, test := range tests {
		for by, limit := range map[string]func(context.Context, *pbxv1.ContactLookupRequest) (context.Context, context.CancelFunc){
			"context": func(ctx context.Context, _ *pbxv1.ContactLookupRequest) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, 400*time.Millisecond)
			},
			"request": func(ctx context.Context, r *pbxv1.ContactLookupRequest) (context.Context, context.CancelFunc) {
				r.Timeout = durationpb.New(400 * time.Millisecond)
				return ctx, func() {}
			},
		} {
			t.Run(name+" by the "+by, func(t *testing.T) {
				simulate(t, func(t *testing.T) {
					b := book(newBucket(0).view(), "1", finder(test.directories...))
					if test.known {
						lookup(t, b, false)
						time.Sleep(2 * time.Hour)
					}
					asked := test.directories[0].asked.Load()
					r := request(test.known)
					ctx, cancel := limit(t.Context(), r)
					defer cancel()
					began := time.Now()
					have, err := b.Lookup(ctx, r)
					if took := time.Since(began); took != 400*time.Millisecond {
						t.Errorf("want an end after 400 ms, have it after %v", took)
					}
					if test.want == "" {
						if !fault.Is(err, fault.Unavailable) || strings.Contains(err.Error(), "224941111") {
							t.Errorf("want unavailable, without the number, have %v, %v", have, err)
						}
					} else {
						want(t, have, test.want, test.source)
					}
					time.Sleep(2 * time.Second)
					want(t, lookup(t, b, false), "A", fromCache)
					wantAsked(t, test.directories[0], asked+1)
				})
			})
			for _, d := range test.directories {
				d.asked.Store(0)
			}
		}
	}
}

func TestLookupErrors(t *testing.T) {
	b := book(newBucket(0).view(), "1", finder(says()))
	tests := map[string]struct {
		tenant, number string
		want           fault.Kind
	}{
		"unknown tenant": {"globex", number, fault.NotFound},
		"no tenant":      {"", number, fault.NotFound},
		"no number":      {"acme", "", fault.Invalid},
		"spaces":         {"acme", " \t", fault.Invalid},
	}
	for name, test := range tests {
		have, err := b.Lookup(t.Context(), &pbxv1.ContactLookupRequest{Tenant: test.tenant, Number: test.number})
		if have != nil || !fault.Is(err, test.want) {
			t.Errorf("%s: want %v, have %v, %v", name, test.want, have, err)
		}
	}
}

func TestLookupNotAsked(t *testing.T) {
	d := says(called("A"))
	truth := newBucket(0)
	replica := truth.view()
	b := book(replica, "1", finder(d))
	for _, number := range []string{"123", "anonymous", "nonsense", "+", "+42", "+420224941111x"} {
		have, err := b.Lookup(t.Context(), &pbxv1.ContactLookupRequest{Tenant: "acme", Number: number, Explain: true, Refresh: true})
		if err != nil || have.GetContact().GetKind() != pbxv1.Contact_UNKNOWN || have.GetContact().GetParty().GetNumber() != number {
			t.Errorf("%q: want UNKNOWN, have %v, %v", number, have, err)
		}
		if trace := have.GetTrace(); trace.GetSource() != pbxv1.ContactTrace_NOT_ASKED || trace.GetReason() == "" {
			t.Errorf("%q: want it not asked, have %v", number, trace)
		}
	}
	wantAsked(t, d, 0)
	if keys := replica.Keys(""); keys != nil {
		t.Errorf("want nothing stored, have %q", keys)
	}
}

// TestSpellings has all ways to write a number share one answer, each caller with the number as they wrote it.
func TestSpellings(t *testing.T) {
	simulate(t, func(t *testing.T) {
		d := says(called("A"))
		replica := newBucket(0).view()
		b := book(replica, "1", finder(d))
		for _, spelling := range []string{"224 941 111", number, " 00420224941111", "224941111", number} {
			have, err := b.Lookup(t.Context(), &pbxv1.ContactLookupRequest{Tenant: "acme", Number: spelling})
			if err != nil {
				t.Fatal(err)
			}
			party := &pbxv1.Party{Number: strings.TrimSpace(spelling), E164: number}
			if !proto.Equal(party, have.GetContact().GetParty()) || have.GetContact().GetMatch().GetName() != "A" {
				t.Errorf("want A for %v, have %v", party, have.GetContact())
			}
			if have.GetTrace() != nil {
				t.Errorf("want no trace, have %v", have.GetTrace())
			}
			time.Sleep(time.Second)
		}
		wantAsked(t, d, 1)
		if keys := replica.Keys("acme."); !slices.Equal(keys, []string{"acme.420224941111"}) {
			t.Errorf("want one key, have %q", keys)
		}
		if v, _ := replica.Get("acme.420224941111"); v.GetContact().GetParty().GetNumber() != number {
			t.Errorf("want stored what does not depend on the first caller, have %v", v.GetContact().GetParty())
		}
	})
}

func TestExplain(t *testing.T) {
	simulate(t, func(t *testing.T) {
		b := book(newBucket(0).view(), "1", finder(after(time.Second, called("A"))))
		began := time.Now()
		first := lookup(t, b, false).GetTrace()
		time.Sleep(time.Minute)
		later := lookup(t, b, false).GetTrace()
		if first.GetTook().AsDuration() != time.Second || later.GetTook().AsDuration() != 0 {
			t.Errorf("want how long each took, have %v and %v", first.GetTook(), later.GetTook())
		}
		for _, trace := range []*pbxv1.ContactTrace{first, later} {
			if !trace.GetAskedAt().AsTime().Equal(began) || len(trace.GetForms()) == 0 || trace.GetReason() == "" ||
				trace.GetAnswers()[0].GetTook().AsDuration() != time.Second {
				t.Errorf("want all about how it was found, have %v", trace)
			}
		}
	})
}
