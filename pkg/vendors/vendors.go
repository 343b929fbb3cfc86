// Package vendors lists the vendors whose exchanges can be connected. A new vendor is a folder here, a line in this list,
// and a service that receives its webhooks.
package vendors

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/vendors/ipex"
	"github.com/switchhook/switchhook/pkg/vendors/mcn"
	"github.com/switchhook/switchhook/pkg/vendors/xvb"
	"github.com/switchhook/switchhook/pkg/webhook"
)

// Set holds every vendor by name, each with the exchanges that are configured for it, which may be none.
type Set map[string]webhook.Vendor

// constructors is the list.
var constructors = map[string]func([]*config.Exchange) (webhook.Vendor, error){
	ipex.Name: adapt(ipex.New),
	mcn.Name:  adapt(mcn.New),
	xvb.Name:  adapt(xvb.New),
}

func adapt[V webhook.Vendor](create func([]*config.Exchange) (V, error)) func([]*config.Exchange) (webhook.Vendor, error) {
	return func(exchanges []*config.Exchange) (webhook.Vendor, error) { return create(exchanges) }
}

// Names returns the vendors' names, sorted.
func Names() []string { return slices.Sorted(maps.Keys(constructors)) }

// New returns every vendor with its exchanges, or an error that holds config.Problems: all that is wrong with any exchange.
func New(c *config.Config) (Set, error) {
	var errs []error
	exchanges := make(map[string][]*config.Exchange)
	for _, tenant := range c.Tenants {
		for _, exchange := range tenant.Exchanges {
			if constructors[exchange.Vendor] == nil {
				errs = append(errs, exchange.Problem("vendor", "%q is no vendor that can be connected: want one of %s",
					exchange.Vendor, strings.Join(Names(), ", ")))
				continue
			}
			exchanges[exchange.Vendor] = append(exchanges[exchange.Vendor], exchange)
		}
	}
	set := make(Set)
	for name, create := range constructors {
		vendor, err := create(exchanges[name])
		errs = append(errs, err)
		set[name] = vendor
	}
	return set, errors.Join(errs...)
}
