// Command contact-lookup says who is calling: it asks the tenants' directories, and publishes what they know.
package main

import (
	"github.com/switchhook/switchhook/pkg/cli"
	"github.com/switchhook/switchhook/pkg/service"
	"github.com/switchhook/switchhook/services/contact-lookup/live"
)

func main() {
	cli.Main(service.Command(live.Part(), "Says who is calling: asks the tenants' directories, and publishes what they know."))
}
