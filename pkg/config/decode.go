package config

import (
	"encoding"
	"fmt"
	"iter"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

const (
	nullTag    = "!!null"
	fileSuffix = "_file"
)

// place is where a value stands: its path, as problems name it, and its line.
type place struct {
	path string
	line int
}

func (p place) key(key *yaml.Node) place {
	name := key.Value
	if !isName(name) {
		name = strconv.Quote(name) // It may hold dots, or lines.
	}
	return place{path: join(p.path, name), line: key.Line}
}

func (p place) index(i int, n *yaml.Node) place {
	return place{path: fmt.Sprintf("%s[%d]", p.path, i), line: n.Line}
}

func (p place) problem(format string, args ...any) Problem {
	message := fmt.Sprintf(format, args...)
	if p.path != "" {
		message = p.path + ": " + message
	}
	return Problem{Line: p.line, Message: message}
}

func join(path, key string) string {
	if path == "" || key == "" {
		return path + key
	}
	return path + "." + key
}

// decoder decodes nodes into values and collects what is wrong. It is strict, and goes on after each problem.
type decoder struct {
	src      *sources
	problems Problems
}

func (d *decoder) problem(at place, format string, args ...any) {
	d.problems = append(d.problems, at.problem(format, args...))
}

// value decodes a node into an addressable value, which stays as it is if that cannot be done.
func (d *decoder) value(n *yaml.Node, at place, into reflect.Value) {
	if n.Kind == 0 { // Refused before.
		return
	}
	switch target := into.Addr().Interface().(type) {
	case *yaml.Node:
		*target = *n
		return
	case *Secret:
		d.secret(n, at, target)
		return
	case encoding.TextUnmarshaler:
		if text, ok := d.text(n, at); ok {
			if err := target.UnmarshalText([]byte(text)); err != nil {
				d.problem(at, "%v", err)
			}
		}
		return
	}
	switch into.Kind() {
	case reflect.Pointer:
		if into.IsNil() {
			into.Set(reflect.New(into.Type().Elem()))
		}
		d.value(n, at, into.Elem())
	case reflect.Struct:
		d.structure(n, at, into, fieldsOf(into.Type()))
	case reflect.Slice:
		d.list(n, at, into)
	case reflect.Map:
		d.dictionary(n, at, into)
	case reflect.String:
		if text, ok := d.text(n, at); ok {
			into.SetString(text)
		}
	default:
		if isNull(n) || n.Decode(into.Addr().Interface()) != nil {
			d.problem(at, "want %s, have %s", wanted(into.Type()), describe(n))
		}
	}
}

// structure decodes a mapping into the fields of a struct.
func (d *decoder) structure(n *yaml.Node, at place, into reflect.Value, fields map[string]field) {
	if !d.is(yaml.MappingNode, n, at) {
		return
	}
	given := make(map[int]*yaml.Node) // The key that gave each field.
	for pair := range pairs(n) {
		key, value := pair[0], pair[1]
		f, known := fields[key.Value]
		first := given[f.index]
		switch {
		case key.Kind == 0: // Refused before.
		case !known:
			d.problem(place{at.path, key.Line}, "%s", unknownKey(key, value, fields))
		case first == nil:
			given[f.index] = key
			d.field(value, at.key(key), into, f)
		case first.Value == key.Value:
			d.problem(at.key(key), "given twice, first in line %d", first.Line)
		default:
			d.problem(at.key(key), "give either %s or %s, not both", first.Value, key.Value)
		}
	}
	for name, f := range fields {
		if f.required && given[f.index] == nil {
			d.problem(place{join(at.path, name), at.line}, "is missing")
		}
	}
}

func (d *decoder) field(n *yaml.Node, at place, into reflect.Value, f field) {
	switch {
	case f.index < 0: // Decoded elsewhere.
	case f.file:
		d.secretFile(n, at, into.Field(f.index).Addr().Interface().(*Secret))
	case f.required && n.Kind == yaml.SequenceNode && len(n.Content) == 0:
		d.problem(at, "want at least one")
	default:
		before := len(d.problems)
		d.value(n, at, into.Field(f.index))
		if f.required && n.Kind != 0 && len(d.problems) == before && isEmpty(into.Field(f.index)) {
			d.problem(at, "is empty")
		}
	}
}

// isEmpty reports whether a value is empty text: an empty credential, above all, would match what strangers send.
func isEmpty(v reflect.Value) bool {
	if secret, ok := v.Interface().(Secret); ok {
		return secret.IsZero()
	}
	return v.Kind() == reflect.String && v.Len() == 0
}

// list decodes a list into a slice, in the place of what the slice held.
func (d *decoder) list(n *yaml.Node, at place, into reflect.Value) {
	if !d.is(yaml.SequenceNode, n, at) {
		return
	}
	into.Set(reflect.MakeSlice(into.Type(), len(n.Content), len(n.Content)))
	for i, element := range n.Content {
		d.value(element, at.index(i, element), into.Index(i))
	}
}

// dictionary decodes a mapping into a map with text for keys, in the place of what the map held.
func (d *decoder) dictionary(n *yaml.Node, at place, into reflect.Value) {
	if !d.is(yaml.MappingNode, n, at) {
		return
	}
	into.Set(reflect.MakeMap(into.Type()))
	given := make(map[string]int)
	for pair := range pairs(n) {
		key, value := pair[0], reflect.New(into.Type().Elem()).Elem()
		name, ok := d.text(key, place{at.path, key.Line})
		if !ok {
			continue
		}
		if first, again := given[name]; again {
			d.problem(at.key(key), "given twice, first in line %d", first)
		}
		given[name] = key.Line
		d.value(pair[1], at.key(key), value)
		into.SetMapIndex(reflect.ValueOf(name).Convert(into.Type().Key()), value)
	}
}

// text returns a scalar as it is written: 0123 and 1.10 keep their zeros.
func (d *decoder) text(n *yaml.Node, at place) (string, bool) {
	return n.Value, d.is(yaml.ScalarNode, n, at)
}

func (d *decoder) is(kind yaml.Kind, n *yaml.Node, at place) bool {
	if n.Kind == kind && !isNull(n) {
		return true
	}
	if n.Kind != 0 {
		want := map[yaml.Kind]string{yaml.MappingNode: "a mapping", yaml.SequenceNode: "a list", yaml.ScalarNode: "text"}
		d.problem(at, "want %s, have %s", want[kind], describe(n))
	}
	return false
}

func pairs(n *yaml.Node) iter.Seq[[]*yaml.Node] {
	if n.Kind != yaml.MappingNode {
		return func(func([]*yaml.Node) bool) {}
	}
	return slices.Chunk(n.Content, 2)
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == nullTag }

func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case nullTag:
		return "nothing"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	default:
		return "text"
	}
}

