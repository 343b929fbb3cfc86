package service

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/switchhook/switchhook/pkg/cli"
)

// mounts serves each part below its own first path segment, or a single part everywhere; either sees the path as it was
// called. What is mounted at / gets what no other does. It is no http.ServeMux, since that answers an unclean path with a redirect, which no exchange follows.
type mounts struct {
	paths []string
	parts map[string]http.Handler
	only  http.Handler
}

func (m *mounts) add(path string, h http.Handler, alone bool) {
	if alone {
		m.only = h
		return
	}
	if m.parts == nil {
		m.parts = make(map[string]http.Handler)
	}
	if path != "/" {
		m.paths = append(m.paths, path)
	}
	m.parts[path] = h
}

func (m *mounts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if m.only != nil {
		m.only.ServeHTTP(w, r)
		return
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	part, ok := m.parts["/"+first]
	if !ok {
		part, ok = m.parts["/"]
	}
	if !ok {
		m.notFound(w)
		return
	}
	part.ServeHTTP(w, r)
}

func (m *mounts) notFound(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(http.StatusNotFound)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"type": "about:blank", "title": "Not Found", "status": http.StatusNotFound,
		"detail": m.hint(),
	})
}

func (m *mounts) hint() string {
	if len(m.paths) == 0 {
		return "Nothing is here. This service answers on NATS; health and metrics have an address of their own."
	}
	return "Nothing is here. Webhooks go to " + strings.Join(m.paths, ", ") + " and any path below."
}

// health answers whether the process lives and whether it can do its work.
type health struct {
	ready    []func() error // all are to return nil; complete before the first question
	draining atomic.Bool
}

func (h *health) addReady(condition func() error) { h.ready = append(h.ready, condition) }

// notReady returns the first reason not to be.
func (h *health) notReady() error {
	for _, condition := range h.ready {
		if err := condition(); err != nil {
			return err
		}
	}
	return nil
}

// tell tells whether the process is ready, as a metric.
func (h *health) tell(r prometheus.Registerer, service string) {
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "switchhook_ready",
		Help:        "1 while the service can do its work, as /readyz says; 0 while it cannot, or is shutting down.",
		ConstLabels: prometheus.Labels{"service": service},
	}, func() float64 {
		if h.draining.Load() || h.notReady() != nil {
			return 0
		}
		return 1
	}))
}

// drain returns an actor that, when interrupted, tells load balancers to go elsewhere.
func (h *health) drain() (execute func() error, interrupt func(error)) {
	done := make(chan struct{})
	return func() error { <-done; return nil }, func(error) {
		h.draining.Store(true)
		close(done)
	}
}

func (h *health) handler(registry *prometheus.Registry) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		switch err := h.notReady(); {
		case h.draining.Load():
			answer(w, http.StatusServiceUnavailable, "shutting down")
		case err != nil:
			answer(w, http.StatusServiceUnavailable, err.Error())
		default:
			answer(w, http.StatusOK, "ok")
		}
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry}))
	return mux
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}

func newRegistry(service string) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "switchhook_build_info",
		Help:        "1, with the version and the service as labels.",
		ConstLabels: prometheus.Labels{"version": cli.Version, "service": service},
	})
	build.Set(1)
	registry.MustRegister(build, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}
