package ipex_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/switchhook/switchhook/pkg/command"
	"github.com/switchhook/switchhook/pkg/command/commandtest"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/vendors/ipex"
)

// tokenServer plays an exchange with its token server in simulated time, without a network. It numbers its tokens.
type tokenServer struct {
	mu           sync.Mutex
	grants       []string // the grants asked for
	expires      map[string]time.Time
	life         time.Duration // of access tokens
	refreshLife  time.Duration
	delay        time.Duration // of the token server
	revoked      map[string]bool
	refuseAll    bool // every access token
	refreshFails int  // the status of refreshing; 0 is none
	commands     int
}

func newTokenServer() *tokenServer {
	return &tokenServer{
		expires: map[string]time.Time{}, revoked: map[string]bool{}, life: 3000 * time.Second, refreshLife: 7200 * time.Second,
	}
}

func (s *tokenServer) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == "/token" {
		select {
		case <-time.After(s.delay):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	status, body := s.answer(r)
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func (s *tokenServer) answer(r *http.Request) (int, string) {
	if r.URL.Path != "/token" {
		s.commands++
		if token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "); s.refuseAll || !s.good(token) {
			return http.StatusUnauthorized, ""
		}
		return http.StatusOK, `{"callId":"1.1","channelId":"2"}`
	}
	body, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(body))
	grant := form.Get("grant_type")
	s.grants = append(s.grants, grant)
	if grant == "refresh_token" && s.refreshFails != 0 {
		return s.refreshFails, `{"error":"invalid_grant"}`
	}
	if grant == "refresh_token" && !s.good(form.Get("refresh_token")) {
		return http.StatusBadRequest, `{"error":"invalid_grant"}`
	}
	n := len(s.grants)
	access, refresh := fmt.Sprintf("access-%d", n), fmt.Sprintf("refresh-%d", n)
	s.expires[access], s.expires[refresh] = time.Now().Add(s.life), time.Now().Add(s.refreshLife)
	return http.StatusOK, fmt.Sprintf(`{"access_token":%q,"expires_in":%v,"refresh_token":%q,"refresh_expires_in":"%v"}`,
		access, s.life.Seconds(), refresh, s.refreshLife.Seconds())
}

func (s *tokenServer) good(token string) bool {
	return time.Now().Before(s.expires[token]) && !s.revoked[token]
}

func (s *tokenServer) commander(t *testing.T) command.Exchange {
	t.Helper()
	x, err := ipex.NewCommander(commandtest.Exchange(t, commandYAML("https://pbx.example", "https://login.example")), &http.Client{Transport: s})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func (s *tokenServer) check(t *testing.T, commands int, grants ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(grants, s.grants) {
		t.Errorf("want the grants %q, have %q", grants, s.grants)
	}
	if commands != s.commands {
		t.Errorf("want %d commands, have %d", commands, s.commands)
	}
}

func dial(t *testing.T, x command.Exchange) {
	t.Helper()
	if _, err := x.Execute(t.Context(), commandtest.Originate("21")); err != nil {
		t.Errorf("want no error, have %v", err)
	}
}

const password, refresh = "password", "refresh_token"

func TestTokenLife(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*tokenServer)
		waits  []time.Duration // before each command but the first
		sent   int             // more than one for each command
		grants []string
	}{
		"good":                    {waits: []time.Duration{time.Second, 2968 * time.Second}, grants: []string{password}},
		"refreshed before expiry": {waits: []time.Duration{2971 * time.Second}, grants: []string{password, refresh}},
		"refreshed twice": {
			waits: []time.Duration{2999 * time.Second, 6000 * time.Second}, grants: []string{password, refresh, refresh},
		},
		"refresh token over":    {waits: []time.Duration{7171 * time.Second}, grants: []string{password, password}},
		"refresh token refused": {change: func(s *tokenServer) { s.refreshFails = 400 }, waits: []time.Duration{time.Hour}, grants: []string{password, refresh, password}},
		"short life":            {change: func(s *tokenServer) { s.life = 10 * time.Second }, waits: []time.Duration{8 * time.Second, 2 * time.Second}, grants: []string{password, refresh}},
		"revoked":               {change: func(s *tokenServer) { s.revoked["access-1"] = true }, waits: []time.Duration{time.Second}, sent: 1, grants: []string{password, refresh}},
		"all revoked": {
			change: func(s *tokenServer) { s.revoked["access-1"], s.revoked["refresh-1"] = true, true },
			waits:  []time.Duration{time.Second}, sent: 1, grants: []string{password, refresh, password},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newTokenServer()
				if test.change != nil {
					test.change(s)
				}
				x := s.commander(t)
				dial(t, x)
				for _, wait := range test.waits {
					time.Sleep(wait)
					dial(t, x)
				}
				s.check(t, 1+len(test.waits)+test.sent, test.grants...)
			})
		})
	}
}

