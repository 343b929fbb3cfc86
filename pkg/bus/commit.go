package bus

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// committer joins the events of concurrent callers into atomic batches, so that they share one sync of the server's disk: a
// group commit. It never waits for company: what queues while a commit is on its way makes up the next one.
type committer struct {
	js    jetstream.JetStream
	queue chan *pending
	ctx   context.Context // ends with the committer
	end   context.CancelFunc
	done  sync.WaitGroup
	sizes prometheus.Observer // of the groups
}

// pending is one event and its caller.
type pending struct {
	ctx    context.Context // the caller's
	msg    *nats.Msg
	result chan error // of capacity 1: nobody need be there when it comes
}

const (
	// committers is how many commits may be on their way at once: one is being synced while the next is being sent.
	committers = 2
	// maxBatch keeps a batch below the server's limit of 1,000 messages, and short.
	maxBatch = 256
	// minBatch is from how many events on a batch is worth it. The server stages a batch in files of its own and removes
	// them, which was measured to cost as much as syncing about a hundred events one by one.
	minBatch = 128
	// batchTimeout bounds the wait for one commit; after it, every event is tried alone.
	batchTimeout = 2 * time.Second
)

func newCommitter(js jetstream.JetStream, sizes prometheus.Observer) *committer {
	ctx, end := context.WithCancel(context.Background())
	c := &committer{js: js, queue: make(chan *pending, 4*maxBatch), ctx: ctx, end: end, sizes: sizes}
	for range committers {
		c.done.Go(c.run)
	}
	return c
}

// start queues an event; the function that it returns waits for the acknowledgement.
func (c *committer) start(ctx context.Context, msg *nats.Msg) (wait func() error) {
	p := &pending{ctx: ctx, msg: msg, result: make(chan error, 1)}
	select {
	case c.queue <- p:
	case <-ctx.Done():
		return ctx.Err
	case <-c.ctx.Done():
		return func() error { return nats.ErrConnectionClosed }
	}
	return func() error {
		select {
		case err := <-p.result:
			if err == nil {
				return nil
			}
			return publishOne(ctx, c.js, msg)
		case <-ctx.Done():
			return ctx.Err()
		case <-c.ctx.Done():
			return nats.ErrConnectionClosed
		}
	}
}

// close ends the commits. Callers that still wait get an error.
func (c *committer) close() {
	c.end()
	c.done.Wait()
}

func (c *committer) run() {
	for {
		select {
		case first := <-c.queue:
			c.commit(c.gather(first))
		case <-c.ctx.Done():
			return
		}
	}
}

// gather returns what is in the queue now, leaving out those whose callers have given up.
func (c *committer) gather(first *pending) []*pending {
	group := make([]*pending, 0, maxBatch)
	for next := first; ; {
		if next.ctx.Err() == nil {
			group = append(group, next)
		}
		if len(group) == maxBatch {
			return group
		}
		select {
		case next = <-c.queue:
		default:
			return group
		}
	}
}

// commit publishes a group and tells each caller.
func (c *committer) commit(group []*pending) {
	if len(group) == 0 {
		return
	}
	c.sizes.Observe(float64(len(group)))
	ctx, cancel := context.WithTimeout(c.ctx, batchTimeout)
	defer cancel()
	if len(group) >= minBatch && c.together(ctx, group) == nil {
		for _, p := range group {
			p.result <- nil
		}
		return
	}
	c.oneByOne(ctx, group)
}

// together publishes a group as one atomic batch. The server refuses it whole when one of its events is stored already.
func (c *committer) together(ctx context.Context, group []*pending) error {
	msgs := make([]*nats.Msg, len(group))
	for i, p := range group {
		msgs[i] = p.msg
	}
	_, err := jetstreamext.PublishMsgBatch(ctx, c.js, msgs, jetstreamext.BatchFlowControl{AckFirst: false})
	if err != nil {
		for _, msg := range msgs { // else they would still claim to be of the batch
			msg.Header.Del(jetstreamext.BatchIDHeader)
			msg.Header.Del(jetstreamext.BatchSeqHeader)
			msg.Header.Del(jetstreamext.BatchCommitHeader)
		}
	}
	return err
}

// oneByOne publishes a group without waiting in between. What is stored already, the server passes over.
func (c *committer) oneByOne(ctx context.Context, group []*pending) {
	acks := make([]jetstream.PubAckFuture, len(group))
	for i, p := range group {
		var err error
		if acks[i], err = c.js.PublishMsgAsync(p.msg, jetstream.WithRetryAttempts(0)); err != nil {
			p.result <- err
		}
	}
	for i, p := range group {
		if acks[i] == nil {
			continue
		}
		select {
		case <-acks[i].Ok():
			p.result <- nil
		case err := <-acks[i].Err():
			p.result <- err
		case <-ctx.Done():
			p.result <- ctx.Err()
		}
	}
}
