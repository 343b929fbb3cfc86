package phone_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"

	"github.com/switchhook/switchhook/pkg/phone"
)

func TestDialled(t *testing.T) {
	tests := map[string]string{
		"777 888 999": "+420777888999", "00421905123456": "+421905123456", "+420 777 888 999 ext. 12": "+420777888999",
		"101": "101", " 0112 ": "0112", "１１２": "112", "tel:112": "112", `"Bob" <sip:101@pbx.example;user=phone>`: "101",
		"anonymous": "", "": "", "1-1-2": "", "+112": "", "12345678901234567890": "",
	}
	for raw, want := range tests {
		if have := phone.Parse(raw, "CZ").Dialled(); want != have {
			t.Errorf("%q: want %q, have %q", raw, want, have)
		}
	}
}

func TestEmergency(t *testing.T) {
	tests := map[string]struct{ yes, no string }{
		"CZ": {
			"112 150 155 156 158 159 911 0112 00112 000112 9112 8112 90112 900112 9158 0155 420112 420158 tel:112 sip:112@pbx １１２",
			"101 102 103 1120 1188 1121 200 777888999 +420777888999 02 03 7112 anonymous",
		},
		"SK": {"112 150 155 158 0112 0158 00158 911 421155", "152 157 159 101 0905123456"},
		"RU": {"01 02 03 101 102 103 112 911 002 9102 8102 8112 7112 0103", "902 803 104 155 158 1020 89201119613"},
		"UA": {"101 102 103 112 0102 380102", "01 02 104 158"},
		"DE": {"110 112 0110 49112", "115 158"},
		"HU": {"104 105 107 112 06112 06107", "06106 101"},
		"US": {"911 112 1911 9911 0911", "411 211 +12025550123"},
		"GB": {"999 112 9999 0999", "998"},
		"EE": {"110 112 0112", "6112000"},
		"":   {"112 0112 9112 911", "110 155 999"},
		"TA": {"112 911", "999"},
	}
	for region, test := range tests {
		for _, raw := range strings.Fields(test.yes) {
			if !phone.Emergency(phone.Parse(raw, region), region) {
				t.Errorf("%q in %q: want an emergency number", raw, region)
			}
		}
		for _, raw := range strings.Fields(test.no) {
			if phone.Emergency(phone.Parse(raw, region), region) {
				t.Errorf("%q in %q: want no emergency number", raw, region)
			}
		}
	}
	if phone.Emergency(phone.Number{}, "CZ") {
		t.Error("nothing: want no emergency number")
	}
}

// TestEmergencyEverywhere tries all short numbers in all regions, behind every prefix.
func TestEmergencyEverywhere(t *testing.T) {
	count := 0
	for region := range maps.Keys(phonenumbers.GetSupportedRegions()) {
		for _, number := range shortNumbers() {
			if !phonenumbers.IsEmergencyNumber(number, region) {
				continue
			}
			prefixes := []string{"", "0", "00"}
			if len(number) > 2 {
				prefixes = append(prefixes, "9", "8", "90", "80", phonenumbers.GetNddPrefixForRegion(region, true))
			}
			abroad := fmt.Sprintf("+%d%s", phonenumbers.GetCountryCodeForRegion(region), number)
			if n := phone.Parse(abroad, region); n.Kind == phone.Outside {
				t.Errorf("%s: want no valid number, have %+v", abroad, n)
			}
			for _, prefix := range prefixes {
				n := phone.Parse(prefix+number, region)
				if count++; n.Kind == phone.Extension && !phone.Emergency(n, region) {
					t.Errorf("%s%s in %s: want an emergency number", prefix, number, region)
				}
			}
		}
	}
	if count < 2000 {
		t.Errorf("want at least 2000 numbers, have %d", count)
	}
}

// shortNumbers are all of two and three digits.
func shortNumbers() []string {
	var all []string
	for i := range 1000 {
		digits := string([]byte{'0' + byte(i/100), '0' + byte(i/10%10), '0' + byte(i%10)})
		all = append(all, digits)
		if i < 100 {
			all = append(all, digits[1:])
		}
	}
	return all
}

func TestPremium(t *testing.T) {
	tests := map[string]bool{
		"+420900123456": true, "+421900123456": true, "+78091234567": true, "+19002345678": true, "+449012345678": true,
		"+420777888999": false, "+420800123456": false, "+421222202999": false, "+78001234567": false,
		"1188": false, "anonymous": false, "": false,
	}
	for raw, want := range tests {
		if have := phone.Premium(phone.Parse(raw, "CZ")); want != have {
			t.Errorf("%q: want %v, have %v", raw, want, have)
		}
	}
}

func TestAbroad(t *testing.T) {
	tests := map[string]struct{ home, abroad string }{
		"CZ": {"+420777888999 777888999 +420800123456 +420900123456 101 112 anonymous", "+421905123456 00421905123456 +80012345678"},
		"SK": {"+421905123456", "+420777888999"},
		"RU": {"+79201119613 +78001234567", "+77012345678 +380501234567"},
		"KZ": {"+77012345678", "+79201119613"},
		"US": {"+12025550123 +18002345678", "+14165550123 +420777888999"},
		"CA": {"+14165550123 +18002345678", "+12025550123"},
		"":   {"101", "+420777888999 +12025550123"},
	}
	for region, test := range tests {
		for _, raw := range strings.Fields(test.home) {
			if phone.Abroad(phone.Parse(raw, region), region) {
				t.Errorf("%s in %q: want it at home", raw, region)
			}
		}
		for _, raw := range strings.Fields(test.abroad) {
			if !phone.Abroad(phone.Parse(raw, region), region) {
				t.Errorf("%s in %q: want it abroad", raw, region)
			}
		}
	}
}
