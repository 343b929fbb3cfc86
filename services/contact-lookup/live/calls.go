package live

import (
	"context"
	"errors"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/call"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/service"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// job is a call that wants a contact, or has one.
type job struct {
	call      *call.Call
	party     *pbxv1.Party
	received  time.Time // when the event came that showed the number
	at        time.Time // the same on the stream's clock
	ours      bool      // this replica published it
	published bool      // it was read back from the stream
}

// handle takes the next event of the stream.
func (r *Resolver) handle(s bus.Stored[*pbxv1.Event]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := r.Clock(s); now.After(r.clock) {
		r.clock = now
	}
	ev := s.Message
	r.read = s.Sequence
	if ev.GetContact() != nil {
		r.confirm(ev, s.Sequence)
		return
	}
	for _, c := range r.tracker.Apply(ev, r.clock) {
		r.want(c, ev.GetReceivedAt().AsTime(), s.Headers)
	}
}

// confirm notes that a call has its contact, whoever published it.
func (r *Resolver) confirm(ev *pbxv1.Event, sequence uint64) {
	t := r.tenant(ev.GetTenant())
	t.last = max(t.last, sequence)
	if ev.GetContact().GetSupersedes() != "" {
		return
	}
	j := r.wanted[ev.GetId()]
	if j == nil {
		j = &job{at: r.clock}
		r.wanted[ev.GetId()] = j
	}
	j.published = true
	t.standby = !j.ours
}

func (r *Resolver) tenant(name string) *tenant {
	t := r.tenants[name]
	if t == nil {
		t = &tenant{}
		r.tenants[name] = t
	}
	return t
}

// want notes a call that shows an outside number for the first time.
func (r *Resolver) want(c *call.Call, received time.Time, trace map[string][]string) {
	party := c.Outside()
	if party == nil || c.Void || !r.desk.asks(c.Tenant) {
		return
	}
	id := eventID(c, "")
	if r.wanted[id] != nil {
		return
	}
	j := &job{call: c, party: party, received: received, at: r.clock}
	r.wanted[id] = j
	if r.live {
		r.start(id, j, trace)
	}
}

// eventID names the event about a call: the same in every replica.
func eventID(c *call.Call, suffix string) string {
	origin := event.Origin{Vendor: c.Vendor, Tenant: c.Tenant, Exchange: c.Exchange}
	return event.DerivedID(origin, Name, c.ID, suffix)
}

// caughtUp starts with the calls that nobody resolved.
func (r *Resolver) caughtUp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.live = true
	for id, j := range r.wanted {
		switch {
		case j.published:
		case r.tenant(j.call.Tenant).last == 0 && r.clock.Sub(j.at) > tooLate:
			j.published = true // as good as: nobody was told who called before, and now it is too late
		default:
			r.start(id, j, nil)
		}
	}
}

// start looks a contact up and publishes it, in the background; a standby waits first whether another replica does. The
// headers of the event that showed the number say which trace it belongs to.
func (r *Resolver) start(id string, j *job, trace map[string][]string) {
	if r.over {
		return
	}
	wait := time.Duration(0)
	if r.tenant(j.call.Tenant).standby {
		wait = patience
	}
	r.jobs.Go(func() {
		r.metrics.waiting.Inc()
		defer r.metrics.waiting.Dec()
		for pause := retry; ; pause = min(longest, 2*pause) {
			if !service.Sleep(r.ctx, wait) || r.settled(j) {
				return
			}
			r.places <- struct{}{}
			err := r.resolve(id, j, trace)
			<-r.places
			if err == nil || fault.Is(err, fault.NotFound) {
				return
			}
			wait = pause
			if fault.Is(err, fault.Conflict) {
				wait = max(wait, patience)
				continue
			}
			r.Log.Warn("contact of a call not published, trying again", "tenant", j.call.Tenant, "in", pause, "err", err)
		}
	})
}

func (r *Resolver) settled(j *job) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return j.published
}

