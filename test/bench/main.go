// Command bench measures whole processes: how many webhooks a second ingress-ipex stores and how long each takes, beside a bare
// net/http server that answers 204; or, with -sockets, how soon web-gateway tells thousands of pages what happens. README.md in
// this folder says how.
package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/switchhook/switchhook/pkg/bus/embedded"
)

const configuration = `tenants:
  - name: acme
    region: CZ
    exchanges:
      - {vendor: ipex, webhook: {username: webhook, password: bench-only-password}}
`

const body = `{"EventName":"Ringing","From":"777888999","To":"222333444","Line":"444","Email":"petr.novak@jehofirma.cz",` +
	`"Login":"petr.novak","UniqueId":"1412256225.1941","Queue":"NOC","Direction":"incoming"}`

func main() {
	seconds := flag.Duration("for", 5*time.Second, "how long to measure each `time`")
	rounds := flag.Int("rounds", 3, "how often to measure each, in turn; the median is shown")
	ingress := flag.String("ingress", "bin/ingress-ipex", "the `program` to measure")
	var o officeOptions
	flag.IntVar(&o.sockets, "sockets", 0, "measure web-gateway with so many `pages` instead")
	flag.IntVar(&o.slow, "slow", 100, "how many `pages` of them read nothing for a while")
	flag.IntVar(&o.rate, "rate", 200, "`webhooks` a second for these")
	flag.StringVar(&o.gateway, "web-gateway", "bin/web-gateway", "the `program` to measure then")
	flag.StringVar(&o.agents, "agent-state", "bin/agent-state", "the `program` that knows who is at which line")
	serve := flag.String("serve", "", "be one of the servers: bare or nats")
	listen := flag.String("listen", "", "where that server listens")
	data := flag.String("data", "", "where that server stores")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	o.ingress, o.rounds = *ingress, *rounds
	var err error
	switch {
	case *serve == "bare":
		err = serveBare(*listen)
	case *serve == "nats":
		err = serveNATS(ctx, *listen, *data)
	case o.sockets > 0:
		err = measureSockets(ctx, o)
	default:
		err = measureAll(ctx, *ingress, *rounds, *seconds)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func serveBare(listen string) error {
	server := &http.Server{Addr: listen, ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusNoContent)
		})}
	return server.ListenAndServe()
}

func serveNATS(ctx context.Context, listen, data string) error {
	server, err := embedded.Start(embedded.Options{Listen: listen, Data: data, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	<-ctx.Done()
	server.Stop()
	return nil
}

// server is a process under measurement.
type server struct {
	name, addr string
}

func measureAll(ctx context.Context, ingress string, rounds int, length time.Duration) error {
	folder, err := os.MkdirTemp("", "switchhook-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	servers, stop, err := start(ctx, ingress, folder)
	defer stop()
	if err != nil {
		return err
	}
	fmt.Printf("%-14s %12s %12s %9s %9s %9s\n", "server", "connections", "requests/s", "p50 ms", "p99 ms", "of bare")
	for _, connections := range []int{64, 256} {
		results := make([][]result, len(servers))
		for range rounds {
			for i, s := range servers { // in turn, so that a slow spell of the machine meets both
				r, err := measure(ctx, s.addr, connections, length)
				if err != nil {
					return fmt.Errorf("%s at %d connections: %w", s.name, connections, err)
				}
				results[i] = append(results[i], r)
			}
		}
		bare := median(results[0])
		for i, s := range servers {
			r := median(results[i])
			fmt.Printf("%-14s %12d %12.0f %9.2f %9.2f %9.2f\n", s.name, connections, r.rate,
				ms(r.p50), ms(r.p99), r.rate/bare.rate)
		}
	}
	return nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// start starts the servers and waits until each takes connections.
func start(ctx context.Context, ingress, folder string) (servers []server, stop func(), err error) {
	p := &programs{}
	config := filepath.Join(folder, "switchhook.yaml")
	if err := os.WriteFile(config, []byte(configuration), 0o600); err != nil {
		return nil, p.stop, err
	}
	addrs, err := freeAddrs(4)
	if err != nil {
		return nil, p.stop, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, p.stop, err
	}
	for i, args := range [][]string{
		{self, "-serve", "bare", "-listen", addrs[0]},
		{self, "-serve", "nats", "-listen", addrs[1], "-data", filepath.Join(folder, "data")},
		{ingress, "--config", config, "--nats", "nats://" + addrs[1], "--listen", addrs[2], "--admin-listen", addrs[3], "--log-level", "error"},
	} {
		if _, err := p.start(ctx, addrs[i], args...); err != nil {
			return nil, p.stop, err
		}
	}
	return []server{{"bare net/http", addrs[0]}, {"ingress-ipex", addrs[2]}}, p.stop, nil
}

type result struct {
	rate     float64 // requests a second
	p50, p99 time.Duration
}

func median(results []result) result {
	slices.SortFunc(results, func(a, b result) int { return int(a.rate - b.rate) })
	return results[len(results)/2]
}

// measure keeps so many connections busy, each with one request after another, and times every request. A second at the
// start is not counted.
func measure(ctx context.Context, addr string, connections int, length time.Duration) (result, error) {
	begin := time.Now().Add(time.Second)
	end := begin.Add(length)
	var mu sync.Mutex
	var all []time.Duration
	var failed error
	var group sync.WaitGroup
	for range connections {
		group.Go(func() {
			times, err := drive(ctx, addr, begin, end)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, times...)
			if err != nil {
				failed = err
			}
		})
	}
	group.Wait()
	if failed != nil || len(all) == 0 {
		return result{}, fmt.Errorf("no measurement: %w", failed)
	}
	slices.Sort(all)
	return result{
		rate: float64(len(all)) / length.Seconds(),
		p50:  all[len(all)/2], p99: all[len(all)*99/100],
	}, nil
}

func drive(ctx context.Context, addr string, begin, end time.Time) (times []time.Duration, err error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	request := []byte(strings.Join([]string{
		"POST /ipex HTTP/1.1", "Host: " + addr, "Content-Type: application/json",
		"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("webhook:bench-only-password")),
		fmt.Sprintf("Content-Length: %d", len(body)), "", body,
	}, "\r\n"))
	reader := bufio.NewReader(c)
	for now := time.Now(); now.Before(end) && ctx.Err() == nil; {
		if _, err := c.Write(request); err != nil {
			return times, err
		}
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			return times, err
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if response.StatusCode >= 300 {
			return times, fmt.Errorf("answered %s", response.Status)
		}
		done := time.Now()
		if now.After(begin) {
			times = append(times, done.Sub(now))
		}
		now = done
	}
	return times, ctx.Err()
}
