package service

import (
	"errors"
	"sync"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/vendors"
)

// Settings are a configuration and what is built of it.
type Settings struct {
	Config  *config.Config
	Vendors vendors.Set
}

// Load reads a configuration, and reports all that is wrong with it, for any of the parts too, as a *config.FileError.
func Load(path string, parts ...Part) (*Settings, error) {
	return config.Load(path, checkedBuild(parts))
}

func checkedBuild(parts []Part) func(*config.Config) (*Settings, error) {
	return func(c *config.Config) (*Settings, error) {
		set, err := vendors.New(c)
		errs := []error{err}
		for _, part := range parts {
			if part.Check != nil {
				errs = append(errs, part.Check(c))
			}
		}
		if err := errors.Join(errs...); err != nil {
			return nil, err
		}
		return &Settings{Config: c, Vendors: set}, nil
	}
}

// Live are settings that change while the process runs.
type Live struct {
	mu       sync.Mutex
	current  *Settings
	watchers []func(*Settings)
}

// Get returns the settings of now. They are not to be changed.
func (l *Live) Get() *Settings {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current
}

// OnChange has a function called with every later settings, one call at a time.
func (l *Live) OnChange(watcher func(*Settings)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watchers = append(l.watchers, watcher)
}

func (l *Live) replace(s *Settings) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.current = s
	for _, watcher := range l.watchers {
		watcher(s)
	}
}
