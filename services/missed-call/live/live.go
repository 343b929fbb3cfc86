// Package live joins the cores of missed-call to the bus: the ledger, whose events and entries package derive publishes and
// writes, and the alerts that follow from these events, which package deliver carries to people.
package live

import (
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/oklog/run"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/derive"
	"github.com/switchhook/switchhook/pkg/service"
	"github.com/switchhook/switchhook/pkg/vendors"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/missed-call/deliver"
	"github.com/switchhook/switchhook/services/missed-call/missed"
	"github.com/switchhook/switchhook/services/missed-call/settings"
)

// Name is what the service is called.
const Name = "missed-call"

// Part returns the service.
func Part() service.Part {
	return service.Part{Name: Name, Check: settings.Check, Start: func(env service.Env) (http.Handler, error) {
		s, err := New(Options{
			Bus: env.Bus, Log: env.Log, Metrics: env.Metrics, Config: env.Settings.Get().Config,
			Replicas: func() int { return env.Settings.Get().Config.Streams.Replicas },
		})
		if err != nil {
			return nil, err
		}
		env.Settings.OnChange(func(changed *service.Settings) {
			if err := s.Configure(changed.Config); err != nil {
				env.Log.Error("missed calls not configured anew, the old settings stay", "err", err)
			}
		})
		env.AddReady(s.Ready)
		s.Join(env.Group)
		return nil, nil
	}}
}

// Options are what a Service works with. Metrics, Clock, Now and Lease may be left out.
type Options struct {
	Bus      *bus.Bus
	Log      *slog.Logger
	Metrics  prometheus.Registerer
	Replicas func() int // servers that keep a copy of what is written
	Config   *config.Config
	// Clock says what time the stream is at an event; by default, when it was stored.
	Clock func(bus.Stored[*pbxv1.Event]) time.Time
	Now   func() time.Time
	// Lease is as in deliver.Options.
	Lease time.Duration
}

// Service keeps the ledger and tells people. The replica guards the ledger, and the tenants' names.
type Service struct {
	Options
	replica *derive.Keeper
	ledger  *missed.Machine
	entries *derive.Rows[*pbxv1.MissedCall]
	alerts  *deliver.Deliverer
	tokens  tokens
	tenants map[string]bool
}

// New returns a service that does nothing before its actors run. Its errors hold config.Problems.
func New(o Options) (*Service, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Service{Options: o, ledger: missed.New(nil)}
	s.replica = derive.New(derive.Options{
		Bus: o.Bus, Log: o.Log, Metrics: o.Metrics, Clock: o.Clock, Now: o.Now,
		Name: Name, Derives: "entries", Own: "missed_call.*", Core: core{s.ledger, s},
		About:   func(ev *pbxv1.Event) string { return ev.GetMissedCall().GetId() },
		Restore: s.restore, Note: s.note,
		Loaded:   func() bool { return s.alerts.Loaded() },
		CaughtUp: func() { s.alerts.CaughtUp() },
		Trace:    func(ev *pbxv1.Event, headers map[string][]string) { s.alerts.Trace(ev, headers) },
	})
	s.entries = derive.NewRows(s.replica, o.Bus.MissedCalls(o.Replicas), 0, s.ledger.Entry)
	read, err := s.read(o.Config)
	if err != nil {
		return nil, err
	}
	s.alerts, err = deliver.New(deliver.Options{
		Bus: o.Bus, Log: o.Log, Metrics: o.Metrics, Replicas: o.Replicas, Now: o.Now,
		Active: s.replica.Active, Tokens: s.tokens.get, Lease: o.Lease,
	}, read)
	if err != nil {
		return nil, err
	}
	s.configure(read)
	return s, nil
}

// read reads the settings, and takes over where tokens come from.
func (s *Service) read(c *config.Config) ([]settings.Tenant, error) {
	read, err := settings.Read(c)
	source, wrong := vendors.Tokens(c)
	if err := errors.Join(err, wrong); err != nil {
		return nil, err
	}
	s.tokens.use(source)
	return read, nil
}

// Configure takes up a changed configuration; or returns an error, and leaves all as it is.
func (s *Service) Configure(c *config.Config) error {
	read, err := s.read(c)
	if err != nil {
		return err
	}
	if err := s.alerts.Configure(read); err != nil {
		return err
	}
	s.configure(read)
	return nil
}

func (s *Service) configure(read []settings.Tenant) {
	var ledger []missed.Settings
	tenants := make(map[string]bool)
	for _, t := range read {
		ledger = append(ledger, t.Missed)
		tenants[t.Name] = true
	}
	s.replica.Do(func() {
		s.ledger.Configure(ledger)
		s.tenants = tenants
	})
}

// Ready returns nil once all that was stored at the start has been read.
func (s *Service) Ready() error { return s.replica.Ready() }

// Join adds the actors that a service consists of to a group.
func (s *Service) Join(g *run.Group) {
	s.replica.Join(g)
	s.alerts.Join(g)
	g.Add(s.serve())
}

// restore tells the ledger what the bucket knows of entries from before the stream begins.
func (s *Service) restore(first time.Time, _ bool) {
	rows := s.entries.Rows()
	for _, key := range slices.Sorted(maps.Keys(rows)) {
		if rows[key].Value.GetOpenedAt().AsTime().Before(first) {
			s.ledger.Restore(key, rows[key].Value)
		}
	}
}

// note notes which entries changed since the last time, or all there are, in the ledger and in the bucket.
func (s *Service) note(all bool) {
	s.entries.Note(s.ledger.Touched()...)
	if all {
		s.entries.Note(s.ledger.Keys()...)
		s.entries.Note(slices.Collect(maps.Keys(s.entries.Rows()))...)
	}
}

// core is the ledger, whose events the alerts follow from.
type core struct {
	*missed.Machine
	service *Service
}

// Apply implements derive.Core.
func (c core) Apply(sequence uint64, at time.Time, ev *pbxv1.Event) []*pbxv1.Event {
	derived := c.Machine.Apply(sequence, at, ev)
	if ev.GetMissedCall() != nil {
		c.service.alerts.Apply(at, ev)
	}
	return derived
}
