package deliver

import (
	"slices"
	"strings"
	"time"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/notify"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/missed-call/alerts"
)

// ear remembers what the plan has heard of the buckets. It is guarded by the deliverer.
type ear struct {
	records  map[string]heard
	silences map[string]uint64     // revisions
	working  map[address]time.Time // when it was last noticed that others write what is for a receiver
	unheard  bool                  // not all that was there has been heard of
	changed  <-chan struct{}       // closed when there may be more
	last     time.Time
}

// heard is how much is known of a record.
type heard struct {
	revision uint64
	tries    int
}

func newEar() ear {
	return ear{records: map[string]heard{}, silences: map[string]uint64{}, working: map[address]time.Time{}, unheard: true}
}

// news reports whether there are records that have not been heard of; but it says so only every tick, since all of them are
// looked through then.
func (e *ear) news(now time.Time, changed <-chan struct{}) bool {
	if now.Sub(e.last) < tick {
		return false
	}
	select {
	case <-e.changed:
		e.unheard = true
	default:
	}
	news := e.unheard
	if news {
		e.changed, e.last, e.unheard = changed, now, false
	}
	return news
}

// listen tells the plan what it has not heard yet of silences, and of what others sent. The deliverer is locked.
func (d *Deliverer) listen(now time.Time) {
	for key, row := range d.silences.Rows() {
		if d.ear.silences[key] != row.Revision {
			d.ear.silences[key] = row.Revision
			d.machine.Silence(silence(row.Value))
		}
	}
	if !d.ear.news(time.Now(), d.records.Changed()) {
		return
	}
	rows := d.records.Rows()
	news := d.hear(rows, now)
	// In the order in which it happened: who was reached after a failure is not failing.
	slices.SortStableFunc(news, func(a, b rumour) int { return a.at.Compare(b.at) })
	for _, r := range news {
		r.tell()
	}
	for key := range d.ear.records {
		if _, there := rows[key]; !there {
			delete(d.ear.records, key)
		}
	}
}

// rumour is something to tell the plan.
type rumour struct {
	at   time.Time
	tell func()
}

// hear returns what the plan has not heard of. What this one wrote itself, it has. The failures of a sending are one, so they
// are heard of when all of its records are written.
func (d *Deliverer) hear(rows map[string]bus.Row[*pbxv1.AlertRecord], now time.Time) []rumour {
	var news []rumour
	unfinished := make(map[string]bool)
	failures := make(map[string]*failed)
	for key, row := range rows {
		rec, before := row.Value, d.ear.records[key]
		if d.held(rec, now) {
			unfinished[rec.GetSending()] = true
		}
		if before.revision == row.Revision {
			continue
		}
		k, err := alerts.ParseKey(key)
		switch {
		case err != nil:
			d.Log.Error("row left out", "bucket", "pbx_alerts", "err", err)
		case d.own(rec):
		case rec.GetState() == pbxv1.AlertRecord_FAILED:
			f := failures[rec.GetSending()]
			if f == nil {
				f = &failed{record: rec, before: before.tries}
				failures[rec.GetSending()] = f
			}
			f.keys, f.rows, f.revisions = append(f.keys, k), append(f.rows, key), append(f.revisions, row.Revision)
			continue
		default:
			d.ear.working[address{k.Tenant, k.Receiver}] = time.Now()
			news = append(news, d.rumour(rec, k))
		}
		d.ear.records[key] = heard{row.Revision, int(rec.GetTries())}
	}
	for sending, f := range failures {
		if unfinished[sending] {
			d.ear.unheard = true
			continue
		}
		news = append(news, d.failures(f)...)
	}
	return news
}

func (d *Deliverer) rumour(rec *pbxv1.AlertRecord, k alerts.Key) rumour {
	at := rec.GetAt().AsTime()
	return rumour{at, func() {
		switch rec.GetState() {
		case pbxv1.AlertRecord_BEGAN:
			d.machine.Began(at, k)
		case pbxv1.AlertRecord_SENT:
			d.machine.Sent(at, k)
		case pbxv1.AlertRecord_DROPPED:
			d.machine.Dropped(at, k)
		}
	}}
}

// failed is a sending that failed.
type failed struct {
	record    *pbxv1.AlertRecord // of any of them
	before    int                // how many tries have been heard of
	keys      []alerts.Key
	rows      []string
	revisions []uint64
}

// failures returns all failures that have not been heard of: who has just started gives up no later than who has been there
// all the time.
func (d *Deliverer) failures(f *failed) []rumour {
	tries := int(f.record.GetTries())
	for i, row := range f.rows {
		d.ear.records[row] = heard{f.revisions[i], tries}
	}
	times := alerts.Failures(f.record.GetAt().AsTime(), tries)
	var all []rumour
	for _, at := range times[min(f.before, len(times)-1):] {
		all = append(all, rumour{at, func() { d.machine.Failed(at, failureOf(f.record), f.keys...) }})
	}
	return all
}

// own reports whether this deliverer wrote a record.
func (d *Deliverer) own(rec *pbxv1.AlertRecord) bool {
	return strings.HasPrefix(rec.GetSending(), d.id+".")
}

// held reports whether somebody else may be sending.
func (d *Deliverer) held(rec *pbxv1.AlertRecord, now time.Time) bool {
	return rec.GetState() == pbxv1.AlertRecord_BEGAN && !d.own(rec) && now.Sub(rec.GetAt().AsTime()) < d.Lease
}

// failure is why something could not be told, with how long the receiver wants to be left alone, as alerts asks for it.
type failure struct {
	error
	after time.Duration
}

func (f failure) Unwrap() error             { return f.error }
func (f failure) RetryAfter() time.Duration { return f.after }

func newFailure(err error) failure { return failure{err, notify.RetryAfter(err)} }

func failureOf(rec *pbxv1.AlertRecord) failure {
	kind := fault.Internal
	for _, k := range kinds() {
		if k.String() == rec.GetErrorKind() {
			kind = k
		}
	}
	return failure{fault.New(kind, "%s", rec.GetError()), rec.GetRetryAfter().AsDuration()}
}

// kinds are those that are recorded; all others are internal.
func kinds() []fault.Kind { return []fault.Kind{fault.Invalid, fault.Denied, fault.Unavailable} }

func kindOf(err error) fault.Kind {
	if kind := fault.Of(err); slices.Contains(kinds(), kind) {
		return kind
	}
	return fault.Internal
}
