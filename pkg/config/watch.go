package config

import (
	"context"
	"log/slog"
	"time"
)

// Watch returns an actor, the two arguments of run.Group.Add, that keeps what was built from a file up to date. Each
// "every" (which must be positive) it looks whether the content of the file is still the same, and that of the secret
// files and environment variables it names; if not, it builds anew and applies. What is unreadable or broken is logged
// once, until it changes again, and what was applied before stays.
//
// It starts with a look of its own and applies what it finds, even if that is what Load returned: the file may have
// changed in between. So apply must not mind the same configuration twice. All calls of build and apply come from the
// goroutine that runs execute.
func Watch[T any](
	path string, every time.Duration, build func(*Config) (T, error), apply func(T), log *slog.Logger,
) (execute func() error, interrupt func(error)) {
	ctx, cancel := context.WithCancel(context.Background())
	refresh := func(level slog.Level) *sources {
		built, src, err := load(path, build)
		if err != nil {
			log.Error("configuration refused, the old one stays", "path", path, "err", err)
			return src
		}
		apply(built)
		log.Log(ctx, level, "configuration applied", "path", path)
		return src
	}
	execute = func() error {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		src := refresh(slog.LevelDebug) // usually it is what the process started with
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-ticker.C:
				if src.changed() {
					src = refresh(slog.LevelInfo)
				}
			}
		}
	}
	return execute, func(error) { cancel() }
}
