package phone_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"

	"github.com/switchhook/switchhook/pkg/phone"
)

func ExampleForms() {
	for _, form := range phone.Forms(phone.Parse("0905/123 456", "SK"), "SK") {
		fmt.Printf("%-20s %s\n", form.Name, form.Number)
	}
	// Output:
	// e164                 +421905123456
	// digits               421905123456
	// international        00421905123456
	// international_spaced +421 905 123 456
	// national             0905123456
	// significant          905123456
	// national_spaced      0905 123 456
	// groups               905 123 456
}

func TestForms(t *testing.T) {
	tests := map[string]struct {
		number, region string
		want           []string
	}{
		"without a trunk prefix": {"+420777888999", "CZ", []string{
			"e164 +420777888999", "digits 420777888999", "international 00420777888999",
			"international_spaced +420 777 888 999", "national 777888999", "national_spaced 777 888 999",
		}},
		"trunk 0, landline": {"+421222202999", "SK", []string{
			"e164 +421222202999", "digits 421222202999", "international 00421222202999",
			"international_spaced +421 2 222 029 99", "international_groups +421 222 202 999",
			"national 0222202999", "significant 222202999", "national_spaced 02 222 029 99", "groups 222 202 999",
		}},
		"trunk 0 in UA": {"+380501234567", "UA", []string{
			"e164 +380501234567", "digits 380501234567", "international 00380501234567",
			"international_spaced +380 50 123 4567", "international_groups +380 501 234 567",
			"national 0501234567", "significant 501234567", "national_spaced 050 123 4567", "groups 501 234 567",
		}},
		"trunk 8": {"+79201119613", "RU", []string{
			"e164 +79201119613", "digits 79201119613", "international 0079201119613",
			"international_spaced +7 920 111-96-13", "international_groups +7 920 111 9613",
			"national 89201119613", "significant 9201119613", "national_spaced 8 (920) 111-96-13", "groups 920 111 9613",
		}},
		"trunk 8 in KZ": {"+77012345678", "KZ", []string{
			"e164 +77012345678", "digits 77012345678", "international 0077012345678",
			"international_spaced +7 701 234 5678",
			"national 87012345678", "significant 7012345678", "national_spaced 8 (701) 234 5678", "groups 701 234 5678",
		}},
		"of the same country code": {"+77012345678", "RU", []string{
			"e164 +77012345678", "digits 77012345678", "international 0077012345678",
			"international_spaced +7 701 234 5678",
			"national 87012345678", "significant 7012345678", "national_spaced 8 (701) 234 5678", "groups 701 234 5678",
		}},
		"from abroad": {"+421905123456", "CZ", []string{
			"e164 +421905123456", "digits 421905123456", "international 00421905123456",
			"international_spaced +421 905 123 456",
		}},
		"digits that are another number at home": {"+420777888999", "DE", []string{
			"e164 +420777888999", "international 00420777888999", "international_spaced +420 777 888 999",
		}},
		"of no country": {"+80012345678", "CZ", []string{
			"e164 +80012345678", "digits 80012345678", "international 0080012345678",
			"international_spaced +800 1234 5678", "international_groups +800 123 45678",
		}},
		"in no region": {"+420777888999", "", []string{
			"e164 +420777888999", "digits 420777888999", "international 00420777888999", "international_spaced +420 777 888 999",
		}},
		"an extension":    {"101", "CZ", nil},
		"withheld":        {"anonymous", "CZ", nil},
		"nothing":         {"", "CZ", nil},
		"no valid number": {"+420123456789", "CZ", nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var have []string
			for _, f := range phone.Forms(phone.Parse(test.number, test.region), test.region) {
				have = append(have, f.Name+" "+f.Number)
			}
			if !slices.Equal(test.want, have) {
				t.Errorf("want %q\nhave %q", test.want, have)
			}
		})
	}
}

// TestFormsAreRead takes an example of each type of number of each country, as seen from there and from several others.
func TestFormsAreRead(t *testing.T) {
	count := 0
	for country := range maps.Keys(phonenumbers.GetSupportedRegions()) {
		for _, kind := range []phonenumbers.PhoneNumberType{phonenumbers.FIXED_LINE, phonenumbers.MOBILE} {
			example := phonenumbers.GetExampleNumberForType(country, kind)
			if example == nil {
				continue
			}
			n := phone.Parse(phonenumbers.Format(example, phonenumbers.E164), country)
			for _, region := range []string{country, "CZ", "DE"} {
				checkForms(t, n, region)
				count++
			}
		}
	}
	if count < 1000 {
		t.Errorf("want at least 1000 numbers and regions, have %d", count)
	}
}

