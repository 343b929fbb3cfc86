package settings

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/notify"
	"github.com/switchhook/switchhook/pkg/vendors"
)

// checker collects the problems of a section.
type checker struct {
	*config.Tenant
	found []error
}

// check takes it for a problem unless something is ok.
func (c *checker) check(ok bool, path, message string) {
	if !ok {
		c.found = append(c.found, c.MissedCalls.Problem(path, "%s", message))
	}
}

// within returns a check of what stands under a key.
func (c *checker) within(key string) func(ok bool, path, message string) {
	return func(ok bool, path, message string) { c.check(ok, key+"."+path, message) }
}

func (c *checker) checkVendor(path, vendor string) {
	c.check(slices.Contains(vendors.Names(), vendor), path,
		fmt.Sprintf("unknown vendor %q, want one of %s", vendor, strings.Join(vendors.Names(), ", ")))
}

// problems returns what is wrong with a section that could be read, templates apart.
func (s *section) problems(t *config.Tenant) []error {
	c := &checker{Tenant: t}
	s.checkTimes(c)
	c.check(slices.Contains(notify.Languages(), s.Language), "language",
		fmt.Sprintf("want one of %s, have %q", strings.Join(notify.Languages(), ", "), s.Language))
	c.check(s.Link == "" || isLink(s.Link, t.Name), "link",
		"want an address that begins with https:// or http:// and has {id} in it, and nothing else in braces but {tenant}")
	if s.Hours != nil {
		s.Hours.Check(c.within("hours"))
	}
	s.Alerts.Check(channels(t), c.within("alerts"))
	for i, route := range s.Alerts.Routes {
		for j, vendor := range route.Match.Vendors {
			c.checkVendor(fmt.Sprintf("alerts.routes[%d].match.vendors[%d]", i, j), vendor)
		}
	}
	s.Roles.check(c)
	s.Roles.checkUse(c, s.Alerts.Routes)
	return c.found
}

func (s *section) checkTimes(c *checker) {
	for _, vendor := range slices.Sorted(maps.Keys(s.Settle)) {
		path := entry("settle", vendor)
		c.checkVendor(path, vendor)
		c.check(0 <= s.Settle[vendor] && s.Settle[vendor] <= 10*time.Minute, path, "want 0s to 10m")
	}
	c.check(0 <= s.IgnoreBelow && s.IgnoreBelow <= 10*time.Minute, "ignore_below", "want 0s to 10m")
	c.check(time.Minute <= s.ClaimExpiry && s.ClaimExpiry <= 24*time.Hour, "claim_expiry", "want 1m to 24h")
	c.check(time.Hour <= s.Expiry && s.Expiry <= 720*time.Hour, "expiry", "want 1h to 720h")
}

// entry returns the path of an entry of a mapping, whose key may hold anything.
func entry(parent, key string) string {
	if quoted := strconv.Quote(key); quoted != `"`+key+`"` {
		key = quoted // The problem is then at the line of the parent.
	}
	return parent + "." + key
}

// isLink reports whether a message can give that as the address of an entry.
func isLink(link, tenant string) bool {
	address := strings.NewReplacer("{id}", "0", "{tenant}", tenant).Replace(link)
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" &&
		strings.Contains(link, "{id}") && !strings.ContainsAny(address, "{}")
}
