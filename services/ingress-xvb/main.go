// Command ingress-xvb receives the webhooks of XVB exchanges and publishes them as events.
package main

import (
	"github.com/switchhook/switchhook/pkg/cli"
	"github.com/switchhook/switchhook/pkg/service"
	"github.com/switchhook/switchhook/pkg/vendors/xvb"
)

func main() {
	cli.Main(service.Command(service.Ingress(xvb.Name), "Receives the webhooks of XVB exchanges and publishes them as events."))
}
