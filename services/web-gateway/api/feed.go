package api

import (
	"context"
	"sync"

	"github.com/switchhook/switchhook/pkg/fault"
)

// feed keeps the last messages for any number of readers, who go at their own pace and cost nothing while they wait. It is safe
// for concurrent use.
type feed[T any] struct {
	limit int

	mu      sync.Mutex
	kept    []T // what stands in it is never written over, so that readers may hold a part of it
	first   uint64
	dropped T // the last of those that are not kept any more
	changed chan struct{}
}

// newFeed returns one that keeps at least a number of messages, and at most twice as many.
func newFeed[T any](limit int) *feed[T] { return &feed[T]{limit: limit, changed: make(chan struct{})} }

func (f *feed[T]) add(messages ...T) {
	if len(messages) == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kept = append(f.kept, messages...)
	if len(f.kept) > 2*f.limit {
		over := len(f.kept) - f.limit
		f.dropped = f.kept[over-1]
		f.kept = append(make([]T, 0, 2*f.limit+1), f.kept[over:]...)
		f.first += uint64(over)
	}
	close(f.changed)
	f.changed = make(chan struct{})
}

// end returns the position of what comes next.
func (f *feed[T]) end() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.first + uint64(len(f.kept))
}

// next waits for messages from a position on, and returns them with the position behind them. It is fault.Conflict for who was
// too slow, and the context's error when that ends first.
func (f *feed[T]) next(ctx context.Context, position uint64) ([]T, uint64, error) {
	for {
		f.mu.Lock()
		kept, first, changed := f.kept, f.first, f.changed
		f.mu.Unlock()
		switch {
		case position < first:
			return nil, position, fault.New(fault.Conflict, "read from message %d: they are kept from %d on", position, first)
		case position-first < uint64(len(kept)):
			return kept[position-first:], first + uint64(len(kept)), nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, position, ctx.Err()
		}
	}
}
