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
	*program
	t                            *testing.T
	name                         string
	client, monitor, route, leaf string // addresses
	config                       string
	environment                  []string
	logs                         []*program // of it and those before
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
	addresses := freeAddresses(t, 4*n)
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
		Replace(readFile(s.t, deploy+file))
	s.config = filepath.Join(folder, file)
	writeFile(s.t, s.config, text)
	writeFile(s.t, filepath.Join(folder, "accounts.conf"), readFile(s.t, deploy+"accounts.conf"))
	s.environment = append(passwords(), "NATS_SERVER_NAME="+s.name, "NATS_STORE_DIR="+filepath.Join(folder, "data"))
}

func (s *server) start() {
	s.t.Helper()
	s.program = start(s.t, s.environment, "nats-server", "-c", s.config)
	s.logs = append(s.logs, s.program)
}

// healthy reports whether it is there and has all that the others have.
func (s *server) healthy() error {
	if err := get("http://" + s.monitor + "/healthz"); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	return nil
}

func (c *servers) awaitHealthy() {
	c.t.Helper()
	for _, s := range c.all {
		eventually(c.t, s.name+" healthy", 60*time.Second, s.healthy)
	}
}

// roll restarts one server after the other, and waits each time until it has caught up.
func (c *servers) roll(signal syscall.Signal) {
	c.t.Helper()
	for _, s := range c.all {
		s.stop(signal)
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
			lines = append(lines, linesWith(readFile(c.t, log.out), "Violation", "authentication error", "[FTL]")...)
		}
	}
	return lines
}
