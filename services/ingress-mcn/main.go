// Command ingress-mcn receives the webhooks of MCN exchanges and publishes them as events.
package main

import (
	"github.com/switchhook/switchhook/pkg/cli"
	"github.com/switchhook/switchhook/pkg/service"
	"github.com/switchhook/switchhook/pkg/vendors/mcn"
)

func main() {
	cli.Main(service.Command(service.Ingress(mcn.Name), "Receives the webhooks of MCN exchanges and publishes them as events."))
}