func wanted(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "a duration such as 90s or 168h"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case reflect.Int <= t.Kind() && t.Kind() <= reflect.Int64:
		return "a whole number"
	case reflect.Uint <= t.Kind() && t.Kind() <= reflect.Uint64:
		return fmt.Sprintf("a whole number from 0 to %d", uint64(math.MaxUint64)>>(64-t.Bits()))
	default:
		return "a number"
	}
}

// field is a field of a struct, as one key gives it.
type field struct {
	index    int  // negative: decoded elsewhere
	file     bool // the key gives the path of a secret's file
	required bool // the mapping must have it, a list at least one element
}

// fieldsOf returns the fields of a struct by key: that of the yaml tag, or the name in lower case. The option
// "required" of the tag is ours.
func fieldsOf(t reflect.Type) map[string]field {
	fields := make(map[string]field)
	for i := range t.NumField() {
		f := t.Field(i)
		key, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if !f.IsExported() || key == "-" {
			continue
		}
		if key == "" {
			key = strings.ToLower(f.Name)
		}
		fields[key] = field{index: i, required: options == "required"}
		if f.Type == reflect.TypeFor[Secret]() {
			fields[key+fileSuffix] = field{index: i, file: true}
		}
	}
	return fields
}

// unknownKey says what is wrong with a key. It shows only what looks like one: an unquoted secret with a comma or a
// colon in it can end up as a key.
func unknownKey(key, value *yaml.Node, fields map[string]field) string {
	known := slices.Sorted(maps.Keys(fields))
	if value.Value == "" && isNull(value) || !isName(strings.ReplaceAll(key.Value, "-", "_")) {
		return "unknown key, or a part of a value (quote a value that contains a comma, put a space after the colon of a key)"
	}
	if near := nearest(key.Value, known); near != "" {
		return fmt.Sprintf("unknown key %s, did you mean %s?", key.Value, near)
	}
	return fmt.Sprintf("unknown key %s, want one of %s", key.Value, strings.Join(known, ", "))
}

// nearest returns the name that the fewest single-letter edits make out of a word, if a third of its letters will do.
func nearest(word string, names []string) string {
	best, least := "", len(word)/3+2
	for _, name := range names {
		if n := edits(strings.ToLower(word), name); n < least {
			best, least = name, n
		}
	}
	return best
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitution := diagonal
			if a[i] != b[j] {
				substitution++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitution, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
