package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// kinds are what a call does, in order, as the exchange names it and as pages are told.
var kinds = []struct{ exchange, page string }{{"Ringing", "Ringing"}, {"Answered", "Answered"}, {"Hangup", "Hangup"}}

// ledger is what was posted, and what pages were told of it. The number that a call comes from tells which one it is.
type ledger struct {
	prefix  string // of the numbers
	mu      sync.Mutex
	entries []entry // of call n, one for each of kinds, from 3 n on
}

// entry is a webhook and its frame.
type entry struct {
	due, answered, arrived time.Time // answered is zero while the webhook is not known to be stored
	times                  int       // that the frame arrived
}

func (l *ledger) number(call int) string { return fmt.Sprintf("%s%06d", l.prefix, call) }

// find returns the index of a frame's entry; -1 for a frame of something else.
func (l *ledger) find(event, from string) int {
	kind := -1
	for i := range kinds {
		if kinds[i].page == event {
			kind = i
		}
	}
	const digits = 6
	if kind < 0 || len(from) < len(l.prefix)+digits || from[len(from)-digits-len(l.prefix):len(from)-digits] != l.prefix {
		return -1
	}
	call, err := strconv.Atoi(from[len(from)-digits:])
	if err != nil {
		return -1
	}
	return call*len(kinds) + kind
}

// arrive notes a frame.
func (l *ledger) arrive(event, from string, at time.Time) {
	i := l.find(event, from)
	l.mu.Lock()
	defer l.mu.Unlock()
	if i < 0 || i >= len(l.entries) {
		return
	}
	if l.entries[i].times++; l.entries[i].times == 1 {
		l.entries[i].arrived = at
	}
}

// grow makes room for calls, and returns the first.
func (l *ledger) grow(calls int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := len(l.entries) / len(kinds)
	l.entries = append(l.entries, make([]entry, calls*len(kinds))...)
	return first
}

// since returns a copy of what was posted from a call on.
func (l *ledger) since(call int) []entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.entries[call*len(kinds):])
}

// exchange posts webhooks.
type exchange struct {
	url    string
	client http.Client
}

func newExchange(addr string) *exchange {
	return &exchange{"http://" + addr + "/ipex", http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1024}}}
}

// post returns nil once a webhook is stored.
func (x *exchange) post(ctx context.Context, name, from, id string, at *person) error {
	body := fmt.Sprintf(`{"EventName":%q,"From":%q,"To":"222333444","Line":%q,"Email":%q,"Login":%q,"UniqueId":%q,`+
		`"Queue":"NOC","Direction":"incoming"}`, name, from, at.line, at.login+"@example.com", at.login, id)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, x.url, bytes.NewReader([]byte(body)))
	if err != nil {
		return err
	}
	r.SetBasicAuth("webhook", "bench-only-password")
	r.Header.Set("Content-Type", "application/json")
	response, err := x.client.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	if response.StatusCode >= 300 {
		return fmt.Errorf("webhook answered %s", response.Status)
	}
	return nil
}

// ring posts so many webhooks a second, on time whether or not the others were answered: calls ring at one line after another,
// are answered a second later, and end after one more. It returns the first of the calls.
func (x *exchange) ring(ctx context.Context, l *ledger, people []*person, rate int, length time.Duration) (first int, err error) {
	wave := rate // calls begin for a second, then all are answered, then all end
	waves := max(1, int(length.Seconds())/len(kinds))
	first = l.grow(wave * waves)
	begin := time.Now()
	var group sync.WaitGroup
	var mu sync.Mutex
	for slot := range wave * waves * len(kinds) {
		due := begin.Add(time.Duration(slot) * time.Second / time.Duration(rate))
		select {
		case <-time.After(time.Until(due)):
		case <-ctx.Done():
			return first, ctx.Err()
		}
		kind := slot / wave % len(kinds)
		call := first + slot/(wave*len(kinds))*wave + slot%wave
		group.Go(func() {
			const stride = 7919 // a prime: neighbours in time are no neighbours
			failed := x.post(ctx, kinds[kind].exchange, l.number(call), fmt.Sprintf("%s.%d", l.prefix, call), people[call*stride%len(people)])
			l.mu.Lock()
			e := &l.entries[call*len(kinds)+kind]
			e.due, e.answered = due, time.Now()
			l.mu.Unlock()
			if failed != nil {
				mu.Lock()
				err = failed
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return first, err
}
