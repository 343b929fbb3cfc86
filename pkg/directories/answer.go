package directories

import (
	"cmp"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/switchhook/switchhook/pkg/directories/template"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/phone"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// fields take a match out of a result.
type fields struct {
	name, organisation, extension, email, url template.Template
	numbers                                   []string
}

func newFields(s fieldSettings) fields {
	return fields{
		name: path(s.Name), organisation: path(s.Organisation), extension: path(s.ResponsibleExtension),
		email: path(s.ResponsibleEmail), url: path(s.URL), numbers: s.MatchedNumber,
	}
}

// path parses a template over JSON paths.
func path(s string) template.Template {
	return template.Parse(s, func(name string) bool { return name != "" })
}

// match returns nothing for a result whose numbers are all others: an index of significant numbers, or a search for a part
// of the text, brings along strangers. A result without any number is believed.
func (f fields) match(result gjson.Result, asked phone.Form, forms []phone.Form, region string) *pbxv1.ContactMatch {
	number, form := "", ""
	stored := f.stored(result)
	for i := 0; i < len(stored) && form == ""; i++ {
		number, form = stored[i], formOf(stored[i], forms, region)
	}
	if len(stored) > 0 && form == "" {
		return nil
	}
	value := func(path string) string { return text(result, path) }
	m := &pbxv1.ContactMatch{
		Name: words(f.name.Text(value)), Organisation: words(f.organisation.Text(value)),
		ResponsibleExtension: words(f.extension.Text(value)), ResponsibleEmail: words(f.email.Text(value)),
		MatchedNumber: number, MatchedForm: cmp.Or(form, asked.Name),
	}
	if f.complete(value) {
		m.Url = f.url.URL(value)
	}
	return complete(m, forms[0].Number)
}

// complete reports whether the result has all that the link is made of.
func (f fields) complete(value func(string) string) bool {
	for _, path := range f.url.Names() {
		if value(path) == "" {
			return false
		}
	}
	return true
}

// stored returns the numbers of a result.
func (f fields) stored(result gjson.Result) []string {
	var all []string
	for _, path := range f.numbers {
		found := result.Get(path)
		if !found.IsArray() {
			found = gjson.Parse("[" + found.Raw + "]")
		}
		for _, number := range found.Array() {
			if s := scalar(number); s != "" {
				all = append(all, s)
			}
		}
	}
	return all
}

// text returns the text at a path, or that of the first element of a list there; nothing for anything else.
func text(result gjson.Result, path string) string {
	found := result.Get(path)
	if found.IsArray() {
		found = found.Get("0")
	}
	return scalar(found)
}

func scalar(r gjson.Result) string {
	if r.IsObject() || r.IsArray() {
		return ""
	}
	return strings.TrimSpace(r.String())
}

// words returns text with single spaces.
func words(s string) string { return strings.Join(strings.Fields(s), " ") }

// results returns the results in an answer. Nothing of the answer stands in the error.
func (c *crm) results(answer []byte) ([]gjson.Result, error) {
	root, err := c.parse(answer)
	if err != nil {
		return nil, err
	}
	found := root
	if c.settings.Found != "" {
		found = root.Get(c.settings.Found)
	}
	switch {
	case found.IsArray():
		for _, result := range found.Array() {
			if !result.IsObject() {
				return nil, fault.New(fault.Internal, "directory %s: read the answer: want objects in the list at %q", c.name, c.settings.Found)
			}
		}
		return found.Array(), nil
	case found.IsObject():
		return []gjson.Result{found}, nil
	case found.Exists() && found.Type == gjson.Null:
		return nil, nil
	default:
		return nil, fault.New(fault.Internal, "directory %s: read the answer: want a list or an object at %q", c.name, c.settings.Found)
	}
}

func (c *crm) parse(answer []byte) (gjson.Result, error) {
	if !gjson.ValidBytes(answer) {
		return gjson.Result{}, fault.New(fault.Internal, "directory %s: read the answer: it is no JSON", c.name)
	}
	root := gjson.ParseBytes(answer)
	if c.settings.Error != "" {
		switch e := root.Get(c.settings.Error); {
		case e.IsObject(), e.IsArray(), e.Type == gjson.True, e.Type == gjson.Number && e.Num != 0, e.Type == gjson.String && e.Str != "":
			return root, fault.New(fault.Unavailable, "directory %s: the answer has an error at %q", c.name, c.settings.Error)
		}
	}
	return root, nil
}

func (c *crm) readEmployee(answer []byte) (employee, error) {
	if answer == nil {
		return employee{}, nil
	}
	root, err := c.parse(answer)
	if err != nil {
		return employee{}, err
	}
	value := func(path string) string { return text(root, path) }
	f := c.settings.Lookup.Fields
	return employee{extension: words(path(f.ResponsibleExtension).Text(value)), email: words(path(f.ResponsibleEmail).Text(value))}, nil
}
