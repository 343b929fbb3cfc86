package bus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/fault"
)

// Table is a bucket of JetStream's key-value store that is kept whole in memory: reading costs nothing, and everybody sees
// what anybody writes a moment later. It is safe for concurrent use; the actor Maintain keeps it up to date.
type Table[T proto.Message] struct {
	bus     *Bus
	options TableOptions
	empty   func() T

	mu      sync.Mutex
	kv      jetstream.KeyValue // nil while the bucket is not there
	rows    map[string]Row[T]
	seen    uint64 // the greatest revision that came from the bucket
	loaded  bool
	changed chan struct{} // closed at each change, and made anew
}

// TableOptions say which bucket a table is, and how to make it.
type TableOptions struct {
	Bucket      string
	Description string
	TTL         time.Duration // after which a row that nobody wrote vanishes; zero: never
	Replicas    func() int    // servers that keep a copy
}

// Row is a value with its revision, which every write makes greater. A deleted row has a revision and no value.
type Row[T proto.Message] struct {
	Value    T
	Revision uint64
	At       time.Time // when it was written
	Deleted  bool
}

// NewTable returns a table of a bucket; empty makes a value to decode into.
func NewTable[T proto.Message](b *Bus, o TableOptions, empty func() T) *Table[T] {
	b.observed.stream("KV_" + o.Bucket)
	return &Table[T]{bus: b, options: o, empty: empty, rows: map[string]Row[T]{}, changed: make(chan struct{})}
}

// Get returns a row. A row that is not there is the zero Row, or that of its deletion. The value is not to be changed.
func (t *Table[T]) Get(key string) Row[T] {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rows[key]
}

// Rows returns all rows that are there, by key.
func (t *Table[T]) Rows() map[string]Row[T] {
	t.mu.Lock()
	defer t.mu.Unlock()
	there := maps.Clone(t.rows)
	maps.DeleteFunc(there, func(_ string, r Row[T]) bool { return r.Deleted })
	return there
}

// Loaded reports whether the table holds all that the bucket does. When the bucket was lost it is made anew, empty.
func (t *Table[T]) Loaded() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.loaded
}

// Reach waits until the table holds all that was written up to a revision, by anybody.
func (t *Table[T]) Reach(ctx context.Context, revision uint64) error {
	for {
		t.mu.Lock()
		reached, changed := t.seen >= revision, t.changed
		t.mu.Unlock()
		if reached {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return unavailable(fmt.Sprintf("wait for revision %d of bucket %s", revision, t.options.Bucket), ctx.Err())
		}
	}
}

// Changed returns a channel that is closed at the next change of the table.
func (t *Table[T]) Changed() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.changed
}

// Put writes a row if its revision is still the one given, 0 for one that never was, and returns the new revision. It is
// fault.Conflict when somebody else was faster, and fault.Unavailable when it is not known to be stored.
func (t *Table[T]) Put(ctx context.Context, key string, value T, revision uint64) (uint64, error) {
	data, err := proto.Marshal(value)
	if err != nil {
		return 0, fault.New(fault.Invalid, "write %s of bucket %s: %w", key, t.options.Bucket, err)
	}
	kv, err := t.bucket()
	if err != nil {
		return 0, err
	}
	written, err := kv.Update(ctx, key, data, revision)
	if err != nil {
		return 0, t.refused("write", key, err)
	}
	t.set(key, Row[T]{Value: value, Revision: written, At: time.Now()})
	return written, nil
}

// Delete deletes a row if its revision is still the one given.
func (t *Table[T]) Delete(ctx context.Context, key string, revision uint64) error {
	if revision == 0 { // which NATS would take for any
		return fault.New(fault.Conflict, "delete %s of bucket %s: it is not there", key, t.options.Bucket)
	}
	kv, err := t.bucket()
	if err != nil {
		return err
	}
	if err := kv.Delete(ctx, key, jetstream.LastRevision(revision)); err != nil {
		return t.refused("delete", key, err)
	}
	return nil
}

func (t *Table[T]) bucket() (jetstream.KeyValue, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.kv == nil {
		return nil, fault.New(fault.Unavailable, "bucket %s is not open yet", t.options.Bucket)
	}
	return t.kv, nil
}

func (t *Table[T]) refused(doing, key string, err error) error {
	doing = fmt.Sprintf("%s %s of bucket %s", doing, key, t.options.Bucket)
	if isConflict(err) || errors.Is(err, jetstream.ErrKeyExists) {
		return fault.New(fault.Conflict, "%s: %w", doing, err)
	}
	return unavailable(doing, err)
}

// set takes a row over unless a later one is known.
func (t *Table[T]) set(key string, row Row[T]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rows[key].Revision >= row.Revision {
		return
	}
	t.rows[key] = row
	t.wake()
}

func (t *Table[T]) wake() {
	close(t.changed)
	t.changed = make(chan struct{})
}

