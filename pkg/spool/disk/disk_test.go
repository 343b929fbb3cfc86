package disk_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/logtest"
	"github.com/switchhook/switchhook/pkg/spool/disk"
)

const room = 64 << 20

func open(t testing.TB, folder string, budget *disk.Budget, to *logtest.Log) *disk.Queue {
	t.Helper()
	q, err := disk.Open(folder, budget, slog.New(slog.NewTextHandler(to, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// write fills a folder as a process would that is then gone, and returns its segment and where in it the records end.
func write(t testing.TB, folder string, records ...disk.Record) (segment string, ends []int) {
	t.Helper()
	q := open(t, folder, &disk.Budget{Max: room}, &logtest.Log{})
	for _, r := range records {
		if err := q.Append(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, int(q.Stats().Bytes))
	}
	q.Close()
	found, err := filepath.Glob(filepath.Join(folder, "*.spool1"))
	if err != nil || len(found) != 1 {
		t.Fatalf("want one segment, have %v %v", found, err)
	}
	return found[0], ends
}

// take takes all that is in a folder.
func take(t testing.TB, folder string, to *logtest.Log) (all []disk.Record) {
	t.Helper()
	budget := &disk.Budget{Max: room}
	q := open(t, folder, budget, to)
	defer q.Close()
	counted := q.Stats().Records
	for {
		b, err := q.Oldest()
		if err != nil {
			t.Fatal(err)
		}
		if b == nil {
			break
		}
		all = append(all, b.Records...)
		q.Remove(b)
	}
	if counted != len(all) {
		t.Errorf("want as many records as were counted, %d, have %d", counted, len(all))
	}
	if have := q.Stats(); have != (disk.Stats{}) {
		t.Errorf("want nothing left, have %+v", have)
	}
	return all
}

func record(i int) disk.Record {
	return disk.Record{
		ID: fmt.Sprintf("id-%d", i), At: time.Unix(1767323045, int64(i)).UTC(), Trace: strings.Repeat("t", i%3),
		Data: bytes.Repeat([]byte{byte(i), 0, 0xff}, i*7%50),
	}
}

func records(n int) (all []disk.Record) {
	for i := range n {
		all = append(all, record(i))
	}
	return all
}

func same(a, b disk.Record) bool {
	return a.ID == b.ID && a.At.Equal(b.At) && a.Trace == b.Trace && bytes.Equal(a.Data, b.Data)
}

func compare(t *testing.T, want, have []disk.Record) {
	t.Helper()
	if !slices.EqualFunc(want, have, same) {
		t.Errorf("want %v, have %v", want, have)
	}
}

// setAside returns what files of a kind hold.
func setAside(t *testing.T, folder, kind string) (all []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*."+kind+"-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(data))
	}
	return all
}

func TestRoundTrip(t *testing.T) {
	tests := map[string][]disk.Record{
		"one":          {record(5)},
		"many":         records(300),
		"empty":        {{At: time.Unix(0, 0).UTC()}},
		"longest id":   {{ID: strings.Repeat("i", 255), Trace: strings.Repeat("t", 255), At: time.Unix(-1, 7).UTC()}},
		"large":        {{ID: "a", At: time.Unix(1, 2), Data: bytes.Repeat([]byte("0123456789abcdef"), 1<<14)}, record(1)},
		"same id":      {record(1), record(1)},
		"before epoch": {{ID: "a", At: time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)}},
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "made", "when", "missing")
			write(t, folder, want...)
			var said logtest.Log
			compare(t, want, take(t, folder, &said))
			if said.String() != "" {
				t.Errorf("want nothing in the log, have %s", &said)
			}
		})
	}
}

