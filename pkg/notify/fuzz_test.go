package notify_test

import (
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/notify"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

var (
	markup = regexp.MustCompile(`<[^>]*>`)
	href   = regexp.MustCompile(` href="([^"]*)"`)
)

// FuzzRender writes messages about anything. What comes from outside never becomes markup, lines or links to run, and short
// texts are short.
func FuzzRender(f *testing.F) {
	f.Add("Jan Novák", "Globex", "+420777888999", "support", "note", "https://crm.example/1", "https://pbx.example/{id}", int64(83e9), int32(3))
	f.Add("<script>\n\"'>", "{{.Name}}", "anonymous", "\u202ex", "\xff", "javascript:alert(1)", "data:{id}", int64(-1), int32(-2147483648))
	f.Add(strings.Repeat("ž", 3000), "<!--", "", "]]>", "&lt;", "https://x/\"><b>", "//x", int64(1<<62), int32(1<<30))
	templates := load(f, "")
	f.Fuzz(func(t *testing.T, name, organisation, number, queue, note, card, link string, wait int64, attempts int32) {
		m := &pbxv1.MissedCall{
			Id: note, From: &pbxv1.Party{Number: number}, To: &pbxv1.Party{Number: queue}, Queue: queue, Note: note, Attempts: attempts, AttemptsToday: attempts,
			Contact: &pbxv1.ContactMatch{Name: name, Organisation: organisation, Url: card}, Wait: durationpb.New(time.Duration(wait)),
			MissedAt: timestamppb.New(time.Unix(wait%1e11, 0)), OpenedAt: timestamppb.New(time.Unix(wait%1e9, 0)),
			ClaimedBy: &pbxv1.User{Login: name}, ResolvedBy: &pbxv1.User{Email: organisation}, FailedCallbacks: attempts,
			Reason: pbxv1.MissedCall_Reason(attempts), Resolution: pbxv1.MissedCall_Resolution(attempts),
		}
		d := notify.Data{Tenant: organisation, Region: "CZ", Now: time.Unix(1e9, 0), Link: link, Level: queue, Entries: []*pbxv1.MissedCall{m, m}}
		for _, lang := range notify.Languages() {
			for _, kind := range notify.Kinds() {
				r, err := templates.Render(lang, kind, d)
				if err != nil {
					t.Fatalf("%s %s: %v", lang, kind, err)
				}
				checkRendered(t, r)
			}
		}
	})
}

func checkRendered(t *testing.T, r notify.Rendered) {
	t.Helper()
	if n := utf8.RuneCountInString(r.Short); n > 160 || n == 0 || strings.ContainsAny(r.Short+r.Subject, "\r\n\x00") || r.Subject == "" {
		t.Errorf("want one line each, the shorter of at most 160 characters, have %q, %q", r.Subject, r.Short)
	}
	if !utf8.ValidString(r.Subject+r.Text+r.HTML+r.Short) || strings.ContainsAny(r.Text, "\r\x00\u202e\u2028") {
		t.Errorf("want readable text, have %q", r.Text)
	}
	for _, tag := range markup.FindAllString(r.HTML, -1) {
		kind := strings.Trim(strings.Fields(tag)[0], "</>")
		if !slices.Contains(strings.Fields("!DOCTYPE html head meta title body h1 table tr th td a p"), kind) {
			t.Errorf("want no markup from outside, have %s", tag)
		}
		if strings.Contains(strings.ToLower(tag), " on") {
			t.Errorf("want no handlers, have %s", tag)
		}
	}
	for _, address := range href.FindAllStringSubmatch(r.HTML, -1) {
		to := html.UnescapeString(address[1])
		if !strings.HasPrefix(to, "https://") && !strings.HasPrefix(to, "http://") && !strings.HasPrefix(to, "tel:+") {
			t.Errorf("want links to pages and numbers only, have %s", to)
		}
	}
	if lines := strings.Count(r.Text, "\n"); lines > 16 {
		t.Errorf("want no lines from outside, have %q", r.Text)
	}
}
