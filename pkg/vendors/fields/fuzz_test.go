package fields_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/vendors/fields"
)

// FuzzJSON demands that nothing is lost: each member of an object that parses is in Rest under its name, with its text,
// unless it is null or was taken; and nothing else is there. What is taken is what the member says.
func FuzzJSON(f *testing.F) {
	for _, test := range objects() {
		f.Add([]byte(test.body), "a")
	}
	for _, test := range notObjects() {
		f.Add([]byte(test.body), "a")
	}
	f.Add([]byte(`{"EventName":"Ringing","FROM":777888999,"extra":{"a":[1.0,null]},"From":" x "}`), "from")
	f.Add([]byte(`{"extra":{"b":1},"extra":"c,d","extra":null}`), "Extra")
	f.Fuzz(func(t *testing.T, body []byte, name string) {
		sent, isObject := members(body)
		have, err := fields.JSON(body)
		if isObject != (err == nil) || err != nil && (have != nil || !fault.Is(err, fault.Invalid)) {
			t.Fatalf("want an object: %v, have %v, %v", isObject, have, err)
		}
		if isObject {
			checkRest(t, have.Rest(), sent)
			sent = checkTake(t, have, name, sent)
			checkRest(t, have.Rest(), sent)
		}
	})
}

type member struct {
	name  string
	value json.RawMessage
}

// nested reports whether a value is an object or an array.
func (m member) nested() bool { return m.value[0] == '{' || m.value[0] == '[' }

// says reports whether a text says what the value does: the same characters, the same digits, or the same JSON in compact
// form.
func (m member) says(text string) bool {
	switch {
	case m.nested():
		var compact bytes.Buffer
		err := json.Compact(&compact, []byte(text))
		same := reflect.DeepEqual(decode([]byte(text)), decode(bytes.ToValidUTF8(m.value, []byte("\uFFFD"))))
		return err == nil && compact.String() == text && same
	case m.value[0] == '"':
		return decode(m.value) == text
	}
	return string(m.value) == text
}

func decode(text []byte) (value any) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		return err
	}
	return value
}

// members returns what is in a JSON object but null, in its order; or false for what is no object.
func members(body []byte) (list []member, isObject bool) {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	if json.Unmarshal(body, new(map[string]json.RawMessage)) != nil || string(bytes.TrimSpace(body)) == "null" {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(body))
	_, _ = d.Token() // the brace
	for d.More() {
		name, _ := d.Token()
		var value json.RawMessage
		_ = d.Decode(&value)
		if string(value) != "null" {
			list = append(list, member{name.(string), value})
		}
	}
	return list, true
}

func checkRest(t *testing.T, rest map[string]string, sent []member) {
	t.Helper()
	byName := make(map[string][]member)
	for _, m := range sent {
		byName[m.name] = append(byName[m.name], m)
	}
	if len(rest) != len(byName) {
		t.Errorf("want %d names among the rest, have %q", len(byName), rest)
	}
	for name, list := range byName {
		text, there := rest[name]
		if !there || !areJoined(text, list) {
			t.Errorf("want %q under %q, have %q, %v", list, name, text, there)
		}
		if !utf8.ValidString(name) || !utf8.ValidString(text) {
			t.Errorf("want UTF-8, have %q under %q", text, name)
		}
	}
}

// areJoined reports whether a text is what some members say, with commas between.
func areJoined(text string, list []member) bool {
	if len(list) == 1 {
		return list[0].says(text)
	}
	for i, c := range []byte(text) {
		if c == ',' && list[0].says(text[:i]) && areJoined(text[i+1:], list[1:]) {
			return true
		}
	}
	return false
}

// checkTake takes a value, and returns what must be left: all but the last member of that name, or else but the last one of
// another spelling. An object or an array is an error, and left.
func checkTake(t *testing.T, f *fields.Fields, name string, sent []member) []member {
	t.Helper()
	found := -1
	for i, m := range sent {
		if m.name == name || strings.EqualFold(m.name, name) && (found < 0 || sent[found].name != name) {
			found = i
		}
	}
	taken, err := f.Take(name), f.Err()
	if isNested := found >= 0 && sent[found].nested(); isNested != (err != nil) {
		t.Errorf("want an error for a nested %q: %v, have %v", name, isNested, err)
	}
	switch {
	case found < 0 || sent[found].nested():
		if taken != "" {
			t.Errorf("want nothing under %q, have %q", name, taken)
		}
		return sent
	case sent[found].value[0] == '"':
		if want := strings.TrimSpace(decode(sent[found].value).(string)); want != taken {
			t.Errorf("want %q under %q, have %q", want, name, taken)
		}
	case !sent[found].says(taken):
		t.Errorf("want %s under %q, have %q", sent[found].value, name, taken)
	}
	return slices.Delete(sent, found, found+1)
}
