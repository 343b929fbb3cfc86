package bus_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
	"github.com/oklog/run"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/logtest"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// serveNATS starts a server with a configuration, in which LISTEN and DATA stand for an address and a folder of its own. reload
// gives it another.
func serveNATS(t *testing.T, text string) (address string, reload func(text string)) {
	t.Helper()
	folder, path := t.TempDir(), filepath.Join(t.TempDir(), "nats.conf")
	address = "127.0.0.1:-1"
	write := func(text string) {
		write(t, path, strings.NewReplacer("LISTEN", address, "DATA", folder).Replace(text))
	}
	write(text)
	options, err := natsserver.ProcessConfigFile(path)
	if err != nil {
		t.Fatal(err)
	}
	options.NoSigs, options.NoLog = true, true
	s, err := natsserver.NewServer(options)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("want a server, have none after 10 s")
	}
	address = s.Addr().String()
	return address, func(text string) {
		t.Helper()
		write(text)
		if err := s.Reload(); err != nil {
			t.Fatal(err)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A service that was there before its new password goes on when that is known: it does not give up.
func TestConnectWithPassword(t *testing.T) {
	const text = `listen: "LISTEN", jetstream {store_dir: "DATA"}, authorization {users: [{user: u, password: %s}]}`
	address, reload := serveNATS(t, fmt.Sprintf(text, "hunter2"))
	connect := func(password string) (*bus.Bus, error) {
		return bus.Connect(bus.Options{URL: "nats://u:" + password + "@" + address, Wait: true})
	}
	if _, err := connect("wrong"); err == nil {
		t.Error("want a wrong password refused, have no error")
	}
	b, err := connect("hunter2")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.EnsureStreams(t.Context(), bustest.Streams); err != nil {
		t.Fatal(err)
	}
	reload(fmt.Sprintf(text, "changed"))
	bustest.Eventually(t, "it is refused", func() bool { return b.EnsureStreams(t.Context(), bustest.Streams) != nil })
	late := time.Now().Add(2 * time.Second) // by when it has been refused twice
	bustest.Eventually(t, "it is refused still", func() bool { return time.Now().After(late) })
	reload(fmt.Sprintf(text, "hunter2"))
	bustest.Eventually(t, "it is back", func() bool { return b.EnsureStreams(t.Context(), bustest.Streams) == nil })
}

// A service that is not let in says why, once, and nobody else does; nor that a server which is no more is away.
func TestConnectSaysWhy(t *testing.T) {
	address, _ := serveNATS(t, `listen: "LISTEN", jetstream {store_dir: "DATA"}, authorization {users: [{user: u, password: p}]}`)
	folder := t.TempDir()
	certificate, key := certify(t)
	write(t, folder+"/cert.pem", certificate)
	write(t, folder+"/key.pem", key)
	other, _ := certify(t)
	write(t, folder+"/other.pem", other)
	private, _ := serveNATS(t, fmt.Sprintf(`listen: "LISTEN", tls {cert_file: "%s/cert.pem", key_file: "%[1]s/key.pem"}`, folder))
	tests := map[string]struct{ url, ca, want string }{
		"wrong password":      {"nats://u:wrong@" + address, "", "nats: Authorization Violation"},
		"foreign certificate": {"nats://" + private, folder + "/other.pem", "x509: certificate signed by unknown authority"},
		"nobody there":        {"nats://127.0.0.1:1", "", "connection refused"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var log logtest.Log
			b, err := bus.Connect(bus.Options{URL: test.url, CA: test.ca, Log: log.Logger()})
			if err != nil {
				t.Fatal(err)
			}
			table := bus.NewTable(b, bus.TableOptions{Bucket: "pbx_test", Replicas: bustest.Replicas}, func() *pbxv1.AgentStatus { return nil })
			bustest.Run(t, func(g *run.Group) {
				g.Add(b.Maintain(func() config.Streams { return bustest.Streams }))
				g.Add(b.Follow(bus.Following{Name: "test", Handle: func(bus.Stored[*pbxv1.Event]) {}}))
				g.Add(table.Maintain())
			})
			bustest.Eventually(t, "the reason", func() bool { return strings.Contains(log.String(), test.want) })
			late := time.Now().Add(3 * time.Second) // by when each has tried more than once
			bustest.Eventually(t, "more attempts", func() bool { return time.Now().After(late) })
			if n := strings.Count(log.String(), test.want); n != 1 || strings.Contains(log.String(), "outbound buffer") {
				t.Errorf("want the reason once, and nothing of buffers, have\n%s", log.String())
			}
			b.Close()
		})
	}
}

func TestConnectRefuses(t *testing.T) {
	for _, url := range []string{"", "foo://host", "nats://host,", "nats://host,http://other"} {
		if _, err := bus.Connect(bus.Options{URL: url}); !fault.Is(err, fault.Invalid) {
			t.Errorf("URL %q: want it refused, have %v", url, err)
		}
	}
}

// A server without JetStream is named as what it is.
func TestNoJetStream(t *testing.T) {
	address, _ := serveNATS(t, `listen: "LISTEN"`)
	b, err := bus.Connect(bus.Options{URL: "nats://" + address, Wait: true})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	errs := []error{b.EnsureStreams(t.Context(), bustest.Streams)}
	for _, err := range b.Events(t.Context(), bus.Filter{}) {
		errs = append(errs, err)
	}
	for _, err := range errs {
		if err == nil || strings.Count(err.Error(), "no JetStream at the NATS server") != 1 || !fault.Is(err, fault.Unavailable) {
			t.Errorf("want it said once that there is no JetStream, have %v", err)
		}
	}
}

// Answers to a service come to an inbox by its name, and its server may forbid it all others.
func TestConnectInbox(t *testing.T) {
	address, _ := serveNATS(t, `listen: "LISTEN", jetstream {store_dir: "DATA"}
		authorization {users: [{user: u, password: p, permissions: {publish: ">", subscribe: "_INBOX.agent-state.>"}}]}`)
	b, err := bus.Connect(bus.Options{URL: "nats://u:p@" + address, Name: "agent-state", Wait: true})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.EnsureStreams(t.Context(), bustest.Streams); err != nil {
		t.Error(err)
	}
}

func TestConnectWithCredentials(t *testing.T) {
	operator, account, user := newKey(t, nkeys.CreateOperator), newKey(t, nkeys.CreateAccount), newKey(t, nkeys.CreateUser)
	accountClaims := jwt.NewAccountClaims(publicKey(t, account))
	accountClaims.Limits.JetStreamLimits = jwt.JetStreamLimits{DiskStorage: -1, MemoryStorage: -1, Streams: -1, Consumer: -1}
	system := newKey(t, nkeys.CreateAccount)
	address, _ := serveNATS(t, fmt.Sprintf(`listen: "LISTEN", jetstream {store_dir: "DATA"}
		operator: %s, system_account: %s, resolver: MEMORY, resolver_preload {%[2]s: %s, %s: %s}`,
		sign(t, jwt.NewOperatorClaims(publicKey(t, operator)), operator),
		publicKey(t, system), sign(t, jwt.NewAccountClaims(publicKey(t, system)), operator),
		publicKey(t, account), sign(t, accountClaims, operator)))
	seed, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	credentials, err := jwt.FormatUserConfig(sign(t, jwt.NewUserClaims(publicKey(t, user)), account), seed)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "user.creds")
	write(t, path, string(credentials))
	b, err := bus.Connect(bus.Options{URL: "nats://" + address, Credentials: path, Wait: true})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.EnsureStreams(t.Context(), bustest.Streams); err != nil {
		t.Error(err)
	}
	if _, err := bus.Connect(bus.Options{URL: "nats://" + address, Wait: true}); err == nil {
		t.Error("want nobody let in without credentials, have no error")
	}
}

