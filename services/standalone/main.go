// Command standalone runs all of Switchhook in one process, on an embedded NATS server.
package main

import (
	"github.com/switchhook/switchhook/pkg/cli"
	"github.com/switchhook/switchhook/pkg/service"
	"github.com/switchhook/switchhook/pkg/vendors"
)

func main() {
	var parts []service.Part
	for _, vendor := range vendors.Names() {
		parts = append(parts, service.Ingress(vendor))
	}
	cli.Main(service.Standalone("Runs all of Switchhook in one process, on an embedded NATS server.", parts...))
}
