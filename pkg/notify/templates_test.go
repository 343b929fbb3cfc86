package notify_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/notify"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

var update = flag.Bool("update", false, "write testdata anew")

// TestGolden has every kind of message in every language.
func TestGolden(t *testing.T) {
	templates := load(t, "")
	for _, lang := range notify.Languages() {
		for _, kind := range notify.Kinds() {
			have, err := templates.Render(lang, kind, notify.Example(kind))
			if err != nil {
				t.Fatal(err)
			}
			name := filepath.Join("testdata", lang+"."+string(kind))
			golden(t, name+".txt", have.Subject+"\n---\n"+have.Short+"\n---\n"+have.Text+"\n")
			golden(t, name+".html", have.HTML)
		}
	}
}

func golden(t *testing.T, name, have string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(have), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != have {
		t.Errorf("%s: want\n%s\nhave\n%s", name, want, have)
	}
}

var builtin = sync.OnceValues(func() (*notify.Templates, error) { return notify.Load("") })

func load(t testing.TB, folder string) *notify.Templates {
	t.Helper()
	if folder == "" {
		templates, err := builtin()
		if err != nil {
			t.Fatal(err)
		}
		return templates
	}
	templates, err := notify.Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	return templates
}

// TestPlurals has the numbers at which Slavic languages change the form.
func TestPlurals(t *testing.T) {
	tests := map[string]map[int]string{
		"en": {1: "1 missed call", 2: "2 missed calls", 21: "21 missed calls"},
		"cs": {
			1: "1 zmeškaný hovor", 2: "2 zmeškané hovory", 4: "4 zmeškané hovory", 5: "5 zmeškaných hovorů",
			21: "21 zmeškaných hovorů", 22: "22 zmeškaných hovorů",
		},
		"sk": {1: "1 zmeškaný hovor", 3: "3 zmeškané hovory", 5: "5 zmeškaných hovorov", 24: "24 zmeškaných hovorov"},
		"ru": {
			1: "1 пропущенный звонок", 2: "2 пропущенных звонка", 4: "4 пропущенных звонка", 5: "5 пропущенных звонков",
			11: "11 пропущенных звонков", 12: "12 пропущенных звонков", 21: "21 пропущенный звонок", 22: "22 пропущенных звонка",
			25: "25 пропущенных звонков", 111: "111 пропущенных звонков", 121: "121 пропущенный звонок",
		},
	}
	templates := load(t, "")
	for lang, numbers := range tests {
		for n, want := range numbers {
			d := notify.Data{}
			for range n {
				d.Entries = append(d.Entries, &pbxv1.MissedCall{})
			}
			have, err := templates.Render(lang, notify.Digest, d)
			if err != nil || want != have.Subject {
				t.Errorf("%s: want %q, have %q, %v", lang, want, have.Subject, err)
			}
		}
	}
}

func TestAttemptsAreCounted(t *testing.T) {
	tests := map[string]map[int32]string{
		"en": {1: "1 attempt so far", 2: "2 attempts so far"},
		"cs": {1: "zatím 1 pokus", 3: "zatím 3 pokusy", 5: "zatím 5 pokusů"},
		"sk": {1: "zatiaľ 1 pokus", 3: "zatiaľ 3 pokusy", 5: "zatiaľ 5 pokusov"},
		"ru": {21: "уже 21 попытка", 3: "уже 3 попытки", 11: "уже 11 попыток"},
	}
	templates := load(t, "")
	for lang, numbers := range tests {
		for n, want := range numbers {
			have, err := templates.Render(lang, notify.Again, notify.Data{Entries: []*pbxv1.MissedCall{{Attempts: n}}})
			if head, _, _ := strings.Cut(have.Text, "\n"); err != nil || !strings.HasSuffix(head, want) {
				t.Errorf("%s: want %q, have %q, %v", lang, want, head, err)
			}
		}
	}
}

func TestNumbers(t *testing.T) {
	tests := map[string]struct {
		from   *pbxv1.Party
		region string
		want   []string
		html   string
	}{
		"at home":   {&pbxv1.Party{Number: "0905123456", E164: "+421905123456"}, "SK", []string{"0905 123 456"}, `href="tel:&#43;421905123456"`},
		"abroad":    {&pbxv1.Party{E164: "+421905123456"}, "CZ", []string{"+421 905 123 456"}, `href="tel:&#43;421905123456"`},
		"extension": {&pbxv1.Party{Number: "205"}, "CZ", []string{"205"}, ""},
		"withheld":  {&pbxv1.Party{Number: "anonymous"}, "CZ", []string{"number withheld"}, ""},
		"nothing":   {nil, "CZ", []string{"number withheld"}, ""},
		"no number": {&pbxv1.Party{Number: "a\nb <script>"}, "CZ", []string{"a b <script>"}, "a b &lt;script&gt;"},
	}
	templates := load(t, "")
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := templates.Render("en", notify.Opened, notify.Data{Region: test.region, Entries: []*pbxv1.MissedCall{{From: test.from}}})
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range test.want {
				if !strings.Contains(r.Text, "Call back: "+want+"\n") && !strings.HasSuffix(r.Text, "Call back: "+want) {
					t.Errorf("want %q, have %q", want, r.Text)
				}
			}
			if !strings.Contains(r.HTML, test.html) || test.html == "" && strings.Contains(r.HTML, "tel:") {
				t.Errorf("want %q, have %s", test.html, r.HTML)
			}
		})
	}
}

