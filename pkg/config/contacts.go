package config

import (
	"time"

	"go.yaml.in/yaml/v4"
)

// Contacts is how a tenant's directories are asked who is calling.
type Contacts struct {
	// Deadline is how long all directories together may take: 100 ms to 30 s; 2 s by default.
	Deadline time.Duration `yaml:"deadline"`
	// TTL is how long an answer is served without asking again: at least a second; an hour by default.
	TTL time.Duration `yaml:"ttl"`
	// UnknownTTL is the same for a number that nobody knows; 5 minutes by default.
	UnknownTTL time.Duration `yaml:"unknown_ttl"`
	// DutyAware looks whether the responsible employee can take a call now.
	DutyAware bool `yaml:"duty_aware"`
	// Fallback is the extension that takes the place of a responsible who cannot. Empty: nobody does.
	Fallback string `yaml:"fallback"`
}

func defaultContacts() Contacts {
	return Contacts{Deadline: 2 * time.Second, TTL: time.Hour, UnknownTTL: 5 * time.Minute}
}

// contacts checks the ranges.
func (d *decoder) contacts(tenant *yaml.Node, at place, c Contacts) {
	check := d.checks(tenant, at, "contacts")
	check(c.Deadline >= 100*time.Millisecond && c.Deadline <= 30*time.Second, "deadline", "want 100ms to 30s")
	check(c.TTL >= time.Second, "ttl", "want at least 1s")
	check(c.UnknownTTL >= time.Second, "unknown_ttl", "want at least 1s")
	check(c.Fallback == "" || c.DutyAware, "fallback", "takes nobody's place without duty_aware: true")
}

// checks returns a function that notes a problem at a key below one of a mapping's keys when something is not ok.
func (d *decoder) checks(n *yaml.Node, at place, key string) func(ok bool, path, message string) {
	return func(ok bool, path, message string) {
		if path = join(key, path); !ok {
			d.problem(place{join(at.path, path), lineOf(n, at.line, path)}, "%s", message)
		}
	}
}
