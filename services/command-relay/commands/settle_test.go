package commands_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/call"
	"github.com/switchhook/switchhook/pkg/command"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/command-relay/commands"
)

// settled returns what Settle says of each command, by its key.
func settled(records []*pbxv1.CommandRecord, calls []*call.Call, now float64) map[string]string {
	have := make(map[string]string)
	for _, step := range commands.Settle(records, calls, "CZ", at(now)) {
		o := step.Store.GetOutcome()
		have[o.GetIdempotencyKey()] += strings.TrimSpace(o.GetOutcome().String() + " " + o.GetCallId())
	}
	return have
}

func TestSettle(t *testing.T) {
	const to, e164 = "777888999", "+420777888999"
	u := lost(t, 0, "u", to) // over at 10, so its window is from -2 to 70
	with := func(second float64, change func(*call.Call)) []*call.Call {
		c := out(second, "c1", e164)
		change(c)
		return []*call.Call{c}
	}
	same := func(*call.Call) {}
	late := commands.Abandon(sending(t, 0, "u", to), "CZ", at(50)).Store // It expired at 15.
	internal := lost(t, 0, "u", "105")
	inside := out(3, "c1", "")
	inside.Direction, inside.To, inside.Legs = pbxv1.Call_INTERNAL_OUTGOING, &pbxv1.Party{Number: "105"}, nil
	incoming := out(3, "c1", "")
	incoming.Direction, incoming.To = pbxv1.Call_INTERNAL_INCOMING, &pbxv1.Party{Number: "105"}
	done := map[string]string{"u": "DONE c1"}
	none := map[string]string{}
	records := func(all ...*pbxv1.CommandRecord) []*pbxv1.CommandRecord { return all }
	tests := map[string]struct {
		records []*pbxv1.CommandRecord
		calls   []*call.Call
		now     float64
		want    map[string]string
	}{
		"its call":                   {records(u), with(3, same), 20, done},
		"without an id":              {records(u), with(3, func(c *call.Call) { c.VendorID = "" }), 20, map[string]string{"u": "DONE"}},
		"over by now":                {records(u), with(3, func(c *call.Call) { c.Outcome = call.Busy }), 20, done},
		"its leg without a caller":   {records(u), with(3, func(c *call.Call) { c.From = nil }), 20, done},
		"its caller without a leg":   {records(u), with(3, func(c *call.Call) { c.Legs = nil }), 20, done},
		"a clock that is behind":     {records(u), with(-2, same), 20, done},
		"before it":                  {records(u), with(-2.1, same), 20, none},
		"the last moment":            {records(u), with(70, same), 75, done},
		"too late":                   {records(u), with(70.1, same), 75, none},
		"sent before it expired":     {records(late), with(75, same), 80, done},
		"too late for it":            {records(late), with(75.1, same), 80, none},
		"another number":             {records(u), []*call.Call{out(3, "c1", "+420777888998")}, 20, none},
		"another phone":              {records(u), with(3, func(c *call.Call) { c.From, c.Legs[0].Extension = nil, "105" }), 20, none},
		"a phone that was called":    {records(u), with(3, func(c *call.Call) { c.From, c.Legs[0].Direction = nil, pbxv1.Call_INCOMING }), 20, none},
		"coming in":                  {records(u), with(3, func(c *call.Call) { c.Direction = pbxv1.Call_INCOMING }), 20, none},
		"another exchange":           {records(u), with(3, func(c *call.Call) { c.Exchange = "brno" }), 20, none},
		"another vendor":             {records(u), with(3, func(c *call.Call) { c.Vendor = "mcn" }), 20, none},
		"another tenant":             {records(u), with(3, func(c *call.Call) { c.Tenant = "globex" }), 20, none},
		"void":                       {records(u), with(3, func(c *call.Call) { c.Void = true }), 20, none},
		"inside":                     {records(internal), []*call.Call{inside}, 20, done},
		"inside, as the other tells": {records(internal), []*call.Call{incoming}, 20, done},
		"inside, another":            {records(internal), with(3, same), 20, none},
		"not yet":                    {records(u), nil, 99.9, none},
		"its time is over":           {records(u), nil, 100, map[string]string{"u": "UNKNOWN"}},
		"over, and yet it comes":     {records(closed(t, u)), with(3, same), 300, done},
		"closed once":                {records(closed(t, u)), nil, 300, none},
		"nothing is lost":            {records(answered(t, 0, "d", to, command.Done{}, nil)), with(3, same), 20, none},
		"it failed":                  {records(answered(t, 0, "d", to, command.Done{}, fault.New(fault.Internal, "no"))), with(3, same), 20, none},
		"a hang-up":                  {records(commands.Abandon(sendingHangup(t), "CZ", at(50)).Store), with(3, same), 300, none},
		"another's by its id":        {records(u, answered(t, 0, "d", to, command.Done{CallID: "c1"}, nil)), with(3, same), 20, none},
		"another's, that is done":    {records(u, answered(t, 12, "d", to, command.Done{}, nil)), with(13, same), 25, none},
		"the done one has a later":   {records(u, answered(t, 12, "d", to, command.Done{}, nil)), []*call.Call{out(11, "c1", e164), out(30, "c2", e164)}, 35, done},
		"perhaps another's":          {records(u, sending(t, 12, "s", to)), with(13, same), 20, none},
		"another's that failed":      {records(u, answered(t, 12, "d", to, command.Done{}, fault.New(fault.Internal, "no"))), with(13, same), 25, map[string]string{"u": "DONE c1"}},
		"the last of two":            {records(u, lost(t, 12, "v", to)), with(15, same), 30, map[string]string{"v": "DONE c1"}},
		"the first of two":           {records(u, lost(t, 12, "v", to)), with(5, same), 30, done},
		"one each":                   {records(u, lost(t, 12, "v", to)), []*call.Call{out(5, "c1", e164), out(13, "c2", e164)}, 30, map[string]string{"u": "DONE c1", "v": "DONE c2"}},
		"one makes room":             {records(u, lost(t, 12, "v", to)), []*call.Call{out(20, "c1", e164), out(75, "c2", e164)}, 80, map[string]string{"u": "DONE c1", "v": "DONE c2"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if have := settled(test.records, test.calls, test.now); !maps.Equal(test.want, have) {
				t.Errorf("want %v, have %v", test.want, have)
			}
		})
	}
}

