package tokens

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/switchhook/switchhook/pkg/config"
)

// Settings are what the configuration says of all tenants. They do not change.
type Settings struct {
	tenants map[string]*Tenant
	origins map[string]bool // of any tenant
}

// Tenant says who may ask about a tenant. The nil Tenant, which is that of an unknown name, knows no key and nobody, and takes
// as long to say so. It is safe for concurrent use.
type Tenant struct {
	*config.Tenant
	// Origins are the pages that may call, besides the gateway's own.
	Origins    []string
	TokenTTL   time.Duration
	SessionTTL time.Duration
	keys       []apiKey
	people     map[string]person // by login in lower case
}

type apiKey struct {
	name   string
	digest [sha256.Size]byte
}

type person struct {
	login  string
	hash   []byte
	rights []Right
}

// section is what stands under web.
type section struct {
	APIKeys []struct {
		Name   string `yaml:"name,required"`
		SHA256 string `yaml:"sha256,required"`
	} `yaml:"api_keys"`
	Origins    []string      `yaml:"origins"`
	TokenTTL   time.Duration `yaml:"token_ttl"`
	SessionTTL time.Duration `yaml:"session_ttl"`
	People     []struct {
		Login    string        `yaml:"login,required"`
		Password config.Secret `yaml:"password,required"`
		Rights   []Right       `yaml:"rights"`
	} `yaml:"people"`
}

const (
	maxKeys = 2
	// The cost of a password: below, it is guessed too fast; above, who logs in waits for seconds.
	minCost, maxCost = 10, 14
	// LongestSession is the greatest session_ttl.
	LongestSession = 168 * time.Hour
)

