// Package config reads the configuration file: which tenants there are, which exchanges and directories each has, and how
// long the streams keep what they hold. What an exchange needs beyond its vendor and name is its vendor's business, and what
// a directory needs beyond its type and name is its type's: Section.Decode reads it into a type of their own, so a new
// vendor or type changes nothing here.
//
// The file is YAML without anchors, aliases, merge keys and tags. Everything that is wrong with it is said at once, by
// line; no secret ever stands in what is said.
package config

import (
	"fmt"
	"path/filepath"
	"reflect"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/phone"
)

// Config is the whole file, with defaults applied.
type Config struct {
	Tenants []*Tenant // at least one
	Streams Streams
}

// Tenant is one customer organisation with its exchanges.
type Tenant struct {
	Name        string         // a DNS label (event.IsToken), unique
	Region      string         // ISO 3166 alpha-2 in upper case: the default region for national numbers
	Location    *time.Location // never nil; UTC by default
	Exchanges   []*Exchange    // at least one, in the order of the file
	Directories []*Directory   // in the order of the file, which is that of their priority
	Contacts    Contacts
	Agents      Agents
	Channels    []*Channel // in the order of the file
	Commands    Section    // what people may do by command: the business of command-relay
	MissedCalls Section    // which calls were missed, and who is told: the business of missed-call
	Web         Section    // which pages and people may ask, and act: the business of web-gateway
}

// Exchange is one PBX of a tenant at a vendor. It comes from the file alone; the zero value has no settings.
type Exchange struct {
	Section
	Tenant *Tenant
	Vendor string // a DNS label, not necessarily of a vendor that exists
	Name   string // a DNS label, unique in the tenant; the vendor's name by default
}

// Origin returns where the exchange's events come from.
func (e *Exchange) Origin() event.Origin {
	return event.Origin{Vendor: e.Vendor, Tenant: e.Tenant.Name, Exchange: e.Name}
}

// Directory is a source of contacts of a tenant. It comes from the file alone; the zero value has no settings.
type Directory struct {
	Section
	Tenant *Tenant
	Type   string // a DNS label, not necessarily of a type that exists
	Name   string // a DNS label, unique among the tenant's directories; the type by default
}

// Channel is a way to tell people of missed calls. It comes from the file alone; the zero value has no settings.
type Channel struct {
	Section
	Tenant *Tenant
	Type   string // a DNS label, not necessarily of a type that exists
	Name   string // a DNS label, unique among the tenant's channels; the type by default
}

// Load reads the file and builds what is wanted of it. Whatever is wrong, in the file or in what build says, comes at
// once, as a *FileError. So that it can, build is also called for a file with problems, with the part that could be
// read: tenants may then lack anything but a location, exchanges anything but a vendor, and what it returns is dropped.
// It may return a Problem, Problems, these joined or wrapped, or any other error.
func Load[T any](path string, build func(*Config) (T, error)) (T, error) {
	built, _, err := load(path, build)
	return built, err
}

func load[T any](path string, build func(*Config) (T, error)) (T, *sources, error) {
	var none T
	src := newSources(filepath.Dir(path))
	data, err := src.file(path)
	if err != nil {
		return none, src, &FileError{path, Problems{{Message: cause(err).Error()}}}
	}
	c, problems := parse(data, src)
	if c != nil {
		built, err := build(c)
		problems = append(problems, problemsIn(err)...)
		if len(problems) == 0 {
			return built, src, nil
		}
	}
	return none, src, &FileError{path, problems.sorted()}
}