func TestZone(t *testing.T) {
	prague, err := time.LoadLocation("Europe/Prague")
	if err != nil {
		t.Fatal(err)
	}
	d := notify.Example(notify.Opened)
	d.Location = prague
	r, err := load(t, "").Render("cs", notify.Opened, d)
	if want := "Kdy: 9. 3. 2026 14:11\n"; err != nil || !strings.Contains(r.Text, want) {
		t.Errorf("want %q, have %q, %v", want, r.Text, err)
	}
}

func TestDurations(t *testing.T) {
	tests := map[time.Duration]string{
		0: "", 400 * time.Millisecond: "", time.Second: "1 s", 59 * time.Second: "59 s", time.Minute: "1 min",
		61 * time.Second: "1 min 1 s", time.Hour + 30*time.Second: "1 h", 25*time.Hour + time.Minute: "1 d 1 h",
	}
	templates := load(t, "")
	for wait, want := range tests {
		r, err := templates.Render("en", notify.Opened, notify.Data{Entries: []*pbxv1.MissedCall{{Wait: durationpb.New(wait)}}})
		if err != nil {
			t.Fatal(err)
		}
		_, have, _ := strings.Cut(strings.ReplaceAll(r.Text, "\u00a0", " "), "Waited: ")
		if have, _, _ = strings.Cut(have, "\n"); want != have {
			t.Errorf("%v: want %q, have %q", wait, want, have)
		}
	}
}

// TestShort has callers with more to say than a text message has room for: the number stays whatever happens.
func TestShort(t *testing.T) {
	long := notify.Example(notify.Opened)
	long.Entries[0].Contact = &pbxv1.ContactMatch{Name: strings.Repeat("Ñandú ", 60), Organisation: strings.Repeat("Č", 500)}
	long.Entries[0].Queue = strings.Repeat("Ž", 500)
	long.Entries[0].ResolvedBy = &pbxv1.User{Login: strings.Repeat("Ö", 500)}
	long.Link = "https://pbx.example/" + strings.Repeat("x", 200) + "/{id}"
	templates := load(t, "")
	for _, lang := range notify.Languages() {
		for _, kind := range notify.Kinds() {
			for name, d := range map[string]notify.Data{"long": long, "example": notify.Example(kind)} {
				r, err := templates.Render(lang, kind, d)
				if err != nil {
					t.Fatal(err)
				}
				if n := utf8.RuneCountInString(r.Short); n > 160 || !strings.Contains(r.Short, "+420777888999") {
					t.Errorf("%s %s %s: want at most 160 characters with the number, have %d: %s", lang, kind, name, n, r.Short)
				}
				if lang != "ru" && strings.ContainsFunc(r.Short, func(c rune) bool { return c > 127 }) {
					t.Errorf("%s %s %s: want no diacritics, have %s", lang, kind, name, r.Short)
				}
			}
		}
	}
}

func TestShortOfOwn(t *testing.T) {
	own := load(t, folderOf(t, map[string]string{"short.txt": "{{.Dial}} " + strings.Repeat("ý ", 200)}))
	r, err := own.Render("en", notify.Opened, notify.Example(notify.Opened))
	if n := utf8.RuneCountInString(r.Short); err != nil || n > 160 || n < 150 {
		t.Errorf("want it cut, have %d characters, %v", n, err)
	}
}

// TestLongDigest has more entries than anybody reads.
func TestLongDigest(t *testing.T) {
	var d notify.Data
	for range 500 {
		d.Entries = append(d.Entries, notify.Example(notify.Opened).Entries[0])
	}
	r, err := load(t, "").Render("cs", notify.Digest, d)
	if err != nil {
		t.Fatal(err)
	}
	if want, have := 50, strings.Count(r.HTML, "<tr>")-1; want != have {
		t.Errorf("want %d rows, have %d", want, have)
	}
	if want := "\na dalších 450"; !strings.HasSuffix(r.Text, want) || !strings.HasPrefix(r.Text, "500 zmeškaných hovorů\n") {
		t.Errorf("want %q at the end, have %q", want, r.Text)
	}
}

