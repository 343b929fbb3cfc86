package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/fault"
)

// webhookSettings are those of the type webhook.
type webhookSettings struct {
	URL            config.Secret `yaml:"url,required"`
	Secret         config.Secret `yaml:"secret,required"`
	PreviousSecret config.Secret `yaml:"previous_secret"`
	CAFile         string        `yaml:"ca_file"`
	Timeout        time.Duration `yaml:"timeout"`

	wire wire
}

func readWebhook(src *config.Channel) (settings, config.Problems) {
	s := webhookSettings{Timeout: defaultTimeout}
	problems := src.Read(&s)
	if len(problems) > 0 {
		return s, problems
	}
	const want = "want whsec_ and 24 to 64 random bytes in base64, as `openssl rand -base64 32` gives them"
	s.wire, problems = newWire(src, s.CAFile, s.Timeout)
	return s, slices.Concat(
		problems,
		src.Check(isAddress(s.URL.Reveal()), "url", wantAddress),
		src.Check(signingKey(s.Secret) != nil, "secret", want),
		src.Check(s.PreviousSecret.IsZero() || signingKey(s.PreviousSecret) != nil, "previous_secret", want),
	)
}

// signingKey returns the key that a secret stands for, or nil if it is none.
func signingKey(secret config.Secret) []byte {
	encoded, marked := strings.CutPrefix(secret.Reveal(), "whsec_")
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !marked || err != nil || len(key) < 24 || len(key) > 64 {
		return nil
	}
	return key
}

func (s webhookSettings) open(src *config.Channel, _ TokenSource) Channel {
	return webhook{s, newPoster(src.Name, s.wire.roots, s.Timeout)}
}

// webhook is a channel to a program of the tenant's, by the rules of https://www.standardwebhooks.com.
type webhook struct {
	settings webhookSettings
	poster   poster
}

// notice is what is posted.
type notice struct {
	Type      string     `json:"type"` // missed_call. and the kind
	Timestamp time.Time  `json:"timestamp"`
	Data      noticeData `json:"data"`
}

type noticeData struct {
	Tenant  string            `json:"tenant"`
	Text    string            `json:"text"`
	Entries []json.RawMessage `json:"entries"` // pbx.v1.MissedCall
}

// Send implements Channel.
func (w webhook) Send(ctx context.Context, m Message) error {
	body, err := newNotice(m)
	if err != nil {
		return fault.New(fault.Invalid, "channel %s: write the entries: %w", w.poster.name, err)
	}
	return w.poster.deliver(ctx, func(ctx context.Context, client *http.Client) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.settings.URL.Reveal(), bytes.NewReader(body))
		if err != nil {
			return err
		}
		at := strconv.FormatInt(time.Now().Unix(), 10)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Webhook-Id", webhookID(m.ID))
		r.Header.Set("Webhook-Timestamp", at)
		r.Header.Set("Webhook-Signature", w.sign(webhookID(m.ID), at, body))
		return drain(client.Do(r))
	})
}

// webhookID returns the name of a message for a header and for the signature, in which dots separate.
func webhookID(id string) string {
	sum := sha256.Sum256([]byte(id))
	return "msg_" + base64.RawURLEncoding.EncodeToString(sum[:18])
}

// sign returns a signature by each key, so that a receiver can change to a new one at any time.
func (w webhook) sign(id, at string, body []byte) string {
	var signatures []string
	for _, secret := range []config.Secret{w.settings.Secret, w.settings.PreviousSecret} {
		if secret.IsZero() {
			continue
		}
		mac := hmac.New(sha256.New, signingKey(secret))
		_, _ = mac.Write(slices.Concat([]byte(id+"."+at+"."), body))
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(signatures, " ")
}

func newNotice(m Message) ([]byte, error) {
	n := notice{"missed_call." + string(m.Kind), m.Time.UTC(), noticeData{m.Tenant, m.Text, []json.RawMessage{}}}
	for _, entry := range m.Entries {
		data, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(entry)
		if err != nil {
			return nil, err
		}
		n.Data.Entries = append(n.Data.Entries, data)
	}
	return json.Marshal(n)
}

// drain reads an answer to its end, so that the connection can be used again.
func drain(response *http.Response, err error) error {
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body) // The status has been seen.
	return nil
}
