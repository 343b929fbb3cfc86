package ledger

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
)

// Writer writes entries as lines. It is safe for concurrent use.
type Writer struct {
	mu  sync.Mutex
	out *bufio.Writer
	err error
}

// NewWriter returns a writer that keeps up to 256 KiB to itself until Flush.
func NewWriter(out io.Writer) *Writer {
	return &Writer{out: bufio.NewWriterSize(out, 256<<10)}
}

// Write adds a line. Errors of writing stay, and are returned by Flush.
func (w *Writer) Write(e Entry) {
	line, err := json.Marshal(e)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = errors.Join(w.err, err)
	if w.err == nil {
		_, err = fmt.Fprintf(w.out, `{"type":%q,%s`+"\n", e.entry(), line[1:])
		w.err = err
	}
}

// Flush passes on what is kept, and returns the first error since the beginning.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = w.out.Flush()
	}
	return w.err
}

// Read returns the entries of a ledger, one after the other, and ends with the first error. A last line without an end,
// which a killed simulation leaves behind, is ignored.
func Read(in io.Reader) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		lines := bufio.NewReaderSize(in, 256<<10)
		for number := 1; ; number++ {
			line, err := lines.ReadBytes('\n')
			if errors.Is(err, io.EOF) {
				return
			}
			var e Entry
			if err == nil {
				e, err = decode(line)
			}
			if err != nil {
				yield(nil, fmt.Errorf("ledger: line %d: %w", number, err))
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

func decode(line []byte) (Entry, error) {
	var kind struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(line, &kind); err != nil {
		return nil, err
	}
	e := blank(kind.Type)
	if e == nil {
		return nil, fmt.Errorf("unknown type %q", kind.Type)
	}
	if err := json.Unmarshal(line, e); err != nil {
		return nil, fmt.Errorf("%s: %w", kind.Type, err)
	}
	if run, ok := e.(*Run); ok && run.Version != Version {
		return nil, fmt.Errorf("version %d, want %d", run.Version, Version)
	}
	return e, nil
}

func blank(kind string) Entry {
	for _, e := range []Entry{&Run{}, &Sent{}, &Call{}, &Agent{}, &Command{}, &Done{}} {
		if e.entry() == kind {
			return e
		}
	}
	return nil
}
