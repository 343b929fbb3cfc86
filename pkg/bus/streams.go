package bus

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/event"
)

// The streams' names.
const (
	EventStream      = "PBX_EVENTS"
	QuarantineStream = "PBX_QUARANTINE"
	CommandStream    = "PBX_COMMANDS"
	AuditStream      = "PBX_AUDIT"
)

// commandsMaxAge is how long commands wait for a relay at most. Each has a shorter time of its own.
const commandsMaxAge = 10 * time.Minute

// EnsureStreams makes sure that the streams exist and are configured as told: it creates or updates, and never deletes. What it
// does not set itself, such as a limit in bytes that an operator chose or what a newer version has set, it leaves alone, so
// versions can run side by side. Several processes may do it at once.
func (b *Bus) EnsureStreams(ctx context.Context, c config.Streams) error {
	err := errors.Join(
		b.ensureStream(ctx, EventStream, func(s *jetstream.StreamConfig) {
			describe(s, "Events of telephone calls, as reported and as derived")
			take(s, event.Root+".>")
			s.MaxAge = c.EventsMaxAge
			s.Duplicates = c.DuplicateWindow
			s.Replicas = c.Replicas
			s.AllowAtomicPublish = true // group commit
			s.AllowDirect = true
		}),
		b.ensureStream(ctx, QuarantineStream, func(s *jetstream.StreamConfig) {
			describe(s, "What could not be understood or processed, kept whole")
			take(s, event.QuarantineRoot+".>")
			s.MaxAge = c.QuarantineMaxAge
			s.Duplicates = c.DuplicateWindow
			s.Replicas = c.Replicas
			s.AllowDirect = true
		}),
		b.ensureStream(ctx, CommandStream, func(s *jetstream.StreamConfig) {
			describe(s, "Commands to exchanges, until they are carried out")
			take(s, event.CommandRoot+".>")
			s.Retention = jetstream.WorkQueuePolicy
			s.NoAck = true // who asks is answered by a relay, not by the stream
			s.MaxAge = max(s.MaxAge, commandsMaxAge)
			s.Duplicates = min(c.DuplicateWindow, commandsMaxAge)
			s.Replicas = c.Replicas
			s.AllowDirect = true
		}),
		b.ensureStream(ctx, AuditStream, func(s *jetstream.StreamConfig) {
			describe(s, "Who commanded what, and what came of it")
			take(s, event.AuditRoot+".>")
			s.MaxAge = c.AuditMaxAge
			s.Duplicates = c.DuplicateWindow
			s.Replicas = c.Replicas
			s.AllowDirect = true
		}),
	)
	if errors.Is(err, nats.ErrNoResponders) {
		return unavailable("make sure that the streams exist", noJetStream(err))
	}
	return err
}

// noJetStream says what it means that nobody answers in JetStream's place; it returns other errors as they are.
func noJetStream(err error) error {
	if errors.Is(err, nats.ErrNoResponders) {
		return fmt.Errorf("no JetStream at the NATS server: it is not enabled, or not there yet (%w)", nats.ErrNoResponders)
	}
	return err
}

// describe describes a stream that nobody has described.
func describe(s *jetstream.StreamConfig, text string) { s.Description = cmp.Or(s.Description, text) }

// take adds a subject to those of a stream.
func take(s *jetstream.StreamConfig, subject string) {
	if !slices.Contains(s.Subjects, subject) {
		s.Subjects = append(slices.Clone(s.Subjects), subject)
	}
}

func (b *Bus) ensureStream(ctx context.Context, name string, set func(*jetstream.StreamConfig)) error {
	want := jetstream.StreamConfig{Name: name, Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy}
	stream, err := b.js.Stream(ctx, name)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		set(&want)
		_, err = b.js.CreateStream(ctx, want)
		if !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // else another process was faster, with other settings
			return wrapStream(name, err)
		}
		if stream, err = b.js.Stream(ctx, name); err != nil {
			return wrapStream(name, err)
		}
	case err != nil:
		return wrapStream(name, err)
	}
	have := stream.CachedInfo().Config
	if have.Mirror != nil {
		return wrapStream(name, errors.New("it is a copy of another server's, and takes nothing until it is promoted"))
	}
	want = have
	set(&want)
	return wrapStream(name, b.updateStream(ctx, name, have, want))
}

// updateStream changes of a stream's configuration what differs, and nothing else. It does so on the server's own words: what
// nats.go does not know of them, because the server or whoever configured the stream is newer, would be lost in a StreamConfig.
func (b *Bus) updateStream(ctx context.Context, name string, have, want jetstream.StreamConfig) error {
	before, err := fields(have)
	if err != nil {
		return err
	}
	after, err := fields(want)
	if err != nil {
		return err
	}
	if maps.EqualFunc(before, after, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) }) {
		return nil
	}
	var info struct {
		Config map[string]json.RawMessage `json:"config"`
	}
	if err := b.api(ctx, "STREAM.INFO."+name, nil, &info); err != nil {
		return err
	}
	for key := range before {
		if _, kept := after[key]; !kept {
			delete(info.Config, key)
		}
	}
	for key, value := range after {
		if !bytes.Equal(before[key], value) {
			info.Config[key] = value
		}
	}
	return b.api(ctx, "STREAM.UPDATE."+name, info.Config, nil)
}

// fields returns a configuration as it is sent.
func fields(c jetstream.StreamConfig) (all map[string]json.RawMessage, err error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	return all, json.Unmarshal(text, &all)
}

// api asks JetStream itself.
func (b *Bus) api(ctx context.Context, what string, question, answer any) error {
	var data []byte
	if question != nil {
		var err error
		if data, err = json.Marshal(question); err != nil {
			return err
		}
	}
	reply, err := b.nc.RequestWithContext(ctx, "$JS.API."+what, data)
	if err != nil {
		return err
	}
	var refusal struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(reply.Data, &refusal); err != nil {
		return err
	}
	if refusal.Error != nil {
		return refusal.Error
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(reply.Data, answer)
}

func wrapStream(name string, err error) error {
	if err == nil {
		return nil
	}
	return unavailable(fmt.Sprintf("make sure that stream %s exists", name), err)
}
