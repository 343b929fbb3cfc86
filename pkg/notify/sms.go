package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/phone"
)

// smsSettings are those of the type sms.
type smsSettings struct {
	Exchange string        `yaml:"exchange"`
	From     string        `yaml:"from,required"`
	To       string        `yaml:"to,required"`
	URL      string        `yaml:"url"`
	CAFile   string        `yaml:"ca_file"`
	Timeout  time.Duration `yaml:"timeout"`

	wire wire
}

func readSMS(src *config.Channel) (settings, config.Problems) {
	s := smsSettings{URL: "https://sms-api.voipex.io/SMS", Timeout: defaultTimeout}
	problems := src.Read(&s)
	if len(problems) > 0 {
		return s, problems
	}
	s.wire, problems = newWire(src, s.CAFile, s.Timeout)
	problems = slices.Concat(
		problems,
		src.Check(isAddress(s.URL), "url", wantAddress),
		src.Check(phone.Parse(s.To, src.Tenant.Region).Kind == phone.Outside, "to", "want a number such as +420777888999"),
	)
	var exchanges []string
	for _, e := range src.Tenant.Exchanges {
		if e.Vendor == "ipex" {
			exchanges = append(exchanges, e.Name)
		}
	}
	switch {
	case s.Exchange == "" && len(exchanges) == 1:
		s.Exchange = exchanges[0]
	case s.Exchange == "" && len(exchanges) > 1:
		problems = append(problems, src.Problem("exchange", "want one of %s", strings.Join(exchanges, ", ")))
	case !slices.Contains(exchanges, s.Exchange):
		problems = append(problems, src.Problem("exchange", "want the name of an exchange of vendor ipex"))
	}
	return s, problems
}

func (s smsSettings) open(src *config.Channel, tokens TokenSource) Channel {
	return sms{s, src.Tenant.Name, tokens, newPoster(src.Name, s.wire.roots, s.Timeout)}
}

// sms is a channel to a telephone, by way of the tenant's exchange.
type sms struct {
	settings smsSettings
	tenant   string
	tokens   TokenSource
	poster   poster
}

// Send implements Channel. A token that the exchange refuses is replaced once: it may have expired on the way.
func (s sms) Send(ctx context.Context, m Message) error {
	body, err := json.Marshal(map[string]string{"from": s.settings.From, "to": s.settings.To, "text": m.Short})
	if err != nil {
		return fault.New(fault.Invalid, "channel %s: write the text: %w", s.poster.name, err)
	}
	refused := ""
	for {
		token, err := s.token(ctx, refused)
		if err != nil {
			return err
		}
		err = s.post(ctx, token, body)
		if !fault.Is(err, fault.Denied) || refused != "" || token == "" {
			return err
		}
		refused = token
	}
}

func (s sms) token(ctx context.Context, refused string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.settings.Timeout)
	defer cancel()
	token, err := s.tokens(ctx, s.tenant, s.settings.Exchange, refused)
	if err != nil {
		return "", fault.New(fault.Of(err), "channel %s: token of exchange %s: %w", s.poster.name, s.settings.Exchange, err)
	}
	return token, nil
}

func (s sms) post(ctx context.Context, token string, body []byte) error {
	return s.poster.deliver(ctx, func(ctx context.Context, client *http.Client) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.settings.URL, bytes.NewReader(body))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+token)
		return drain(client.Do(r))
	})
}