// resolve looks up and publishes the contact of a call.
func (r *Resolver) resolve(id string, j *job, trace map[string][]string) error {
	ctx, span := r.Bus.Continue(context.WithoutCancel(r.ctx), trace, "resolve a contact") // what was begun is finished
	defer span.End()
	question := &pbxv1.ContactLookupRequest{
		Tenant: j.call.Tenant, Number: j.party.GetE164(), Explain: true,
		Timeout: durationpb.New(r.desk.deadline(j.call.Tenant) + time.Second),
	}
	answer, err := r.book.Lookup(ctx, question)
	if err != nil {
		return err
	}
	ev := j.event(id, answer.GetContact(), r.Now())
	if published, err := r.publish(ctx, ev, j); !published {
		return err
	}
	r.metrics.resolved(ev, r.Now().Sub(j.received))
	r.jobs.Go(func() { r.supersede(j, ev, question, answer) })
	return nil
}

// publish publishes behind the last contact of the tenant that this replica has read, one after another. Whoever was paused,
// and does not know what came meanwhile, cannot.
func (r *Resolver) publish(ctx context.Context, ev *pbxv1.Event, j *job) (published bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, publishLimit)
	defer cancel()
	r.mu.Lock()
	t := r.tenant(ev.GetTenant())
	r.mu.Unlock()
	t.publishing.Lock()
	defer t.publishing.Unlock()
	r.mu.Lock()
	after := bus.After{Subject: event.Root + ".*." + ev.GetTenant() + ".contact.*", Sequence: t.last}
	settled := j.published && ev.GetContact().GetSupersedes() == ""
	j.ours = !settled
	r.mu.Unlock()
	if settled {
		return false, nil
	}
	sequence, err := r.Bus.PublishAfter(ctx, ev, after)
	if fault.Is(err, fault.Conflict) {
		return false, errors.Join(err, r.overtaken(ctx, t, after.Subject))
	}
	if err != nil {
		return false, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	t.last = max(t.last, sequence)
	return true, nil
}

// overtaken notes that another replica publishes, or that the tenant's last contact is older than what is followed.
func (r *Resolver) overtaken(ctx context.Context, t *tenant, subject string) error {
	last, err := r.Bus.Last(ctx, subject)
	r.mu.Lock()
	defer r.mu.Unlock()
	t.standby = true
	if err == nil && last <= r.read {
		t.last = max(t.last, last)
	}
	return err
}

// publishLimit is how long the acknowledgement of an event may take.
const publishLimit = 5 * time.Second

func (j *job) event(id string, found *pbxv1.Contact, now time.Time) *pbxv1.Event {
	contact := proto.CloneOf(found)
	contact.CallKey, contact.Party = j.call.Key, j.party
	return &pbxv1.Event{
		Id: id, Time: timestamppb.New(now), ReceivedAt: timestamppb.New(now),
		Vendor: j.call.Vendor, Tenant: j.call.Tenant, Exchange: j.call.Exchange,
		Payload: &pbxv1.Event_Contact{Contact: contact},
	}
}

// supersede waits for better answers that come late, and publishes them too. Usually none is to be expected.
func (r *Resolver) supersede(
	j *job, last *pbxv1.Event, question *pbxv1.ContactLookupRequest, answer *pbxv1.ContactLookupResponse,
) {
	for number := 1; ; {
		better, err := r.book.Better(r.ctx, question, answer)
		if better == nil || err != nil {
			return
		}
		answer = better
		if same(better.GetContact(), last.GetContact()) {
			continue
		}
		ev := j.event(eventID(j.call, strconv.Itoa(number)), better.GetContact(), r.Now())
		ev.GetContact().Supersedes = last.GetId()
		_, err = r.publish(context.WithoutCancel(r.ctx), ev, j)
		for try := 0; fault.Is(err, fault.Conflict) && try < 5 && service.Sleep(r.ctx, retry); try++ {
			_, err = r.publish(context.WithoutCancel(r.ctx), ev, j)
		}
		if err != nil {
			r.Log.Warn("a better answer came late, and was not published", "tenant", ev.GetTenant(), "err", err)
			return
		}
		last = ev
		number++
	}
}

// same reports whether two answers name the same contact.
func same(a, b *pbxv1.Contact) bool {
	return a.GetKind() == b.GetKind() && proto.Equal(a.GetMatch(), b.GetMatch())
}
