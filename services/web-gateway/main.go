// Command web-gateway serves browsers: screen pops and commands by WebSocket, lists and figures by HTTP, and a page.
package main

import (
	"github.com/switchhook/switchhook/pkg/cli"
	"github.com/switchhook/switchhook/pkg/service"
	"github.com/switchhook/switchhook/services/web-gateway/live"
)

func main() {
	cli.Main(service.Command(live.Part(), "Serves browsers: screen pops, commands, wallboard and missed calls, and a page with all of these."))
}
