package config

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"sync"
)

// sources reads what a configuration is made of, and remembers what it read, so that it can tell when any of it is no
// longer the same.
type sources struct {
	dir string // where relative paths start

	mu   sync.Mutex
	seen map[source]state
}

// source is a file or an environment variable.
type source struct{ file, variable string }

type state struct {
	sum [sha256.Size]byte
	err string
}

func newSources(dir string) *sources {
	return &sources{dir: dir, seen: make(map[source]state)}
}

func (s *sources) resolve(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(s.dir, path)
}

func (s *sources) file(path string) ([]byte, error) { return s.read(source{file: path}) }

func (s *sources) env(name string) string {
	value, _ := s.read(source{variable: name}) // A variable is always readable.
	return string(value)
}

// read remembers the first reading only: if a later one differs, then something has changed since.
func (s *sources) read(from source) ([]byte, error) {
	data, err := from.read()
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, again := s.seen[from]; !again {
		s.seen[from] = stateOf(data, err)
	}
	return data, err
}

// changed reports whether anything that was read would be read differently now.
func (s *sources) changed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for from, was := range s.seen {
		if stateOf(from.read()) != was {
			return true
		}
	}
	return false
}

func (f source) read() ([]byte, error) {
	if f.variable != "" {
		return []byte(os.Getenv(f.variable)), nil
	}
	return os.ReadFile(f.file)
}

func stateOf(data []byte, err error) state {
	if err != nil {
		return state{err: err.Error()}
	}
	return state{sum: sha256.Sum256(data)}
}
