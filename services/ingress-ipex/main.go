// Command ingress-ipex receives the webhooks of IPEX exchanges and publishes them as events.
package main

import (
	"github.com/switchhook/switchhook/pkg/cli"
	"github.com/switchhook/switchhook/pkg/service"
	"github.com/switchhook/switchhook/pkg/vendors/ipex"
)

func main() {
	cli.Main(service.Command(service.Ingress(ipex.Name), "Receives the webhooks of IPEX exchanges and publishes them as events."))
}
