// Package template fills values into text: `https://crm.example/contacts?phone={number}`. What is filled in stays a value
// wherever it stands: it can be no part of the URL's or JSON's own syntax.
package template

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// Template is text with placeholders in curly brackets. The zero value is empty text.
type Template struct{ parts []part }

// part is literal text, or a placeholder.
type part struct{ literal, name, filter string }

// Parse reads text in which `{name}` is a placeholder if accept says so, and else stands for itself. `{name|lower}` has its
// value in lower case.
func Parse(text string, accept func(name string) bool) Template {
	var t Template
	for {
		open := strings.IndexByte(text, '{')
		length := strings.IndexByte(text[max(open, 0):], '}')
		if open < 0 || length < 0 {
			break
		}
		inside := text[open+1 : open+length]
		if nested := strings.LastIndexByte(inside, '{'); nested >= 0 {
			open, inside = open+1+nested, inside[nested+1:]
		}
		name, filter, _ := strings.Cut(inside, "|")
		end := open + len(inside) + 2
		if filter != "" && filter != "lower" || !accept(name) {
			t.literal(text[:end])
		} else {
			t.literal(text[:open])
			t.parts = append(t.parts, part{name: name, filter: filter})
		}
		text = text[end:]
	}
	t.literal(text)
	return t
}

func (t *Template) literal(text string) {
	if text != "" {
		t.parts = append(t.parts, part{literal: text})
	}
}

// Names returns the names of the placeholders, each as often as it is there.
func (t Template) Names() []string {
	var names []string
	for _, p := range t.parts {
		if p.name != "" {
			names = append(names, p.name)
		}
	}
	return names
}

// Text fills in values as they are.
func (t Template) Text(value func(name string) string) string {
	return t.fill(value, func(_, value string) string { return value })
}

// URL fills in values escaped for the path or, behind a question mark, the query. A value with which the text begins is an
// address itself, and stays as it is.
func (t Template) URL(value func(name string) string) string {
	return t.fill(value, func(before, value string) string {
		switch {
		case before == "":
			return value
		case strings.Contains(before, "?"):
			return url.QueryEscape(value)
		default:
			return strings.ReplaceAll(url.PathEscape(value), ".", "%2E") // A value of two dots would be the folder above.
		}
	})
}

// JSON fills in values escaped to stand between the quotation marks of a JSON string.
func (t Template) JSON(value func(name string) string) string {
	return t.fill(value, func(_, value string) string {
		quoted, err := json.Marshal(value)
		if err != nil {
			return "" // Text can always be encoded.
		}
		return string(quoted[1 : len(quoted)-1])
	})
}

// Form fills in values escaped for a body of the type application/x-www-form-urlencoded.
func (t Template) Form(value func(name string) string) string {
	return t.fill(value, func(_, value string) string { return url.QueryEscape(value) })
}

func (t Template) fill(value func(name string) string, escape func(before, value string) string) string {
	var b strings.Builder
	for _, p := range t.parts {
		b.WriteString(p.literal)
		if p.name == "" {
			continue
		}
		v := value(p.name)
		if p.filter == "lower" {
			v = strings.ToLower(v)
		}
		b.WriteString(escape(b.String(), v))
	}
	return b.String()
}

// Has reports whether there is a placeholder of that name.
func (t Template) Has(name string) bool { return slices.Contains(t.Names(), name) }
