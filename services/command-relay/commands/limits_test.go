package commands_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/command"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/command-relay/commands"
)

// by gives a record to somebody else.
func by(rec *pbxv1.CommandRecord, key, login, extension string) *pbxv1.CommandRecord {
	rec = proto.CloneOf(rec)
	rec.CommandId, rec.Request.IdempotencyKey = key, key
	rec.Request.User, rec.Request.Extension = event.User(login, ""), extension
	return rec
}

func TestLimits(t *testing.T) {
	policy := commands.Policy{PerUserMinute: 2, PerTenantMinute: 3}
	open, sent := taken(t, 0, "a", "777888999"), sending(t, 0, "a", "777888999")
	done := answered(t, 0, "a", "777888999", command.Done{}, nil)
	refused := commands.Begin(open, arrival(dial("a", "")), "too many", "CZ", at(1)).Store
	expired := commands.Begin(open, arrival(dial("a", "")), "", "CZ", at(15)).Store
	failed := answered(t, 0, "a", "777888999", command.Done{}, fault.New(fault.Internal, "no"))
	elsewhere := by(sent, "1", "eva", "101")
	elsewhere.Request.Exchange = "brno"
	abroad := by(sent, "1", "jan", "101")
	abroad.Tenant = "globex"
	second := by(done, "2", "jan", "101")
	second.TakenAt = stamp(at(30))
	const busy, user, tenant = "for extension 101 is still under way", "2 commands of this person", "3 commands of acme"
	tests := map[string]struct {
		records []*pbxv1.CommandRecord // at the revisions 1, 2, …; the one to check is at 10
		now     float64
		want    string
	}{
		"none":                         {nil, 5, ""},
		"one is taken":                 {[]*pbxv1.CommandRecord{by(open, "1", "jan", "101")}, 5, busy},
		"one is being sent":            {[]*pbxv1.CommandRecord{by(sent, "1", "jan", "101")}, 5, busy},
		"by somebody else":             {[]*pbxv1.CommandRecord{by(sent, "1", "boss", "101")}, 5, busy},
		"for another phone":            {[]*pbxv1.CommandRecord{by(sent, "1", "jan", "102")}, 5, ""},
		"at another exchange":          {[]*pbxv1.CommandRecord{elsewhere}, 5, ""},
		"of another tenant":            {[]*pbxv1.CommandRecord{abroad, by(abroad, "2", "jan", "101"), by(abroad, "3", "jan", "101")}, 5, ""},
		"one is over":                  {[]*pbxv1.CommandRecord{by(done, "1", "jan", "101")}, 11, ""},
		"one was never sent":           {[]*pbxv1.CommandRecord{by(open, "1", "jan", "101")}, 54.9, busy},
		"one can be sent no more":      {[]*pbxv1.CommandRecord{by(open, "1", "jan", "101")}, 55, ""},
		"its sender may be there":      {[]*pbxv1.CommandRecord{by(sent, "1", "jan", "101")}, 39.9, busy},
		"its sender crashed":           {[]*pbxv1.CommandRecord{by(sent, "1", "jan", "101")}, 40, ""},
		"two of the person":            {[]*pbxv1.CommandRecord{by(done, "1", "jan", "101"), by(failed, "2", "JAN", "102")}, 11, user},
		"and of another":               {[]*pbxv1.CommandRecord{by(done, "1", "jan", "101"), by(done, "2", "eva", "102")}, 11, ""},
		"two, a minute ago":            {[]*pbxv1.CommandRecord{by(done, "1", "jan", "101"), by(done, "2", "jan", "101")}, 60, ""},
		"two, nearly":                  {[]*pbxv1.CommandRecord{by(done, "1", "jan", "101"), by(done, "2", "jan", "101")}, 59.9, user},
		"the minute slides":            {[]*pbxv1.CommandRecord{by(done, "1", "jan", "101"), second}, 61, ""},
		"refused ones do not count":    {[]*pbxv1.CommandRecord{by(refused, "1", "jan", "101"), by(refused, "2", "jan", "101")}, 11, ""},
		"nor those that came too late": {[]*pbxv1.CommandRecord{by(expired, "1", "jan", "101"), by(expired, "2", "jan", "101")}, 16, ""},
		"three of the tenant": {[]*pbxv1.CommandRecord{
			by(done, "1", "eva", "105"), by(done, "2", "ota", "106"), by(done, "3", "ivo", "107"),
		}, 11, tenant},
		"phones without people": {[]*pbxv1.CommandRecord{by(done, "1", "", "105"), by(done, "2", "", "106")}, 11, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			l := commands.NewLimits()
			own := by(open, "own", "jan", "101")
			for i, rec := range test.records {
				l.Apply(rec, uint64(i+1))
			}
			l.Apply(own, 10)
			for range 2 {
				if have := l.Check(own, 10, policy, at(test.now)); (test.want == "") != (have == "") || !strings.Contains(have, test.want) {
					t.Errorf("want %q, have %q", test.want, have)
				}
				l.Forget(at(test.now)) // What is forgotten did not matter.
			}
		})
	}
}

