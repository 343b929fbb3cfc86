package phone_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"

	"github.com/switchhook/switchhook/pkg/phone"
)

func ExampleParse() {
	for _, raw := range []string{"777 888 999", "00421 905 123 456", "20", "Anonymous"} {
		n := phone.Parse(raw, "CZ")
		fmt.Printf("%-17s %-13s %v\n", n.Raw, n.E164, n.Kind)
	}
	// Output:
	// 777 888 999       +420777888999 outside
	// 00421 905 123 456 +421905123456 outside
	// 20                              extension
	// Anonymous                       withheld
}

// outside is what must become E.164: by region, what was received and what it is.
func outside() map[string]map[string]string {
	return map[string]map[string]string{
		"CZ": {
			"777888999":         "+420777888999",
			"222333444":         "+420222333444",
			"800123456":         "+420800123456",
			"+420777888999":     "+420777888999",
			"420777888999":      "+420777888999",
			"00420777888999":    "+420777888999",
			"+00420777888999":   "+420777888999",
			"00421222202999":    "+421222202999",
			"421222202999":      "+421222202999",
			"74951059995":       "+74951059995",
			"79201119613":       "+79201119613",
			" 79201119613":      "+79201119613",
			" 420777888999":     "+420777888999",
			"4930123456":        "+4930123456",
			"+4930123456":       "+4930123456",
			"+44 (0)2079460018": "+442079460018",
			"+390612345678":     "+390612345678",    // the zero belongs to the number
			"+498084725274111":  "+498084725274111", // of the greatest length
			"+80012345678":      "+80012345678",     // of no country

			// Punctuation.
			"777 888 999":            "+420777888999",
			"777-888-999":            "+420777888999",
			"777.888.999":            "+420777888999",
			"777/888 999":            "+420777888999",
			"[222] 333–444":          "+420222333444",
			"(+420) 222 333 444":     "+420222333444",
			"+420\u00a0777−888‑999":  "+420777888999",
			"\t+420 777 888 999\r\n": "+420777888999",
			"\u202a777888999\u202c":  "+420777888999", // as some phones copy it
			"７７７８８８９９９":              "+420777888999",
			"＋４２０（７７７）８８８－９９９": "+420777888999",

			// URIs and names.
			"tel:+420-777-888-999":                          "+420777888999",
			"TEL:777888999;phone-context=pbx.example":       "+420777888999",
			"sip:777888999@pbx.example":                     "+420777888999",
			"sip:777888999":                                 "+420777888999",
			"sips:+420777888999;npdi@pbx.example:5061":      "+420777888999",
			"sip:+420777888999@pbx.example;user=phone":      "+420777888999",
			"777888999@pbx.example":                         "+420777888999",
			"Karel Novák <777888999>":                       "+420777888999",
			`"Novák, Karel" <sip:777888999@10.0.0.1>;tag=1`: "+420777888999",
			`"<3" <777888999>`:                              "+420777888999",
			`"Anonymous" <+420777888999>`:                   "+420777888999",
			"101 <777888999>":                               "+420777888999",
			"<777888999":                                    "+420777888999",
			"777888999 <>":                                  "+420777888999",

			// An extension behind.
			"777888999 ext. 12":      "+420777888999",
			"777888999;ext=12":       "+420777888999",
			"777888999 extn 12":      "+420777888999",
			"777888999 extension 12": "+420777888999",
			"777888999, klapka 12":   "+420777888999",
			"777888999 EXT:12":       "+420777888999",
			"777888999x12":           "+420777888999",
			"777888999#12":           "+420777888999",
			"777888999,,12":          "+420777888999",
			"777888999;12":           "+420777888999",
			"222 333 444 kl. 123":    "+420222333444",
			"222 333 444, linka 12":  "+420222333444",
			"+7 495 1059995 доб. 5":  "+74951059995",
			"777888999 ｅｘｔ １２":       "+420777888999",
		},
		"SK": {
			"0222202999":        "+421222202999",
			"0905 123 456":      "+421905123456",
			"0905/123 456":      "+421905123456",
			"905123456":         "+421905123456",
			"+421 (0)905123456": "+421905123456",
			"00421905123456":    "+421905123456",
			"421905123456":      "+421905123456",
			"00420777888999":    "+420777888999",
			"420777888999":      "+420777888999",
			"74951059995":       "+74951059995",
		},
		"RU": {
			"8 920 111 96 13":       "+79201119613",
			"8 (920) 111-96-13":     "+79201119613",
			"89201119613":           "+79201119613",
			"9201119613":            "+79201119613",
			"4951059995":            "+74951059995",
			"79201119613":           "+79201119613",
			" 79201119613":          "+79201119613",
			"+7 920 111-96-13":      "+79201119613",
			"8 800 555 35 35":       "+78005553535",
			"420777888999":          "+420777888999",
			"00420777888999":        "+420777888999",
			"8~10 420 777 888 999":  "+420777888999",
			"8~10420777888999":      "+420777888999",
			"810420777888999":       "+420777888999",
			"8-10-420-777-888-999":  "+420777888999",
			"8 10 81 3 1234 5678":   "+81312345678",
			"0079201119613":         "+79201119613",
			"Иван <8 920 1119613>":  "+79201119613",
			"8 920 111-96-13 доб12": "+79201119613",
		},
		"HU": {"06 1 234 5678": "+3612345678", "06 20 123 4567": "+36201234567", "201234567": "+36201234567"},
		"PL": {"22 123 45 67": "+48221234567", "512 345 678": "+48512345678", "0048512345678": "+48512345678"},
		"DE": {"030 123456": "+4930123456", "0151 23456789": "+4915123456789", "+49 (0)30/123456": "+4930123456"},
		"AT": {"01 234567890": "+431234567890", "0664 123456": "+43664123456", "0043 664 123456": "+43664123456"},
		"GB": {"020 7946 0018": "+442079460018", "07400 123456": "+447400123456", "00 420 777888999": "+420777888999"},
		"US": {
			"(201) 555-0123":       "+12015550123",
			"1-201-555-0123":       "+12015550123",
			"+1 201.555.0123 x9":   "+12015550123",
			"011 420 777 888 999":  "+420777888999",
			"00 420 777 888 999":   "+420777888999",
			"420777888999":         "+420777888999",
			"+1 (201) 555-0123 #7": "+12015550123",
		},
		"ZZ": {"+420777888999": "+420777888999", "00420777888999": "+420777888999", "79201119613": "+79201119613"},
	}
}

