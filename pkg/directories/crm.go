package directories

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchhook/switchhook/pkg/directories/template"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/phone"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// crm is a directory that is asked by HTTP.
type crm struct {
	settings     httpSettings
	name, region string
	log          *slog.Logger
	http         *http.Client
	closed       atomic.Bool

	url, body, lookupURL template.Template
	headers              map[string]template.Template
	fields               fields

	mu        sync.Mutex
	employees map[string]employee // by the key of the lookup
}

// employee is who the second request said is responsible.
type employee struct {
	extension, email string
	until            time.Time
}

const (
	// remember is how long an employee is believed to have the same extension and address.
	remember = time.Hour
	// maxEmployees bounds the memory that a wrongly configured key can cost.
	maxEmployees = 10_000
)

func newCRM(s httpSettings, name, region string, log *slog.Logger) *crm {
	c := &crm{
		settings: s, name: name, region: region, log: log, http: newHTTPClient(),
		url: template.Parse(s.URL, isPlaceholder), body: template.Parse(s.Body, isPlaceholder),
		headers: make(map[string]template.Template), fields: newFields(s.Fields), employees: make(map[string]employee),
	}
	for name, value := range s.Headers {
		c.headers[name] = template.Parse(value, isPlaceholder)
	}
	if s.Lookup != nil {
		c.lookupURL = template.Parse(s.Lookup.URL, isPlaceholder)
	}
	return c
}

// Find asks for one form of the number after the other, until one is known.
func (c *crm) Find(ctx context.Context, forms []phone.Form) ([]*pbxv1.ContactMatch, error) {
	if c.closed.Load() {
		return nil, closedError(c.name)
	}
	for _, name := range c.settings.Forms {
		asked, known := numberOf(name, forms)
		if !known {
			continue
		}
		matches, err := c.ask(ctx, asked, forms)
		if err != nil || len(matches) > 0 {
			return matches, err
		}
	}
	return nil, nil
}

// ask asks for one form of the number.
func (c *crm) ask(ctx context.Context, asked phone.Form, forms []phone.Form) ([]*pbxv1.ContactMatch, error) {
	values := c.settings.values(asked, forms[0].Number)
	answer, err := c.send(ctx, func(ctx context.Context) (*http.Request, error) { return c.request(ctx, values) })
	if err != nil || answer == nil {
		return nil, err
	}
	results, err := c.results(answer)
	if err != nil {
		return nil, err
	}
	var matches []*pbxv1.ContactMatch
	var keys []string // of their employees
	for _, result := range results {
		m := c.fields.match(result, asked, forms, c.region)
		if m == nil || len(matches) == c.settings.Limit {
			continue
		}
		matches = append(matches, m)
		if c.settings.Lookup != nil {
			keys = append(keys, text(result, c.settings.Lookup.Key))
		}
	}
	if err := c.addResponsible(ctx, matches, keys, values); err != nil {
		c.log.WarnContext(ctx, "responsible employees not found out", "err", err)
	}
	return matches, nil
}

func (c *crm) request(ctx context.Context, values func(string) string) (*http.Request, error) {
	method, body := http.MethodGet, ""
	if c.settings.Body != "" {
		method = http.MethodPost
		if c.settings.isForm() {
			body = c.body.Form(values)
		} else {
			body = c.body.JSON(values)
		}
	}
	if c.settings.Method != "" {
		method = c.settings.Method
	}
	r, err := http.NewRequestWithContext(ctx, method, c.url.URL(values), strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	c.authorize(r, values)
	return r, nil
}

func (c *crm) authorize(r *http.Request, values func(string) string) {
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "switchhook")
	if b := c.settings.Basic; !b.Username.IsZero() {
		r.SetBasicAuth(b.Username.Reveal(), b.Password.Reveal())
	}
	for name, value := range c.headers {
		r.Header.Set(name, value.Text(values))
	}
}

// addResponsible asks who the employees are that results name by keys. It takes half of the time that is left at most: what
// was found is worth more than who is responsible.
func (c *crm) addResponsible(ctx context.Context, matches []*pbxv1.ContactMatch, keys []string, values func(string) string) error {
	if deadline, limited := ctx.Deadline(); limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	var failure error
	for i, key := range keys {
		if key == "" {
			continue
		}
		who, err := c.employee(ctx, key, func(name string) string {
			if name == "key" {
				return key
			}
			return values(name)
		})
		if fault.Is(err, fault.Unavailable) {
			return err
		}
		if err != nil { // There may be no such employee any more.
			failure = err
			continue
		}
		m := matches[i]
		m.ResponsibleExtension = cmp.Or(who.extension, m.GetResponsibleExtension())
		m.ResponsibleEmail = cmp.Or(who.email, m.GetResponsibleEmail())
	}
	return failure
}

func (c *crm) employee(ctx context.Context, key string, values func(string) string) (employee, error) {
	c.mu.Lock()
	who, known := c.employees[key]
	c.mu.Unlock()
	if known && time.Now().Before(who.until) {
		return who, nil
	}
	answer, err := c.send(ctx, func(ctx context.Context) (*http.Request, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.lookupURL.URL(values), nil)
		if err == nil {
			c.authorize(r, values)
			r.Header.Del("Content-Type") // That of the first request's body.
		}
		return r, err
	})
	if err != nil {
		return employee{}, err
	}
	if who, err = c.readEmployee(answer); err != nil {
		return employee{}, err
	}
	who.until = time.Now().Add(remember)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.employees) >= maxEmployees {
		clear(c.employees)
	}
	c.employees[key] = who
	return who, nil
}

// Close ends idle connections.
func (c *crm) Close() error {
	c.closed.Store(true)
	c.http.CloseIdleConnections()
	return nil
}
