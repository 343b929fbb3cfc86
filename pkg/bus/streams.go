package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

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

// EnsureStreams makes sure that the streams exist and are configured as told: it creates or updates, and never deletes. What it does not set itself, such as a limit in bytes that an operator chose, it leaves alone.
// Several processes may do it at once.
func (b *Bus) EnsureStreams(ctx context.Context, c config.Streams) error {
	return errors.Join(
		b.ensureStream(ctx, EventStream, func(s *jetstream.StreamConfig) {
			s.Description = "Events of telephone calls, as reported and as derived"
			s.Subjects = []string{event.Root + ".>"}
			s.MaxAge = c.EventsMaxAge
			s.Duplicates = c.DuplicateWindow
			s.Replicas = c.Replicas
			s.AllowAtomicPublish = true // group commit
			s.AllowDirect = true
		}),
		b.ensureStream(ctx, QuarantineStream, func(s *jetstream.StreamConfig) {
			s.Description = "What could not be understood or processed, kept whole"
			s.Subjects = []string{event.QuarantineRoot + ".>"}
			s.MaxAge = c.QuarantineMaxAge
			s.Duplicates = c.DuplicateWindow
			s.Replicas = c.Replicas
			s.AllowDirect = true
		}),
		b.ensureStream(ctx, CommandStream, func(s *jetstream.StreamConfig) {
			s.Description = "Commands to exchanges, until they are carried out"
			s.Subjects = []string{event.CommandRoot + ".>"}
			s.Retention = jetstream.WorkQueuePolicy
			s.NoAck = true // who asks is answered by a relay, not by the stream
			s.MaxAge = commandsMaxAge
			s.Duplicates = min(c.DuplicateWindow, commandsMaxAge)
			s.Replicas = c.Replicas
			s.AllowDirect = true
		}),
		b.ensureStream(ctx, AuditStream, func(s *jetstream.StreamConfig) {
			s.Description = "Who commanded what, and what came of it"
			s.Subjects = []string{event.AuditRoot + ".>"}
			s.MaxAge = c.AuditMaxAge
			s.Duplicates = c.DuplicateWindow
			s.Replicas = c.Replicas
			s.AllowDirect = true
		}),
	)
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
	want = have
	set(&want)
	if sameStream(have, want) {
		return nil
	}
	_, err = b.js.UpdateStream(ctx, want)
	return wrapStream(name, err)
}

// sameStream compares what EnsureStreams sets.
func sameStream(a, b jetstream.StreamConfig) bool {
	return a.Description == b.Description && slices.Equal(a.Subjects, b.Subjects) && a.MaxAge == b.MaxAge &&
		a.Duplicates == b.Duplicates && a.Replicas == b.Replicas && a.AllowAtomicPublish == b.AllowAtomicPublish &&
		a.AllowDirect == b.AllowDirect
}

func wrapStream(name string, err error) error {
	if err == nil {
		return nil
	}
	return unavailable(fmt.Sprintf("make sure that stream %s exists", name), err)
}
