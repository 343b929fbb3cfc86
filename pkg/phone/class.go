package phone

import (
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// Dialled returns what a telephone would dial: the E164 of an outside number, the bare digits of an extension, nothing for
// the other kinds. Unlike Raw it has nothing else in it: of `Bob <sip:101@pbx.example>` it is 101.
func (n Number) Dialled() string {
	if n.Kind != Extension {
		return n.E164
	}
	return trimSuffix(subscriber(strings.Map(plain, n.Raw)))
}

// Emergency reports whether whoever dials the number in the region may reach an emergency service: one of the region's own
// numbers, or 112 or 911, which networks connect everywhere. For safety it takes for one what is dialled so from inside an
// exchange, too, so an extension of that number counts as one:
//
//   - behind zeros, the usual prefix for an outside line (0112, 00112), and behind a 9 or an 8, for the same (9112, 90112);
//   - behind the region's prefix for trunk calls (06112 in HU) or its country code (420112 in CZ).
//
// More digits behind it make another number: 1120 is an extension, since an exchange is given numbers whole. An outside number
// never is one: no country's plan has such numbers behind its country code.
func Emergency(n Number, region string) bool {
	return n.Kind == Extension && behindPrefix(n.Dialled(), region)
}

// behindPrefix tries what may stand before an emergency number. The short ones of two digits (02 in RU) are looked for behind
// zeros only: an extension such as 902 is too usual.
func behindPrefix(digits, region string) bool {
	prefixes := []string{"", "8", "9", phonenumbers.GetNddPrefixForRegion(region, true)}
	if code := phonenumbers.GetCountryCodeForRegion(region); code != 0 {
		prefixes = append(prefixes, strconv.Itoa(code))
	}
	for _, prefix := range prefixes {
		rest, ok := strings.CutPrefix(digits, prefix)
		for ok && (prefix == "" || strings.Trim(prefix, "0") == "" || len(rest) > 2) {
			if isEmergency(rest, region) {
				return true
			}
			rest, ok = strings.CutPrefix(rest, "0")
		}
	}
	return false
}

func isEmergency(digits, region string) bool {
	return digits == "112" || digits == "911" || digits != "" && phonenumbers.IsEmergencyNumber(digits, region)
}

// Premium reports whether an outside number is one that its country's plan sets apart for services at a premium rate. Short
// numbers are never known to be.
func Premium(n Number) bool {
	parsed, err := phonenumbers.Parse(n.E164, "")
	return n.Kind == Outside && err == nil && phonenumbers.GetNumberType(parsed) == phonenumbers.PREMIUM_RATE
}

// Abroad reports whether an outside number is none of the region's, though it may share the country code (KZ from RU). So are
// numbers of no country, such as those of satellites; in an unknown region all are abroad.
func Abroad(n Number, region string) bool {
	parsed, err := phonenumbers.Parse(n.E164, "")
	return n.Kind == Outside && err == nil && !phonenumbers.IsValidNumberForRegion(parsed, region)
}
