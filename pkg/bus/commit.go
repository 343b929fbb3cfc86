package bus

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// committer joins the events of concurrent callers into atomic batches, so that they share one sync of the server's disk: a
// group commit. It never waits for company: what queues while a commit is on its way makes up the next one.
type committer struct {
	js     jetstream.JetStream
	queue  chan *pending
	closed chan struct{}
	done   sync.WaitGroup
}

// pending is one event and its caller.
type pending struct {
	ctx    context.Context //nolint:containedctx // the caller's, kept for as long as the caller waits
	msg    *nats.Msg
	result chan error // of capacity 1: nobody need be there when it comes
}

const (
	// committers is how many commits may be on their way at once: one is being synced while the next is being sent.
	committers = 2
	// maxBatch keeps a batch below the server's limit of 1,000 messages and its messages' time in memory short.
	maxBatch = 256
	// batchTimeout bounds the wait for one commit; after it, every event is tried alone.
	batchTimeout = 2 * time.Second
)

func newCommitter(js jetstream.JetStream) *committer {
	c := &committer{js: js, queue: make(chan *pending, 4*maxBatch), closed: make(chan struct{})}
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
	case <-c.closed:
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
		case <-c.closed:
			return nats.ErrConnectionClosed
		}
	}
}

// close ends the commits. Callers that still wait get an error.
func (c *committer) close() {
	close(c.closed)
	c.done.Wait()
}

func (c *committer) run() {
	for {
		select {
		case first := <-c.queue:
			c.commit(c.gather(first))
		case <-c.closed:
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

// commit publishes a group and tells each caller. A batch is refused whole, if one of its ids is stored already for
// example; each caller then publishes its own event alone, which the server's deduplication makes harmless.
func (c *committer) commit(group []*pending) {
	ctx, cancel := context.WithTimeout(context.Background(), batchTimeout)
	defer cancel()
	var err error
	switch len(group) {
	case 0:
		return
	case 1:
		_, err = c.js.PublishMsg(ctx, group[0].msg, jetstream.WithRetryAttempts(0))
	default:
		msgs := make([]*nats.Msg, len(group))
		for i, p := range group {
			msgs[i] = p.msg
		}
		_, err = jetstreamext.PublishMsgBatch(ctx, c.js, msgs,
			jetstreamext.BatchFlowControl{AckFirst: false})
	}
	for _, p := range group {
		if err != nil { // else a message that is tried alone would still claim to be of the batch
			p.msg.Header.Del(jetstreamext.BatchIDHeader)
			p.msg.Header.Del(jetstreamext.BatchSeqHeader)
			p.msg.Header.Del(jetstreamext.BatchCommitHeader)
		}
		p.result <- err
	}
}
