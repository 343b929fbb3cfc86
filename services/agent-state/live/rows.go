package live

import (
	"context"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/fault"
)

// writers is how many rows of a bucket are written at once.
const writers = 64

// message is a value of a bucket; nil is none.
type message interface {
	comparable
	proto.Message
}

// rows are a bucket, and which of its rows are to be written. The active replica of a tenant writes at once, or each interval;
// the others a while later, if it did not. A row that is as it should be is left alone, and one that somebody else wrote
// meanwhile is compared again: so a replica that was paused cannot write over what is newer.
type rows[T message] struct {
	*bus.Table[T]
	keeper *Keeper
	every  time.Duration  // after which what changes is written
	value  func(string) T // what a row should be, with the keeper locked
	noted  map[string]time.Time
}

func newRows[T message](
	k *Keeper, table *bus.Table[T], every time.Duration, value func(string) T,
) *rows[T] {
	return &rows[T]{table, k, every, value, map[string]time.Time{}}
}

// note notes that rows may have to be written.
func (r *rows[T]) note(keys []string, now time.Time) {
	for _, key := range keys {
		if _, already := r.noted[key]; !already {
			r.noted[key] = now
		}
	}
}

// write writes the rows whose time has come.
func (r *rows[T]) write(ctx context.Context, now time.Time) {
	wanted := r.due(now)
	failures := make(chan string, len(wanted))
	places := make(chan struct{}, writers)
	var writing sync.WaitGroup
	for key, want := range wanted {
		places <- struct{}{}
		writing.Go(func() {
			defer func() { <-places }()
			err := r.writeRow(ctx, key, want)
			if err != nil {
				failures <- key
			}
			if err != nil && !fault.Is(err, fault.Conflict) {
				r.keeper.Log.Debug("row not written, trying again", "err", err)
			}
		})
	}
	writing.Wait()
	close(failures)
	for key := range wanted {
		delete(r.noted, key)
	}
	for key := range failures {
		r.noted[key] = now
	}
}

// due returns what is to be written now.
func (r *rows[T]) due(now time.Time) map[string]T {
	r.keeper.mu.Lock()
	defer r.keeper.mu.Unlock()
	wanted := make(map[string]T)
	for key, noted := range r.noted {
		wait := r.every
		if !r.keeper.chain(tenantOf(key)).active {
			wait += patience
		}
		if now.Sub(noted) >= wait {
			wanted[key] = r.value(key)
		}
	}
	return wanted
}

// writeRow makes a row what it should be, unless it is.
func (r *rows[T]) writeRow(ctx context.Context, key string, want T) error {
	ctx, cancel := context.WithTimeout(ctx, publishLimit)
	defer cancel()
	var none T
	row := r.Get(key)
	there := row.Revision > 0 && !row.Deleted
	switch {
	case want == none && !there, want != none && there && proto.Equal(row.Value, want):
		return nil
	case want == none:
		return r.Delete(ctx, key, row.Revision)
	}
	_, err := r.Put(ctx, key, want, row.Revision)
	return err
}
