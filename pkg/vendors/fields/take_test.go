package fields_test

import (
	"maps"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/vendors/fields"
	"github.com/switchhook/switchhook/pkg/webhook"
)

// wantRest compares what nobody used.
func wantRest(t *testing.T, f *fields.Fields, want map[string]string) {
	t.Helper()
	if have := f.Rest(); !maps.Equal(want, have) {
		t.Errorf("want the rest %q, have %q", want, have)
	}
}

func TestTake(t *testing.T) {
	type rest = map[string]string
	tests := map[string]struct {
		body  string
		names []string
		want  string
		rest  rest
	}{
		"no names":             {`{"a":"1"}`, nil, "", rest{"a": "1"}},
		"absent":               {`{"a":"1"}`, []string{"b"}, "", rest{"a": "1"}},
		"there":                {`{"a":"1","b":"2"}`, []string{"a"}, "1", rest{"b": "2"}},
		"null":                 {`{"a":null,"b":"2"}`, []string{"a"}, "", rest{"b": "2"}},
		"the first":            {`{"a":"1","b":"2"}`, []string{"b", "a"}, "2", rest{"a": "1"}},
		"the second":           {`{"a":"1","b":"2"}`, []string{"c", "a"}, "1", rest{"b": "2"}},
		"behind an empty one":  {`{"a":"","b":"2"}`, []string{"a", "b"}, "2", nil},
		"behind a blank one":   {`{"a":" \t","b":"2"}`, []string{"a", "b"}, "2", nil},
		"all empty":            {`{"a":"","b":" "}`, []string{"a", "b"}, "", nil},
		"white space":          {`{"a":" 1\r\n"}`, []string{"a"}, "1", nil},
		"number":               {`{"a":12.50}`, []string{"a"}, "12.50", nil},
		"false":                {`{"a":false}`, []string{"a"}, "false", nil},
		"other capitals":       {`{"Linkedid":"1"}`, []string{"linkedID"}, "1", nil},
		"exact goes first":     {`{"LINE":"1","line":"2","Line":"3"}`, []string{"line"}, "2", rest{"LINE": "1", "Line": "3"}},
		"the last otherwise":   {`{"LINE":"1","Line":"2"}`, []string{"line"}, "2", rest{"LINE": "1"}},
		"the last of one name": {`{"a":"1","a":"2","b":"3"}`, []string{"a"}, "2", rest{"a": "1", "b": "3"}},
		"the same name twice":  {`{"a":"1"}`, []string{"a", "A"}, "1", nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := mustJSON(t, test.body)
			if have := f.Take(test.names...); test.want != have {
				t.Errorf("want %q, have %q", test.want, have)
			}
			wantRest(t, f, test.rest)
			if err := f.Err(); err != nil {
				t.Errorf("want no error, have %v", err)
			}
		})
	}
}

func TestTakeAgain(t *testing.T) {
	f := mustJSON(t, `{"a":"1"}`)
	for range 2 {
		if want, have := "1", f.Take("a"); want != have {
			t.Errorf("want %q, have %q", want, have)
		}
	}
}

func TestTakeWrongShape(t *testing.T) {
	tests := map[string]struct {
		names           []string
		want, wantError string
	}{
		"object":             {[]string{"object"}, "", "object: want text or a number, have an object"},
		"array":              {[]string{"array"}, "", "array: want text or a number, have an array"},
		"by the name asked":  {[]string{"OBJECT"}, "", "OBJECT: want text or a number, have an object"},
		"the first error":    {[]string{"array", "object"}, "", "array: want text or a number, have an array"},
		"before a right one": {[]string{"array", "text"}, "x", "array: want text or a number, have an array"},
		"behind a right one": {[]string{"text", "array"}, "x", ""},
		"nested as text":     {[]string{"quoted"}, `{"a":1}`, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := mustJSON(t, `{"object":{"a":1},"array":[1],"text":"x","quoted":"{\"a\":1}"}`)
			if have := f.Take(test.names...); test.want != have {
				t.Errorf("want %q, have %q", test.want, have)
			}
			switch err := f.Err(); {
			case test.wantError == "" && err != nil:
				t.Errorf("want no error, have %v", err)
			case test.wantError != "" && (!fault.Is(err, fault.Invalid) || err.Error() != test.wantError):
				t.Errorf("want %q, have %v (%v)", test.wantError, err, fault.Of(err))
			}
			if rest := f.Rest(); rest["object"] != `{"a":1}` || rest["array"] != `[1]` {
				t.Errorf("want the nested ones kept, have %q", rest)
			}
		})
	}
}