// Read returns the settings of all tenants. The error holds config.Problems.
func Read(c *config.Config) (*Settings, error) {
	s := &Settings{tenants: map[string]*Tenant{}, origins: map[string]bool{}}
	var errs []error
	for _, t := range c.Tenants {
		tenant, err := read(t)
		errs = append(errs, err)
		s.tenants[t.Name] = tenant
		for _, origin := range tenant.Origins {
			s.origins[origin] = true
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return s, nil
}

// Tenant returns a tenant; nil when there is none of that name.
func (s *Settings) Tenant(name string) *Tenant { return s.tenants[name] }

// AnyOrigin reports whether pages of an origin may call on behalf of any tenant, for when it is not known yet which.
func (s *Settings) AnyOrigin(origin string) bool { return s.origins[origin] }

func read(t *config.Tenant) (*Tenant, error) {
	s := section{TokenTTL: 10 * time.Minute, SessionTTL: 12 * time.Hour}
	if err := t.Web.Decode(&s); err != nil {
		return &Tenant{Tenant: t}, err
	}
	tenant := &Tenant{
		Tenant: t, Origins: s.Origins, TokenTTL: s.TokenTTL, SessionTTL: s.SessionTTL, people: map[string]person{},
	}
	var problems config.Problems
	check := func(ok bool, path, format string, args ...any) {
		if !ok {
			problems = append(problems, t.Web.Problem(path, format, args...))
		}
	}
	check(s.TokenTTL >= time.Minute && s.TokenTTL <= time.Hour, "token_ttl", "want 1m to 1h")
	check(s.SessionTTL >= 5*time.Minute && s.SessionTTL <= LongestSession, "session_ttl", "want 5m to 168h")
	for i, origin := range s.Origins {
		check(isOrigin(origin), fmt.Sprintf("origins[%d]", i),
			"want an origin as browsers send it, such as https://crm.example.com: lower case, without a path")
	}
	tenant.readKeys(&s, check)
	tenant.readPeople(&s, check)
	if len(problems) > 0 {
		return tenant, problems
	}
	return tenant, nil
}

func (t *Tenant) readKeys(s *section, check func(ok bool, path, format string, args ...any)) {
	check(len(s.APIKeys) <= maxKeys, "api_keys", "want at most %d, the old one and the new one", maxKeys)
	for i, given := range s.APIKeys {
		digest, err := hex.DecodeString(given.SHA256)
		ok := err == nil && len(digest) == sha256.Size
		check(ok, fmt.Sprintf("api_keys[%d].sha256", i), "want the SHA-256 of the key in 64 hexadecimal digits")
		taken := slices.ContainsFunc(t.keys, func(k apiKey) bool { return k.name == given.Name })
		check(!taken, fmt.Sprintf("api_keys[%d].name", i), "%s is already the name of another", given.Name)
		if ok {
			t.keys = append(t.keys, apiKey{given.Name, [sha256.Size]byte(digest)})
		}
	}
}

func (t *Tenant) readPeople(s *section, check func(ok bool, path, format string, args ...any)) {
	for i, given := range s.People {
		path := func(key string) string { return fmt.Sprintf("people[%d].%s", i, key) }
		hash := []byte(given.Password.Reveal())
		cost, err := bcrypt.Cost(hash)
		check(err == nil && minCost <= cost && cost <= maxCost && len(hash) == hashLength, path("password"),
			"want a bcrypt hash of cost %d to %d, such as `htpasswd -nBC 10` makes", minCost, maxCost)
		for _, right := range given.Rights {
			check(right.Known(), path("rights"), "unknown right %q, want some of %v", right, AllRights())
		}
		rights := given.Rights
		if len(rights) == 0 {
			rights = DefaultRights()
		}
		name := strings.ToLower(given.Login)
		_, taken := t.people[name]
		check(!taken, path("login"), "%s is already the login of another", given.Login)
		t.people[name] = person{given.Login, hash, rights}
	}
}

func isOrigin(origin string) bool {
	u, err := url.Parse(origin)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" &&
		origin == strings.ToLower(u.Scheme+"://"+u.Host)
}

// Allows reports whether pages of an origin may call on behalf of the tenant.
func (t *Tenant) Allows(origin string) bool { return t != nil && slices.Contains(t.Origins, origin) }

// APIKey returns the name of an API key, in constant time; false if it is none of the tenant's.
func (t *Tenant) APIKey(presented string) (name string, ok bool) {
	digest := sha256.Sum256([]byte(presented))
	if t == nil {
		t = &Tenant{}
	}
	for _, key := range t.keys {
		if subtle.ConstantTimeCompare(digest[:], key.digest[:]) == 1 {
			name, ok = key.name, true
		}
	}
	return name, ok
}

const hashLength = 60

// decoy is a hash of nothing that anybody knows.
func decoy(cost int) []byte {
	return fmt.Appendf(nil, "$2a$%02d$%s", cost, strings.Repeat(".", hashLength-len("$2a$10$")))
}

// LogIn returns the identity and the rights of who logs in. A login that nobody has takes as long as a wrong password, if all
// passwords of the tenant are of one cost. It takes a good part of a second of one processor.
func (t *Tenant) LogIn(login, password string) (Identity, []Right, bool) {
	who, known := t.person(login)
	if !known {
		who.hash = decoy(t.cost())
	}
	if bcrypt.CompareHashAndPassword(who.hash, []byte(password)) != nil || !known {
		return Identity{}, nil, false
	}
	return Identity{t.Name, Login, who.login}, slices.Clone(who.rights), true
}

// Rights returns what somebody who logged in may do now; false if they may not log in any more.
func (t *Tenant) Rights(login string) ([]Right, bool) {
	who, known := t.person(login)
	return slices.Clone(who.rights), known
}

func (t *Tenant) person(login string) (person, bool) {
	if t == nil {
		return person{}, false
	}
	who, known := t.people[strings.ToLower(login)]
	return who, known
}

// cost is the greatest cost of the tenant's passwords.
func (t *Tenant) cost() int {
	greatest := minCost
	if t == nil {
		return greatest
	}
	for _, who := range t.people {
		if cost, err := bcrypt.Cost(who.hash); err == nil {
			greatest = max(greatest, cost)
		}
	}
	return greatest
}
