package config

import (
	"time"

	"go.yaml.in/yaml/v4"
)

// Streams is how JetStream keeps what it stores, the same for all tenants.
type Streams struct {
	// Replicas is how many servers of a cluster keep a copy: 1, 3 or 5; 1 by default.
	Replicas int `yaml:"replicas"`
	// EventsMaxAge is how long events are kept: at least an hour, a week by default.
	EventsMaxAge time.Duration `yaml:"events_max_age"`
	// QuarantineMaxAge is how long the quarantine keeps what it holds: at least an hour, 30 days by default.
	QuarantineMaxAge time.Duration `yaml:"quarantine_max_age"`
	// AuditMaxAge is how long the audit of commands is kept: at least an hour, a year by default.
	AuditMaxAge time.Duration `yaml:"audit_max_age"`
	// DuplicateWindow is how long JetStream remembers the ids of events, and so how late a repeated one is still
	// recognised: 2 minutes to 24 hours, and at most EventsMaxAge; 10 minutes by default.
	DuplicateWindow time.Duration `yaml:"duplicate_window"`
}

func defaultStreams() Streams {
	const day = 24 * time.Hour
	return Streams{
		Replicas: 1, EventsMaxAge: 7 * day, QuarantineMaxAge: 30 * day, AuditMaxAge: 365 * day, DuplicateWindow: 10 * time.Minute,
	}
}

// streams checks the ranges.
func (d *decoder) streams(root *yaml.Node, s Streams) {
	check := d.checks(root, place{line: root.Line}, "streams")
	check(s.Replicas == 1 || s.Replicas == 3 || s.Replicas == 5, "replicas", "want 1, 3 or 5")
	check(s.EventsMaxAge >= time.Hour, "events_max_age", "want at least 1h")
	check(s.QuarantineMaxAge >= time.Hour, "quarantine_max_age", "want at least 1h")
	check(s.AuditMaxAge >= time.Hour, "audit_max_age", "want at least 1h")
	inRange := s.DuplicateWindow >= 2*time.Minute && s.DuplicateWindow <= 24*time.Hour
	check(inRange, "duplicate_window", "want 2m to 24h")
	check(!inRange || s.DuplicateWindow <= s.EventsMaxAge, "duplicate_window", "want at most events_max_age")
}
