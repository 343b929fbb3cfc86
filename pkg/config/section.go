package config

import (
	"reflect"

	"go.yaml.in/yaml/v4"
)

// Section is a part of the file whose keys are the business of another package: an element of a list, such as an exchange,
// but for the keys that say what it is, or the whole value of a key.
type Section struct {
	node *yaml.Node
	at   place
	src  *sources
	kind string // the key that says of which kind it is; empty when that is clear
}

// Decode reads every key of the section but those that say what it is and how it is called (vendor and name, or type and
// name) into a pointer to a struct with yaml tags. It is strict: a key without a field is a problem, and so is a value of
// the wrong type, null included. What the file does not give stays as it is, so defaults go in before; with the tag option
// "required" that is a problem too, and so is empty text. A field of type Secret can also be given as a file, under its key
// with "_file" after it. A number given for text is taken as it is written.
//
// It returns Problems, or nil. Files and variables are read anew each time.
func (s *Section) Decode(into any) error { return s.Read(into).err() }

// Read is Decode for who has more problems to add.
func (s *Section) Read(into any) Problems {
	d := decoder{src: s.src}
	v := reflect.ValueOf(into).Elem()
	fields := fieldsOf(v.Type())
	if s.kind != "" {
		fields[s.kind], fields["name"] = field{index: -1}, field{index: -2}
	}
	if s.node != nil {
		d.structure(s.node, s.at, v, fields)
	}
	return d.problems.sorted()
}

// Check returns a problem at a key, named as in Problem, unless something is ok.
func (s *Section) Check(ok bool, path, format string, args ...any) Problems {
	if ok {
		return nil
	}
	return Problems{s.Problem(path, format, args...)}
}

// Problem returns a problem at the line of a key, named by a dotted path from the section such as "webhook.secret" or
// "codes[1]". Where there is no such key, it is at the line of the nearest parent that exists. The message begins with
// the whole path: "tenants[0].exchanges[1].webhook.secret: …".
func (s *Section) Problem(path, format string, args ...any) Problem {
	return place{join(s.at.path, path), lineOf(s.node, s.at.line, path)}.problem(format, args...)
}

// Path returns where a file is that the section names: relative paths start at the folder of the configuration file.
func (s *Section) Path(file string) string {
	if s.src == nil {
		return file
	}
	return s.src.resolve(file)
}

// part returns the section that is the value of a key.
func (d *decoder) part(n *yaml.Node, parent place, key string) Section {
	s := Section{at: place{join(parent.path, key), parent.line}, src: d.src}
	if n.Kind != 0 {
		s.node, s.at.line = n, n.Line
	}
	return s
}

// named is a section with what is common to all of them.
type named struct {
	Section
	kind, name string
}

// sections reads a list of sections. It leaves out those that nobody can make anything of, since their kind is not known.
func (d *decoder) sections(list []yaml.Node, at place, key, kind string) []named {
	var all []named
	first := make(map[string]named)
	for i := range list {
		n := &list[i]
		s := d.section(n, place{path: at.path + "." + key}.index(i, n), kind)
		if s.kind == "" {
			continue
		}
		if other, taken := first[s.name]; taken && s.name != "" {
			d.problems = append(d.problems, s.sameName(other))
		} else {
			first[s.name] = s
		}
		all = append(all, s)
	}
	return all
}

func (d *decoder) section(n *yaml.Node, at place, kind string) named {
	var given struct{ Kind, Name label }
	fields := map[string]field{kind: {index: 0, required: true}, "name": {index: 1}}
	own := *n
	if n.Kind == yaml.MappingNode {
		own.Content = nil
		for pair := range pairs(n) {
			if _, ours := fields[pair[0].Value]; ours {
				own.Content = append(own.Content, pair...)
			}
		}
	}
	d.structure(&own, at, reflect.ValueOf(&given).Elem(), fields)
	s := named{Section{node: n, at: at, src: d.src, kind: kind}, string(given.Kind), string(given.Name)}
	if s.unnamed() {
		s.name = s.kind
	}
	return s
}

func (s named) sameName(first named) Problem {
	hint := ""
	if s.unnamed() || first.unnamed() {
		hint = ", since without a name it is the " + s.Section.kind + "'s: name them"
	}
	return s.Problem("name", "%s is already the name of %s%s", s.name, first.at.path, hint)
}

func (s named) unnamed() bool {
	key, _ := find(s.node, "name")
	return key == nil
}
