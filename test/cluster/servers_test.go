package cluster_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/switchhook/switchhook/test/process"
)

const deploy = "../../deploy/nats/"

// users of the servers' configuration, each with the environment variable of its password.
func users() map[string]string {
	names := map[string]string{}
	for _, user := range []string{
		"ingress-ipex", "ingress-mcn", "ingress-xvb", "contact-lookup", "agent-state", "missed-call", "command-relay", "web-gateway",
		"operator", "admin", "mirror", "team-acme", "sys", "route",
	} {
		names[user] = "NATS_PASSWORD_" + strings.ToUpper(strings.ReplaceAll(user, "-", "_"))
	}
	return names
}

// password is that of a user in these tests.
func password(user string) string { return "secret-of-" + user }

// passwords is the environment of a server.
func passwords() (environment []string) {
	for user, variable := range users() {
		environment = append(environment, variable+"="+password(user))
	}
	return environment
}

// server is a process of nats-server that can be started again with what it stored.
type server struct {
	*process.Process
	t                            *testing.T
	name                         string
	client, monitor, route, leaf string // addresses
	config                       string
	environment                  []string
	logs                         []*process.Process // of it and those before
}

// servers are one server, or a cluster of three.
type servers struct {
	t   *testing.T
	all []*server
}

// startServers starts one or three servers with the configuration of deploy/nats, on addresses of loopback.
func startServers(t *testing.T, n int) *servers {
	t.Helper()
	c := &servers{t: t}
	var routes []string
	addresses := process.FreeAddresses(t, 4*n)
	for i := range n {
		a := addresses[4*i:]
		c.all = append(c.all, &server{
			t: t, name: fmt.Sprintf("nats-%d", i), client: a[0], monitor: a[1], route: a[2], leaf: a[3],
		})
		routes = append(routes, fmt.Sprintf("%q", "nats://route:"+password("route")+"@"+a[2]))
	}
	for _, s := range c.all {
		s.configure(map[int]string{1: "single.conf", 3: "cluster.conf"}[n])
		s.environment = append(s.environment, "NATS_ROUTES=["+strings.Join(routes, ",")+"]")
		s.start()
	}
	c.awaitHealthy()
	return c
}

// configure copies a file of deploy/nats, with addresses of its own.
func (s *server) configure(file string) {
	s.t.Helper()
	folder := s.t.TempDir()
	text := strings.NewReplacer("0.0.0.0:4222", s.client, "0.0.0.0:8222", s.monitor, "0.0.0.0:6222", s.route, "0.0.0.0:7422", s.leaf).
		Replace(process.ReadFile(s.t, deploy+file))
	s.config = filepath.Join(folder, file)
	process.WriteFile(s.t, s.config, text)
	process.WriteFile(s.t, filepath.Join(folder, "accounts.conf"), process.ReadFile(s.t, deploy+"accounts.conf"))
	s.environment = append(passwords(), "NATS_SERVER_NAME="+s.name, "NATS_STORE_DIR="+filepath.Join(folder, "data"))
}

func (s *server) start() {
	s.t.Helper()
	s.Process = process.StartWith(s.t, s.environment, "nats-server", "-c", s.config)
	s.logs = append(s.logs, s.Process)
}

// awaitHealthy waits until each is there and has all that the others have.
func (c *servers) awaitHealthy() {
	c.t.Helper()
	for _, s := range c.all {
		s.AwaitReady("http://"+s.monitor+"/healthz", 60*time.Second)
	}
}

// roll restarts one server after the other, and waits each time until it has caught up.
func (c *servers) roll(signal syscall.Signal) {
	c.t.Helper()
	for _, s := range c.all {
		s.Stop(signal)
		s.start()
		c.awaitHealthy()
	}
}

// url is where a user connects.
func (c *servers) url(user string) string {
	var urls []string
	for _, s := range c.all {
		urls = append(urls, "nats://"+user+":"+password(user)+"@"+s.client)
	}
	return strings.Join(urls, ",")
}

// connect connects a user without the bus. It closes with the test.
func (c *servers) connect(user string, options ...nats.Option) (*nats.Conn, jetstream.JetStream) {
	c.t.Helper()
	nc, err := nats.Connect(c.url(user), options...)
	if err != nil {
		c.t.Fatalf("connect %s: %v", user, err)
	}
	c.t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		c.t.Fatal(err)
	}
	return nc, js
}

// violations returns what the servers refused since they were started.
func (c *servers) violations() (lines []string) {
	for _, s := range c.all {
		for _, log := range s.logs {
			lines = append(lines, linesWith(log.Output(), "Violation", "authentication error", "[FTL]")...)
		}
	}
	return lines
}