func TestTooLong(t *testing.T) {
	q := open(t, t.TempDir(), &disk.Budget{Max: room}, &logtest.Log{})
	defer q.Close()
	for name, r := range map[string]disk.Record{
		"id": {ID: strings.Repeat("i", 256)}, "trace": {Trace: strings.Repeat("i", 256)}, "data": {Data: make([]byte, 4<<20+1)},
	} {
		if err := q.Append(t.Context(), record(1), r); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: want it invalid, have %v", name, err)
		}
	}
	if have := q.Stats().Records; have != 0 {
		t.Errorf("want nothing stored, have %d records", have)
	}
}

// Whoever appends at the same time shares a sync; everything is there afterwards, in segments that are removed one by one.
func TestAppendTogether(t *testing.T) {
	const callers, each = 32, 50
	folder := t.TempDir()
	budget := &disk.Budget{Max: 256 << 10} // segments of 32 KiB
	q := open(t, folder, budget, &logtest.Log{})
	var group sync.WaitGroup
	for caller := range callers {
		group.Go(func() {
			for i := range each {
				if err := q.Append(t.Context(), record(caller*each+i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	select {
	case <-q.Appended():
	default:
		t.Error("want word that something was appended, have none")
	}
	if have := q.Stats(); have.Records != callers*each || !have.Oldest.Equal(record(0).At) || have.Bytes == 0 {
		t.Errorf("want %d records in the figures, have %+v", callers*each, have)
	}
	q.Close()
	found, err := filepath.Glob(filepath.Join(folder, "*.spool1"))
	if err != nil || len(found) < 2 {
		t.Errorf("want several segments, have %v %v", found, err)
	}
	have := take(t, folder, &logtest.Log{})
	slices.SortFunc(have, func(a, b disk.Record) int { return a.At.Compare(b.At) })
	compare(t, records(callers*each), have)
}

// What is appended while a batch is being taken is not in it, and comes next.
func TestOldestFirst(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, record(0))
	q := open(t, folder, &disk.Budget{Max: room}, &logtest.Log{})
	defer q.Close()
	took := func(since bool, want ...disk.Record) *disk.Batch {
		t.Helper()
		b, err := q.Oldest()
		if err != nil || b == nil {
			t.Fatalf("want a batch, have %v %v", b, err)
		}
		compare(t, want, b.Records)
		if since == b.Since.IsZero() {
			t.Errorf("want a time only for what this process wrote, have %v", b.Since)
		}
		return b
	}
	now := time.Now()
	append1 := disk.Record{ID: "later", At: now}
	if err := q.Append(t.Context(), append1); err != nil {
		t.Fatal(err)
	}
	q.Remove(took(false, record(0)))
	b := took(true, append1)
	if err := q.Append(t.Context(), record(2), record(3)); err != nil {
		t.Fatal(err)
	}
	q.Left(b, nil)
	if have := q.Stats(); have.Records != 2 || !have.Oldest.Equal(record(2).At) {
		t.Errorf("want the two that are left, have %+v", have)
	}
	q.Remove(b)
	q.Remove(took(true, record(2), record(3)))
	if b, err := q.Oldest(); b != nil || err != nil {
		t.Errorf("want nothing, have %v %v", b, err)
	}
}

// A queue that is full refuses, and takes again when something was taken. Queues share the room.
func TestFull(t *testing.T) {
	budget := &disk.Budget{Max: 8 << 10}
	q, other := open(t, t.TempDir(), budget, &logtest.Log{}), open(t, t.TempDir(), budget, &logtest.Log{})
	defer q.Close()
	defer other.Close()
	stored := 0
	r := disk.Record{ID: "a", At: time.Now(), Data: make([]byte, 500)}
	var err error
	for ; err == nil && stored < 100; stored++ {
		err = q.Append(t.Context(), r)
	}
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "full") || !budget.Full() {
		t.Fatalf("want it full, have %v after %d records", err, stored)
	}
	if err := other.Append(t.Context(), r); !fault.Is(err, fault.Unavailable) {
		t.Errorf("want the other full too, have %v", err)
	}
	if have := q.Stats(); have.Records != stored-1 || have.Bytes > budget.Max {
		t.Errorf("want %d records in at most %d bytes, have %+v", stored-1, budget.Max, have)
	}
	b, err := q.Oldest()
	if err != nil {
		t.Fatal(err)
	}
	q.Remove(b)
	if err := other.Append(t.Context(), r); err != nil {
		t.Errorf("want room again, have %v", err)
	}
}

// A disk that fails costs what is being written, and nothing else.
func TestDiskFails(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "spool")
	q := open(t, folder, &disk.Budget{Max: room}, &logtest.Log{})
	defer q.Close()
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if err := q.Append(t.Context(), record(1)); !fault.Is(err, fault.Unavailable) {
		t.Errorf("want it unavailable, have %v", err)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := q.Append(t.Context(), record(2)); err != nil {
		t.Error(err)
	}
	b, err := q.Oldest()
	if err != nil || b == nil {
		t.Fatalf("want a batch, have %v", err)
	}
	compare(t, []disk.Record{record(2)}, b.Records)
}

func TestOneProcess(t *testing.T) {
	folder := t.TempDir()
	q := open(t, folder, &disk.Budget{Max: room}, &logtest.Log{})
	if _, err := disk.Open(folder, &disk.Budget{Max: room}, slog.New(slog.DiscardHandler)); err == nil ||
		!strings.Contains(err.Error(), "another process") {
		t.Errorf("want a second one refused, have %v", err)
	}
	q.Close()
	open(t, folder, &disk.Budget{Max: room}, &logtest.Log{}).Close()
}

func TestClosed(t *testing.T) {
	q := open(t, t.TempDir(), &disk.Budget{Max: room}, &logtest.Log{})
	q.Close()
	if err := q.Append(context.Background(), record(1)); !fault.Is(err, fault.Unavailable) {
		t.Errorf("want it unavailable, have %v", err)
	}
}

// A segment that cannot be read stays, and holds up no other.
func TestUnreadable(t *testing.T) {
	folder := t.TempDir()
	segment, _ := write(t, folder, record(1))
	q := open(t, folder, &disk.Budget{Max: room}, &logtest.Log{})
	defer q.Close()
	if err := q.Append(t.Context(), record(2)); err != nil {
		t.Fatal(err)
	}
	hidden := segment + ".hidden"
	if err := os.Rename(segment, hidden); err != nil {
		t.Fatal(err)
	}
	b, err := q.Oldest()
	if err != nil || b == nil {
		t.Fatalf("want the next segment, have %v", err)
	}
	compare(t, []disk.Record{record(2)}, b.Records)
	q.Remove(b)
	if b, err := q.Oldest(); b != nil || err == nil {
		t.Errorf("want an error while one cannot be read, have %v", b)
	}
	if err := os.Rename(hidden, segment); err != nil {
		t.Fatal(err)
	}
	if b, err = q.Oldest(); err != nil || b == nil {
		t.Fatalf("want it read at last, have %v", err)
	}
	compare(t, []disk.Record{record(1)}, b.Records)
}

func TestSetAside(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, record(1), record(2))
	q := open(t, folder, &disk.Budget{Max: room}, &logtest.Log{})
	defer q.Close()
	b, err := q.Oldest()
	if err != nil {
		t.Fatal(err)
	}
	if err := q.SetAside(b, b.Records[0]); err != nil {
		t.Fatal(err)
	}
	q.Remove(b)
	if have := setAside(t, folder, "refused"); len(have) != 1 || have[0] != string(record(1).Data) {
		t.Errorf("want the record in a file of its own, have %q", have)
	}
}

// Files that are none of ours are let be.
func TestStrangers(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{
		"notes.txt", "0.spool1", "0000000000000001-zz.spool1", "0000000000000001-00.spool1", "000000000000000x-0011223344556677.spool1",
		"0000000000000001-0011223344556677.spool", "0000000000000001-001122334455667788.spool1",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if have := take(t, folder, &logtest.Log{}); len(have) != 0 {
		t.Errorf("want no records, have %v", have)
	}
}