// Parse reads a configuration from the bytes of a file. Relative paths in it start at the working directory. It returns
// Problems, and then no configuration.
func Parse(data []byte) (*Config, error) {
	c, problems := parse(data, newSources("."))
	if err := problems.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// parse returns what could be read, which is nil only if nothing could.
func parse(data []byte, src *sources) (*Config, Problems) {
	root, problems := readDocument(data)
	if root == nil {
		return nil, problems
	}
	file := struct {
		Tenants []yaml.Node `yaml:"tenants,required"`
		Streams Streams     `yaml:"streams"`
	}{Streams: defaultStreams()}
	d := decoder{src, problems}
	d.value(root, place{line: root.Line}, reflect.ValueOf(&file).Elem())
	c := &Config{Streams: file.Streams}
	d.streams(root, c.Streams)
	named := make(map[string]place)
	for i := range file.Tenants {
		n := &file.Tenants[i]
		at := place{path: "tenants"}.index(i, n)
		t := d.tenant(n, at)
		if first, taken := named[t.Name]; taken && t.Name != "" {
			d.problem(place{at.path + ".name", lineOf(n, at.line, "name")}, "%s is already the name of %s", t.Name, first.path)
		} else {
			named[t.Name] = at
		}
		c.Tenants = append(c.Tenants, t)
	}
	return c, d.problems
}

func (d *decoder) tenant(n *yaml.Node, at place) *Tenant {
	given := struct {
		Name        label       `yaml:"name,required"`
		Region      region      `yaml:"region,required"`
		Timezone    zone        `yaml:"timezone"`
		Exchanges   []yaml.Node `yaml:"exchanges,required"`
		Directories []yaml.Node `yaml:"directories"`
		Contacts    Contacts    `yaml:"contacts"`
		Agents      Agents      `yaml:"agents"`
		Channels    []yaml.Node `yaml:"channels"`
		Commands    yaml.Node   `yaml:"commands"`
		MissedCalls yaml.Node   `yaml:"missed_calls"`
		Web         yaml.Node   `yaml:"web"`
	}{Timezone: zone{time.UTC}, Contacts: defaultContacts(), Agents: defaultAgents()}
	d.value(n, at, reflect.ValueOf(&given).Elem())
	t := &Tenant{
		Name: string(given.Name), Region: string(given.Region), Location: given.Timezone.Location,
		Contacts: given.Contacts, Agents: given.Agents,
	}
	t.Commands = d.part(&given.Commands, at, "commands")
	t.MissedCalls = d.part(&given.MissedCalls, at, "missed_calls")
	t.Web = d.part(&given.Web, at, "web")
	d.contacts(n, at, t.Contacts)
	d.agents(n, at, t.Agents)
	for _, s := range d.sections(given.Exchanges, at, "exchanges", "vendor") {
		t.Exchanges = append(t.Exchanges, &Exchange{Section: s.Section, Tenant: t, Vendor: s.kind, Name: s.name})
	}
	for _, s := range d.sections(given.Directories, at, "directories", "type") {
		t.Directories = append(t.Directories, &Directory{Section: s.Section, Tenant: t, Type: s.kind, Name: s.name})
	}
	for _, s := range d.sections(given.Channels, at, "channels", "type") {
		t.Channels = append(t.Channels, &Channel{Section: s.Section, Tenant: t, Type: s.kind, Name: s.name})
	}
	return t
}

// label is a DNS label.
type label string

func (l *label) UnmarshalText(text []byte) error {
	if !event.IsToken(string(text)) {
		return fmt.Errorf("want a DNS label (1 to 63 of a-z, 0-9 and -, which stands at neither end), have %q", text)
	}
	*l = label(text)
	return nil
}

// region is a region that telephone numbers are known of.
type region string

func (r *region) UnmarshalText(text []byte) error {
	if !phone.KnownRegion(string(text)) {
		return fmt.Errorf("want a region whose numbers are known, in two capital letters such as CZ, have %q", text)
	}
	*r = region(text)
	return nil
}

// zone is a time zone by its IANA name.
type zone struct{ *time.Location }

func (z *zone) UnmarshalText(text []byte) error {
	location, err := time.LoadLocation(string(text))
	if err != nil || location == time.Local {
		return fmt.Errorf("want a time zone such as Europe/Prague, have %q", text)
	}
	z.Location = location
	return nil
}
