// Command command-relay carries commands out at the exchanges, each at most once.
package main

import (
	"github.com/switchhook/switchhook/pkg/cli"
	"github.com/switchhook/switchhook/pkg/service"
	"github.com/switchhook/switchhook/services/command-relay/live"
)

func main() {
	cli.Main(service.Command(live.Part(), "Carries commands out at the exchanges: calls, hang-ups and transfers, each at most once."))
}
