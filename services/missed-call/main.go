// Command missed-call finds the callers who reached nobody, sees to it that they are not forgotten, and tells people.
package main

import (
	"github.com/switchhook/switchhook/pkg/cli"
	"github.com/switchhook/switchhook/pkg/service"
	"github.com/switchhook/switchhook/services/missed-call/live"
)

func main() {
	cli.Main(service.Command(live.Part(), "Finds the callers who reached nobody, keeps them in a ledger until somebody calls back, and tells people."))
}
