// Command standalone runs all of Switchhook in one process, on an embedded NATS server.
package main

import (
	"log/slog"

	"github.com/switchhook/switchhook/pkg/bus/embedded"
	"github.com/switchhook/switchhook/pkg/cli"
	"github.com/switchhook/switchhook/pkg/service"
	"github.com/switchhook/switchhook/pkg/vendors"
	agentstate "github.com/switchhook/switchhook/services/agent-state/live"
	commandrelay "github.com/switchhook/switchhook/services/command-relay/live"
	contactlookup "github.com/switchhook/switchhook/services/contact-lookup/live"
	missedcall "github.com/switchhook/switchhook/services/missed-call/live"
	webgateway "github.com/switchhook/switchhook/services/web-gateway/live"
)

func main() {
	var parts []service.Part
	for _, vendor := range vendors.Names() {
		parts = append(parts, service.Ingress(vendor))
	}
	parts = append(parts, contactlookup.Part(), agentstate.Part(), missedcall.Part(), commandrelay.Part(), webgateway.Part())
	cli.Main(service.Standalone("Runs all of Switchhook in one process, on an embedded NATS server.", startNATS, parts...))
}

func startNATS(listen, data string, log *slog.Logger) (service.Server, error) {
	return embedded.Start(embedded.Options{Listen: listen, Data: data, Log: log})
}
