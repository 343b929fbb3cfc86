package api

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/web-gateway/tokens"
)

const (
	// pace is how long changes are gathered.
	pace = 100 * time.Millisecond
	// statisticsEvery is how often the figures are asked for.
	statisticsEvery = 5 * time.Second
	// statisticsLimit is how long the answer may take.
	statisticsLimit = 2 * time.Second
	// boardKept is how many changes a listener may be behind.
	boardKept = 1024
)

// boards are the wallboards of all tenants. While anybody looks at any, one goroutine compares the tables with what was sent; a
// row is written once, whoever looks. It is safe for concurrent use.
type boards struct {
	api    *api
	tables []rowSource

	mu     sync.Mutex
	active map[string]*board // by tenant: those that somebody looks at
	joined chan struct{}     // of capacity 1: there is a new one
	stop   context.CancelFunc
}

// board is what is shown of one tenant.
type board struct {
	tenant string
	stop   context.CancelFunc
	feed   *feed[[]byte]
	asked  chan struct{} // closed when the figures were asked for first

	listeners int // guarded by the boards

	mu         sync.Mutex
	compared   bool                           // with every table
	ready      chan struct{}                  // closed then
	rows       map[string]map[string]shownRow // by kind and key
	statistics []byte                         // nil while they are not known
}

// shownRow is a row as it was sent last.
type shownRow struct {
	id       string
	revision uint64
	at       time.Time
	data     []byte
}

// tableRow is a row as it is.
type tableRow struct {
	id       string
	revision uint64
	at       time.Time
	value    proto.Message
}

// rowSource is a table as boards see it.
type rowSource struct {
	kind    string // as in the events
	list    string // as in the snapshot
	loaded  func() bool
	changed func() <-chan struct{}
	rows    func() map[string]tableRow // of all tenants, by key
}

func sourceOf[T message](
	kind, list string, table *bus.Table[T], id func(T) string, shown func(T) bool,
) rowSource {
	return rowSource{kind, list, table.Loaded, table.Changed, func() map[string]tableRow {
		rows := make(map[string]tableRow)
		for key, row := range table.Rows() {
			if isOf(tenantOf(key), row.Value) && shown(row.Value) {
				rows[key] = tableRow{id(row.Value), row.Revision, row.At, row.Value}
			}
		}
		return rows
	}}
}

func newBoards(a *api) *boards {
	return &boards{
		api: a, active: map[string]*board{}, joined: make(chan struct{}, 1),
		tables: []rowSource{
			sourceOf("agent", "agents", a.Agents, (*pbxv1.AgentStatus).GetId, func(*pbxv1.AgentStatus) bool { return true }),
			sourceOf("call", "calls", a.Calls, (*pbxv1.CallStatus).GetId, func(*pbxv1.CallStatus) bool { return true }),
			sourceOf("missedCall", "missedCalls", a.MissedCalls, (*pbxv1.MissedCall).GetId, isOpen),
		},
	}
}

// join returns a tenant's board, which lives until the last who joined it leaves.
func (s *boards) join(tenant string) *board {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.active[tenant]
	if b == nil {
		ctx, cancel := context.WithCancel(context.Background())
		b = &board{
			tenant: tenant, stop: cancel, feed: newFeed[[]byte](boardKept), asked: make(chan struct{}),
			ready: make(chan struct{}), rows: map[string]map[string]shownRow{},
		}
		s.active[tenant] = b
		go s.askStatistics(ctx, b)
	}
	b.listeners++
	if s.stop == nil {
		ctx, cancel := context.WithCancel(context.Background())
		s.stop = cancel
		go s.compare(ctx)
	}
	select {
	case s.joined <- struct{}{}:
	default: // it is known already that there is one
	}
	return b
}

func (s *boards) leave(b *board) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.listeners--; b.listeners > 0 {
		return
	}
	b.stop()
	delete(s.active, b.tenant)
	if len(s.active) == 0 {
		s.stop()
		s.stop = nil
	}
}

func (s *boards) all() []*board {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.active))
}

// compare sends what changes, until the context ends.
func (s *boards) compare(ctx context.Context) {
	for ctx.Err() == nil {
		changed := make([]<-chan struct{}, len(s.tables))
		for i, table := range s.tables {
			changed[i] = table.changed() // before it is read, so that nothing is missed
		}
		s.refresh()
		select {
		case <-ctx.Done():
		case <-s.joined:
			continue
		case <-changed[0]:
		case <-changed[1]:
		case <-changed[2]:
		}
		select {
		case <-ctx.Done():
		case <-s.joined: // who begins to look does not wait
		case <-time.After(pace):
		}
	}
}

