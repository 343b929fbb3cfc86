// Package xvb speaks the dialect of XVB-PBX and that of its relatives, the exchanges with the VATS CRM API: forms or JSON
// about calls, and the question who is calling. Both name one token, in the body, in a header, or in both.
package xvb

import (
	"cmp"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/webhook"
)

// Name is the vendor's name in the configuration and in subjects.
const Name = "xvb"

// Settings are an exchange's keys in the configuration.
type Settings struct {
	Webhook struct {
		// One token, by the name that XVB has for it or by that of its relatives: exactly one of the two is given.
		AccessCode config.Secret `yaml:"access_code"`
		CRMToken   config.Secret `yaml:"crm_token"`
		// PathSecret, if given, must be a segment of the path that is called. An access code is a short account number,
		// so it is soon guessed. Exchanges that call the root whatever they are told cannot use it.
		PathSecret config.Secret  `yaml:"path_secret"`
		AllowFrom  []netip.Prefix `yaml:"allow_from"` // empty: from anywhere
	} `yaml:"webhook,required"`
	API struct {
		URL   string        `yaml:"url"`
		Token config.Secret `yaml:"token"`
	} `yaml:"api"`
}

// minPathSecret is the shortest path secret, in bytes: shorter ones are not concealed (see webhook.Secrets), and would
// stand in the quarantine.
const minPathSecret = 8

func (s *Settings) token() string {
	return cmp.Or(s.Webhook.AccessCode.Reveal(), s.Webhook.CRMToken.Reveal())
}

// read reads the settings of an exchange, and returns all that is wrong with them.
func (s *Settings) read(c *config.Exchange) error {
	problems := c.Read(s)
	unread := slices.ContainsFunc(problems, func(p config.Problem) bool { // a token that could not be read is not missing
		return strings.Contains(p.Message, ".webhook.access_code") || strings.Contains(p.Message, ".webhook.crm_token")
	})
	problems = append(problems, c.Check(unread || s.Webhook.AccessCode.IsZero() != s.Webhook.CRMToken.IsZero(),
		"webhook", "want either access_code or crm_token")...)
	secret := s.Webhook.PathSecret.Reveal()
	problems = append(problems, c.Check(secret == "" || len(secret) >= minPathSecret && !strings.Contains(secret, "/"),
		"webhook.path_secret", "want one segment of a path, of at least %d characters", minPathSecret)...)
	if len(problems) > 0 {
		return problems
	}
	return nil
}

// Vendor is the dialect with its exchanges.
type Vendor struct {
	exchanges []*exchange
}

type exchange struct {
	origin   event.Origin
	region   string
	location *time.Location // that of times without an offset
	settings Settings
	token    webhook.Credential
	segment  *webhook.Credential // the path's secret; nil when any path will do
}

// New returns the dialect for the configured exchanges, or an error that holds config.Problems.
func New(configured []*config.Exchange) (*Vendor, error) {
	v := &Vendor{}
	var errs []error
	for _, c := range configured {
		e := &exchange{origin: c.Origin(), region: c.Tenant.Region, location: c.Tenant.Location}
		errs = append(errs, e.settings.read(c))
		e.token = webhook.NewCredential(e.settings.token())
		if secret := e.settings.Webhook.PathSecret; !secret.IsZero() {
			segment := webhook.NewCredential(secret.Reveal())
			e.segment = &segment
		}
		if twin := v.twin(e); twin != nil && e.settings.token() != "" {
			errs = append(errs, c.Problem("webhook",
				"has the token of %s: requests could not be told apart, unless each has a path_secret of its own", twin.origin))
		}
		v.exchanges = append(v.exchanges, e)
	}
	return v, errors.Join(errs...)
}

// twin returns an exchange whose requests could be taken for those of e.
func (v *Vendor) twin(e *exchange) *exchange {
	for _, other := range v.exchanges {
		samePath := e.segment == nil || other.segment == nil || e.segment.Equal(*other.segment)
		if samePath && e.token.Equal(other.token) {
			return other
		}
	}
	return nil
}

// Profile implements webhook.Vendor.
func (v *Vendor) Profile() webhook.Profile {
	return webhook.Profile{Name: Name, Methods: []string{http.MethodPost}, Challenge: `Bearer realm="switchhook"`}
}

// Exchanges implements webhook.Vendor.
func (v *Vendor) Exchanges() []webhook.Exchange { return webhook.List(v.exchanges) }

// Origin implements webhook.Exchange.
func (e *exchange) Origin() event.Origin { return e.origin }

// Secrets implements webhook.Exchange.
func (e *exchange) Secrets() webhook.Secrets {
	secrets := webhook.Secrets{e.settings.token()}
	if secret := e.settings.Webhook.PathSecret; !secret.IsZero() {
		secrets = append(secrets, secret.Reveal())
	}
	return secrets
}

// Authenticate implements webhook.Vendor. A request may carry the token several times; each must be right. One in a header
// speaks also for a body that cannot be read.
func (v *Vendor) Authenticate(r webhook.Request) (webhook.Exchange, error) {
	b, err := readBody(r.Body)
	tokens := append(headerTokens(r.Header), b.tokens...)
	if len(tokens) == 0 && err != nil {
		return nil, fault.New(fault.Invalid, "xvb: %w", err)
	}
	found := v.find(tokens, r.Path)
	if found == nil || !webhook.Allowed(found.settings.Webhook.AllowFrom, r.Remote) {
		return nil, fault.New(fault.Denied, "xvb: credentials are missing or wrong")
	}
	return found, nil
}

func headerTokens(h http.Header) []string {
	tokens := slices.Concat(h.Values("X-XVB-AC"), h.Values("X-CRM-TOKEN"), h.Values("X-API-KEY"))
	for _, authorization := range h.Values("Authorization") {
		if scheme, token, _ := strings.Cut(authorization, " "); strings.EqualFold(scheme, "Bearer") {
			tokens = append(tokens, strings.TrimSpace(token))
		}
	}
	return slices.DeleteFunc(tokens, func(token string) bool { return token == "" })
}

// find compares all there is to compare with every exchange, so that the time does not tell how far a guess came.
func (v *Vendor) find(tokens []string, path string) (found *exchange) {
	presented, segments := digests(tokens), digests(strings.Split(path, "/"))
	for _, e := range v.exchanges {
		trusted, called := e.trusts(presented), e.isCalledBy(segments)
		if trusted && called {
			found = e
		}
	}
	return found
}

func digests(texts []string) []webhook.Credential {
	credentials := make([]webhook.Credential, len(texts))
	for i, text := range texts {
		credentials[i] = webhook.NewCredential(text)
	}
	return credentials
}

func (e *exchange) trusts(presented []webhook.Credential) bool {
	trusted := len(presented) > 0
	for _, token := range presented {
		trusted = e.token.Equal(token) && trusted
	}
	return trusted
}

func (e *exchange) isCalledBy(segments []webhook.Credential) bool {
	called := e.segment == nil
	for _, segment := range segments {
		called = e.segment != nil && e.segment.Equal(segment) || called
	}
	return called
}
