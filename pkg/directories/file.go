package directories

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/directories/addressbook"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/phone"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// recheck is how often a file in use is looked at.
const recheck = time.Second

// fileSettings are those of the type file.
type fileSettings struct {
	Path    string              `yaml:"path,required"`
	Format  string              `yaml:"format"`
	Columns addressbook.Columns `yaml:"columns"`
	Limit   int                 `yaml:"limit"`
}

func readFile(d *config.Directory) (settings, config.Problems) {
	s := fileSettings{Limit: defaultLimit}
	problems := d.Read(&s)
	if s.Format == "" {
		s.Format = map[string]string{".csv": "csv", ".vcf": "vcard"}[strings.ToLower(filepath.Ext(s.Path))]
		problems = append(problems, d.Check(s.Path == "" || s.Format != "", "path", "want an ending of .csv or .vcf, or a format")...)
	} else {
		problems = append(problems, d.Check(s.Format == "csv" || s.Format == "vcard", "format", "want csv or vcard, have %q", s.Format)...)
	}
	problems = append(problems, d.Check(s.Limit > 0, "limit", "want at least 1")...)
	return s, problems
}

func (s fileSettings) open(d *config.Directory, log *slog.Logger) Directory {
	path := d.Path(s.Path)
	return &file{settings: s, path: path, name: d.Name, region: d.Tenant.Region, log: log.With("path", path)}
}

// file is a directory in a file, held in memory. It looks whether the file has changed when it is asked, at most once a
// second; meanwhile, and while the file cannot be used, it answers from what it has.
type file struct {
	settings     fileSettings
	path         string
	name, region string
	log          *slog.Logger

	mu      sync.Mutex
	closed  bool
	book    *addressbook.Book // nil until the file could be read
	err     error             // what the last look at the file came to
	looked  time.Time         // when that was
	looking chan struct{}     // closed when the look under way is over; nil when none is

	seen look // Only the look under way may use it.
}

// look is what a file was when it was looked at.
type look struct {
	info os.FileInfo
	at   time.Time
	sum  [sha256.Size]byte
}

// Find returns the contacts with the number, in the order of the file.
func (f *file) Find(ctx context.Context, forms []phone.Form) ([]*pbxv1.ContactMatch, error) {
	book, err := f.current(ctx)
	if err != nil || len(forms) == 0 {
		return nil, err
	}
	var matches []*pbxv1.ContactMatch
	entries := book.Find(forms[0].Number)
	for _, entry := range entries[:min(len(entries), f.settings.Limit)] {
		matches = append(matches, &pbxv1.ContactMatch{
			Name: entry.Name, Organisation: entry.Organisation, Url: entry.URL,
			ResponsibleExtension: entry.ResponsibleExtension, ResponsibleEmail: entry.ResponsibleEmail,
			MatchedNumber: entry.Number, MatchedForm: forms[0].Name,
		})
	}
	return matches, nil
}

// current returns the contents, and waits for them only if there are none yet.
func (f *file) current(ctx context.Context) (*addressbook.Book, error) {
	if ctx.Err() != nil {
		return nil, failed(ctx, f.name, "search", nil)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, closedError(f.name)
	}
	if now := time.Now(); f.looking == nil && now.Sub(f.looked) >= recheck {
		f.looked = now
		f.looking = make(chan struct{})
		go f.look(f.looking)
	}
	if looking := f.looking; f.book == nil && looking != nil {
		f.mu.Unlock()
		select {
		case <-looking:
		case <-ctx.Done():
		}
		f.mu.Lock()
	}
	switch {
	case f.book != nil:
		return f.book, nil
	case f.err != nil:
		return nil, f.err
	default:
		return nil, failed(ctx, f.name, "read the file", nil)
	}
}

// look reads the file if it has changed, and logs what became of it. What cannot be used is logged once.
func (f *file) look(done chan struct{}) {
	book, err := f.load()
	f.mu.Lock()
	defer f.mu.Unlock()
	defer close(done)
	switch {
	case err != nil && f.book != nil && (f.err == nil || f.err.Error() != err.Error()):
		f.log.Warn("file cannot be used, the contacts of before stay", "err", err)
	case book != nil:
		f.book = book
		f.log.Info("contacts loaded", "contacts", book.Contacts, "without_number", book.WithoutNumber, "problems", len(book.Problems))
		for _, p := range book.Problems[:min(len(book.Problems), maxLogged)] {
			f.log.Warn("contact left out", "line", p.Line, "err", p.Message)
		}
	}
	f.err, f.looking = err, nil
}

// maxLogged is the greatest number of contacts left out that are logged one by one.
const maxLogged = 20

// load returns no contents if the file is what it was, and the error of then.
func (f *file) load() (*addressbook.Book, error) {
	info, err := os.Stat(f.path)
	if err != nil {
		return nil, f.unusable(err)
	}
	now := time.Now()
	if f.seen.same(info) {
		return nil, f.err
	}
	data, err := os.ReadFile(f.path)
	if err != nil {
		return nil, f.unusable(err)
	}
	before := f.seen
	f.seen = look{info, now, sha256.Sum256(data)}
	if before.info != nil && before.sum == f.seen.sum {
		return nil, f.err // Of the same contents as before.
	}
	if f.settings.Format == "vcard" {
		return addressbook.ReadVCard(data, f.region), nil
	}
	book, err := addressbook.ReadCSV(data, f.settings.Columns, f.region)
	if err != nil {
		return nil, fault.New(fault.Internal, "directory %s: read %s: %w", f.name, f.path, err)
	}
	return book, nil
}

func (f *file) unusable(err error) error {
	f.seen = look{}
	return fault.New(fault.Unavailable, "directory %s: %w", f.name, err)
}

// same reports whether a file cannot have changed since. A file that had just been written when it was read may have been
// written again within the same tick of the file system's clock.
func (l look) same(info os.FileInfo) bool {
	return l.info != nil && os.SameFile(l.info, info) && l.info.Size() == info.Size() && l.info.ModTime().Equal(info.ModTime()) &&
		l.at.Sub(info.ModTime()) > 2*recheck
}

// Close forgets the contents.
func (f *file) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	if looking := f.looking; looking != nil {
		f.mu.Unlock()
		<-looking
		f.mu.Lock()
	}
	f.book = nil
	return nil
}
