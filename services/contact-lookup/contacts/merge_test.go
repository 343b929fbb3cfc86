package contacts_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
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
			"not one employee's extension beside another's e-mail": {
				&pbxv1.ContactMatch{Name: "Petr", ResponsibleEmail: "eva@acme.example"},
				&pbxv1.ContactMatch{
					Name: "Petr", Organisation: "Globex", ResponsibleEmail: "eva@acme.example", Url: "https://crm/1", Directory: "a",
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
