package fields_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/vendors/fields"
)

func ExampleRead() {
	for _, body := range []string{`{"Event":"ringing","Line":20,"Trunk":"o2"}`, `Event=ringing&Line=20&Trunk=o2`} {
		f, err := fields.Read([]byte(body))
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(f.Take("event"), f.Take("ext", "line"), f.Rest())
	}
	// Output:
	// ringing 20 map[Trunk:o2]
	// ringing 20 map[Trunk:o2]
}

// mustJSON reads an object that is right.
func mustJSON(t *testing.T, body string) *fields.Fields {
	t.Helper()
	f, err := fields.JSON([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

type reading struct {
	body string
	want map[string]string
}

// objects are JSON objects, by what is special about them.
func objects() map[string]reading {
	return map[string]reading{
		"empty":              {`{}`, nil},
		"text":               {`{"a":"b"}`, map[string]string{"a": "b"}},
		"empty text":         {`{"a":""}`, map[string]string{"a": ""}},
		"white space kept":   {`{"a":" b\n"}`, map[string]string{"a": " b\n"}},
		"empty name":         {`{"":"b"}`, map[string]string{"": "b"}},
		"space around":       {" \r\n\t{ \"a\" :\n\"b\" , \"c\" : 1 } \n", map[string]string{"a": "b", "c": "1"}},
		"byte order mark":    {"\ufeff{\"a\":\"b\"}", map[string]string{"a": "b"}},
		"escapes":            {`{"\u0061\/":"\u010d\t\"\\\ud83d\ude00"}`, map[string]string{"a/": "č\t\"\\😀"}},
		"zero byte":          {`{"a":"\u0000"}`, map[string]string{"a": "\x00"}},
		"integer":            {`{"a":20}`, map[string]string{"a": "20"}},
		"long integer":       {`{"a":12345678901234567890123}`, map[string]string{"a": "12345678901234567890123"}},
		"last zeros":         {`{"a":12.50}`, map[string]string{"a": "12.50"}},
		"exponent":           {`{"a":1E+2,"b":1.0e-7}`, map[string]string{"a": "1E+2", "b": "1.0e-7"}},
		"minus":              {`{"a":-0,"b":-1.5}`, map[string]string{"a": "-0", "b": "-1.5"}},
		"too large":          {`{"a":1e999}`, map[string]string{"a": "1e999"}},
		"true and false":     {`{"a":true,"b":false}`, map[string]string{"a": "true", "b": "false"}},
		"null":               {`{"a":null}`, nil},
		"null beside":        {`{"a":null,"b":"null"}`, map[string]string{"b": "null"}},
		"object":             {`{"a": {"c": [1, 2.0], "b" : null}}`, map[string]string{"a": `{"c":[1,2.0],"b":null}`}},
		"array":              {"{\"a\":[ 1,\n\"x y\" ]}", map[string]string{"a": `[1,"x y"]`}},
		"empty nested":       {`{"a":{ },"b":[ ]}`, map[string]string{"a": `{}`, "b": `[]`}},
		"nested as text":     {`{"a":"{ \"b\": 1 }"}`, map[string]string{"a": `{ "b": 1 }`}},
		"no HTML escapes":    {`{"a":{"b":"<&>"}}`, map[string]string{"a": `{"b":"<&>"}`}},
		"capitals differ":    {`{"a":1,"A":2}`, map[string]string{"a": "1", "A": "2"}},
		"a name twice":       {`{"a":1,"b":2,"a":[3]}`, map[string]string{"a": "1,[3]", "b": "2"}},
		"a name escaped":     {`{"a":"1","\u0061":"2"}`, map[string]string{"a": "1,2"}},
		"a name twice, null": {`{"a":1,"a":null}`, map[string]string{"a": "1"}},
		"the same twice":     {`{"a":"1","a":"1"}`, map[string]string{"a": "1,1"}},
		"invalid UTF-8":      {"{\"a\":\"b\xffc\"}", map[string]string{"a": "b\uFFFDc"}},
		"invalid nested":     {"{\"a\":[\"b\xffc\"]}", map[string]string{"a": "[\"b\uFFFDc\"]"}},
		"invalid names":      {"{\"\xff\":1,\"\xfe\":2}", map[string]string{"\uFFFD": "1,2"}},
		"half a surrogate":   {`{"a":"\ud83d"}`, map[string]string{"a": "\uFFFD"}},
	}
}

func TestJSON(t *testing.T) {
	for name, test := range objects() {
		t.Run(name, func(t *testing.T) {
			if have := mustJSON(t, test.body).Rest(); !maps.Equal(test.want, have) {
				t.Errorf("want %q, have %q", test.want, have)
			}
		})
	}
}

// notObjects are bodies that JSON refuses, and what it says.
func notObjects() map[string]struct{ body, want string } {
	return map[string]struct{ body, want string }{
		"empty":            {"", "unexpected end of JSON input"},
		"white space":      {" \n", "unexpected end of JSON input"},
		"null":             {"null", "have null"},
		"true":             {"true", "have bool"},
		"false":            {" false", "have bool"},
		"number":           {"12", "have number"},
		"negative number":  {"-1", "have number"},
		"text":             {`"{}"`, "have string"},
		"array":            {`[{"a":"b"}]`, "have array"},
		"word":             {"hello", "invalid character 'h' looking for beginning of value"},
		"form":             {"a=b", "invalid character 'a' looking for beginning of value"},
		"cut in a name":    {`{"a`, "unexpected end of JSON input"},
		"cut in a value":   {`{"a":"b`, "unexpected end of JSON input"},
		"cut at the end":   {`{"a":"b"`, "unexpected end of JSON input"},
		"no quotes":        {`{a:"b"}`, "invalid character 'a' looking for beginning of object key string"},
		"comma at the end": {`{"a":"b",}`, "invalid character '}' looking for beginning of object key string"},
		"leading zero":     {`{"a":007}`, "invalid character '0' after object key:value pair"},
		"not a number":     {`{"a":NaN}`, "invalid character 'N' looking for beginning of value"},
		"a line in text":   {"{\"a\":\"b\nc\"}", `invalid character '\n' in string literal`},
		"second object":    {`{"a":"b"}{"c":"d"}`, "invalid character '{' after top-level value"},
		"text behind":      {`{"a":"b"} x`, "invalid character 'x' after top-level value"},
		"zero byte behind": {"{}\x00", `invalid character '\x00' after top-level value`},
		"mark inside":      {"{\ufeff}", "invalid character 'ï' looking for beginning of object key string"},
		"too deep":         {`{"a":` + strings.Repeat("[", 20_000), "invalid character '[' exceeded max depth"},
	}
}

func TestJSONRefuses(t *testing.T) {
	for name, test := range notObjects() {
		t.Run(name, func(t *testing.T) {
			f, err := fields.JSON([]byte(test.body))
			want := "want a JSON object: " + test.want
			if f != nil || !fault.Is(err, fault.Invalid) || err.Error() != want {
				t.Errorf("want nothing and %q, have %v and %v", want, f, err)
			}
		})
	}
}

// forms are form bodies, by what is special about them.
func forms() map[string]reading {
	return map[string]reading{
		"empty":            {"", nil},
		"one":              {"a=b", map[string]string{"a": "b"}},
		"two":              {"a=b&c=d", map[string]string{"a": "b", "c": "d"}},
		"no value":         {"a=&c", map[string]string{"a": "", "c": ""}},
		"no name":          {"=b", map[string]string{"": "b"}},
		"equals sign":      {"a=b=c", map[string]string{"a": "b=c"}},
		"plus and percent": {"a+b=%2B420+777%26", map[string]string{"a b": "+420 777&"}},
		"not ASCII":        {"jm%C3%A9no=ž", map[string]string{"jméno": "ž"}},
		"a name twice":     {"a=1&b=2&a=3", map[string]string{"a": "1,3", "b": "2"}},
		"capitals differ":  {"a=1&A=2", map[string]string{"a": "1", "A": "2"}},
		"space around":     {" \r\na=b\n", map[string]string{"a": "b"}},
		"space inside":     {"a=+b+", map[string]string{"a": " b "}},
		"empty pairs":      {"&&a=b&", map[string]string{"a": "b"}},
		"number":           {"a=012.50", map[string]string{"a": "012.50"}},
		"null":             {"a=null", map[string]string{"a": "null"}},
		"JSON inside":      {`a={"b":+1}`, map[string]string{"a": `{"b": 1}`}},
		"invalid UTF-8":    {"a=b%FFc", map[string]string{"a": "b\uFFFDc"}},
		"invalid names":    {"%FE=1&%FF=2", map[string]string{"\uFFFD": "1,2"}},
	}
}

func TestForm(t *testing.T) {
	for name, test := range forms() {
		t.Run(name, func(t *testing.T) {
			f, err := fields.Form(test.body)
			if err != nil {
				t.Fatal(err)
			}
			if have := f.Rest(); !maps.Equal(test.want, have) {
				t.Errorf("want %q, have %q", test.want, have)
			}
		})
	}
}

func TestFormRefuses(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"escape that is none": {"a=b&c=%zz", `want a form: invalid URL escape "%zz"`},
		"escape cut":          {"a=100%", `want a form: invalid URL escape "%"`},
		"semicolon":           {"a=b;c=d", "want a form: invalid semicolon separator in query"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f, err := fields.Form(test.text)
			if f != nil || !fault.Is(err, fault.Invalid) || err.Error() != test.want {
				t.Errorf("want nothing and %q, have %v and %v", test.want, f, err)
			}
		})
	}
}

// What JSON and Form read, Read reads the same, without being told which it is.
func TestReadBoth(t *testing.T) {
	for name, test := range objects() {
		t.Run("JSON/"+name, func(t *testing.T) { wantRead(t, test.body, test.want) })
	}
	for name, test := range forms() {
		t.Run("form/"+name, func(t *testing.T) { wantRead(t, test.body, test.want) })
	}
}

func wantRead(t *testing.T, body string, want map[string]string) {
	t.Helper()
	for _, before := range []string{"", "\ufeff", " \ufeff\r\n"} {
		f, err := fields.Read([]byte(before + body))
		if err != nil {
			t.Fatalf("want %q, have %v", want, err)
		}
		if have := f.Rest(); !maps.Equal(want, have) {
			t.Errorf("want %q, have %q", want, have)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	tests := map[string]struct{ body, want string }{
		"word":                   {"hello", "want a JSON object: invalid character 'h' looking for beginning of value"},
		"number":                 {"12", "want a JSON object: have number"},
		"null":                   {"null", "want a JSON object: have null"},
		"text":                   {`"a=b"`, "want a JSON object: have string"},
		"array":                  {`["a=b"]`, "want a JSON object: have array"},
		"object cut":             {`{"a":"b=c"`, "want a JSON object: unexpected end of JSON input"},
		"object with text ahead": {`x={"a":%}`, `want a form: invalid URL escape "%}"`},
		"form":                   {"a=%", `want a form: invalid URL escape "%"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f, err := fields.Read([]byte(test.body))
			if f != nil || !fault.Is(err, fault.Invalid) || err.Error() != test.want {
				t.Errorf("want nothing and %q, have %v and %v", test.want, f, err)
			}
		})
	}
}

func TestZeroFields(t *testing.T) {
	var f fields.Fields
	if f.Take("a") != "" || f.Peek("a") != "" || f.Rest() != nil || f.Unknown() != nil || f.Err() != nil {
		t.Errorf("want nothing in the zero Fields, have %+v", f)
	}
	f.Merge(mustJSON(t, `{"a":"b"}`))
	if want, have := "b", f.Take("a"); want != have {
		t.Errorf("want %q after Merge, have %q", want, have)
	}
}

func TestUnknown(t *testing.T) {
	f := mustJSON(t, `{"z":1,"Known":2,"a":3,"a":4,"used":5,"n":null,"KNOWN":6,"b":""}`)
	f.Use("used")
	if want, have := []string{"a", "b", "z"}, f.Unknown("known", "absent"); !slices.Equal(want, have) {
		t.Errorf("want %q, have %q", want, have)
	}
	if have := f.Unknown("known", "a", "b", "z"); have != nil {
		t.Errorf("want nil when all are known, have %q", have)
	}
}
