package bus

import (
	"time"

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