func TestErrKeepsTheFirst(t *testing.T) {
	f := mustJSON(t, `{"a":[],"b":{}}`)
	f.Take("b")
	f.Take("a")
	if want, have := "b: want text or a number, have an object", f.Err(); have == nil || want != have.Error() {
		t.Errorf("want %q, have %v", want, have)
	}
}

func TestPeek(t *testing.T) {
	const body = `{"empty":"","blank":" ","a":" 1 ","B":2,"nested":{"c":3}}`
	tests := map[string]struct {
		names []string
		want  string
	}{
		"no names":           {nil, ""},
		"absent":             {[]string{"c"}, ""},
		"there":              {[]string{"a"}, " 1 "},
		"the first":          {[]string{"b", "a"}, "2"},
		"behind an empty":    {[]string{"absent", "empty", "b"}, "2"},
		"blank is not empty": {[]string{"blank", "b"}, " "},
		"nested":             {[]string{"nested"}, ""},
		"behind a nested":    {[]string{"nested", "b"}, "2"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := mustJSON(t, body)
			if have := f.Peek(test.names...); test.want != have {
				t.Errorf("want %q, have %q", test.want, have)
			}
			wantRest(t, f, map[string]string{"empty": "", "blank": " ", "a": " 1 ", "B": "2", "nested": `{"c":3}`})
			if err := f.Err(); err != nil {
				t.Errorf("want no error, have %v", err)
			}
		})
	}
}

func TestUse(t *testing.T) {
	f := mustJSON(t, `{"a":"1","Nested":{"c":3},"empty":"","b":"2","b":"3"}`)
	f.Use("A", "nested", "absent", "b")
	wantRest(t, f, map[string]string{"empty": "", "b": "2"})
	if want, have := "1", f.Take("a"); want != have {
		t.Errorf("want %q after Use, have %q", want, have)
	}
}

func TestDrop(t *testing.T) {
	f := mustJSON(t, `{"secret":"1","SECRET":"2","Secret":["3"],"secret":"4","token":5,"secrets":"6","a":"7"}`)
	f.Take("secret")
	f.Drop("secret", "Token", "absent")
	wantRest(t, f, map[string]string{"secrets": "6", "a": "7"})
	if have := f.Peek("secret", "token") + f.Take("secret", "token"); have != "" {
		t.Errorf("want nothing left of it, have %q", have)
	}
	if have := f.Unknown("a", "secrets"); have != nil {
		t.Errorf("want nothing unknown, have %q", have)
	}
}

func TestConceal(t *testing.T) {
	f := mustJSON(t, `{"a":"xhunter2222y","hunter2222":1,"also-hunter2222":2,"nested":{"hunter2222":["hunter2222"]},
		"taken":"hunter2222","short":"10019","other":"battery-staple"}`)
	f.Conceal(webhook.Secrets{"10019", "hunter2222", "battery-staple"})
	if want, have := "(secret)", f.Take("taken"); want != have {
		t.Errorf("want %q, have %q", want, have)
	}
	wantRest(t, f, map[string]string{
		"a": "x(secret)y", "(secret)": "1", "also-(secret)": "2", "nested": `{"(secret)":["(secret)"]}`,
		"short": "10019", "other": "(secret)",
	})
}

// Names that were different may become one.
func TestConcealLosesNothing(t *testing.T) {
	f := mustJSON(t, `{"hunter2222":"1","(secret)":"2","hunter3333":"3"}`)
	f.Conceal(webhook.Secrets{"hunter2222", "hunter3333"})
	wantRest(t, f, map[string]string{"(secret)": "1,2,3"})
}

func TestMerge(t *testing.T) {
	f := mustJSON(t, `{"a":"1","Both":"2","empty":"","used":"3"}`)
	other := mustJSON(t, `{"b":"4","BOTH":"5","EMPTY":"6","Used":"7","c":{"d":8},"twice":9,"twice":10}`)
	f.Use("used")
	other.Use("b")
	f.Merge(other)
	wantRest(t, f, map[string]string{"a": "1", "Both": "2", "empty": "", "c": `{"d":8}`, "twice": "9,10"})
	if want, have := "4", f.Take("B"); want != have {
		t.Errorf("want %q of the other fields, have %q", want, have)
	}
	if want, have := "2", f.Take("BOTH"); want != have {
		t.Errorf("want %q, which was here before, have %q", want, have)
	}
	if f.Take("c"); f.Err() == nil {
		t.Error("want a nested value of the other fields to stay nested, have text")
	}
}

