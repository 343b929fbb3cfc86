package bus

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

const day = 24 * time.Hour

// The tables below are the buckets of the contract. Each takes how many servers keep a copy, which counts when it has to make
// its bucket.

// Agents are the states of now, by tenant and agent: the bucket pbx_agents.
func (b *Bus) Agents(replicas func() int) *Table[*pbxv1.AgentStatus] {
	return NewTable(b, TableOptions{Bucket: "pbx_agents", Description: "What each agent does now", Replicas: replicas},
		func() *pbxv1.AgentStatus { return new(pbxv1.AgentStatus) })
}

// Calls are those that go on, by tenant and call: the bucket pbx_calls. That one is over is remembered for a day.
func (b *Bus) Calls(replicas func() int) *Table[*pbxv1.CallStatus] {
	return NewTable(b, TableOptions{Bucket: "pbx_calls", Description: "The calls that go on now", TTL: day, Replicas: replicas},
		func() *pbxv1.CallStatus { return new(pbxv1.CallStatus) })
}

// Days are the figures of 90 days, by tenant and day: the bucket pbx_statistics.
func (b *Bus) Days(replicas func() int) *Table[*pbxv1.DayStatistics] {
	return NewTable(b, TableOptions{
		Bucket: "pbx_statistics", Description: "The figures of each day", TTL: 90 * day, Replicas: replicas,
	}, func() *pbxv1.DayStatistics { return new(pbxv1.DayStatistics) })
}

// Contacts are what directories said within a week, by tenant and number: the bucket pbx_contacts.
func (b *Bus) Contacts(replicas func() int) *Table[*pbxv1.CachedContact] {
	return NewTable(b, TableOptions{
		Bucket: "pbx_contacts", Description: "Who numbers belong to, as the directories said", TTL: 7 * day, Replicas: replicas,
	}, func() *pbxv1.CachedContact { return new(pbxv1.CachedContact) })
}

// CommandRecords are what became of the commands of a day, by tenant and idempotency key: the bucket pbx_commands.
func (b *Bus) CommandRecords(replicas func() int) *Table[*pbxv1.CommandRecord] {
	return NewTable(b, TableOptions{
		Bucket: "pbx_commands", Description: "What became of each command", TTL: day, Replicas: replicas,
	}, func() *pbxv1.CommandRecord { return new(pbxv1.CommandRecord) })
}

// MissedCalls are the entries of the ledger, by tenant and entry: the bucket pbx_missed_calls.
func (b *Bus) MissedCalls(replicas func() int) *Table[*pbxv1.MissedCall] {
	return NewTable(b, TableOptions{
		Bucket: "pbx_missed_calls", Description: "The callers who reached nobody", Replicas: replicas,
	}, func() *pbxv1.MissedCall { return new(pbxv1.MissedCall) })
}

// Alerts are what became of telling people of missed calls, by tenant, entry, step and receiver: the bucket pbx_alerts.
func (b *Bus) Alerts(replicas func() int) *Table[*pbxv1.AlertRecord] {
	return NewTable(b, TableOptions{
		Bucket: "pbx_alerts", Description: "Who was told of which missed call", TTL: 40 * day, Replicas: replicas,
	}, func() *pbxv1.AlertRecord { return new(pbxv1.AlertRecord) })
}

// Silences keep alerts of missed calls back, by tenant and silence: the bucket pbx_silences.
func (b *Bus) Silences(replicas func() int) *Table[*pbxv1.Silence] {
	return NewTable(b, TableOptions{
		Bucket: "pbx_silences", Description: "Which alerts of missed calls are kept back", TTL: 400 * day, Replicas: replicas,
	}, func() *pbxv1.Silence { return new(pbxv1.Silence) })
}

// SigningKeys sign the tokens of web-gateway: the bucket pbx_signing_keys.
func (b *Bus) SigningKeys(replicas func() int) *Table[*pbxv1.SigningKey] {
	return NewTable(b, TableOptions{
		Bucket: "pbx_signing_keys", Description: "What signs the tokens of pages", TTL: 30 * day, Replicas: replicas,
	}, func() *pbxv1.SigningKey { return new(pbxv1.SigningKey) })
}

// EndedSessions are those of web-gateway that somebody logged out of, by the session's id, with when it would have ended by itself:
// the bucket pbx_ended_sessions. It keeps them for longer than a session may last, which is a week.
func (b *Bus) EndedSessions(replicas func() int) *Table[*timestamppb.Timestamp] {
	return NewTable(b, TableOptions{
		Bucket: "pbx_ended_sessions", Description: "Who logged out", TTL: 7*day + time.Hour, Replicas: replicas,
	}, func() *timestamppb.Timestamp { return new(timestamppb.Timestamp) })
}