// Maintain returns an actor that makes the bucket when it is missing, and follows it.
func (t *Table[T]) Maintain() (execute func() error, interrupt func(error)) {
	ctx, cancel := context.WithCancel(context.Background())
	return func() error {
			for complaint := ""; ; {
				err := t.follow(ctx)
				if ctx.Err() != nil {
					return nil
				}
				complaint = complain(t.bus.log, err, complaint)
				select {
				case <-ctx.Done():
					return nil
				case <-time.After(restart):
				}
			}
		}, func(error) {
			cancel()
		}
}

// deaf is how long a watch may bring nothing while there is something to bring, before another one is begun.
const deaf = 5 * probeEvery

// follow opens the bucket and takes over what changes, until the bucket or the context is gone, or the watch is deaf: should one bring
// nothing any more without an error, whoever writes by the old revisions would be refused for ever.
func (t *Table[T]) follow(ctx context.Context) error {
	kv, err := t.open(ctx)
	if err != nil {
		return unavailable("open bucket "+t.options.Bucket, err)
	}
	before, err := last(ctx, kv)
	if err != nil {
		return unavailable("ask for the state of bucket "+t.options.Bucket, err)
	}
	watch, err := kv.WatchAll(ctx)
	if err != nil {
		return unavailable("watch bucket "+t.options.Bucket, err)
	}
	defer func() { _ = watch.Stop() }()
	t.begin(kv)
	probe := time.NewTicker(probeEvery)
	defer probe.Stop()
	for heard := time.Now(); ; {
		select {
		case <-ctx.Done():
			return nil
		case entry, open := <-watch.Updates():
			if !open {
				return fault.New(fault.Unavailable, "watch bucket %s: it ended", t.options.Bucket)
			}
			t.take(entry, before)
			heard = time.Now()
		case <-probe.C:
			t.sweep(time.Now())
			written, err := last(ctx, kv)
			switch {
			case errors.Is(err, jetstream.ErrBucketNotFound) || errors.Is(err, jetstream.ErrStreamNotFound):
				return fault.New(fault.Unavailable, "bucket %s is gone, making it anew", t.options.Bucket)
			case err == nil && t.has(written):
				heard = time.Now()
			case err == nil && time.Since(heard) > deaf:
				return fault.New(fault.Unavailable, "watch bucket %s: it brought nothing for %v, beginning anew", t.options.Bucket, deaf)
			}
		}
	}
}

// last returns the revision that was written last.
func last(ctx context.Context, kv jetstream.KeyValue) (uint64, error) {
	status, err := kv.Status(ctx)
	if err != nil {
		return 0, err
	}
	bucket, ok := status.(*jetstream.KeyValueBucketStatus)
	if !ok {
		return 0, fmt.Errorf("its state is a %T", status)
	}
	return bucket.StreamInfo().State.LastSeq, nil
}

// has reports whether all up to a revision has come.
func (t *Table[T]) has(revision uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.loaded && t.seen >= revision
}

// open returns the bucket, and makes it when it is missing. What an operator changed of one that is there stays.
func (t *Table[T]) open(ctx context.Context) (jetstream.KeyValue, error) {
	kv, err := t.bus.js.KeyValue(ctx, t.options.Bucket)
	if !errors.Is(err, jetstream.ErrBucketNotFound) {
		return kv, err
	}
	kv, err = t.bus.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: t.options.Bucket, Description: t.options.Description, TTL: t.options.TTL,
		Storage: jetstream.FileStorage, Replicas: t.options.Replicas(),
	})
	if errors.Is(err, jetstream.ErrBucketExists) { // another process was faster
		return t.bus.js.KeyValue(ctx, t.options.Bucket)
	}
	return kv, err
}

// begin forgets what an earlier bucket held.
func (t *Table[T]) begin(kv jetstream.KeyValue) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kv, t.rows, t.seen, t.loaded = kv, map[string]Row[T]{}, 0, false
	t.wake()
}

// take takes over an entry; nil means that all which were there have come, up to the revision before, the row of which may be gone.
func (t *Table[T]) take(entry jetstream.KeyValueEntry, before uint64) {
	if entry == nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.loaded, t.seen = true, max(t.seen, before)
		t.wake()
		return
	}
	row := Row[T]{Revision: entry.Revision(), At: entry.Created(), Deleted: entry.Operation() != jetstream.KeyValuePut}
	if !row.Deleted {
		row.Value = t.empty()
		if err := proto.Unmarshal(entry.Value(), row.Value); err != nil {
			t.bus.log.Error("row left out", "bucket", t.options.Bucket, "key", entry.Key(), "err", err)
			row.Deleted = true // so that it can be written over
		}
	}
	t.set(entry.Key(), row)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen = max(t.seen, entry.Revision())
	t.wake()
}

// sweep drops what the server has dropped by its age, of which it does not tell.
func (t *Table[T]) sweep(now time.Time) {
	if t.options.TTL == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	before := len(t.rows)
	maps.DeleteFunc(t.rows, func(_ string, r Row[T]) bool { return now.Sub(r.At) > t.options.TTL+probeEvery })
	if len(t.rows) < before {
		t.wake()
	}
}
