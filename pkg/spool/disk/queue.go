// Package disk keeps records in files until somebody has taken them: a queue that a crash of the process, of the system, or of
// the power does not shorten. It knows nothing of what the records are.
package disk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"

	"github.com/switchhook/switchhook/pkg/fault"
)

// Budget is how many bytes queues may take together. Room is there again when a whole segment, an eighth of it at most, was
// taken.
type Budget struct {
	Max  int64
	used atomic.Int64
}

func (b *Budget) take(n int64) bool {
	if b.used.Add(n) > b.Max {
		b.used.Add(-n)
		return false
	}
	return true
}

// Full reports whether not even a short record has room.
func (b *Budget) Full() bool { return b.used.Load()+4096 > b.Max }

// Queue is a queue in a folder. It is safe for concurrent use, but only one goroutine may take records.
type Queue struct {
	folder   string
	budget   *Budget
	log      *slog.Logger
	lock     *flock.Flock
	largest  int64 // from how many bytes on a segment is closed
	appends  chan *appending
	appended chan struct{} // of capacity 1
	end      chan struct{}
	done     sync.WaitGroup

	writing  sync.Mutex // held while a segment is written or closed; locked before mu
	mu       sync.Mutex
	segments []*segment // oldest first; the last one may be open
	next     uint64     // number of the next segment
}

// largestSegment is how much is read at once, and how much is looked for in a stream at once.
const largestSegment = 8 << 20

// Open opens the queue of a folder, which it makes when missing, with what is in it. A folder is one process's at a time.
func Open(folder string, budget *Budget, log *slog.Logger) (*Queue, error) {
	if err := makeFolder(folder); err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	lock := flock.New(filepath.Join(folder, "lock"), flock.SetPermissions(0o600))
	switch locked, err := lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("open spool %s: %w", folder, err)
	case !locked:
		return nil, fmt.Errorf("open spool %s: another process uses this folder", folder)
	}
	q := &Queue{
		folder: folder, budget: budget, log: log, lock: lock, largest: min(largestSegment, budget.Max/8),
		appends: make(chan *appending, 1024), appended: make(chan struct{}, 1), end: make(chan struct{}),
	}
	if err := q.find(); err != nil {
		_ = lock.Unlock()
		return nil, fmt.Errorf("open spool %s: %w", folder, err)
	}
	q.done.Go(q.write)
	return q, nil
}

// find finds what an earlier process left.
func (q *Queue) find() error {
	entries, err := os.ReadDir(q.folder)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		s := parseName(entry.Name())
		if s == nil {
			continue
		}
		if err := s.count(q.folder); err != nil {
			q.log.Error("spool: segment cannot be read", "segment", s.name(), "err", err)
		}
		q.budget.used.Add(s.bytes)
		q.next = max(q.next, s.number+1)
		q.segments = append(q.segments, s)
	}
	slices.SortFunc(q.segments, func(a, b *segment) int { return cmp.Compare(a.number, b.number) })
	return nil
}

// Close closes the queue. What is in it stays on disk.
func (q *Queue) Close() {
	close(q.end)
	q.done.Wait()
	q.writing.Lock()
	defer q.writing.Unlock()
	for _, s := range q.segments {
		s.close()
	}
	_ = q.lock.Unlock()
}

// Stats is how much is in a queue.
type Stats struct {
	Records int
	Bytes   int64     // on disk, with what was taken of the segment that is being taken
	Oldest  time.Time // zero: there is none
}

// Stats returns how much is in the queue.
func (q *Queue) Stats() (all Stats) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, s := range q.segments {
		all.Records += s.records
		all.Bytes += s.bytes
		if all.Oldest.IsZero() {
			all.Oldest = s.oldest
		}
	}
	return all
}

// Appended gets a value after records were appended, once for several perhaps.
func (q *Queue) Appended() <-chan struct{} { return q.appended }

// Batch is the records of one segment.
type Batch struct {
	Records []Record
	// Since is before which time, by this process's monotonic clock, nobody knew of the records. It is zero for those of an
	// earlier process.
	Since   time.Time
	segment *segment
}

// Oldest returns the oldest records, nil when there are none. They stay until they are removed. What is damaged is set aside. A
// segment that cannot be read is passed over; an error is returned when only such are left.
func (q *Queue) Oldest() (*Batch, error) {
	q.mu.Lock()
	segments := slices.Clone(q.segments)
	q.mu.Unlock()
	var errs []error
	for _, s := range segments {
		q.seal(s)
		b, err := q.load(s)
		if err != nil {
			q.complain(s, err)
			errs = append(errs, err)
			continue
		}
		if len(b.Records) > 0 {
			return b, nil
		}
		q.Remove(b)
	}
	return nil, errors.Join(errs...)
}

