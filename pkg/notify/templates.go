package notify

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"

	"golang.org/x/text/feature/plural"
	tongue "golang.org/x/text/language"

	"github.com/switchhook/switchhook/pkg/fault"
)

//go:embed templates
var builtin embed.FS

// maxShort is how many characters a text message has.
const maxShort = 160

// Languages returns the languages that messages are written in.
func Languages() []string { return []string{"en", "cs", "sk", "ru"} }

// Rendered is a message in words.
type Rendered struct {
	Subject string // one line; the same for all messages about an entry, so that mail programs keep them together
	Text    string // lines, the first of which says what happened; without white space at its end
	HTML    string // a whole document
	Short   string // one line of at most 160 characters, without diacritics on Latin letters
}

// Templates are the words and the layouts of messages. They are safe for concurrent use.
type Templates struct{ languages map[string]*language }

// language is everything needed in one language.
type language struct {
	name                 string
	words                *template.Template // by names such as label.queue
	subject, text, brief *template.Template
	html                 *htmltemplate.Template
}

// Load returns the templates that come with the program, some replaced by those in a folder, if one is given: <language>.tmpl,
// of which it is enough to define the words that differ, and the layouts subject.txt, text.txt, short.txt and html.html.
// All are tried with examples. Errors are fault.Invalid and name file and line.
func Load(folder string) (*Templates, error) {
	overrides, err := readOverrides(folder)
	if err != nil {
		return nil, err
	}
	t := Templates{make(map[string]*language)}
	for _, name := range Languages() {
		if t.languages[name], err = newLanguage(name, overrides); err != nil {
			return nil, fault.New(fault.Invalid, "templates: %w", err)
		}
	}
	return &t, t.try()
}

// file is a template's name, for errors, and its text.
type file struct{ name, text string }

func readOverrides(folder string) (map[string]file, error) {
	overrides := make(map[string]file)
	if folder == "" {
		return overrides, nil
	}
	known, err := fs.ReadDir(builtin, "templates")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, k := range known {
		names = append(names, k.Name())
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fault.New(fault.Invalid, "templates: %w", err)
	}
	for _, e := range entries {
		name := filepath.Join(folder, e.Name())
		if strings.HasPrefix(e.Name(), ".") || e.IsDir() { // As Kubernetes has them beside mounted files.
			continue
		}
		if !slices.Contains(names, e.Name()) {
			return nil, fault.New(fault.Invalid, "templates: %s is none of %s", name, strings.Join(names, ", "))
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, fault.New(fault.Invalid, "templates: %w", err)
		}
		overrides[e.Name()] = file{name, string(data)}
	}
	return overrides, nil
}

func newLanguage(name string, overrides map[string]file) (*language, error) {
	l := &language{name: name}
	functions := map[string]any{
		"word":   l.word,
		"plural": func(n int, forms ...string) (string, error) { return pluralForm(name, n, forms) },
	}
	l.words = template.New(name).Funcs(functions)
	for _, f := range []file{shipped(name + ".tmpl"), overrides[name+".tmpl"]} {
		if _, err := l.words.New(f.name).Parse(f.text); err != nil {
			return nil, err
		}
	}
	layout := func(name string) file {
		if f, replaced := overrides[name]; replaced {
			return f
		}
		return shipped(name)
	}
	var err error
	for name, into := range map[string]**template.Template{"subject.txt": &l.subject, "text.txt": &l.text, "short.txt": &l.brief} {
		f := layout(name)
		if *into, err = template.New(f.name).Funcs(functions).Parse(f.text); err != nil {
			return nil, err
		}
	}
	f := layout("html.html")
	l.html, err = htmltemplate.New(f.name).Funcs(functions).Parse(f.text)
	return l, err
}

// shipped returns a template that comes with the program.
func shipped(name string) file {
	data, err := builtin.ReadFile(path.Join("templates", name))
	if err != nil {
		panic("notify: " + err.Error()) // It is in the program.
	}
	return file{name, string(data)}
}

// word writes a word of the language, with the data that it may speak of.
func (l *language) word(name string, data any) (string, error) {
	t := l.words.Lookup(name)
	if t == nil {
		return "", fmt.Errorf("no word %q in %s.tmpl", name, l.name)
	}
	var b strings.Builder
	if err := t.Execute(&b, data); err != nil {
		return "", err
	}
	return strings.TrimSpace(b.String()), nil
}

