package notify_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/notify"
)

// sources reads channels. The configuration has no place for them by themselves, but a directory's is like it. The first line
// is the sixth of the file.
func sources(t testing.TB, yaml string) []*config.Channel {
	t.Helper()
	file := "tenants:\n  - name: acme\n    region: CZ\n    exchanges: [{vendor: ipex, name: prague}, {vendor: mcn}]\n    channels:\n"
	c, err := config.Parse([]byte(file + "      " + strings.ReplaceAll(strings.TrimSpace(yaml), "\n", "\n      ")))
	if err != nil {
		t.Fatal(err)
	}
	return c.Tenants[0].Channels
}

func open(t testing.TB, yaml string, tokens notify.TokenSource) notify.Channel {
	t.Helper()
	all, err := notify.New(sources(t, yaml), tokens)
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// message returns an example of a message.
func message(t testing.TB, kind notify.Kind) notify.Message {
	t.Helper()
	d := notify.Example(kind)
	r, err := load(t, "").Render("cs", kind, d)
	if err != nil {
		t.Fatal(err)
	}
	return notify.Message{ID: "e1." + string(kind), Thread: "e1.opened", Kind: kind, Tenant: "acme", Time: d.Now, Rendered: r, Entries: d.Entries}
}

func wantKind(t *testing.T, want fault.Kind, err error) {
	t.Helper()
	if err == nil || fault.Of(err) != want {
		t.Errorf("want %v, have %v: %v", want, fault.Of(err), err)
	}
}

const (
	slackYAML   = "- type: slack\n  url: https://hooks.slack.example/services/T/B/X\n"
	webhookYAML = "- type: webhook\n  url: https://acme.example/hook\n  secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"
	emailYAML   = "- type: email\n  host: mail.acme.example\n  from: pbx@acme.example\n  to: [jan@acme.example]\n"
	botYAML     = "- type: telegram\n  token: 123:abc\n  chat: \"-100\"\n"
	smsYAML     = "- type: sms\n  from: \"222333444\"\n  to: \"777888999\"\n"
)

func TestTypes(t *testing.T) {
	want := []string{"email", "mattermost", "slack", "sms", "teams", "telegram", "webhook"}
	if have := notify.Types(); !slices.Equal(want, have) {
		t.Errorf("want %q, have %q", want, have)
	}
	yaml := slackYAML + webhookYAML + emailYAML + botYAML + smsYAML +
		"- type: teams\n  url: https://teams.example/x\n- type: mattermost\n  name: chat\n  url: https://chat.example/hooks/x\n"
	all, err := notify.New(sources(t, yaml), nil)
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, c := range all {
		have = append(have, c.Type+" "+c.Name)
	}
	if want := "slack slack, webhook webhook, email email, telegram telegram, sms sms, teams teams, mattermost chat"; want != strings.Join(have, ", ") {
		t.Errorf("want %s, have %q", want, have)
	}
}

// TestProblems has one thing wrong in each channel.
func TestProblems(t *testing.T) {
	const at = "tenants[0].channels[0]."
	tests := map[string]struct{ yaml, want string }{
		"unknown type":     {"- type: fax\n", "line 6: " + at + "type: unknown type fax, want one of email, mattermost, slack, sms, teams, telegram, webhook"},
		"unknown key":      {slackYAML + "  channel: x\n", "line 8: "},
		"no URL":           {"- type: slack\n", "url: is missing"},
		"no address":       {"- type: teams\n  url: teams.example\n", "line 7: " + at + "url: want an address"},
		"timeout":          {slackYAML + "  timeout: 0s\n", "line 8: " + at + "timeout: want more than 0s"},
		"no certificates":  {slackYAML + "  ca_file: /nonexistent/ca.pem\n", "ca_file: open /nonexistent/ca.pem: no such file or directory"},
		"short secret":     {"- type: webhook\n  url: https://x.example\n  secret: whsec_YWJj\n", "secret: want whsec_"},
		"secret unmarked":  {"- type: webhook\n  url: https://x.example\n  secret: MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", "secret: want whsec_"},
		"previous secret":  {webhookYAML + "  previous_secret: whsec_!\n", "previous_secret: want whsec_"},
		"sender":           {strings.Replace(emailYAML, "pbx@acme.example", "pbx", 1), "from: want an address"},
		"recipient":        {strings.Replace(emailYAML, "[jan@", "[a@b.example, jan@@", 1), "to[1]: want an address"},
		"no recipient":     {strings.Replace(emailYAML, "[jan@acme.example]", "[]", 1), "to: want at least one"},
		"no encryption":    {emailYAML + "  tls: none\n", "tls: none is for a server on this machine only"},
		"other encryption": {emailYAML + "  tls: ssl\n", "tls: want starttls, implicit or none"},
		"port":             {emailYAML + "  port: 70000\n", "port: want 1 to 65535"},
		"no password":      {emailYAML + "  username: jan\n", "username: want both"},
		"telegram token":   {"- type: telegram\n  token: 123:a/b\n  chat: x\n", "token: want what BotFather gave"},
		"SMS to nobody":    {strings.Replace(smsYAML, "777888999", "12", 1), "to: want a number"},
		"SMS by another":   {smsYAML + "  exchange: mcn\n", "exchange: want the name of an exchange of vendor ipex"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := notify.Check(sources(t, test.yaml))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("want %s, have %v", test.want, err)
			}
		})
	}
	if err := notify.Check(sources(t, slackYAML+webhookYAML)); err != nil {
		t.Errorf("want nothing wrong, have %v", err)
	}
}

func TestDigest(t *testing.T) {
	digest := func(yaml string) string {
		all, err := notify.New(sources(t, yaml), nil)
		if err != nil {
			t.Fatal(err)
		}
		return all[0].Digest
	}
	first := digest(emailYAML + "  username: u\n  password: p\n")
	if first != digest(emailYAML+"  username: u2\n  password: p2\n") {
		t.Error("want the same digest with other credentials, have another")
	}
	if first == digest(emailYAML+"  port: 26\n") {
		t.Error("want another digest with another port, have the same")
	}
}

// certificate makes a certificate for 127.0.0.1, and a file with which clients trust it.
func certificate(t *testing.T) (config *tls.Config, caFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}, caFile
}