// closed is a record whose call was not seen in its time.
func closed(t *testing.T, rec *pbxv1.CommandRecord) *pbxv1.CommandRecord {
	t.Helper()
	steps := commands.Settle([]*pbxv1.CommandRecord{rec}, nil, "CZ", at(200))
	if len(steps) != 1 {
		t.Fatalf("want it closed, have %v", steps)
	}
	return steps[0].Store
}

func TestSettleTells(t *testing.T) {
	u := lost(t, 0, "u", "777888999")
	before := proto.CloneOf(u)
	done := commands.Settle([]*pbxv1.CommandRecord{u}, []*call.Call{out(3, "c1", "+420777888999")}, "CZ", at(20))[0]
	ids := map[string]bool{commands.EventOf(u).GetId(): true}
	for name, step := range map[string]commands.Step{"done": done, "closed": commands.Told(closed(t, u))} {
		c := step.Event.GetCommand()
		if len(step.Audit) != 1 || c.GetIdempotencyKey() != "u" || c.GetExtension() != "101" || c.GetActionId() != "a-u" || ids[step.Event.GetId()] {
			t.Errorf("%s: want it told, by another id, have %+v", name, step)
		}
		ids[step.Event.GetId()] = true
	}
	if c := done.Event.GetCommand(); c.GetKind() != pbxv1.Command_SUCCEEDED || c.GetReason() != "" || c.GetCallId() != "c1" {
		t.Errorf("want it succeeded, have %v", c)
	}
	if c := closed(t, u).GetOutcome(); c.GetKind() != pbxv1.Command_FAILED || !strings.Contains(c.GetReason(), "no such call was seen") {
		t.Errorf("want a reason, have %v", c)
	}
	if !proto.Equal(before, u) {
		t.Errorf("want the record untouched, have %v", u)
	}
}

// TestSettleInAnyOrder tells of calls one after the other, in random orders, and stores what is settled in between: no call is two
// commands', those that are done keep theirs, and the order of records and calls changes nothing.
func TestSettleInAnyOrder(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		var records []*pbxv1.CommandRecord
		for i := range 1 + random.IntN(5) {
			key, second := fmt.Sprint("k", i), float64(random.IntN(60))
			switch random.IntN(4) {
			case 0:
				records = append(records, answered(t, second, key, "777888999", command.Done{}, nil))
			case 1:
				records = append(records, sending(t, second, key, "777888999"))
			default:
				records = append(records, lost(t, second, key, "777888999"))
			}
		}
		var calls, seen []*call.Call
		for i := range random.IntN(6) {
			calls = append(calls, out(float64(random.IntN(120)), fmt.Sprint("c", i), "+420777888999"))
		}
		for _, c := range calls {
			seen = append(seen, c)
			have := settled(records, seen, 150)
			random.Shuffle(len(seen), func(i, j int) { seen[i], seen[j] = seen[j], seen[i] })
			random.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
			if again := settled(records, seen, 150); !maps.Equal(have, again) {
				t.Fatalf("seed %d: want %v in another order, have %v", seed, have, again)
			}
			for _, step := range commands.Settle(records, seen, "CZ", at(150)) {
				i := slices.IndexFunc(records, func(r *pbxv1.CommandRecord) bool { return r.GetCommandId() == step.Store.GetCommandId() })
				records[i] = step.Store
			}
			taken := make(map[string]string)
			for _, rec := range records {
				id := rec.GetOutcome().GetCallId()
				if other := taken[id]; id != "" && other != "" {
					t.Fatalf("seed %d: want %s to be one command's, have %s and %s", seed, id, other, rec.GetCommandId())
				}
				taken[id] = rec.GetCommandId()
			}
		}
	}
}
