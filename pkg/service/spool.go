package service

import (
	"slices"

	"github.com/oklog/run"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/ingress"
	"github.com/switchhook/switchhook/pkg/spool"
)

// spoolFlags adds the flags of what takes webhooks.
func spoolFlags(flags *pflag.FlagSet, o *Options, none string) {
	flags.StringVar(&o.Spool, "spool", "",
		"`folder` where webhooks wait on disk while JetStream does not acknowledge; one process's at a time; "+none)
	flags.Int64Var(&o.SpoolMaxBytes, "spool-max-bytes", spool.DefaultMaxBytes, "how many `bytes` wait there at most")
}

// storage is where webhooks are stored: JetStream, with or without a spool in front of it.
type storage struct {
	bus   *bus.Bus
	spool *spool.Spool // may be nil
}

func openStorage(o Options, b *bus.Bus, r prometheus.Registerer, parts []Part) (storage, error) {
	if o.Spool == "" || !slices.ContainsFunc(parts, func(p Part) bool { return p.Stores }) {
		return storage{bus: b}, nil
	}
	s, err := spool.Open(spool.Options{Folder: o.Spool, MaxBytes: o.SpoolMaxBytes, Bus: b, Metrics: r, Log: o.Log})
	return storage{b, s}, err
}

func (s storage) store() ingress.Store {
	if s.spool == nil {
		return s.bus
	}
	return s.spool
}

// ready is the condition for being ready. What does more than take webhooks needs JetStream, whatever the spool can take.
func (s storage) ready(parts []Part) func() error {
	if s.spool == nil || slices.ContainsFunc(parts, func(p Part) bool { return !p.Stores }) {
		return s.bus.Ready
	}
	return s.spool.Ready
}

func (s storage) join(g *run.Group) {
	if s.spool != nil {
		g.Add(s.spool.Drain())
	}
}

func (s storage) close() {
	if s.spool != nil {
		s.spool.Close()
	}
}