// refresh compares every table with every board. A table that is not loaded is left as it was.
func (s *boards) refresh() {
	active := s.all()
	for _, table := range s.tables {
		if !table.loaded() {
			continue
		}
		parts := make(map[string]map[string]tableRow, len(active))
		for _, b := range active {
			parts[b.tenant] = make(map[string]tableRow)
		}
		for key, row := range table.rows() {
			if part, shown := parts[tenantOf(key)]; shown {
				part[key] = row
			}
		}
		for _, b := range active {
			b.update(table.kind, parts[b.tenant])
		}
	}
	for _, b := range active {
		b.setReady(len(s.tables))
	}
}

// update sends how the rows of a kind differ from what was sent.
func (b *board) update(kind string, rows map[string]tableRow) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rows[kind] == nil {
		b.rows[kind] = make(map[string]shownRow)
	}
	shown := b.rows[kind]
	for key, row := range rows {
		if old, is := shown[key]; is && old.revision == row.revision && old.at.Equal(row.at) {
			continue
		}
		data, err := protojson.Marshal(row.value)
		if err != nil { // only text that is no UTF-8, which nobody could have decoded
			continue
		}
		shown[key] = shownRow{row.id, row.revision, row.at, data}
		b.feed.add(frame(kind, "", string(data)))
	}
	for key, old := range shown {
		if _, is := rows[key]; !is {
			delete(shown, key)
			id, _ := json.Marshal(old.id) // a string always marshals
			b.feed.add(frame(kind, "", `{"id":`, string(id), `,"gone":true}`))
		}
	}
}

func (b *board) setReady(tables int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.compared && len(b.rows) == tables {
		b.compared = true
		close(b.ready)
	}
}

// askStatistics asks for the figures of today again and again, until the context ends. What is not answered is left as it was.
func (s *boards) askStatistics(ctx context.Context, b *board) {
	ticker := time.NewTicker(statisticsEvery)
	defer ticker.Stop()
	for first := true; ctx.Err() == nil; first = false {
		limited, cancel := context.WithTimeout(ctx, statisticsLimit)
		var answer pbxv1.AgentStatisticsResponse
		err := s.api.Asker.Ask(limited, event.QueryAgentStatistics, &pbxv1.AgentStatisticsRequest{Tenant: b.tenant}, &answer)
		cancel()
		if err == nil {
			b.setStatistics(answer.GetStatistics())
		} else if ctx.Err() == nil {
			s.api.Log.Debug("figures of a wallboard not known", "tenant", b.tenant, "err", err)
		}
		if first {
			close(b.asked)
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

func (b *board) setStatistics(figures *pbxv1.DayStatistics) {
	data, err := protojson.Marshal(figures)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil || bytes.Equal(data, b.statistics) {
		return
	}
	b.statistics = data
	b.feed.add(frame("statistics", "", string(data)))
}

// snapshot returns everything as one event, and the position in the feed of what comes after it.
func (b *board) snapshot(tables []rowSource) (whole []byte, position uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var data []string
	add := func(parts ...string) { data = append(data, parts...) }
	for _, table := range tables {
		add(`,"`, table.list, `":[`)
		rows := b.rows[table.kind]
		for i, key := range slices.Sorted(maps.Keys(rows)) {
			if i > 0 {
				add(",")
			}
			add(string(rows[key].data))
		}
		add("]")
	}
	data[0] = `{"`
	figures := "null"
	if b.statistics != nil {
		figures = string(b.statistics)
	}
	add(`,"statistics":`, figures, `}`)
	return frame("snapshot", "", data...), b.feed.end()
}

func (a *api) board() operation {
	return operation{
		method: http.MethodGet, path: "/api/v1/board", name: "board",
		summary: "Server-sent events for a wallboard. First `snapshot` {\"agents\", \"calls\", \"missedCalls\", \"statistics\"}: all rows, " +
			"as the lists have them, and the figures of today, null while they are not known. Then `agent`, `call` and `missedCall`: " +
			"one row, or {\"id\", \"gone\": true}; and `statistics`. `end` {\"reason\": \"expired\", \"closing\" or \"slow\"} is the last.",
		credential: access, right: tokens.Wallboard, streams: true, refusals: []int{http.StatusTooManyRequests},
		serve: func(r *request) (any, error) {
			for _, table := range a.boards.tables {
				if !table.loaded() {
					return nil, notLoaded(table.list)
				}
			}
			if !a.streams.enter(r.tenant.Name, maxStreams) {
				return nil, tooManyStreams()
			}
			defer a.streams.leave(r.tenant.Name)
			b := a.boards.join(r.tenant.Name)
			defer a.boards.leave(b)
			for _, known := range []chan struct{}{b.ready, b.asked} {
				select {
				case <-known:
				case <-r.Context().Done():
					return nil, notLoaded("rows of the board")
				case <-time.After(askLimit):
					return nil, notLoaded("rows of the board")
				}
			}
			whole, position := b.snapshot(a.boards.tables)
			next := func(ctx context.Context) (frames [][]byte, err error) {
				frames, position, err = b.feed.next(ctx, position)
				return frames, err
			}
			return nil, a.stream(r, "board", [][]byte{whole}, next)
		},
	}
}
