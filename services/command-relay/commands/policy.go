// Package commands decides about commands: whether one may be carried out, and what is to happen next with one that may. It is
// the core of command-relay: no I/O, no clock, no bus; what is known, and what time it is, are arguments.
//
// Decide says whether policy lets a command through. A command's life is kept in one record for each idempotency key, which is
// changed by compare-and-set alone: Meet, Take, Begin, Late, Answer and Settle say what to store and, once it is stored, what
// to publish and to do. So, of all replicas, one sends a command, once. Limits counts what goes on.
package commands

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/phone"
)

// The words that a policy forbids classes of numbers by.
const (
	// Abroad is every outside number that is none of the tenant's region, as phone.Abroad says.
	Abroad = "abroad"
	// Premium is every outside number that phone.Premium knows.
	Premium = "premium"
)

// Policy is what a tenant lets people do by command. Start from DefaultPolicy: the zero value lets nothing through.
type Policy struct {
	// Supervisors may act for others: on any extension. Each is given by a login, an e-mail address, or an extension that they
	// are known to have.
	Supervisors []string `yaml:"supervisors"`
	// Forbidden numbers are never called: a beginning of them in E.164, such as +4490, or the words abroad and premium.
	Forbidden []string `yaml:"forbidden"`
	// DoNotCall are numbers in E.164 that are never called.
	DoNotCall []string `yaml:"do_not_call"`
	// OwnExtensions are extensions of the tenant's that may be called although they are emergency numbers in its region, such as
	// 101 in RU: the exchange is known to ring a phone there. Somebody must be known to have them; 112 and 911 cannot be given.
	OwnExtensions []string `yaml:"own_extensions"`
	// PerUserMinute is how many commands of one person are carried out in any minute: 1 to 10000; 20 by default.
	PerUserMinute int `yaml:"per_user_minute"`
	// PerTenantMinute is the same for all people together: 1 to 10000; 200 by default.
	PerTenantMinute int `yaml:"per_tenant_minute"`
	// Expiry is how long after it was stored a command may still be sent, if it does not say itself: 1 s to 60 s; 15 s by default.
	Expiry time.Duration `yaml:"expiry"`
}

// Furthest is how long after it was stored a command may be sent at most, whatever it says itself.
const Furthest = time.Minute

// DefaultPolicy forbids nothing and lets nobody act for others.
func DefaultPolicy() Policy {
	return Policy{PerUserMinute: 20, PerTenantMinute: 200, Expiry: 15 * time.Second}
}

// Policies returns what the configuration lets people do, by tenant. The error holds config.Problems: all that is wrong with any
// tenant's. It is here and not where the service is, so that who only checks a configuration needs no bus.
func Policies(c *config.Config) (map[string]Policy, error) {
	all := make(map[string]Policy)
	var errs []error
	for _, t := range c.Tenants {
		policy := DefaultPolicy()
		errs = append(errs, t.Commands.Decode(&policy))
		policy.Check(func(path, message string) { errs = append(errs, t.Commands.Problem(path, "%s", message)) })
		all[t.Name] = policy
	}
	return all, errors.Join(errs...)
}

var (
	prefixPattern = regexp.MustCompile(`^\+[1-9][0-9]{0,14}$`)
	numberPattern = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
)

// Check reports what is wrong, by the path of the key such as forbidden[2], and a message that names the bad entry.
func (p Policy) Check(report func(path, message string)) {
	each := func(key string, entries []string, ok func(string) bool, want string) {
		for i, entry := range entries {
			path := fmt.Sprintf("%s[%d]", key, i)
			if !ok(entry) {
				report(path, fmt.Sprintf("want %s, have %q", want, entry))
			} else if first := slices.Index(entries, entry); first < i {
				report(path, fmt.Sprintf("%q is already given at %s[%d]", entry, key, first))
			}
		}
	}
	each("supervisors", p.Supervisors, isName, "a login, an e-mail address or an extension")
	each("forbidden", p.Forbidden, isForbidden, "the beginning of a number in E.164 such as +4490, abroad or premium")
	each("do_not_call", p.DoNotCall, numberPattern.MatchString, "a number in E.164 such as +420777888999")
	each("own_extensions", p.OwnExtensions, canBeOwn, "an extension such as 101, but none that reaches 112 or 911")
	limit := func(key string, n int) {
		if n < 1 || n > 10_000 {
			report(key, fmt.Sprintf("want 1 to 10000, have %d", n))
		}
	}
	limit("per_user_minute", p.PerUserMinute)
	limit("per_tenant_minute", p.PerTenantMinute)
	if p.Expiry < time.Second || p.Expiry > Furthest {
		report("expiry", fmt.Sprintf("want 1s to %s, have %s", Furthest, p.Expiry))
	}
}

func isName(entry string) bool { return entry != "" && strings.TrimSpace(entry) == entry }

// canBeOwn reports whether a number can be an extension that is an emergency number in some region, but not everywhere.
func canBeOwn(entry string) bool {
	n := phone.Parse(entry, "")
	return n.Kind == phone.Extension && n.Dialled() == entry && !phone.Emergency(n, "")
}

func isForbidden(entry string) bool {
	return entry == Abroad || entry == Premium || prefixPattern.MatchString(entry)
}

// refuses returns why a number must not be called or transferred to, or nothing.
func (p Policy) refuses(to phone.Number, region string) string {
	switch {
	case phone.Emergency(to, region):
		return fmt.Sprintf("%s may reach an emergency service, which is never called by command: dial it by hand", to.Dialled())
	case to.Dialled() == "":
		return fmt.Sprintf("%q is no number that can be called", to.Raw)
	case slices.Contains(p.DoNotCall, to.E164):
		return fmt.Sprintf("%s is on the do-not-call list", to.E164)
	}
	for _, entry := range p.Forbidden {
		switch {
		case entry == Abroad && phone.Abroad(to, region):
			return fmt.Sprintf("%s is abroad, which is forbidden", to.E164)
		case entry == Premium && phone.Premium(to):
			return fmt.Sprintf("%s is at a premium rate, which is forbidden", to.E164)
		case to.Kind == phone.Outside && strings.HasPrefix(to.E164, entry):
			return fmt.Sprintf("%s begins with %s, which is forbidden", to.E164, entry)
		}
	}
	return ""
}

// deadline is when a command must not be sent any more.
func (p Policy) deadline(stored, asked time.Time) time.Time {
	if asked.IsZero() {
		return stored.Add(p.Expiry)
	}
	if furthest := stored.Add(Furthest); asked.After(furthest) {
		return furthest
	}
	return asked
}