func checkForms(t *testing.T, n phone.Number, region string) {
	t.Helper()
	forms := phone.Forms(n, region)
	if n.Kind != phone.Outside {
		if len(forms) > 0 {
			t.Errorf("%v in %s: want no forms, have %v", n, region, forms)
		}
		return
	}
	if want := (phone.Form{Name: "e164", Number: n.E164}); len(forms) == 0 || forms[0] != want {
		t.Errorf("%s in %s: want %v first, have %v", n.E164, region, want, forms)
	}
	names, numbers := make(map[string]bool), make(map[string]bool)
	code := strings.TrimSuffix(strings.TrimPrefix(n.E164, "+"), n.Significant())
	abroad := code != fmt.Sprint(phonenumbers.GetCountryCodeForRegion(region))
	for _, f := range forms {
		if have := phone.Parse(f.Number, region).E164; n.E164 != have {
			t.Errorf("%s %q in %s: want %s, have %q", f.Name, f.Number, region, n.E164, have)
		}
		if names[f.Name] || numbers[f.Number] {
			t.Errorf("%s in %s: want each once, have %v", n.E164, region, forms)
		}
		names[f.Name], numbers[f.Number] = true, true
		if abroad && !strings.Contains(f.Number, code) {
			t.Errorf("%s in %s: want a country code, have %v", n.E164, region, f)
		}
	}
}

func TestFormNames(t *testing.T) {
	want := phone.FormNames()
	for _, f := range phone.Forms(phone.Parse("+421222202999", "SK"), "SK") {
		if len(want) == 0 || want[0] != f.Name {
			t.Fatalf("want %q next, have %s", want, f.Name)
		}
		want = want[1:]
	}
	if len(want) > 0 {
		t.Errorf("want %q too", want)
	}
}

func TestSignificant(t *testing.T) {
	tests := map[string]string{
		"+420777888999": "777888999", "+421905123456": "905123456", "+390612345678": "0612345678", "+79201119613": "9201119613",
		"101": "", "anonymous": "", "": "",
	}
	for raw, want := range tests {
		if have := phone.Parse(raw, "CZ").Significant(); want != have {
			t.Errorf("%q: want %q, have %q", raw, want, have)
		}
	}
}

func TestNumbers(t *testing.T) {
	tests := map[string][]string{
		"777 888 999":                               {"+420777888999"},
		"777 888 999 ext. 12":                       {"+420777888999"},
		"tel:+420777888999;ext=12":                  {"+420777888999"},
		"777 888 999 (work)":                        {"+420777888999"},
		"mobile: 777 888 999, home: 00421905123456": {"+420777888999", "+421905123456"},
		"777888999; 222333444":                      {"+420777888999", "+420222333444"},
		"777888999\nor 222333444":                   {"+420777888999", "+420222333444"},
		"+43 777 888 999":                           nil,
		"12, 13":                                    nil,
		"vip":                                       nil,
		"":                                          nil,
		strings.Repeat("777888999, ", 30):           nil,
	}
	for text, want := range tests {
		var have []string
		for _, n := range phone.Numbers(text, "CZ") {
			if have = append(have, n.E164); n.Raw != text || n.Kind != phone.Outside {
				t.Errorf("%q: want it to be the raw text of an outside number, have %+v", text, n)
			}
		}
		if !slices.Equal(want, have) {
			t.Errorf("%q: want %q, have %q", text, want, have)
		}
	}
}

// FuzzForms holds what is stored against what is asked for: whatever way a number was written, it is found.
func FuzzForms(f *testing.F) {
	for region, numbers := range outside() {
		for raw := range numbers {
			f.Add(raw, region)
		}
	}
	f.Fuzz(func(t *testing.T, raw, region string) { checkForms(t, phone.Parse(raw, region), region) })
}

func BenchmarkForms(b *testing.B) {
	n := phone.Parse("+421905123456", "SK")
	b.ReportAllocs()
	for b.Loop() {
		phone.Forms(n, "SK")
	}
}
