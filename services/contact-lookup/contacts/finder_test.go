package contacts_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/directories"
	"github.com/switchhook/switchhook/pkg/phone"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/contact-lookup/contacts"
)

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
