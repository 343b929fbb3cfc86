package disk

import (
	"os"
	"path/filepath"

	"github.com/switchhook/switchhook/pkg/fault"
)

// largestWrite is about how much is written before a sync.
const largestWrite = 1 << 20

// write writes what is appended, until the queue is closed. What waits while the disk syncs makes up the next write.
func (q *Queue) write() {
	for {
		select {
		case first := <-q.appends:
			q.commit(q.gather(first))
		case <-q.end:
			return
		}
	}
}

// gather returns what waits now, and has room; it leaves out those whose callers have given up.
func (q *Queue) gather(first *appending) (group []*appending) {
	size := int64(0)
	for next := first; ; {
		switch {
		case next.ctx.Err() != nil:
		case !q.budget.take(next.bytes):
			next.result <- fault.New(fault.Unavailable, "write to spool: it is full, %d bytes wait", q.budget.used.Load())
		default:
			group = append(group, next)
			size += next.bytes
		}
		if size >= largestWrite {
			return group
		}
		select {
		case next = <-q.appends:
		default:
			return group
		}
	}
}

// commit writes and syncs a group, and tells each caller. The budget has room for it.
func (q *Queue) commit(group []*appending) {
	if len(group) == 0 {
		return
	}
	q.writing.Lock()
	defer q.writing.Unlock()
	s, err := q.open()
	if err == nil {
		err = q.store(s, group)
	}
	for _, a := range group {
		if err != nil {
			q.budget.used.Add(-a.bytes)
			a.result <- fault.New(fault.Unavailable, "write to spool: %w", err)
			continue
		}
		a.result <- nil
	}
	select {
	case q.appended <- struct{}{}:
	default:
	}
}

// open returns the segment to write to. The caller holds writing.
func (q *Queue) open() (*segment, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if n := len(q.segments); n > 0 && q.segments[n-1].file != nil {
		if s := q.segments[n-1]; s.bytes < q.largest {
			return s, nil
		}
		q.segments[n-1].close()
	}
	s, err := create(q.folder, q.next)
	if err != nil {
		return nil, err
	}
	q.next++
	q.segments = append(q.segments, s)
	return s, nil
}

// store writes a group to a segment. After an error nothing is written to the segment any more: what the system holds of a
// file that failed to sync cannot be relied on.
func (q *Queue) store(s *segment, group []*appending) error {
	var frames []byte
	for _, a := range group {
		for i := range a.records {
			frames = appendFrame(frames, s.marker, &a.records[i])
		}
	}
	fresh := s.bytes == 0
	err := s.write(frames)
	if err == nil && fresh {
		err = syncFolder(q.folder)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if err != nil {
		s.close()
		if fresh {
			q.drop(s)
			_ = os.Remove(filepath.Join(q.folder, s.name())) // else it is found empty
		}
		return err
	}
	s.bytes += int64(len(frames))
	for _, a := range group {
		for _, r := range a.records {
			s.note(r.At)
			if s.since.IsZero() || r.At.Before(s.since) {
				s.since = r.At
			}
		}
	}
	return nil
}
