package api

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"sync"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// FromNow is the sequence from which on there is only what comes.
const FromNow = math.MaxUint64

// Stream keeps the last events of each tenant, for pages that watch them live. Whatever follows the event stream adds to it. It is
// safe for concurrent use.
type Stream struct {
	limit int

	mu          sync.Mutex
	tenants     map[string]*feed[*liveEvent]
	first, last uint64 // sequences that were added; zero before any was
}

// liveEvent is an event, and how it is written; that is worked out when it is needed first.
type liveEvent struct {
	stored bus.Stored[*pbxv1.Event]
	once   sync.Once
	frame  []byte
}

// NewStream returns a stream that keeps at least a number of events of each tenant, and at most twice as many.
func NewStream(limit int) *Stream {
	return &Stream{limit: limit, tenants: map[string]*feed[*liveEvent]{}}
}

// Add adds the next event of the event stream. One that came already is left out. The event must not change any more.
func (s *Stream) Add(stored bus.Stored[*pbxv1.Event]) {
	_, tenant := event.ParseSubject(stored.Subject)
	s.mu.Lock()
	defer s.mu.Unlock()
	if tenant == "" || stored.Sequence <= s.last {
		return
	}
	s.last = stored.Sequence
	if s.first == 0 {
		s.first = stored.Sequence
	}
	s.feed(tenant).add(&liveEvent{stored: stored})
}

// feed returns a tenant's. The stream is locked.
func (s *Stream) feed(tenant string) *feed[*liveEvent] {
	if s.tenants[tenant] == nil {
		s.tenants[tenant] = newFeed[*liveEvent](s.limit)
	}
	return s.tenants[tenant]
}

// Subscription reads the events of one tenant. It is for one goroutine, and need not be closed.
type Subscription struct {
	feed     *feed[*liveEvent]
	position uint64
	after    uint64 // sequence behind which it reads
	gap      bool
}

// Subscribe returns what is known of a tenant's events behind a sequence, and what will come.
func (s *Stream) Subscribe(tenant string, since uint64) *Subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.feed(tenant)
	if since == FromNow {
		return &Subscription{feed: f, position: f.end(), after: s.last}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	at, _ := slices.BinarySearchFunc(f.kept, since, func(e *liveEvent, since uint64) int {
		if e.stored.Sequence <= since {
			return -1
		}
		return 1
	})
	gap := since+1 < s.first || f.dropped != nil && since < f.dropped.stored.Sequence
	return &Subscription{feed: f, position: f.first + uint64(at), after: since, gap: gap}
}

// Gap reports whether events between the sequence that was subscribed from and the first that Next returns may be missing, since
// they are not kept any more.
func (s *Subscription) Gap() bool { return s.gap }

// Next waits for events, and returns them as frames of server-sent events, which are not to be changed. It is fault.Conflict for a
// subscriber who was so slow that what comes next is gone, and the context's error when that ends first.
func (s *Subscription) Next(ctx context.Context) ([][]byte, error) {
	for {
		events, position, err := s.feed.next(ctx, s.position)
		if err != nil {
			return nil, err
		}
		s.position = position
		var frames [][]byte
		for _, e := range events {
			if e.stored.Sequence > s.after { // another replica may have been ahead of this one
				frames = append(frames, e.written())
			}
		}
		if len(frames) > 0 {
			return frames, nil
		}
	}
}

func (e *liveEvent) written() []byte {
	e.once.Do(func() {
		message, err := protojson.Marshal(e.stored.Message)
		if err != nil { // only text that is no UTF-8, which nobody could have decoded
			message = []byte("null")
		}
		subject, _ := json.Marshal(e.stored.Subject) // a string always marshals
		sequence := strconv.FormatUint(e.stored.Sequence, 10)
		e.frame = frame("", sequence, `{"seq":`, sequence, `,"subject":`, string(subject), `,"event":`, string(message), `}`)
	})
	return e.frame
}