func TestTakeSeconds(t *testing.T) {
	const second = time.Second
	tests := map[string]struct {
		value string // as JSON
		want  time.Duration
	}{
		"integer":            {`90`, 90 * second},
		"text":               {`"90"`, 90 * second},
		"white space":        {`" 90\n"`, 90 * second},
		"zero":               {`0`, 0},
		"minus zero":         {`-0`, 0},
		"plus":               {`"+5"`, 5 * second},
		"fraction":           {`1.5`, 1500 * time.Millisecond},
		"inexact as float":   {`1.001`, 1001 * time.Millisecond},
		"another":            {`"1.003"`, 1003 * time.Millisecond},
		"smallest":           {`0.000000001`, 1},
		"exponent":           {`1e2`, 100 * second},
		"as long as can be":  {`31622400`, 366 * 24 * time.Hour},
		"with leading zeros": {`"007"`, 7 * second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := mustJSON(t, `{"Duration":`+test.value+`}`)
			if have := f.TakeSeconds("duration"); !proto.Equal(durationpb.New(test.want), have) {
				t.Errorf("want %v, have %v", test.want, have.AsDuration())
			}
			wantRest(t, f, nil)
		})
	}
}

func TestTakeSecondsThatAreNone(t *testing.T) {
	for name, value := range map[string]string{
		"word": "soon", "clock": "01:30", "unit": "90s", "negative": "-1", "a bit negative": "-0.001", "comma": "1,5",
		"not a number": "NaN", "endless": "Inf", "endless before": "-Inf", "too long": "31622401", "too long to count": "1e300",
		"too long for a float": "1e999", "in words": "1 2", "true": "true",
	} {
		t.Run(name, func(t *testing.T) {
			f := mustJSON(t, `{"duration":"`+value+`"}`)
			if have := f.TakeSeconds("duration"); have != nil {
				t.Errorf("want nil, have %v", have.AsDuration())
			}
			wantRest(t, f, map[string]string{"duration": value})
			if err := f.Err(); err != nil {
				t.Errorf("want no error, have %v", err)
			}
		})
	}
}

func TestTakeSecondsOfNothing(t *testing.T) {
	f := mustJSON(t, `{"empty":"","blank":" ","null":null,"other":"1"}`)
	for _, name := range []string{"empty", "blank", "null", "absent"} {
		if have := f.TakeSeconds(name); have != nil {
			t.Errorf("%s: want nil, have %v", name, have)
		}
	}
	wantRest(t, f, map[string]string{"other": "1"})

	f = mustJSON(t, `{"duration":[90]}`)
	f.TakeSeconds("duration")
	if want, have := "duration: want text or a number, have an array", f.Err(); have == nil || want != have.Error() {
		t.Errorf("want %q, have %v", want, have)
	}
	wantRest(t, f, map[string]string{"duration": "[90]"})
}

func TestTakeObject(t *testing.T) {
	type rest = map[string]string
	tests := map[string]struct {
		body         string
		object, rest rest
	}{
		"nested":          {`{"payload":{"a":1,"b":[2]},"c":3}`, rest{"a": "1", "b": "[2]"}, rest{"c": "3"}},
		"text":            {`{"payload":"{\"a\":1.0}"}`, rest{"a": "1.0"}, nil},
		"text with space": {`{"payload":" \n{\"a\":1} "}`, rest{"a": "1"}, nil},
		"other capitals":  {`{"PAYLOAD":{"a":1}}`, rest{"a": "1"}, nil},
		"empty object":    {`{"payload":{}}`, nil, nil},
		"absent":          {`{"c":3}`, nil, rest{"c": "3"}},
		"null":            {`{"payload":null}`, nil, nil},
		"empty text":      {`{"payload":""}`, nil, rest{"payload": ""}},
		"other text":      {`{"payload":"a=1"}`, nil, rest{"payload": "a=1"}},
		"number":          {`{"payload":7}`, nil, rest{"payload": "7"}},
		"array":           {`{"payload":[{"a":1}]}`, nil, rest{"payload": `[{"a":1}]`}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := mustJSON(t, test.body)
			object, err := f.TakeObject("payload")
			if err != nil {
				t.Fatal(err)
			}
			wantRest(t, object, test.object)
			wantRest(t, f, test.rest)
		})
	}
}

func TestTakeObjectRefuses(t *testing.T) {
	tests := map[string]struct{ body, want string }{
		"cut":    {`{"payload":"{\"a\":1"}`, "payload: want a JSON object: unexpected end of JSON input"},
		"behind": {`{"payload":"{} {}"}`, "payload: want a JSON object: invalid character '{' after top-level value"},
		"word":   {`{"payload":"{hello}"}`, "payload: want a JSON object: invalid character 'h' looking for beginning of object key string"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			object, err := mustJSON(t, test.body).TakeObject("payload")
			if object != nil || !fault.Is(err, fault.Invalid) || err.Error() != test.want {
				t.Errorf("want nothing and %q, have %v and %v", test.want, object, err)
			}
		})
	}
}
