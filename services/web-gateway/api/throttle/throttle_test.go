package throttle_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/switchhook/switchhook/services/web-gateway/api/throttle"
)

var began = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func from(address string) netip.Addr { return netip.MustParseAddr(address) }

// fail lets attempts fail, each from another address unless one is given, and returns how long the next has to wait.
func fail(th *throttle.Throttle, now time.Time, n int, attempt func(i int) throttle.Attempt) time.Duration {
	for i := range n {
		if wait := th.Begin(now, attempt(i)); wait > 0 {
			return wait
		}
	}
	return th.Begin(now, attempt(n))
}

func karel(i int) throttle.Attempt {
	return throttle.NewAttempt("acme", "karel", netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
}

// The wait for a login doubles up to a minute, whatever the address, and attempts that come too early do not prolong it.
func TestLogin(t *testing.T) {
	th, now := throttle.New(), began
	if wait := fail(th, now, 5, karel); wait != time.Second {
		t.Fatalf("want five attempts free and then a wait of 1 s, have %v", wait)
	}
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60} {
		for range 3 {
			if have := th.Begin(now, karel(7)); have != want*time.Second {
				t.Fatalf("want a wait of %v, have %v", want*time.Second, have)
			}
		}
		if have := th.Begin(now, throttle.NewAttempt("acme", "KAREL", from("2001:db8::1"))); have != want*time.Second {
			t.Fatalf("want the same wait for a login in other letters from elsewhere, have %v", have)
		}
		now = now.Add(want * time.Second)
		if have := th.Begin(now, karel(8)); have != 0 {
			t.Fatalf("want an attempt after %v, have a wait of %v", want*time.Second, have)
		}
	}
	for _, other := range []throttle.Attempt{
		throttle.NewAttempt("acme", "jana", from("192.0.2.1")), throttle.NewAttempt("globex", "karel", from("192.0.2.1")),
	} {
		if have := th.Begin(now, other); have != 0 {
			t.Errorf("want no wait for others, have %v", have)
		}
	}
	if wait := fail(th, now.Add(16*time.Minute), 5, karel); wait != time.Second {
		t.Errorf("want it to begin anew after a while, have %v", wait)
	}
}

func TestSucceed(t *testing.T) {
	th := throttle.New()
	for i := range 100 {
		if wait := th.Begin(began, karel(0)); wait > 0 {
			t.Fatalf("login %d: want no wait for who knows the password, have %v", i, wait)
		}
		th.Succeed(karel(0))
	}
}

// One address may try twenty logins; a customer of IPv6 has one address here, however many they use.
func TestAddress(t *testing.T) {
	for name, address := range map[string]func(i int) netip.Addr{
		"IPv4":        func(int) netip.Addr { return from("192.0.2.1") },
		"IPv6":        func(i int) netip.Addr { return from(fmt.Sprintf("2001:db8:0:1::%x", i)) },
		"IPv4 mapped": func(int) netip.Addr { return from("::ffff:192.0.2.1") },
		"not known":   func(int) netip.Addr { return netip.Addr{} },
	} {
		t.Run(name, func(t *testing.T) {
			th := throttle.New()
			attempt := func(i int) throttle.Attempt { return throttle.NewAttempt("acme", fmt.Sprint("login", i), address(i)) }
			for i := range 20 {
				if wait := th.Begin(began, attempt(i)); wait > 0 {
					t.Fatalf("attempt %d: want no wait, have %v", i, wait)
				}
			}
			if wait := th.Begin(began, attempt(20)); wait != time.Second {
				t.Errorf("want a wait of 1 s, have %v", wait)
			}
			th.Succeed(attempt(3)) // which takes back its own attempt alone
			if th.Begin(began, attempt(21)) != 0 || th.Begin(began, attempt(22)) == 0 {
				t.Error("want one more attempt of the address, have none or two")
			}
		})
	}
}

// However many logins are tried, the memory stays bounded, and the newest still count.
func TestFlood(t *testing.T) {
	th := throttle.New()
	for i := range 100_000 {
		address := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		if wait := th.Begin(began, throttle.NewAttempt("acme", fmt.Sprint("login", i), address)); wait > 0 {
			t.Fatalf("attempt %d: want no wait, have %v", i, wait)
		}
	}
	if have := th.Len(); have > 20_000 {
		t.Errorf("want at most 20,000 remembered, have %d", have)
	}
	if wait := fail(th, began, 5, karel); wait != time.Second {
		t.Errorf("want the newest counted, have %v", wait)
	}
}
