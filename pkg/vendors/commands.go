package vendors

import (
	"errors"
	"net/http"

	"github.com/switchhook/switchhook/pkg/command"
	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/event"
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