// pluralForm chooses the form for a number: one, few (in Slavic languages, 2 to 4 and the like), and all others.
func pluralForm(name string, n int, forms []string) (string, error) {
	if len(forms) < 2 {
		return "", errors.New("plural: want a form for one and one for many, and for Slavic languages one for few between them")
	}
	const most = 10_000_000 // what the library takes
	switch plural.Cardinal.MatchPlural(tongue.Make(name), max(n, 0)%most, 0, 0, 0, 0) {
	case plural.One:
		return forms[0], nil
	case plural.Few:
		return forms[1], nil
	default:
		return forms[len(forms)-1], nil
	}
}

// wording takes words one after the other, and keeps the first error.
type wording struct {
	*language
	err error
}

func (w *wording) of(name string) string { return w.say(name, struct{}{}) } // Fields of nil would be no error.

func (w *wording) say(name string, data any) string {
	text, err := w.word(name, data)
	if err != nil && w.err == nil {
		w.err = err
	}
	return text
}

// enum takes the word for a value, and none for values that have no word: a newer version may have others.
func (w *wording) enum(prefix string, value fmt.Stringer) string {
	name := prefix + strings.ToLower(value.String())
	if w.words.Lookup(name) == nil {
		return ""
	}
	return w.of(name)
}

// duration says how long something took, in two units at most.
func (w *wording) duration(d time.Duration) string {
	d = d.Round(time.Second)
	if d <= 0 {
		return ""
	}
	units := []struct {
		name string
		size time.Duration
	}{{"unit.d", 24 * time.Hour}, {"unit.h", time.Hour}, {"unit.min", time.Minute}, {"unit.s", time.Second}}
	for i, u := range units {
		if d < u.size {
			continue
		}
		text := fmt.Sprintf("%d\u00a0%s", d/u.size, w.of(u.name))
		if i+1 < len(units) && d%u.size >= units[i+1].size {
			text += fmt.Sprintf("\u00a0%d\u00a0%s", d%u.size/units[i+1].size, w.of(units[i+1].name))
		}
		return text
	}
	return ""
}

// Render writes a message in a language, one of Languages. Errors are fault.Invalid: the language or the kind is unknown, there
// is no entry, or a template of the tenant's own cannot cope with the data.
func (t *Templates) Render(lang string, kind Kind, d Data) (Rendered, error) {
	l, known := t.languages[lang]
	if !known || !slices.Contains(Kinds(), kind) || len(d.Entries) == 0 {
		return Rendered{}, fault.New(fault.Invalid, "render %s in %q: want a known kind and language, and an entry", kind, lang)
	}
	r, err := l.render(kind, d)
	if err != nil {
		return Rendered{}, fault.New(fault.Invalid, "render %s in %s: %w", kind, lang, err)
	}
	return r, nil
}

func (l *language) render(kind Kind, d Data) (Rendered, error) {
	v, err := l.view(kind, d)
	if err != nil {
		return Rendered{}, err
	}
	var r Rendered
	if r.Subject, err = execute(l.subject, v); err != nil {
		return Rendered{}, err
	}
	if r.Text, err = execute(l.text, v); err != nil {
		return Rendered{}, err
	}
	if r.HTML, err = execute(l.html, v); err != nil {
		return Rendered{}, err
	}
	r.Subject, r.Text = line(r.Subject, 200), strings.TrimSpace(r.Text)
	r.Short, err = l.short(v)
	return r, err
}

// short writes a text message. If it is too long, names are cut first, then goes the link.
func (l *language) short(v View) (string, error) {
	var text string
	for _, most := range []struct{ name, link int }{{60, 1}, {25, 1}, {60, 0}, {25, 0}} {
		brief := v
		brief.Who, brief.Queue, brief.ResolvedBy = shorten(v.Who, most.name), shorten(v.Queue, most.name), shorten(v.ResolvedBy, most.name)
		if most.link == 0 {
			brief.Link = ""
		}
		written, err := execute(l.brief, brief)
		if err != nil {
			return "", err
		}
		if text = plain(line(written, 1<<10)); len([]rune(text)) <= maxShort {
			return text, nil
		}
	}
	return shorten(text, maxShort), nil
}

func execute(t interface {
	Execute(w io.Writer, data any) error
}, v View,
) (string, error) {
	var b bytes.Buffer
	err := t.Execute(&b, v)
	return b.String(), err
}
