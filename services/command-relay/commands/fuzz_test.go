package commands_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"

	"github.com/switchhook/switchhook/pkg/phone"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/command-relay/commands"
)

// FuzzDecide holds what policy allows against the numbering plans: nothing of it reaches an emergency service or what is
// forbidden, in any region, whatever way it was written and whoever asks.
func FuzzDecide(f *testing.F) {
	regions := slices.Sorted(maps.Keys(phonenumbers.GetSupportedRegions()))
	for i, region := range []string{"CZ", "SK", "RU", "UA", "DE", "US", "FR", "GB"} {
		for _, to := range []string{"112", "0112", "9112", "tel:112", "１１２", "155", "02", "911", "777888999", "+420900123456", "101", "000", "0 112"} {
			f.Add(to, to, uint16(slices.Index(regions, region)), i%2 == 0, i%3 == 0)
		}
	}
	f.Fuzz(func(t *testing.T, to, extension string, number uint16, moves, bossy bool) {
		facts, r := facts(), dial("k", to)
		facts.Region = regions[int(number)%len(regions)]
		facts.Policy.Forbidden = []string{commands.Abroad, commands.Premium}
		facts.Policy.Supervisors = []string{"boss"}
		if moves {
			r = transfer(pbxv1.Transfer_BLIND, to, "")
		}
		if bossy {
			r.User, r.Extension = &pbxv1.User{Login: "boss"}, extension
		}
		have := commands.Decide(arrival(r), facts)
		if have.Refused != "" {
			return
		}
		c := have.Command
		checkNumber(t, c.To.Dialled(), facts.Region)
		if c.To.Kind == phone.Extension {
			checkNumber(t, c.To.Raw, facts.Region)
		} else if c.To.Kind != phone.Outside || phone.Abroad(c.To, facts.Region) || phone.Premium(c.To) {
			t.Errorf("%q in %s: want it refused, have %+v", to, facts.Region, c.To)
		}
		if known := []string{"101", "105", "106", "200"}; !slices.Contains(known, c.Extension) {
			checkNumber(t, c.Extension, facts.Region)
		}
	})
}

// checkNumber does not trust pkg/phone.
func checkNumber(t *testing.T, dialled, region string) {
	t.Helper()
	rest := dialled
	for {
		if rest == "112" || phonenumbers.IsEmergencyNumber(rest, region) {
			t.Errorf("%q in %s: want it refused", dialled, region)
		}
		shorter, ok := strings.CutPrefix(rest, "0")
		if !ok {
			break
		}
		rest = shorter
	}
	if strings.Trim(dialled, "+0123456789") != "" || dialled == "" {
		t.Errorf("want nothing but digits, have %q", dialled)
	}
}
