// Package fields holds the named values of a webhook as text, whatever it came as: a JSON object or a form. It remembers
// which values found a place in an event, so that the rest can become the event's attributes and nothing is dropped.
package fields

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/switchhook/switchhook/pkg/webhook"
)

// Fields are the values of one request. Names match without regard to case; an exact match goes first. It is not safe
// for concurrent use.
type Fields struct {
	list []field
	err  error
}

type field struct {
	name, value string
	nested      bool // an object or an array, as compact JSON
	used        bool
}

// Read reads a body by its bytes, since its content type is whatever somebody chose: as JSON what begins like JSON, or has no
// "=" in it as a form would; anything else, and nothing at all, as a form.
func Read(body []byte) (*Fields, error) {
	text := bytes.TrimLeft(body, "\ufeff \t\r\n")
	if len(text) > 0 && (strings.IndexByte(`{["`, text[0]) >= 0 || !bytes.Contains(text, []byte("="))) {
		return JSON(text)
	}
	return Form(string(text))
}

// JSON reads an object. Numbers keep the digits they were written with, null means absent; of values under one name the
// last one counts, and the others stay among the rest. Anything else, or an object with anything behind it, is
// fault.Invalid. A byte order mark in front is passed over.
func JSON(body []byte) (*Fields, error) {
	var object json.RawMessage
	if err := json.Unmarshal(bytes.TrimPrefix(body, []byte("\ufeff")), &object); err != nil {
		return nil, webhook.NotUnderstood(webhook.Malformed, "want a JSON object: %w", err)
	}
	if kind := kindOf(object); kind != "object" {
		return nil, webhook.NotUnderstood(webhook.Malformed, "want a JSON object: have %s", kind)
	}
	f := &Fields{}
	members := json.NewDecoder(bytes.NewReader(object)) // a map would keep one value a name
	_, err := members.Token()                           // the brace
	for err == nil && members.More() {
		err = f.addMember(members)
	}
	if err != nil {
		return nil, webhook.NotUnderstood(webhook.Malformed, "want a JSON object: %w", err)
	}
	return f, nil
}

func (f *Fields) addMember(members *json.Decoder) error {
	name, err := members.Token()
	if err != nil {
		return err
	}
	var raw json.RawMessage
	if err := members.Decode(&raw); err != nil {
		return err
	}
	text, nested := string(raw), false
	switch kindOf(raw) {
	case "null":
		return nil
	case "string":
		err = json.Unmarshal(raw, &text)
	case "object", "array":
		var compact bytes.Buffer
		err = json.Compact(&compact, raw)
		text, nested = compact.String(), true
	}
	f.add(name.(string), text, nested)
	return err
}

// kindOf tells what a JSON value is by how it begins.
func kindOf[T ~[]byte | ~string](value T) string {
	switch value[0] {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case 'n':
		return "null"
	case 't', 'f':
		return "bool"
	}
	return "number"
}

// Form reads application/x-www-form-urlencoded text. A name that stands more than once has its values joined by commas.
func Form(text string) (*Fields, error) {
	values, err := url.ParseQuery(strings.TrimSpace(text))
	if err != nil {
		return nil, webhook.NotUnderstood(webhook.Malformed, "want a form: %w", err)
	}
	f := &Fields{list: make([]field, 0, len(values))}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		f.add(name, strings.Join(values[name], ","), false)
	}
	return f, nil
}

// add makes text valid UTF-8, which is all that an event can carry.
func (f *Fields) add(name, value string, nested bool) {
	f.list = append(f.list, field{
		name:   strings.ToValidUTF8(name, "\uFFFD"),
		value:  strings.ToValidUTF8(value, "\uFFFD"),
		nested: nested,
	})
}

// Merge adds those of the other fields whose names are not here yet, without regard to case.
func (f *Fields) Merge(other *Fields) {
	// A set, since a stranger may send thousands.
	taken := make(map[string]bool, len(f.list))
	for _, have := range f.list {
		taken[strings.ToLower(have.name)] = true
	}
	for _, o := range other.list {
		if !taken[strings.ToLower(o.name)] {
			f.list = append(f.list, o)
		}
	}
}

