package config

import (
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// Agents is what is known of a tenant's agents beforehand, and how their time is counted.
type Agents struct {
	// WrapUp is how long an agent finishes work after a queue call: 0 to 1 h; 0 by default.
	WrapUp time.Duration `yaml:"wrap_up"`
	// ServiceLevel is within which time a queue call should be answered: 1 s to 1 h; 20 s by default.
	ServiceLevel time.Duration `yaml:"service_level"`
	// Queues are those with values of their own; names are unique.
	Queues []Queue `yaml:"queues"`
	// People are those whose names at the vendors are given, rather than learned; no name is given twice.
	People []Person `yaml:"people"`
}

// Queue is a queue with values of its own; nil means the tenant's.
type Queue struct {
	Name         string         `yaml:"name,required"`
	WrapUp       *time.Duration `yaml:"wrap_up"`
	ServiceLevel *time.Duration `yaml:"service_level"`
}

// Person is an agent with all names that the vendors know them by. At least one is given besides Name.
type Person struct {
	Name       string   `yaml:"name"` // for people to read
	Login      string   `yaml:"login"`
	Email      string   `yaml:"email"`
	Extensions []string `yaml:"extensions"`
}

func defaultAgents() Agents { return Agents{ServiceLevel: 20 * time.Second} }

// agents checks the ranges, and that nobody is given twice.
func (d *decoder) agents(tenant *yaml.Node, at place, a Agents) {
	check := d.checks(tenant, at, "agents")
	wrapUp := func(path string, v time.Duration) {
		check(v >= 0 && v <= time.Hour, path+"wrap_up", "want 0s to 1h")
	}
	level := func(path string, v time.Duration) {
		check(v >= time.Second && v <= time.Hour, path+"service_level", "want 1s to 1h")
	}
	wrapUp("", a.WrapUp)
	level("", a.ServiceLevel)
	given := make(map[string]string)
	once := func(path, kind, name string) {
		if name == "" {
			return
		}
		key := kind + " " + strings.ToLower(name)
		first, taken := given[key]
		check(!taken, path, fmt.Sprintf("%s is already given at %s", key, first))
		given[key] = path
	}
	for i, q := range a.Queues {
		path := fmt.Sprintf("queues[%d].", i)
		once(path+"name", "queue", q.Name)
		if q.WrapUp != nil {
			wrapUp(path, *q.WrapUp)
		}
		if q.ServiceLevel != nil {
			level(path, *q.ServiceLevel)
		}
	}
	for i, p := range a.People {
		path := fmt.Sprintf("people[%d]", i)
		check(p.Login != "" || p.Email != "" || len(p.Extensions) > 0, path, "want a login, an email or extensions")
		once(path+".login", "login", p.Login)
		once(path+".email", "email", p.Email)
		for j, extension := range p.Extensions {
			once(fmt.Sprintf("%s.extensions[%d]", path, j), "extension", extension)
		}
	}
}
