// Package directories knows the sources of contacts that a tenant can have: files, databases and CRMs. It finds whom a
// number belongs to; which directory's word counts, and how long, is decided elsewhere.
//
// A new type is a function that reads its settings, and a line in types. No error and no log line holds a credential, nor
// anything that a directory answered.
package directories

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/phone"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// Directory is a source of contacts of one tenant. It is safe for concurrent use.
type Directory interface {
	// Find returns whom the directory knows by a number, best first; none and no error when it knows nobody. The forms are
	// those of phone.Forms; without any it finds nobody. The name of a match is never empty, its directory always.
	//
	// It keeps to the context's deadline. Errors are fault.Unavailable when the directory does not answer, or not in time
	// (context.DeadlineExceeded is in the chain then); fault.Denied when it refuses the credentials; fault.Internal when
	// its answer cannot be read.
	Find(ctx context.Context, forms []phone.Form) ([]*pbxv1.ContactMatch, error)

	// Close ends connections. Find is Unavailable from then on. Closing again does nothing.
	Close() error
}

// Named is a directory with its place in the configuration.
type Named struct {
	Name, Type string
	// Digest is another one whenever the configuration is, except for credentials: it reveals nothing of them, and with
	// others the directory still says the same.
	Digest string
	// InMemory says that the directory answers from memory, and what it says today: keeping its answers gains nothing.
	InMemory bool
	Directory
}

// New opens the directories of a tenant, in the order of the file. It connects to nothing and reads no file yet. It returns
// config.Problems.
func New(t *config.Tenant, log *slog.Logger) ([]Named, error) {
	var all []Named
	var problems config.Problems
	for _, d := range t.Directories {
		s, found := read(d)
		if problems = append(problems, found...); len(problems) > 0 {
			continue
		}
		log := log.With("tenant", t.Name, "directory", d.Name)
		directory := s.open(d, log)
		_, inMemory := directory.(*file)
		all = append(all, Named{d.Name, d.Type, digest(d, s), inMemory, directory})
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return all, nil
}

// Check returns what is wrong with the directories of all tenants, as config.Problems, or nil. It opens nothing.
func Check(c *config.Config) error {
	var problems config.Problems
	for _, t := range c.Tenants {
		for _, d := range t.Directories {
			_, found := read(d)
			problems = append(problems, found...)
		}
	}
	if len(problems) > 0 {
		return problems
	}
	return nil
}

// Types returns the types of directory there are, in order.
func Types() []string { return slices.Sorted(maps.Keys(types())) }

// settings are what the configuration says about one directory. All that matters is in exported fields, of which JSON hides
// the secrets.
type settings interface {
	open(d *config.Directory, log *slog.Logger) Directory
}

// types returns, by type, what reads the settings.
func types() map[string]func(*config.Directory) (settings, config.Problems) {
	return map[string]func(*config.Directory) (settings, config.Problems){
		"file":      readFile,
		"sql":       readSQL,
		"http":      readHTTP,
		"bitrix24":  readBitrix24,
		"hubspot":   readHubSpot,
		"pipedrive": readPipedrive,
		"raynet":    readRaynet,
	}
}

func read(d *config.Directory) (settings, config.Problems) {
	read, known := types()[d.Type]
	if !known {
		return nil, config.Problems{d.Problem("type", "unknown type %s, want one of %s", d.Type, strings.Join(Types(), ", "))}
	}
	return read(d)
}

func digest(d *config.Directory, s settings) string {
	data, err := json.Marshal([]any{d.Tenant.Region, d.Type, d.Name, s})
	if err != nil {
		panic(fmt.Sprintf("directories: settings of %s are no JSON: %v", d.Type, err)) // They are plain values.
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

// failed returns what Find says when the directory did not answer. Only what is known to hold no credential is passed on.
func failed(ctx context.Context, directory, doing string, err error) error {
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return fault.New(fault.Unavailable, "directory %s: %s: %w", directory, doing, harmlessError(err))
}

func closedError(directory string) error {
	return fault.New(fault.Unavailable, "directory %s: is closed", directory)
}