// TestOutsideTexts has what a caller or a directory can say so that it looks like more than a name.
func TestOutsideTexts(t *testing.T) {
	d := notify.Example(notify.Opened)
	m := d.Entries[0]
	m.Contact = &pbxv1.ContactMatch{
		Name: "Eve\r\nBcc: all@acme.example\u2028\u202e<img src=x onerror=alert(1)>", Url: "javascript:alert(1)", Organisation: "\xff<b>",
	}
	m.Queue, m.Note = "<script>", `"><a href="https://evil.example">`
	d.Link = "javascript:alert({id})"
	r, err := load(t, "").Render("en", notify.Opened, d)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<img", "<script", "<b>", "javascript", `<a href="https://evil`, "\u202e", "\r", "\u2028"} {
		if strings.Contains(r.HTML, bad) {
			t.Errorf("want no %q, have %s", bad, r.HTML)
		}
	}
	if strings.ContainsAny(r.Subject+r.Short, "\r\n\u2028\u202e") || strings.Contains(r.Text, "\nBcc") || strings.ContainsAny(r.Text, "\r\u2028\u202e") {
		t.Errorf("want the name in one line, have %q, %q, %q", r.Subject, r.Short, r.Text)
	}
}

// TestNewerValues has values that this version does not know.
func TestNewerValues(t *testing.T) {
	d := notify.Data{Entries: []*pbxv1.MissedCall{{Reason: 99, Resolution: 99}}}
	for _, kind := range notify.Kinds() {
		if r, err := load(t, "").Render("en", kind, d); err != nil || strings.Contains(r.Text, "99") {
			t.Errorf("%s: want nothing about them, have %q, %v", kind, r.Text, err)
		}
	}
}

func TestRenderRefuses(t *testing.T) {
	templates := load(t, "")
	d := notify.Example(notify.Opened)
	for name, err := range map[string]error{
		"language": second(templates.Render("tlh", notify.Opened, d)),
		"kind":     second(templates.Render("en", "other", d)),
		"no entry": second(templates.Render("en", notify.Opened, notify.Data{})),
	} {
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: want invalid, have %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestOverrides(t *testing.T) {
	folder := folderOf(t, map[string]string{
		"cs.tmpl":     `{{define "headline.opened"}}Haló, {{.Who}}!{{end}}`,
		"short.txt":   `{{.Dial}} {{word "headline.opened" .}}`,
		"html.html":   `<p title="{{.Name}}">{{word "headline.opened" .}}</p>`,
		"..data":      "as Kubernetes has it",
		"subject.txt": "[{{.Tenant}}]\nX: {{.Name}}",
	})
	d := notify.Example(notify.Opened)
	d.Entries[0].Contact = &pbxv1.ContactMatch{Name: `"Ján" <b>`}
	r, err := load(t, folder).Render("cs", notify.Opened, d)
	if err != nil {
		t.Fatal(err)
	}
	if want := `[acme] X: "Ján" <b>`; want != r.Subject {
		t.Errorf("want %q, have %q", want, r.Subject)
	}
	if want := `<p title="&#34;Ján&#34; &lt;b&gt;">Haló, &#34;Ján&#34; &lt;b&gt;!</p>`; want != r.HTML {
		t.Errorf("want %q, have %q", want, r.HTML)
	}
	if want := `+420777888999 Halo, "Jan" <b>!`; want != r.Short {
		t.Errorf("want %q, have %q", want, r.Short)
	}
	if want := "Haló, \"Ján\" <b>!\n"; !strings.HasPrefix(r.Text, want) {
		t.Errorf("want %q, have %q", want, r.Text)
	}
	if r, err = load(t, folder).Render("en", notify.Opened, d); err != nil || !strings.HasPrefix(r.Text, "Missed call\n") {
		t.Errorf("want English as it was, have %q, %v", r.Text, err)
	}
}

func folderOf(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestBrokenOverrides(t *testing.T) {
	tests := map[string]struct{ file, text, want string }{
		"no template":      {"text.txt", "a\n{{if}}", "text.txt:2"},
		"unknown field":    {"html.html", "\n\n{{.Nobody}}", "html.html:3"},
		"unknown function": {"short.txt", "{{upper .Who}}", "short.txt:1"},
		"unknown word":     {"text.txt", `{{word "headline" .}}`, `text.txt:1`},
		"in a word":        {"sk.tmpl", "\n{{define \"headline.again\"}}{{.Atempts}}{{end}}", "sk.tmpl:2"},
		"rare word":        {"ru.tmpl", `{{define "resolution.expired"}}{{.X.Y}}{{end}}`, "ru.tmpl:1"},
		"plural of one":    {"en.tmpl", `{{define "subject.digest"}}{{plural .Total "call"}}{{end}}`, "en.tmpl:1"},
		"unsafe HTML":      {"html.html", `<a href={{.Who}}`, "html.html"},
		"unknown file":     {"opened.txt", "x", "opened.txt is none of cs.tmpl, en.tmpl, html.html, ru.tmpl, short.txt, sk.tmpl, subject.txt, text.txt"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			folder := folderOf(t, map[string]string{test.file: test.text})
			_, err := notify.Load(folder)
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), folder) {
				t.Errorf("want %s in %s, have %v", test.want, folder, err)
			}
		})
	}
	if _, err := notify.Load(filepath.Join(t.TempDir(), "none")); !fault.Is(err, fault.Invalid) {
		t.Errorf("want a missing folder refused, have %v", err)
	}
}
