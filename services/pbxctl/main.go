// Command pbxctl is the operator's tool: it shows the events, checks a configuration, and empties the quarantine.
package main

import (
	"github.com/switchhook/switchhook/pkg/cli"
	"github.com/switchhook/switchhook/services/pbxctl/ctl"
)

func main() { cli.Main(ctl.Command()) }
