// Package cluster_test runs the programs as processes on NATS servers with the configuration of deploy/nats: each service with the
// user and the permissions that it has in production, more than one replica of each, on a cluster of three servers.
package cluster_test

import (
	"flag"
	"testing"

	"github.com/switchhook/switchhook/test/process"
)

var long = flag.Bool("long", false, "the long form: more load, and more rounds of restarts")

// The programs are built as they are shipped, since the race detector would make the figures worthless.
func TestMain(m *testing.M) {
	process.Main(m, process.Build{
		Packages: []string{
			"github.com/nats-io/nats-server/v2",
			"../../services/ingress-ipex", "../../services/ingress-mcn", "../../services/ingress-xvb", "../../services/contact-lookup",
			"../../services/agent-state", "../../services/missed-call", "../../services/command-relay", "../../services/web-gateway",
			"../../services/pbxsim", "../../services/pbxctl",
		},
		Env: []string{"CGO_ENABLED=0"},
	})
}
