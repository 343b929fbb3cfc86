package deliver

import (
	"context"
	"slices"
	"strings"
	"time"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/missed-call/alerts"
)

// maxKeys is how much one message tells: it is claimed piece by piece, within a part of the lease.
const maxKeys = 300

// job is something to send, and the records that it is planned by.
type job struct {
	alerts.Notification
	tenant *tenant
	claims []claim // in the order of keys, which is the same for everybody: so two never wait for each other
}

// claim is the record of a telling.
type claim struct {
	telling  alerts.Key
	key      string
	revision uint64 // of the record, as it was last seen or written
	tries    int32
}

// look hands what is due to workers, one for each receiver that has none.
func (d *Deliverer) look(ctx context.Context) {
	if !d.Loaded() {
		return
	}
	now, active := d.Now(), d.active()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.caughtUp {
		return
	}
	d.listen(now)
	jobs := make(map[address][]job)
	due, waiting := make(map[alerts.Key]time.Time), 0
	for _, whole := range d.machine.Due(now) {
		t := d.tenants[whole.Tenant]
		if t == nil {
			continue
		}
		waiting += len(whole.Keys)
		for _, n := range split(d.begun(whole)) {
			due[n.Key] = time.Now()
			if since, known := d.due[n.Key]; known {
				due[n.Key] = since
			}
			j, free := d.job(n, t, now)
			if to := (address{n.Tenant, n.Receiver}); free && d.ready(to, due[n.Key], active[n.Tenant]) {
				jobs[to] = append(jobs[to], j)
			}
		}
	}
	d.due = due
	d.metrics.waiting.Set(float64(waiting))
	for to, list := range jobs {
		d.busy[to] = true
		d.workers.Go(func() { d.work(ctx, to, list) })
	}
}

// active returns for which tenants this replica is the active one. Whoever knows may be telling the deliverer something at this
// moment, so it is not asked with the deliverer locked.
func (d *Deliverer) active() map[string]bool {
	d.mu.Lock()
	tenants := d.tenants
	d.mu.Unlock()
	active := make(map[string]bool)
	for name := range tenants {
		active[name] = d.Active(name)
	}
	return active
}

// begun returns what of a notification this replica began to send and never got to, if there is any: it goes first, and alone. Else two
// replicas that each began a part, when the bus went away, would leave the whole to each other until the lease ends.
func (d *Deliverer) begun(n alerts.Notification) alerts.Notification {
	var keys []alerts.Key
	for _, k := range n.Keys {
		if rec := d.records.Get(k.String()).Value; rec.GetState() == pbxv1.AlertRecord_BEGAN && d.own(rec) {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 || d.busy[address{n.Tenant, n.Receiver}] {
		return n
	}
	n.Key, n.Keys = keys[0], keys
	n.Entries = slices.DeleteFunc(slices.Clone(n.Entries), func(e *pbxv1.MissedCall) bool {
		return !slices.ContainsFunc(keys, func(k alerts.Key) bool { return k.Entry == e.GetId() })
	})
	return n
}

// split makes of a notification what is told by a message each: what is still open together, but not without end, and what is
// resolved one by one, since a message about several says that they were missed.
func split(n alerts.Notification) []alerts.Notification {
	var parts []alerts.Notification
	keys := n.Keys
	for _, e := range n.Entries {
		end := slices.IndexFunc(keys, func(k alerts.Key) bool { return k.Entry != e.GetId() })
		if end < 0 {
			end = len(keys)
		}
		own := keys[:end:end]
		keys = keys[end:]
		last := len(parts) - 1
		resolved := e.GetKind() == pbxv1.MissedCall_RESOLVED
		if last < 0 || resolved || parts[last].Resolved || len(parts[last].Keys)+len(own) > maxKeys {
			part := n
			part.Key, part.Keys, part.Entries, part.Resolved = own[0], nil, nil, resolved
			parts, last = append(parts, part), last+1
		}
		p := &parts[last]
		p.Keys, p.Entries = append(p.Keys, own...), append(p.Entries, e)
		p.Step = own[len(own)-1].Step
	}
	return parts
}

// ready reports whether it may be begun to send to a receiver what is due since a time. Who is not active leaves a receiver alone
// for as long as others work on what is for it.
func (d *Deliverer) ready(to address, since time.Time, active bool) bool {
	if d.busy[to] || time.Now().Before(d.paused[to]) {
		return false
	}
	if active {
		return true
	}
	if working := d.ear.working[to]; working.After(since) {
		since = working
	}
	return time.Since(since) >= d.Patience
}

// job returns a notification with its records as they are, unless somebody else may be sending some of it, or wrote what
// the plan has not heard of.
func (d *Deliverer) job(n alerts.Notification, t *tenant, now time.Time) (j job, free bool) {
	j = job{n, t, make([]claim, 0, len(n.Keys))}
	for _, k := range n.Keys {
		key := k.String()
		row := d.records.Get(key)
		unheard := row.Value != nil && !d.own(row.Value) && row.Revision != d.ear.records[key].revision
		if unheard || d.held(row.Value, now) {
			return job{}, false
		}
		j.claims = append(j.claims, claim{k, key, row.Revision, row.Value.GetTries()})
	}
	slices.SortFunc(j.claims, func(a, b claim) int { return strings.Compare(a.key, b.key) })
	return j, true
}

// work sends to one receiver, for as long as it works and the plan is fresh.
func (d *Deliverer) work(ctx context.Context, to address, jobs []job) {
	planned := time.Now()
	pause := time.Duration(0)
	for _, j := range jobs {
		if ctx.Err() != nil || time.Since(planned) > fresh {
			break
		}
		var on bool
		if on, pause = d.carry(ctx, j); !on {
			break
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.busy, to)
	delete(d.paused, to)
	if pause > 0 {
		d.paused[to] = time.Now().Add(pause)
	}
	d.signal()
}
