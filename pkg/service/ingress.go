package service

import (
	"net/http"

	"github.com/switchhook/switchhook/pkg/ingress"
)

// Ingress is the service that receives the webhooks of one vendor.
func Ingress(vendor string) Part {
	return Part{
		Name:   "ingress-" + vendor,
		Mount:  "/" + vendor,
		Stores: true,
		Start: func(env Env) (http.Handler, error) {
			dialect := env.Settings.Get().Vendors[vendor]
			if len(dialect.Exchanges()) == 0 {
				env.Log.Info("no exchange of this vendor is configured: every webhook will be refused", "vendor", vendor)
			}
			h := ingress.New(dialect, ingress.Options{
				Store: env.Store, Directory: env.Bus, Metrics: env.Metrics, Log: env.Log, Tracer: env.Tracer, Trusted: env.Trusted,
			})
			env.Settings.OnChange(func(s *Settings) { h.Use(s.Vendors[vendor]) })
			return h, nil
		},
	}
}