// A token server that fails is not asked for a password login instead: it may be the same failure twice.
func TestRefreshFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTokenServer()
		x := s.commander(t)
		dial(t, x)
		time.Sleep(time.Hour)
		s.refreshFails = http.StatusInternalServerError
		if _, err := x.Execute(t.Context(), commandtest.Originate("21")); !fault.Is(err, fault.Unavailable) {
			t.Errorf("want unavailable, have %v", err)
		}
		s.check(t, 1, password, refresh)
		s.refreshFails = 0
		dial(t, x)
		s.check(t, 2, password, refresh, refresh)
	})
}

func TestNoTokenWillDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTokenServer()
		s.refuseAll = true
		if _, err := s.commander(t).Execute(t.Context(), commandtest.Originate("21")); !fault.Is(err, fault.Denied) {
			t.Errorf("want denied, have %v", err)
		}
		s.check(t, 2, password, refresh)
	})
}

// TestOneRenewal has many commands at once, at the beginning, when the token is over, and when it is refused.
func TestOneRenewal(t *testing.T) {
	const many = 100
	synctest.Test(t, func(t *testing.T) {
		s := newTokenServer()
		s.delay = time.Second
		x := s.commander(t)
		all := func() {
			var commands sync.WaitGroup
			for range many {
				commands.Go(func() { dial(t, x) })
			}
			commands.Wait()
		}
		all()
		s.check(t, many, password)
		time.Sleep(time.Hour)
		all()
		s.check(t, 2*many, password, refresh)
		s.revoked["access-2"] = true
		all()
		s.check(t, 4*many, password, refresh, refresh)
	})
}

// A command that gives up does not take the token away from those that still wait.
func TestGivingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTokenServer()
		s.delay = 3 * time.Second
		x := s.commander(t)
		var commands sync.WaitGroup
		commands.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := x.Execute(ctx, commandtest.Originate("21")); !fault.Is(err, fault.Unavailable) {
				t.Errorf("want unavailable, have %v", err)
			}
		})
		synctest.Wait()
		commands.Go(func() { dial(t, x) })
		commands.Wait()
		s.check(t, 1, password)
	})
}

// TestTokens has tokens for something else than commands: nobody is asked to dial.
func TestTokens(t *testing.T) {
	const many = 100
	synctest.Test(t, func(t *testing.T) {
		s := newTokenServer()
		s.delay = time.Second
		tokens, err := ipex.NewTokens(commandtest.Exchange(t, commandYAML("https://pbx.example", "https://login.example")), &http.Client{Transport: s})
		if err != nil {
			t.Fatal(err)
		}
		all := func(refused, want string) {
			t.Helper()
			var askers sync.WaitGroup
			for range many {
				askers.Go(func() {
					if have, err := tokens(t.Context(), refused); want != have || err != nil {
						t.Errorf("want %s, have %s and %v", want, have, err)
					}
				})
			}
			askers.Wait()
		}
		all("", "access-1")
		s.check(t, 0, password)
		all("access-1", "access-2")
		s.check(t, 0, password, refresh)
		all("access-1", "access-2") // Refused late: another was obtained meanwhile.
		s.check(t, 0, password, refresh)
		time.Sleep(time.Hour)
		all("", "access-3")
		s.check(t, 0, password, refresh, refresh)
	})
}

func TestTokensFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTokenServer()
		s.delay = 10 * time.Second
		none, err := ipex.NewTokens(commandtest.Exchange(t, "{vendor: ipex, webhook: {username: u, password: p}}"), &http.Client{Transport: s})
		if none != nil || err != nil {
			t.Errorf("without an api section: want nothing, have %v", err)
		}
		tokens, err := ipex.NewTokens(commandtest.Exchange(t, commandYAML("https://pbx.example", "https://login.example")), &http.Client{Transport: s})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if have, err := tokens(ctx, ""); have != "" || !fault.Is(err, fault.Unavailable) {
			t.Errorf("want unavailable, have %q and %v", have, err)
		}
		if have, err := tokens(t.Context(), ""); have != "access-1" || err != nil {
			t.Errorf("want the token that was already on its way, have %q and %v", have, err)
		}
		s.check(t, 0, password)
	})
}

// What came in time must not ring a phone late because the token server took its time.
func TestNotAfterExpiry(t *testing.T) {
	for name, test := range map[string]struct {
		expires time.Duration
		revoked bool // so that a second token is needed
		late    bool
		sent    int
	}{
		"in time":             {11 * time.Second, false, false, 1},
		"too late":            {9 * time.Second, false, true, 0},
		"at the last":         {10 * time.Second, false, true, 0},
		"again in time":       {21 * time.Second, true, false, 2},
		"again, but too late": {19 * time.Second, true, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newTokenServer()
				s.delay, s.revoked["access-1"] = 10*time.Second, test.revoked
				c := commandtest.Originate("21")
				c.Expires = time.Now().Add(test.expires)
				_, err := s.commander(t).Execute(t.Context(), c)
				if test.late != fault.Is(err, fault.Unavailable) || test.late != (err != nil) {
					t.Errorf("want too late %v, have %v", test.late, err)
				}
				time.Sleep(s.delay)
				s.mu.Lock()
				defer s.mu.Unlock()
				if test.sent != s.commands {
					t.Errorf("want %d commands, have %d", test.sent, s.commands)
				}
			})
		})
	}
}