func TestLimitsOrder(t *testing.T) {
	l, policy := commands.NewLimits(), commands.DefaultPolicy()
	first, second := by(taken(t, 0, "k", "777888999"), "1", "jan", "101"), by(taken(t, 0, "k", "777888999"), "2", "jan", "101")
	l.Apply(second, 8)
	l.Apply(first, 7)
	if have := l.Check(first, 7, policy, at(1)); have != "" {
		t.Errorf("the first: want it allowed, have %q", have)
	}
	if have := l.Check(second, 8, policy, at(1)); !strings.Contains(have, "another command (originate)") {
		t.Errorf("the second: want it refused, have %q", have)
	}
	over := by(answered(t, 0, "k", "777888999", command.Done{}, nil), "1", "jan", "101")
	l.Apply(over, 9)
	l.Apply(first, 7) // Comes late.
	if have := l.Check(second, 8, policy, at(11)); have != "" {
		t.Errorf("the first is over: want the second allowed, have %q", have)
	}
}

// TestLimitsHold lets replicas that see the bucket at different times race for three phones, in many random orders: no phone
// ever has two commands at once, and no minute has more than are allowed.
func TestLimitsHold(t *testing.T) {
	for seed := range uint64(300) {
		r := &race{t: t, random: rand.New(rand.NewPCG(seed, 0)), policy: commands.Policy{PerUserMinute: 3, PerTenantMinute: 5}}
		r.base = taken(t, 0, "k", "777888999")
		for range 60 {
			r.move()
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// race is a bucket, whose changes a replica may not have seen yet.
type race struct {
	t        *testing.T
	random   *rand.Rand
	policy   commands.Policy
	base     *pbxv1.CommandRecord
	now      float64
	log      []*pbxv1.CommandRecord // by revision, from 1
	began    []*pbxv1.CommandRecord // as they were when they were let through
	commands int
}

// move takes a command, lets one begin, or ends one, at a later time.
func (r *race) move() {
	r.now += r.random.Float64() * 4
	var open []*pbxv1.CommandRecord
	latest := make(map[string]*pbxv1.CommandRecord)
	for _, rec := range r.log {
		latest[rec.GetCommandId()] = rec
	}
	for _, rec := range r.log {
		if latest[rec.GetCommandId()] == rec && rec.GetStage() != pbxv1.CommandRecord_OVER {
			open = append(open, rec)
		}
	}
	if len(open) == 0 || r.random.IntN(3) == 0 {
		r.commands++
		who := r.random.IntN(2)
		rec := by(r.base, fmt.Sprint(r.commands), []string{"jan", "eva"}[who], fmt.Sprint(101+r.random.IntN(3)))
		rec.TakenAt, rec.Since, rec.Request.ExpiresAt = stamp(at(r.now)), stamp(at(r.now)), stamp(at(r.now+15))
		r.log = append(r.log, rec)
		return
	}
	rec := open[r.random.IntN(len(open))]
	if rec.GetStage() == pbxv1.CommandRecord_SENDING {
		r.log = append(r.log, commands.Answer(rec, command.Done{}, nil, "CZ", at(r.now)).Store)
		return
	}
	r.begin(rec)
}

// begin checks a command with as much of the bucket as its replica must have seen, or more.
func (r *race) begin(rec *pbxv1.CommandRecord) {
	revision := slices.Index(r.log, rec) + 1
	least := revision
	for i, other := range r.log {
		if at(r.now).Sub(other.GetSince().AsTime()) > lag {
			least = max(least, i+1)
		}
	}
	seen := least + r.random.IntN(len(r.log)-least+1)
	l := commands.NewLimits()
	for _, i := range r.random.Perm(seen) {
		l.Apply(r.log[i], uint64(i+1))
	}
	refused := l.Check(rec, uint64(revision), r.policy, at(r.now))
	next := commands.Begin(rec, arrival(dial(rec.GetCommandId(), "")), refused, "CZ", at(r.now)).Store
	r.log = append(r.log, next)
	if next.GetStage() != pbxv1.CommandRecord_SENDING {
		return
	}
	user, tenant := 0, 0
	for _, other := range r.began {
		if r.sending(other) && other.GetRequest().GetExtension() == next.GetRequest().GetExtension() && at(r.now).Sub(other.GetSince().AsTime()) < commands.Grace {
			r.t.Errorf("at %v: want one command for %s, have %s and %s", r.now, next.GetRequest().GetExtension(), other.GetCommandId(), next.GetCommandId())
		}
		if at(r.now).Sub(other.GetTakenAt().AsTime()) < minuteOf {
			tenant++
			if proto.Equal(other.GetRequest().GetUser(), next.GetRequest().GetUser()) {
				user++
			}
		}
	}
	if user >= r.policy.PerUserMinute || tenant >= r.policy.PerTenantMinute {
		r.t.Errorf("at %v: want no more in a minute, have %d and %d before", r.now, user, tenant)
	}
	r.began = append(r.began, next)
}

const (
	// minuteOf is what limits are counted over.
	minuteOf = time.Minute
	// lag is how late a replica sees a change of the bucket at most.
	lag = 30 * time.Second
)

// sending reports whether a command that began is not over.
func (r *race) sending(rec *pbxv1.CommandRecord) bool {
	return !slices.ContainsFunc(r.log, func(o *pbxv1.CommandRecord) bool {
		return o.GetCommandId() == rec.GetCommandId() && o.GetStage() == pbxv1.CommandRecord_OVER
	})
}
