package directories

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/directories/template"
	"github.com/switchhook/switchhook/pkg/phone"
)

// httpSettings are those of the type http, and what the presets are made of.
type httpSettings struct {
	URL      string                   `yaml:"url,required"`
	Method   string                   `yaml:"method"`
	Headers  map[string]string        `yaml:"headers"`
	Basic    basicSettings            `yaml:"basic"`
	Secrets  map[string]config.Secret `yaml:"secrets"`
	Body     string                   `yaml:"body"`
	Forms    []string                 `yaml:"forms"`
	Found    string                   `yaml:"found"`
	Error    string                   `yaml:"error"`
	NotFound int                      `yaml:"not_found"`
	Fields   fieldSettings            `yaml:"fields,required"`
	Lookup   *lookupSettings          `yaml:"lookup"`
	Timeout  time.Duration            `yaml:"timeout"`
	Retries  int                      `yaml:"retries"`
	Limit    int                      `yaml:"limit"`

	// Host is where a preset's requests go, if only a secret says it.
	Host string `yaml:"-"`
}

// basicSettings are the credentials of basic authentication.
type basicSettings struct {
	Username config.Secret `yaml:"username"`
	Password config.Secret `yaml:"password"`
}

// fieldSettings say where in a result the fields of a match are: templates over JSON paths, and plain paths for numbers.
type fieldSettings struct {
	Name                 string   `yaml:"name,required"`
	Organisation         string   `yaml:"organisation"`
	ResponsibleExtension string   `yaml:"responsible_extension"`
	ResponsibleEmail     string   `yaml:"responsible_email"`
	URL                  string   `yaml:"url"`
	MatchedNumber        []string `yaml:"matched_number"`
}

// lookupSettings are those of the second request, which says who the responsible employee is.
type lookupSettings struct {
	Key    string `yaml:"key,required"` // a JSON path within a result
	URL    string `yaml:"url,required"`
	Fields struct {
		ResponsibleExtension string `yaml:"responsible_extension"`
		ResponsibleEmail     string `yaml:"responsible_email"`
	} `yaml:"fields"`
}

func defaultHTTP() httpSettings {
	return httpSettings{Forms: []string{"e164"}, Timeout: 5 * time.Second, Retries: 2, Limit: defaultLimit}
}

func readHTTP(d *config.Directory) (settings, config.Problems) {
	s := defaultHTTP()
	problems := d.Read(&s)
	if len(problems) == 0 {
		problems = s.problems(d)
	}
	return s, problems
}

func (s httpSettings) open(d *config.Directory, log *slog.Logger) Directory {
	return newCRM(s, d.Name, d.Tenant.Region, log)
}

// problems checks what decoding cannot.
func (s httpSettings) problems(d *config.Directory) config.Problems {
	problems := slices.Concat(
		d.Check(s.Method == "" || s.Method == http.MethodGet || s.Method == http.MethodPost, "method", "want GET or POST"),
		d.Check(s.Timeout > 0, "timeout", "want more than 0s"),
		d.Check(s.Retries >= 0, "retries", "want at least 0"),
		d.Check(s.Limit > 0, "limit", "want at least 1"),
		d.Check(s.Basic.Username.IsZero() == s.Basic.Password.IsZero(), "basic", "want both username and password"),
	)
	for name := range s.Secrets {
		problems = append(problems, d.Check(isPlaceholder(name) && !slices.Contains(placeholders(), name), "secrets",
			"want names of letters, digits and underscores, none of %s", strings.Join(placeholders(), ", "))...)
	}
	for i, name := range s.Forms {
		problems = append(problems, d.Check(slices.Contains(phone.FormNames(), name), "forms",
			"forms[%d]: want one of %s", i, strings.Join(phone.FormNames(), ", "))...)
	}
	problems = append(problems, s.placeholderProblems(d, "url", s.URL)...)
	problems = append(problems, s.placeholderProblems(d, "body", s.Body)...)
	for name, value := range s.Headers {
		problems = append(problems, s.placeholderProblems(d, "headers."+name, value)...)
	}
	if s.Lookup != nil {
		problems = append(problems, s.placeholderProblems(d, "lookup.url", s.Lookup.URL, "key")...)
	}
	if len(problems) == 0 {
		problems = s.filledProblems(d)
	}
	return problems
}

// placeholderProblems says which placeholders are unknown.
func (s httpSettings) placeholderProblems(d *config.Directory, key, text string, more ...string) config.Problems {
	var problems config.Problems
	known := append(placeholders(), more...)
	for name := range s.Secrets {
		known = append(known, name)
	}
	slices.Sort(known)
	for _, name := range template.Parse(text, isPlaceholder).Names() {
		problems = append(problems, d.Check(slices.Contains(known, name), key,
			"unknown placeholder {%s}, want one of %s", name, strings.Join(known, ", "))...)
	}
	return problems
}

// filledProblems fills in examples. It shows nothing of the outcome, which may hold secrets.
func (s httpSettings) filledProblems(d *config.Directory) config.Problems {
	const example = "+420777888999"
	values := s.values(phone.Form{Name: "e164", Number: example}, example)
	isAddress := func(text string) bool {
		u, err := url.Parse(template.Parse(text, isPlaceholder).URL(values))
		return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
	}
	problems := d.Check(isAddress(s.URL), "url", "want an address that begins with https:// or http://")
	if s.Lookup != nil {
		problems = append(problems, d.Check(isAddress(s.Lookup.URL), "lookup.url", "want an address that begins with https:// or http://")...)
	}
	if s.Body != "" && !s.isForm() {
		body := template.Parse(s.Body, isPlaceholder).JSON(values)
		problems = append(problems, d.Check(json.Valid([]byte(body)), "body",
			"is no JSON once it is filled in (for a form, have a header Content-Type: %s)", formType)...)
	}
	return problems
}

const formType = "application/x-www-form-urlencoded"

// isForm reports whether the body is a form; else it is JSON.
func (s httpSettings) isForm() bool {
	for name, value := range s.Headers {
		if strings.EqualFold(name, "Content-Type") {
			return strings.HasPrefix(strings.ToLower(value), formType)
		}
	}
	return false
}

// placeholders returns the names of the values that requests can have, secrets aside.
func placeholders() []string { return []string{"number", "e164", "digits", "significant", "limit"} }

// values returns what placeholders stand for.
func (s httpSettings) values(asked phone.Form, e164 string) func(name string) string {
	return func(name string) string {
		switch name {
		case "number":
			return asked.Number
		case "e164":
			return e164
		case "digits":
			return strings.TrimPrefix(e164, "+")
		case "significant":
			return phone.Parse(e164, "").Significant()
		case "limit":
			return strconv.Itoa(s.Limit)
		default:
			return s.Secrets[name].Reveal()
		}
	}
}

// isPlaceholder reports whether that can be the name of one: JSON is full of curly brackets that are none.
func isPlaceholder(name string) bool {
	for i, c := range []byte(name) {
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}