// find returns the last one of that name, as most readers of JSON do.
func (f *Fields) find(name string) *field {
	var folded *field
	for i := range slices.Backward(f.list) {
		switch {
		case f.list[i].name == name:
			return &f.list[i]
		case folded == nil && strings.EqualFold(f.list[i].name, name):
			folded = &f.list[i]
		}
	}
	return folded
}

// Peek returns the first of these names' values that is not empty, and leaves it unused.
func (f *Fields) Peek(names ...string) string {
	for _, name := range names {
		if found := f.find(name); found != nil && found.value != "" && !found.nested {
			return found.value
		}
	}
	return ""
}

// Take returns the first of these names' values that is not empty, without surrounding white space, and marks it as used;
// the others stay. An object or array under one of the names is an error, which Err returns.
func (f *Fields) Take(names ...string) string {
	for _, name := range names {
		found := f.find(name)
		if found == nil {
			continue
		}
		if found.nested {
			f.fail(webhook.NotUnderstood(webhook.BadField, "%s: want text or a number, have an %s", name, kindOf(found.value)))
			continue
		}
		found.used = true
		if value := strings.TrimSpace(found.value); value != "" {
			return value
		}
	}
	return ""
}

// longest is longer than any call; it keeps a hostile number from overflowing a duration.
const longest = 366 * 24 * time.Hour

// TakeSeconds returns a number of seconds as a duration, or nil when the name is absent. What is no number of seconds is
// left unused, so it stays visible among the attributes.
func (f *Fields) TakeSeconds(name string) *durationpb.Duration {
	text := strings.TrimSpace(f.Peek(name))
	if text == "" {
		f.Take(name)
		return nil
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(seconds) || seconds < 0 || seconds > longest.Seconds() {
		return nil
	}
	f.Take(name)
	return durationpb.New(time.Duration(math.Round(seconds * float64(time.Second))))
}

// TakeObject returns the values of the object under a name, be it nested or text that begins as JSON, and marks it as
// used. They are none when there is no such object; text that is no JSON after all is fault.Invalid.
func (f *Fields) TakeObject(name string) (*Fields, error) {
	found := f.find(name)
	if found == nil || !strings.HasPrefix(strings.TrimSpace(found.value), "{") {
		return &Fields{}, nil
	}
	found.used = true
	object, err := JSON([]byte(found.value))
	if err != nil {
		return nil, webhook.NotUnderstood(webhook.BadField, "%s: %w", name, err)
	}
	return object, nil
}

// Use marks values as used that have a place although nobody took them.
func (f *Fields) Use(names ...string) {
	for _, name := range names {
		if found := f.find(name); found != nil {
			found.used = true
		}
	}
}

// Drop removes values that must not reach anybody: credentials. Every spelling of the names goes.
func (f *Fields) Drop(names ...string) {
	f.list = slices.DeleteFunc(f.list, func(have field) bool {
		return slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(have.name, name) })
	})
}

// Conceal replaces secrets, in whatever name or value they stand.
func (f *Fields) Conceal(secrets webhook.Secrets) {
	for i := range f.list {
		f.list[i].name = secrets.Conceal(f.list[i].name)
		f.list[i].value = secrets.Conceal(f.list[i].value)
	}
}

func (f *Fields) fail(err error) {
	if f.err == nil {
		f.err = err
	}
}

// Err returns the first error of the Takes so far: a value of the wrong shape, fault.Invalid.
func (f *Fields) Err() error { return f.err }

// Rest returns the values that nobody used, for an event's attributes; nil if there are none. Those of one name are joined
// by commas.
func (f *Fields) Rest() map[string]string {
	var rest map[string]string
	for _, have := range f.list {
		if have.used {
			continue
		}
		if rest == nil {
			rest = make(map[string]string)
		}
		if before, twice := rest[have.name]; twice {
			have.value = before + "," + have.value
		}
		rest[have.name] = have.value
	}
	return rest
}

// Unknown returns the names of Rest that are not among the known ones, sorted; nil if there are none.
func (f *Fields) Unknown(known ...string) []string {
	var unknown []string
	for _, have := range f.list {
		isKnown := slices.ContainsFunc(known, func(name string) bool { return strings.EqualFold(have.name, name) })
		if !have.used && !isKnown {
			unknown = append(unknown, have.name)
		}
	}
	slices.Sort(unknown)
	return slices.Compact(unknown)
}