// seal ends writing a segment; what is appended now begins another.
func (q *Queue) seal(s *segment) {
	q.writing.Lock()
	defer q.writing.Unlock()
	s.close()
}

func (q *Queue) complain(s *segment, err error) {
	if s.complaint != err.Error() {
		s.complaint = err.Error()
		q.log.Error("spool: segment cannot be read, it stays", "segment", s.name(), "err", err)
	}
}

// load reads a segment that is closed.
func (q *Queue) load(s *segment) (*Batch, error) {
	data, err := os.ReadFile(filepath.Join(q.folder, s.name()))
	if err != nil {
		return nil, err
	}
	b := &Batch{Since: s.since, segment: s}
	for p := range pieces(data, s.marker) {
		if p.broken == nil {
			b.Records = append(b.Records, p.record)
		} else if err := q.keep(s, p); err != nil {
			return nil, err
		}
	}
	if missing := s.records - len(b.Records); missing > 0 {
		q.log.Error("spool: records are gone from a segment", "segment", s.name(), "records", missing)
	}
	q.Left(b, b.Records)
	return b, nil
}

// keep sets aside what is broken. What a crash left of the last write was never reported as stored, and is not worth keeping.
func (q *Queue) keep(s *segment, p piece) error {
	if p.torn || isZero(p.broken) {
		q.log.Warn("spool: unfinished bytes left out", "segment", s.name(), "offset", p.offset, "bytes", len(p.broken))
		return nil
	}
	name := fmt.Sprintf("%s.damaged-%d", s.name(), p.offset)
	q.log.Error("spool: damaged bytes set aside", "segment", s.name(), "file", name, "bytes", len(p.broken))
	return writeSynced(q.folder, name, p.broken)
}

// SetAside keeps a record, of a batch that is about to be removed, in a file of its own that nobody takes it from.
func (q *Queue) SetAside(b *Batch, r Record) error {
	return writeSynced(q.folder, fmt.Sprintf("%s.refused-%x", b.segment.name(), r.ID), r.Data)
}

// Left tells, for the figures, which records of a batch are still to be taken.
func (q *Queue) Left(b *Batch, left []Record) {
	q.mu.Lock()
	defer q.mu.Unlock()
	b.segment.records, b.segment.oldest = 0, time.Time{}
	for i := range left {
		b.segment.note(left[i].At)
	}
}

// Remove removes a batch: all of it was taken.
func (q *Queue) Remove(b *Batch) {
	// Not synced: what comes back after a power cut is known to the stream.
	if err := os.Remove(filepath.Join(q.folder, b.segment.name())); err != nil {
		q.log.Error("spool: segment cannot be removed, the next process will find it", "err", err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.drop(b.segment)
}

// drop forgets a segment. The caller holds mu.
func (q *Queue) drop(s *segment) {
	q.segments = slices.DeleteFunc(q.segments, func(other *segment) bool { return other == s })
	q.budget.used.Add(-s.bytes)
}

// appending is a call of Append.
type appending struct {
	ctx     context.Context
	records []Record
	bytes   int64
	result  chan error // of capacity 1: nobody need be there when it comes
}

// Append appends records, all or none, and returns nil when they are on disk for good. Concurrent calls share one sync. It is
// fault.Unavailable when there is no room, or the disk fails; then the records may be there after the next start. So they may
// when the context ends first.
func (q *Queue) Append(ctx context.Context, records ...Record) error {
	a := &appending{ctx: ctx, records: records, result: make(chan error, 1)}
	for i := range records {
		if err := records[i].check(); err != nil {
			return err
		}
		a.bytes += frameLength(&records[i])
	}
	select {
	case q.appends <- a:
	case <-ctx.Done():
		return fault.New(fault.Unavailable, "write to spool: %w", ctx.Err())
	case <-q.end:
		return fault.New(fault.Unavailable, "write to spool: it is closed")
	}
	select {
	case err := <-a.result:
		return err
	case <-ctx.Done():
		return fault.New(fault.Unavailable, "write to spool: %w", ctx.Err())
	case <-q.end:
		return fault.New(fault.Unavailable, "write to spool: it is closed")
	}
}