func newKey(t *testing.T, create func() (nkeys.KeyPair, error)) nkeys.KeyPair {
	t.Helper()
	key, err := create()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func publicKey(t *testing.T, key nkeys.KeyPair) string {
	t.Helper()
	text, err := key.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func sign(t *testing.T, claims interface {
	Encode(nkeys.KeyPair) (string, error)
}, key nkeys.KeyPair,
) string {
	t.Helper()
	text, err := claims.Encode(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestConnectWithCA(t *testing.T) {
	folder := t.TempDir()
	certificate, key := certify(t)
	write(t, folder+"/cert.pem", certificate)
	write(t, folder+"/key.pem", key)
	other, _ := certify(t)
	write(t, folder+"/other.pem", other)
	address, _ := serveNATS(t, fmt.Sprintf(`listen: "LISTEN", jetstream {store_dir: "DATA"}
		tls {cert_file: "%s/cert.pem", key_file: "%[1]s/key.pem"}`, folder))
	b, err := bus.Connect(bus.Options{URL: "nats://" + address, CA: folder + "/cert.pem", Wait: true})
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	if _, err := bus.Connect(bus.Options{URL: "nats://" + address, CA: folder + "/other.pem", Wait: true}); err == nil {
		t.Error("want a certificate of somebody else refused, have no error")
	}
	plain := bustest.Start(t)
	if _, err := bus.Connect(bus.Options{URL: plain.URL(), CA: folder + "/cert.pem", Wait: true}); err == nil {
		t.Error("want a server without TLS refused, have no error")
	}
}

// certify returns a certificate of 127.0.0.1 that is its own authority, and its key.
func certify(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "nats"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	text := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return text("CERTIFICATE", der), text("PRIVATE KEY", keyDER)
}

// A mistaken path is refused at once, also by a service, which would go on without a server.
func TestConnectWithoutFiles(t *testing.T) {
	for name, o := range map[string]bus.Options{
		"credentials": {Credentials: "/nowhere.creds"},
		"CA":          {CA: "/nowhere.pem"},
	} {
		o.URL = "nats://127.0.0.1:1"
		_, err := bus.Connect(o)
		if err == nil || !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "/nowhere") {
			t.Errorf("%s: want an error that names the file, have %v", name, err)
		}
	}
}