func TestParseOutside(t *testing.T) {
	for region, numbers := range outside() {
		for raw, want := range numbers {
			t.Run(region+"/"+raw, func(t *testing.T) {
				want := phone.Number{Raw: strings.TrimSpace(raw), E164: want, Kind: phone.Outside}
				if have := phone.Parse(raw, region); want != have {
					t.Errorf("want %+v, have %+v", want, have)
				}
			})
		}
	}
}

// others is what has no E.164, read in region CZ.
func others() map[phone.Kind][]string {
	return map[phone.Kind][]string{
		phone.Extension: {
			"0", "7", "20", "101", " 101 ", "4444", "12345", "123456", "１０１", "\u200e101", "tel:101;ext=5",
			"112", "158", "1188", "116111", // an emergency and a service look no different
			"sip:101@pbx.example", "sip:101", "tel:101", "Jan Novák <101>", `"Jan" <sip:101@pbx.example>`, "101@acme",
		},
		phone.Withheld: {
			"anonymous", "Anonymous", "ANONYM", "unknown", "Unknown Caller", "private", "Private number", "restricted",
			"withheld", "Number Withheld", "unavailable", "blocked", "hidden", "clir", "CLIR", "<anonymous>", `"Anonymous" <>`,
			`"Jan Novák" <anonymous>`, "sip:anonymous@anonymous.invalid", "Anonymous <sip:anonymous@anonymous.invalid>",
			"sips:Unavailable@unknown.invalid", "skryté", "skryte", "Skryté číslo", "SKRYTE CISLO", "neznámé", "nezname",
			"neznáme číslo", "utajené", "anonymní", "anonymné", "skryte\u0301", "скрыт", "Скрытый номер", "номер скрыт", "аноним",
			"АНОНИМ", "анонимный", "неизвестен", "Неизвестный номер", "номер не определён", "номер не определен",
		},
		phone.Unknown: {
			"", " ", "+", "-", "()", "<>", "sip:", "sip:@pbx.example", "tel:;ext=5", "ext. 12", "Karel Novák", "vip", "number",
			"anonymous 12", "anonymous fan", "777 888 999 Novák", "777abc888999", "777888999 or 12", "*98", "#31#777888999",
			"777888999, 222333444", "777888999 222333444", "777888999\xff", "777888999\x00", "777*888*999",
			"-1", "+1", "+112", "1-1", "12:30", "1. 2.", "10.0.0.1", "sip:10.0.0.1", "11 22",
			"1234567", "0000000", "77788899", "123456789", "0777888999", "42077788899", "+42077788899", "+420123456789",
			"00420123456789", "1520008586", "12-1520008586.19367271", "99999999999999999999", "+44 (0)20 794601",
			"101,102", "101;102", "101 ext 2", "777888999 1", "420+777888999",
			"681721234",                                // +681 72 12 34 without its sign, and short
			"+431118", "00431118", "+4989245429977675", // valid in their plans, and too short and too long for E.164
		},
	}
}

func TestParseOther(t *testing.T) {
	for want, numbers := range others() {
		for _, raw := range numbers {
			t.Run(want.String()+"/"+raw, func(t *testing.T) {
				have := phone.Parse(raw, "CZ")
				if want != have.Kind || have.E164 != "" {
					t.Errorf("want %v, have %v %q", want, have.Kind, have.E164)
				}
			})
		}
	}
}

