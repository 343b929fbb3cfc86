package disk

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// extension ends the names of segments, and of nothing else in the folder. It tells the version of the format.
const extension = ".spool1"

// segment is a file of the queue. It is written by one process, and never again after it was closed.
type segment struct {
	number    uint64
	marker    marker
	bytes     int64
	records   int       // that are still to be taken
	oldest    time.Time // of those
	since     time.Time // when the oldest was made, with this process's monotonic clock; zero when another process wrote it
	file      *os.File  // nil: closed
	complaint string    // why it could not be read, as it was logged
}

// name sorts by number.
func (s *segment) name() string {
	return fmt.Sprintf("%016x-%s%s", s.number, s.marker, extension)
}

// parseName returns nil for a file that is no segment.
func parseName(name string) *segment {
	number, mark, ok := strings.Cut(strings.TrimSuffix(name, extension), "-")
	if !ok || !strings.HasSuffix(name, extension) || len(number) != 16 {
		return nil
	}
	var s segment
	var err error
	if s.number, err = strconv.ParseUint(number, 16, 64); err != nil {
		return nil
	}
	decoded, err := hex.DecodeString(mark)
	if err != nil || len(decoded) != markerLength {
		return nil
	}
	s.marker = marker(decoded)
	return &s
}

// create makes an empty segment. It is in the folder for good once the folder is synced.
func create(folder string, number uint64) (*segment, error) {
	s := &segment{number: number}
	_, _ = rand.Read(s.marker[:]) // never fails, see its documentation
	var err error
	s.file, err = os.OpenFile(filepath.Join(folder, s.name()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	return s, err
}

// write appends frames and syncs. After an error the file is as long as before, as far as that can be had.
func (s *segment) write(frames []byte) error {
	_, err := s.file.Write(frames)
	if err == nil {
		err = s.file.Sync()
	}
	if err != nil {
		return errors.Join(err, s.file.Truncate(s.bytes))
	}
	return nil
}

// close ends writing. What was written is synced already.
func (s *segment) close() {
	if s.file != nil {
		_ = s.file.Close()
		s.file = nil
	}
}

// note counts a record.
func (s *segment) note(at time.Time) {
	s.records++
	if s.oldest.IsZero() || at.Before(s.oldest) {
		s.oldest = at
	}
}

// count reads how much is in a segment that was found.
func (s *segment) count(folder string) error {
	data, err := os.ReadFile(filepath.Join(folder, s.name()))
	if err != nil {
		return err
	}
	s.bytes = int64(len(data))
	for p := range pieces(data, s.marker) {
		if p.broken == nil {
			s.note(p.record.At)
		}
	}
	return nil
}

// makeFolder makes a folder that is still there after a power cut: each new one is synced in the one above it.
func makeFolder(folder string) error {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	var parents []string
	for at := folder; ; at = filepath.Dir(at) {
		if _, err := os.Stat(at); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		parents = append(parents, filepath.Dir(at))
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	for _, parent := range parents {
		if err := syncFolder(parent); err != nil {
			return err
		}
	}
	return nil
}

// syncFolder makes sure that files which were made in a folder stay in it.
func syncFolder(folder string) error {
	if runtime.GOOS == "windows" { // which cannot, and need not
		return nil
	}
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// writeSynced writes a file that is there for good when it returns.
func writeSynced(folder, name string, data []byte) error {
	f, err := os.OpenFile(filepath.Join(folder, name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return syncFolder(folder)
}
