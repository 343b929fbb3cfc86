// Command agent-state knows what every agent does, publishes each change of it, and counts the day.
package main

import (
	"github.com/switchhook/switchhook/pkg/cli"
	"github.com/switchhook/switchhook/pkg/service"
	"github.com/switchhook/switchhook/services/agent-state/live"
)

func main() {
	cli.Main(service.Command(live.Part(), "Knows what every agent does, publishes each change of it, and counts the day."))
}
