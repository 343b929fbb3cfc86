package live

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/directories"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/phone"
	"github.com/switchhook/switchhook/pkg/spans"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/contact-lookup/contacts"
)

// desk has the open directories of all tenants, as now configured.
type desk struct {
	log     *slog.Logger
	now     func() time.Time
	metrics metrics

	mu      sync.RWMutex
	tenants map[string]opened
}

type opened struct {
	finder   *contacts.Finder
	open     []directories.Named
	deadline time.Duration
}

func newDesk(log *slog.Logger, now func() time.Time, m metrics) *desk {
	return &desk{log: log, now: now, metrics: m, tenants: map[string]opened{}}
}

// configure opens the directories anew. The old ones are closed when those who ask them have had their time.
func (d *desk) configure(tenants []*config.Tenant) error {
	fresh := make(map[string]opened)
	for _, t := range tenants {
		open, err := directories.New(t, d.log)
		if err != nil {
			closeAll(fresh)
			return err
		}
		fresh[t.Name] = opened{contacts.NewFinder(t, d.measured(t.Name, open), d.now), open, t.Contacts.Deadline}
	}
	warm(fresh)
	d.mu.Lock()
	old := d.tenants
	d.tenants = fresh
	d.mu.Unlock()
	longest := time.Duration(0)
	for _, o := range old {
		longest = max(longest, o.deadline)
	}
	if len(old) > 0 {
		time.AfterFunc(longest+contacts.Grace+warmLimit, func() { closeAll(old) })
	}
	return nil
}

// measured returns the directories as they are asked: with a look at the clock.
func (d *desk) measured(tenant string, open []directories.Named) []directories.Named {
	all := slices.Clone(open)
	for i := range all {
		all[i].Directory = measured{all[i].Directory, tenant, all[i].Name, d}
	}
	return all
}

type measured struct {
	directories.Directory
	tenant, name string
	desk         *desk
}

// Find implements directories.Directory.
func (m measured) Find(ctx context.Context, forms []phone.Form) ([]*pbxv1.ContactMatch, error) {
	began := m.desk.now()
	ctx, done := spans.Begin(ctx, "ask a directory", "switchhook.tenant", m.tenant, "switchhook.directory", m.name)
	matches, err := m.Directory.Find(ctx, forms)
	done(err)
	m.desk.metrics.asked(m.tenant, m.name, len(matches), err, m.desk.now().Sub(began))
	return matches, err
}

// warmLimit is how long directories that must read something before they can answer have for it.
const warmLimit = 10 * time.Second

// warm lets the directories read what they must before they can answer: else the first callers after a start would be
// strangers, since a big file takes longer than they wait.
func warm(tenants map[string]opened) {
	ctx, cancel := context.WithTimeout(context.Background(), warmLimit)
	defer cancel()
	var warming sync.WaitGroup
	for _, o := range tenants {
		for _, directory := range o.open {
			warming.Go(func() { _, _ = directory.Find(ctx, nil) }) // what is wrong shows when it is asked
		}
	}
	warming.Wait()
}

func closeAll(tenants map[string]opened) {
	for _, o := range tenants {
		for _, directory := range o.open {
			_ = directory.Close()
		}
	}
}

func (d *desk) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	closeAll(d.tenants)
}

func (d *desk) of(tenant string) opened {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.tenants[tenant]
}

// finder returns nil for a tenant that is not configured.
func (d *desk) finder(tenant string) *contacts.Finder { return d.of(tenant).finder }

// asks reports whether there is anybody to ask. A tenant without directories is told nothing about its calls.
func (d *desk) asks(tenant string) bool { return len(d.of(tenant).open) > 0 }

func (d *desk) deadline(tenant string) time.Duration { return d.of(tenant).deadline }

// shared is the bucket of answers, as the book wants it.
type shared struct {
	table *bus.Table[*pbxv1.CachedContact]
}

func (s shared) Get(key string) (*pbxv1.CachedContact, uint64) {
	row := s.table.Get(key)
	return row.Value, row.Revision
}

func (s shared) Put(ctx context.Context, key string, value *pbxv1.CachedContact, revision uint64) (uint64, error) {
	return s.table.Put(ctx, key, value, revision)
}

// Delete tries until nobody writes in between.
func (s shared) Delete(ctx context.Context, key string) error {
	for {
		row := s.table.Get(key)
		if row.Revision == 0 || row.Deleted {
			return nil
		}
		err := s.table.Delete(ctx, key, row.Revision)
		if !fault.Is(err, fault.Conflict) {
			return err
		}
		if err := s.Wait(ctx, key, row.Revision); err != nil {
			return err
		}
	}
}

func (s shared) Keys(prefix string) []string {
	var keys []string
	for key := range s.table.Rows() {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	return keys
}

func (s shared) Wait(ctx context.Context, key string, revision uint64) error {
	for {
		changed := s.table.Changed()
		if s.table.Get(key).Revision != revision {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// isCalled reports whether an agent has an extension or an e-mail address.
func isCalled(a *pbxv1.AgentStatus, name string) bool {
	for _, extension := range a.GetExtensions() {
		if extension == name {
			return true
		}
	}
	return strings.EqualFold(a.GetUser().GetEmail(), name)
}
