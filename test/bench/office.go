package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

const apiKey = "bench-only-key"

// roomFor raises the limit of open files as far as it goes.
func roomFor(sockets int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = limit.Max
	const others = 2000 // the exchange's connections among them
	if need := uint64(sockets + others); limit.Max < need {
		return fmt.Errorf("%d files may be open, want %d: see ulimit -Hn", limit.Max, need)
	}
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}

// begin starts the programs.
func (o *office) begin(ctx context.Context, folder string) error {
	addrs, err := freeAddrs(7)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	config := filepath.Join(folder, "switchhook.yaml")
	web := fmt.Sprintf("    web: {token_ttl: 1h, api_keys: [{name: bench, sha256: %x}]}\n", sha256.Sum256([]byte(apiKey)))
	if err := os.WriteFile(config, []byte(configuration+web), 0o600); err != nil {
		return err
	}
	with := func(program, listen, admin string) []string {
		return []string{
			program, "--config", config, "--nats", "nats://" + addrs[0], "--listen", listen, "--admin-listen", admin, "--log-level", "error",
		}
	}
	o.gatewayAddr, o.gatewayAdmin = addrs[5], addrs[6]
	o.gatewayArgs = with(o.gateway, o.gatewayAddr, o.gatewayAdmin)
	if _, err := o.start(ctx, addrs[0], self, "-serve", "nats", "-listen", addrs[0], "-data", filepath.Join(folder, "data")); err != nil {
		return err
	}
	for _, args := range [][]string{with(o.ingress, addrs[1], addrs[2]), with(o.agents, addrs[3], addrs[4])} {
		if _, err := o.start(ctx, args[8], args...); err != nil {
			return err
		}
		if err := ready(ctx, args[8]); err != nil {
			return err
		}
	}
	o.exchange = newExchange(addrs[1])
	return o.serve(ctx)
}

// serve starts the gateway, and waits until it is ready.
func (o *office) serve(ctx context.Context) error {
	var err error
	if o.process, err = o.start(ctx, o.gatewayAdmin, o.gatewayArgs...); err != nil {
		return err
	}
	return ready(ctx, o.gatewayAdmin)
}

// each does something for all people, many at a time.
func each[T any](all []T, f func(T) error) error {
	const atOnce = 64
	var group sync.WaitGroup
	var mu sync.Mutex
	var failed error
	next := make(chan T)
	for range atOnce {
		group.Go(func() {
			for one := range next {
				if err := f(one); err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
				}
			}
		})
	}
	for _, one := range all {
		next <- one
	}
	close(next)
	group.Wait()
	return failed
}

// hire lets everybody log in at a phone, and gets them a token each, as their application's server does.
func (o *office) hire(ctx context.Context) error {
	for i := range o.sockets - o.slow + slowLines {
		p := &person{login: fmt.Sprintf("agent%d", i), line: fmt.Sprint(10000 + i)}
		if i < slowLines {
			o.crowd = append(o.crowd, p)
		} else {
			o.people = append(o.people, p)
		}
	}
	everybody := slices.Concat(o.crowd, o.people)
	begun := time.Now()
	if err := each(everybody, func(p *person) error { return o.exchange.post(ctx, "AgentLogin", "", "", p) }); err != nil {
		return err
	}
	known := time.Now()
	if err := each(everybody, func(p *person) error { return o.mint(ctx, p) }); err != nil {
		return err
	}
	fmt.Printf("%d people: %.1f s to log in, %.1f s more until each has a token\n",
		len(everybody), known.Sub(begun).Seconds(), time.Since(known).Seconds())
	return nil
}

// mint gets a token for a person, once they are known.
func (o *office) mint(ctx context.Context, p *person) error {
	body, err := json.Marshal(map[string]string{"tenant": "acme", "identityType": "login", "identityValue": p.login})
	if err != nil {
		return err
	}
	limit := time.Now().Add(settleLimit)
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+o.gatewayAddr+"/api/v1/tokens", bytes.NewReader(body))
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer "+apiKey)
		r.Header.Set("Content-Type", "application/json")
		response, err := o.exchange.client.Do(r)
		if err != nil {
			return err
		}
		var answer struct{ Token string }
		err = json.NewDecoder(response.Body).Decode(&answer)
		_ = response.Body.Close()
		if p.token = answer.Token; p.token != "" {
			return nil
		}
		if response.StatusCode != http.StatusNotFound || time.Now().After(limit) {
			return cmp.Or(err, fmt.Errorf("token for %s answered %s", p.login, response.Status))
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// open opens everybody's page, and prints what that costs the gateway.
func (o *office) open(ctx context.Context) error {
	plain, slow := &http.Client{}, &http.Client{Transport: &http.Transport{DialContext: thin}}
	for _, p := range o.people {
		o.pages = append(o.pages, &page{person: p, gateway: o.gatewayAddr, client: plain, tell: o.calls.arrive})
	}
	for i := range o.slow {
		p := o.crowd[i%slowLines]
		o.slows = append(o.slows, &page{person: p, gateway: o.gatewayAddr, client: slow, trickles: i%4 < 2, tell: o.flood.arrive})
	}
	if err := pause(ctx, 3*time.Second); err != nil { // what the tokens took is given back
		return err
	}
	before, err := residentBytes(o.process)
	if err != nil {
		return err
	}
	begun := time.Now()
	all := slices.Concat(o.pages, o.slows)
	for _, p := range all {
		go p.run(ctx)
	}
	if err := o.await(ctx, "pages that are let in", all, func(p *page) bool { return p.open != nil }); err != nil {
		return err
	}
	took := time.Since(begun)
	if err := pause(ctx, 3*time.Second); err != nil {
		return err
	}
	after, err := residentBytes(o.process)
	if err != nil {
		return err
	}
	const kib = 1 << 10
	fmt.Printf("%d sockets opened in %.1f s; the gateway has %.1f MiB, %.1f KiB more for each socket than before\n",
		len(all), took.Seconds(), after/kib/kib, (after-before)/kib/float64(len(all)))
	return nil
}
