package derive

import (
	"context"
	"strings"
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

// Rows are a bucket that is kept as the core says; its keys are "<tenant>.<id>". The active replica of a tenant writes at once,
// or each interval; the others a while later, if it did not. A row that is as it should be is left alone, and one that
// somebody else wrote meanwhile is compared again: so a replica that was paused cannot write over what is newer.
type Rows[T message] struct {
	*bus.Table[T]
	keeper *Keeper
	every  time.Duration
	value  func(string) T
	noted  map[string]time.Time // which rows may have to be written, and since when
}

// keptRows are rows of any type.
type keptRows interface {
	Maintain() (execute func() error, interrupt func(error))
	Loaded() bool
	write(context.Context, time.Time)
}

// NewRows adds rows to a keeper, which keeps the table up to date from then on. What is noted is written after an interval;
// zero means at once. The value of a row is asked with the core locked; nil means that there should be no row.
func NewRows[T message](k *Keeper, table *bus.Table[T], every time.Duration, value func(key string) T) *Rows[T] {
	r := &Rows[T]{table, k, every, value, map[string]time.Time{}}
	k.rows = append(k.rows, r)
	return r
}

// Note notes that rows may have to be written. The core must be locked.
func (r *Rows[T]) Note(keys ...string) {
	now := r.keeper.o.Now()
	for _, key := range keys {
		if _, already := r.noted[key]; !already {
			r.noted[key] = now
		}
	}
}

// write writes the rows whose time has come.
func (r *Rows[T]) write(ctx context.Context, now time.Time) {
	places := make(chan struct{}, writers)
	var writing sync.WaitGroup
	for key, want := range r.due(now) {
		places <- struct{}{}
		writing.Go(func() {
			defer func() { <-places }()
			err := r.writeRow(ctx, key, want)
			if err == nil {
				return
			}
			r.keeper.Do(func() { r.Note(key) })
			if !fault.Is(err, fault.Conflict) {
				r.keeper.o.Log.Debug("row not written, trying again", "err", err)
			}
		})
	}
	writing.Wait()
}

// due returns what is to be written now.
func (r *Rows[T]) due(now time.Time) map[string]T {
	r.keeper.mu.Lock()
	defer r.keeper.mu.Unlock()
	wanted := make(map[string]T)
	for key, noted := range r.noted {
		wait := r.every
		if tenant, _, _ := strings.Cut(key, "."); !r.keeper.Active(tenant) {
			wait += patience
		}
		if now.Sub(noted) >= wait {
			wanted[key] = r.value(key)
			delete(r.noted, key)
		}
	}
	return wanted
}

// writeRow makes a row what it should be, unless it is.
func (r *Rows[T]) writeRow(ctx context.Context, key string, want T) error {
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

// write brings the buckets up to what the core knows.
func (k *Keeper) write(ctx context.Context) {
	k.mu.Lock()
	live, now := k.live, k.o.Now()
	if live && k.o.Note != nil {
		all := now.Sub(k.compared) >= compareEvery
		if all {
			k.compared = now
		}
		k.o.Note(all)
	}
	k.mu.Unlock()
	if !live || !k.loaded() {
		return
	}
	for _, r := range k.rows {
		r.write(ctx, now)
	}
}

// loaded reports whether all rows are known.
func (k *Keeper) loaded() bool {
	for _, r := range k.rows {
		if !r.Loaded() {
			return false
		}
	}
	return true
}