func TestParseRaw(t *testing.T) {
	tests := map[string]struct{ raw, want string }{
		"nothing":                 {"", ""},
		"white space around":      {"\t\u00a0 777 888 999 \r\n", "777 888 999"},
		"name and number":         {`"Jan" <777888999>`, `"Jan" <777888999>`},
		"text":                    {"Karel Novák", "Karel Novák"},
		"other digits":            {"７７７", "７７７"},
		"no UTF-8":                {"Nov\xe1k\xff\xfe 12", "Nov\ufffdk\ufffd 12"},
		"no UTF-8 at either end":  {"\xff 777 \xff", "\ufffd 777 \ufffd"},
		"too long to look into":   {strings.Repeat("7", 1000), strings.Repeat("7", 1000)},
		"too long and no UTF-8":   {strings.Repeat("7", 1000) + "\xff", strings.Repeat("7", 1000) + "\ufffd"},
		"long white space around": {strings.Repeat(" ", 1000) + "7", "7"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if have := phone.Parse(test.raw, "CZ").Raw; test.want != have {
				t.Errorf("want %q, have %q", test.want, have)
			}
		})
	}
}

func TestParseLong(t *testing.T) {
	const number = " <777888999>"
	longest := strings.Repeat("a", 64-len(number)) + number
	if want, have := "+420777888999", phone.Parse(longest, "CZ").E164; want != have {
		t.Errorf("64 bytes: want %q, have %q", want, have)
	}
	if want, have := (phone.Number{Raw: "a" + longest}), phone.Parse("a"+longest, "CZ"); want != have {
		t.Errorf("65 bytes: want %+v, have %+v", want, have)
	}
}

// TestParseAgrees holds Parse, which has shorter ways of its own, against the library on plain digits.
func TestParseAgrees(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, region := range []string{"CZ", "SK", "RU", "HU", "PL", "DE", "AT", "GB", "US", "IT", "KZ"} {
		valid := 0
		for range 500 {
			raw := make([]byte, 7+random.IntN(6))
			for i := range raw {
				raw[i] = byte('0' + random.IntN(10))
			}
			for dialled, region := range map[string]string{string(raw): region, "+" + string(raw): ""} {
				want := byLibrary(dialled, region)
				if want == "" {
					continue // Parse may try harder.
				}
				valid++
				if have := phone.Parse(dialled, region).E164; want != have {
					t.Errorf("%s in %s: want %s, have %s", dialled, region, want, have)
				}
			}
		}
		if valid < 20 {
			t.Errorf("%s: want at least 20 valid numbers compared, have %d", region, valid)
		}
	}
}

func byLibrary(dialled, region string) string {
	n, err := phonenumbers.Parse(dialled, region)
	if err != nil || !phonenumbers.IsValidNumber(n) {
		return ""
	}
	return phonenumbers.Format(n, phonenumbers.E164)
}

func TestKnownRegion(t *testing.T) {
	tests := map[string]bool{
		"CZ": true, "SK": true, "RU": true, "US": true, "GB": true,
		"": false, "cz": false, "ZZ": false, "001": false, "UK": false, "CZE": false, "420": false,
	}
	for region, want := range tests {
		if have := phone.KnownRegion(region); want != have {
			t.Errorf("%q: want %v, have %v", region, want, have)
		}
	}
}

func FuzzParse(f *testing.F) {
	for region, numbers := range outside() {
		for raw := range numbers {
			f.Add(raw, region)
		}
	}
	for _, numbers := range others() {
		for _, raw := range numbers {
			f.Add(raw, "CZ")
		}
	}
	form := regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	f.Fuzz(func(t *testing.T, raw, region string) {
		n := phone.Parse(raw, region)
		if !utf8.ValidString(n.Raw) {
			t.Errorf("want valid UTF-8, have %q", n.Raw)
		}
		if want, have := n.Kind == phone.Outside, n.E164 != ""; want != have {
			t.Errorf("want an E164: %v, have %+v", want, n)
		}
		if have := phone.Parse(n.Raw, region); n != have {
			t.Errorf("raw: want %+v again, have %+v", n, have)
		}
		if n.Kind != phone.Outside {
			return
		}
		if !form.MatchString(n.E164) {
			t.Errorf("want E.164, have %q", n.E164)
		}
		for _, region := range []string{region, "CZ", "RU", "US", ""} {
			want := phone.Number{Raw: n.E164, E164: n.E164, Kind: phone.Outside}
			if have := phone.Parse(n.E164, region); want != have {
				t.Errorf("in %q: want %+v, have %+v", region, want, have)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	tests := map[string]struct{ raw, region string }{
		"extension":                  {"101", "CZ"},
		"withheld":                   {"anonymous", "CZ"},
		"text":                       {"Karel Novák", "CZ"},
		"national":                   {"777888999", "CZ"},
		"national with trunk":        {"0222202999", "SK"},
		"E.164":                      {"+420777888999", "CZ"},
		"E.164 without plus":         {"79201119613", "RU"},
		"E.164 without plus, abroad": {"74951059995", "SK"},
		"name and number":            {`"Jan Novák" <777 888 999>`, "CZ"},
		"no number":                  {"99999999999999", "CZ"},
	}
	for name, test := range tests {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				phone.Parse(test.raw, test.region)
			}
		})
	}
}
