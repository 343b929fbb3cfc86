package bus

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/switchhook/switchhook/pkg/fault"
)

const (
	// observeEvery is how often the server is asked how full streams are and how far consumers have come.
	observeEvery = 10 * time.Second
	// observeLimit is how long all of the answers may take.
	observeLimit = 5 * time.Second
	// mostConsumers is how many durable consumers of a stream have metrics of their own.
	mostConsumers = 100
)

// observed is what there is to ask the server about.
type observed struct {
	mu        sync.Mutex
	streams   []string
	followers map[string]*follower
}

func (o *observed) stream(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !slices.Contains(o.streams, name) {
		o.streams = append(o.streams, name)
	}
}

func (o *observed) follower(l *follower) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.followers[l.Name] = l
}

func (o *observed) list() (streams []string, followers []*follower) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, l := range o.followers {
		followers = append(followers, l)
	}
	return append(streams, o.streams...), followers
}

// Observe returns an actor that keeps the metrics of streams and consumers up to date: those that all services share, the
// buckets that this process keeps, and who follows here.
func (b *Bus) Observe() (execute func() error, interrupt func(error)) {
	ctx, cancel := context.WithCancel(context.Background())
	for _, name := range []string{EventStream, QuarantineStream, CommandStream, AuditStream} {
		b.observed.stream(name)
	}
	return func() error {
			ticker := time.NewTicker(observeEvery)
			defer ticker.Stop()
			for {
				b.observe(ctx)
				select {
				case <-ctx.Done():
					return nil
				case <-ticker.C:
				}
			}
		}, func(error) {
			cancel()
		}
}

// observe asks for everything once. What is not answered stays as it was; that JetStream is away, others tell.
func (b *Bus) observe(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, observeLimit)
	defer cancel()
	streams, followers := b.observed.list()
	for _, name := range streams {
		if stream, err := b.js.Stream(ctx, name); err == nil {
			b.metrics.stream(name, stream.CachedInfo(), time.Now())
		}
	}
	for _, name := range []string{EventStream, CommandStream} {
		b.observeConsumers(ctx, name)
	}
	for _, l := range followers {
		if behind, err := l.behind(ctx); err == nil {
			b.metrics.behind.WithLabelValues(l.Name).Set(float64(behind))
		}
	}
	if account, err := b.js.AccountInfo(ctx); err == nil {
		b.metrics.storage.Set(float64(account.Store))
		b.metrics.storageMax.Set(float64(max(0, account.Limits.MaxStore)))
	}
}

func (m metrics) stream(name string, info *jetstream.StreamInfo, now time.Time) {
	state, limits := info.State, info.Config
	oldest := time.Duration(0)
	if state.Msgs > 0 {
		oldest = now.Sub(state.FirstTime)
	}
	m.streamMessages.WithLabelValues(name).Set(float64(state.Msgs))
	m.streamBytes.WithLabelValues(name).Set(float64(state.Bytes))
	m.streamMaxBytes.WithLabelValues(name).Set(float64(max(0, limits.MaxBytes)))
	m.streamOldest.WithLabelValues(name).Set(oldest.Seconds())
	m.streamMaxAge.WithLabelValues(name).Set(limits.MaxAge.Seconds())
}

// observeConsumers looks at the durable consumers of a stream: those of other teams, too, since a stream forgets what they do
// not fetch in time.
func (b *Bus) observeConsumers(ctx context.Context, name string) {
	stream, err := b.js.Stream(ctx, name)
	if err != nil {
		return
	}
	lister := stream.ListConsumers(ctx)
	var durable []*jetstream.ConsumerInfo
	for info := range lister.Info() {
		if info.Config.Durable != "" && len(durable) < mostConsumers {
			durable = append(durable, info)
		}
	}
	if lister.Err() != nil {
		return
	}
	// One that was deleted has no lag any more.
	b.metrics.consumerPending.DeletePartialMatch(map[string]string{"stream": name})
	b.metrics.consumerUnacknowledged.DeletePartialMatch(map[string]string{"stream": name})
	for _, info := range durable {
		consumer := strings.ToValidUTF8(info.Name, "?")
		b.metrics.consumerPending.WithLabelValues(name, consumer).Set(float64(info.NumPending))
		b.metrics.consumerUnacknowledged.WithLabelValues(name, consumer).Set(float64(info.NumAckPending))
	}
}

// behind returns how many events a follower has not handled: those that the server has still to send, and those that came and
// wait.
func (l *follower) behind(ctx context.Context) (uint64, error) {
	l.mu.Lock()
	consumer, handled := l.consumer, l.taken
	l.mu.Unlock()
	if consumer == nil {
		return 0, fault.New(fault.Unavailable, "%s does not follow yet", l.Name)
	}
	// Not by the consumer itself, which could not be opened anew meanwhile.
	asked, err := l.bus.js.Consumer(ctx, EventStream, consumer.CachedInfo().Name)
	if err != nil {
		return 0, unavailable("look how far "+l.Name+" has come", err)
	}
	info := asked.CachedInfo()
	behind := info.NumPending
	if info.Delivered.Consumer > handled {
		behind += info.Delivered.Consumer - handled
	}
	return behind, nil
}
