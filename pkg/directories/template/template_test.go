package template_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/switchhook/switchhook/pkg/directories/template"
)

func ExampleTemplate_URL() {
	t := template.Parse("https://crm.example/{tenant}/contacts?phone={number}", known)
	fmt.Println(t.URL(func(name string) string {
		return map[string]string{"tenant": "a/b", "number": "+420 777&x"}[name]
	}))
	// Output:
	// https://crm.example/a%2Fb/contacts?phone=%2B420+777%26x
}

func known(name string) bool { return slices.Contains([]string{"number", "tenant", "base"}, name) }

func TestParse(t *testing.T) {
	tests := map[string]struct {
		text, want string
		names      []string
	}{
		"none":               {"text", "text", nil},
		"empty":              {"", "", nil},
		"one":                {"a{number}b", "a<number>b", []string{"number"}},
		"several":            {"{number}{tenant}{number}", "<number><tenant><number>", []string{"number", "tenant", "number"}},
		"unknown":            {"{other}{number}", "{other}<number>", []string{"number"}},
		"JSON":               {`{"a": {"b": "{number}"}, "c": {}}`, `{"a": {"b": "<number>"}, "c": {}}`, []string{"number"}},
		"not closed":         {"{number", "{number", nil},
		"not opened":         {"number}{number}", "number}<number>", []string{"number"}},
		"closed before":      {"}{number}", "}<number>", []string{"number"}},
		"lower":              {"{number|lower}", "<number>", []string{"number"}},
		"an unknown filter":  {"{number|upper}", "{number|upper}", nil},
		"brackets in a name": {"{{number}}", "{<number>}", []string{"number"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			parsed := template.Parse(test.text, known)
			if have := parsed.Text(func(name string) string { return "<" + name + ">" }); test.want != have {
				t.Errorf("want %q, have %q", test.want, have)
			}
			if have := parsed.Names(); !slices.Equal(test.names, have) {
				t.Errorf("want %q, have %q", test.names, have)
			}
		})
	}
}

func TestFill(t *testing.T) {
	const value = "A/..?&\"\\\n%+{number} é"
	tests := map[string]struct {
		text string
		fill func(template.Template, func(string) string) string
		want string
	}{
		"text":             {"{number}", template.Template.Text, value},
		"lower":            {"{number|lower}", template.Template.Text, strings.ToLower(value)},
		"path":             {"/{number}/", template.Template.URL, "/A%2F%2E%2E%3F&%22%5C%0A%25+%7Bnumber%7D%20%C3%A9/"},
		"query":            {"/?a={number}", template.Template.URL, "/?a=A%2F..%3F%26%22%5C%0A%25%2B%7Bnumber%7D+%C3%A9"},
		"address in front": {"{number}/x", template.Template.URL, value + "/x"},
		"JSON":             {`["{number}"]`, template.Template.JSON, `["A/..?\u0026\"\\\n%+{number} é"]`},
		"form":             {"a={number}", template.Template.Form, "a=A%2F..%3F%26%22%5C%0A%25%2B%7Bnumber%7D+%C3%A9"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			have := test.fill(template.Parse(test.text, known), func(string) string { return value })
			if test.want != have {
				t.Errorf("want %q, have %q", test.want, have)
			}
		})
	}
}

// FuzzFill takes what was filled in out again, by the parsers of those who receive it.
func FuzzFill(f *testing.F) {
	for _, value := range []string{"", "+420 777 888 999", `"}`, "a&b=c#d", "..", "\x00\n", "\xff", "{number}", "</script>", "%2F"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		fill := func(string) string { return value }
		const text = "https://crm.example/{tenant}/x?a={number}&b=1"
		u, err := url.Parse(template.Parse(text, known).URL(fill))
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"crm.example", "/" + value + "/x", value, "1", ""}
		if have := []string{u.Host, u.Path, u.Query().Get("a"), u.Query().Get("b"), u.Fragment}; !slices.Equal(want, have) {
			t.Errorf("URL: want %q, have %q", want, have)
		}
		if segments := strings.Split(u.EscapedPath(), "/"); len(segments) != 3 || segments[1] == ".." || segments[1] == "." {
			t.Errorf("URL: want one segment, have %q", u.EscapedPath())
		}
		form, err := url.ParseQuery(template.Parse("a={number}&b=1", known).Form(fill))
		if want := (url.Values{"a": {value}, "b": {"1"}}); err != nil || want.Encode() != form.Encode() {
			t.Errorf("form: want %v, have %v, %v", want, form, err)
		}
		var object map[string]string
		err = json.Unmarshal([]byte(template.Parse(`{"a": "{number}", "b": "1"}`, known).JSON(fill)), &object)
		if want := strings.ToValidUTF8(value, "\ufffd"); err != nil || len(object) != 2 || object["b"] != "1" ||
			utf8.ValidString(value) && object["a"] != want {
			t.Errorf("JSON: want %q, have %q, %v", want, object, err)
		}
	})
}
