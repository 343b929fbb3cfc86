package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a configuration file. It never holds a secret.
type Problem struct {
	Line    int // 1 is the first; 0 when it is about no line
	Message string
}

// Error returns the message, after its line if there is one.
func (p Problem) Error() string {
	if p.Line == 0 {
		return p.Message
	}
	return fmt.Sprintf("line %d: %s", p.Line, p.Message)
}

// Problems is everything that is wrong, sorted by line.
type Problems []Problem

// Error returns one problem a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find each problem.
func (ps Problems) Unwrap() []error {
	errs := make([]error, len(ps))
	for i, p := range ps {
		errs[i] = p
	}
	return errs
}

// err returns the problems sorted and each once, or nil when there are none.
func (ps Problems) err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps.sorted()
}

func (ps Problems) sorted() Problems {
	slices.SortFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), strings.Compare(a.Message, b.Message))
	})
	return slices.Compact(ps)
}

// problemsIn returns the problems that an error holds, however it is joined and wrapped. An error without any becomes a
// problem of no line.
func problemsIn(err error) Problems {
	switch e := err.(type) { //nolint:errorlint // This walks the tree that errors.As searches.
	case nil:
		return nil
	case Problem:
		return Problems{e}
	case interface{ Unwrap() []error }:
		var all Problems
		for _, each := range e.Unwrap() {
			all = append(all, problemsIn(each)...)
		}
		return all
	}
	if _, found := errors.AsType[Problem](err); found {
		return problemsIn(errors.Unwrap(err))
	}
	return Problems{{Message: err.Error()}}
}

// FileError is everything that is wrong with one configuration file.
type FileError struct {
	Path     string
	Problems Problems
}

// Error returns one "path:line: message" a line, without the line number for what is about no line.
func (e *FileError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		if p.Line == 0 {
			lines[i] = fmt.Sprintf("%s: %s", e.Path, p.Message)
		} else {
			lines[i] = fmt.Sprintf("%s:%d: %s", e.Path, p.Line, p.Message)
		}
	}
	return strings.Join(lines, "\n")
}
