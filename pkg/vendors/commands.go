package vendors

import (
	"context"
	"errors"
	"net/http"

	"github.com/switchhook/switchhook/pkg/command"
	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/vendors/ipex"
	"github.com/switchhook/switchhook/pkg/vendors/mcn"
	"github.com/switchhook/switchhook/pkg/vendors/xvb"
)

// Capabilities returns what each vendor's interface for commands can do.
func Capabilities() map[string][]command.Capability {
	return map[string][]command.Capability{
		ipex.Name: ipex.Capabilities(),
		mcn.Name:  mcn.Capabilities(),
		xvb.Name:  xvb.Capabilities(),
	}
}

// Commanders returns every exchange that commands can be sent to: those with an `api` section. The error holds config.Problems.
// It connects to nothing. What is no vendor is left to New, which says so.
func Commanders(c *config.Config) (map[event.Origin]command.Exchange, error) {
	create := map[string]func(*config.Exchange, *http.Client) (command.Exchange, error){
		ipex.Name: ipex.NewCommander,
		mcn.Name:  mcn.NewCommander,
		xvb.Name:  xvb.NewCommander,
	}
	client := command.NewClient()
	commanders := make(map[event.Origin]command.Exchange)
	var errs []error
	for _, tenant := range c.Tenants {
		for _, exchange := range tenant.Exchanges {
			if create[exchange.Vendor] == nil {
				continue
			}
			commander, err := create[exchange.Vendor](exchange, client)
			errs = append(errs, err)
			if commander != nil {
				commanders[exchange.Origin()] = commander
			}
		}
	}
	return commanders, errors.Join(errs...)
}

// Tokens returns what obtains tokens for the exchanges of IPEX, as the vendor's other services take them too, SMS for one. It is
// told a tenant, an exchange by its name, and the token that was just refused, if any. Tokens are shared by all who ask, and kept
// as long as the function is. Its errors are those of ipex.Tokens, and fault.Invalid for an exchange that has no `api` section.
//
// The error of Tokens itself holds config.Problems. It connects to nothing.
func Tokens(c *config.Config) (func(ctx context.Context, tenant, exchange, refused string) (string, error), error) {
	client := command.NewClient()
	sources := make(map[event.Origin]ipex.Tokens)
	var errs []error
	for _, tenant := range c.Tenants {
		for _, exchange := range tenant.Exchanges {
			if exchange.Vendor != ipex.Name {
				continue
			}
			source, err := ipex.NewTokens(exchange, client)
			errs = append(errs, err)
			sources[exchange.Origin()] = source
		}
	}
	return func(ctx context.Context, tenant, exchange, refused string) (string, error) {
		source, known := sources[event.Origin{Vendor: ipex.Name, Tenant: tenant, Exchange: exchange}]
		switch {
		case !known:
			return "", fault.New(fault.Invalid, "obtaining a token: %s has no exchange %q of ipex", tenant, exchange)
		case source == nil:
			return "", fault.New(fault.Invalid, "obtaining a token: the exchange %s of %s has no api section", exchange, tenant)
		}
		return source(ctx, refused)
	}, errors.Join(errs...)
}
