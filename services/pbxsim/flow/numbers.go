package flow

import (
	"fmt"
	"slices"
	"strings"
)

// Number is an outside telephone number. The zero value is a withheld one.
type Number struct {
	Region     string // ISO 3166
	Country    string // calling code, such as 420
	Trunk      string // what is dialled before the number inside its own country, such as 0; may be empty
	Subscriber string // the rest
}

// E164 returns the number with a leading plus, or nothing for the zero value.
func (n Number) E164() string {
	if n == (Number{}) {
		return ""
	}
	return "+" + n.digits()
}

func (n Number) digits() string { return n.Country + n.Subscriber }

// Bare returns E.164 without the plus, as some exchanges write all numbers; with it in a region that could not tell a
// foreign number from one of its own.
func (n Number) Bare(region string) string {
	if planOf(region).region != region {
		return n.E164()
	}
	return n.digits()
}

// Local returns the number as an exchange in the region shows it: national when it is at home there, else with a plus.
func (n Number) Local(region string) string {
	if n.Region == region {
		return n.Trunk + n.Subscriber
	}
	return n.E164()
}

// plan is how the numbers of a country look. Six digits follow each prefix.
type plan struct {
	region, country, trunk string
	mobiles, landlines     []string
}

// planOf returns the plan of a region. Regions without one of their own use the Czech one, whose numbers are then foreign.
func planOf(region string) plan {
	switch region {
	case "SK":
		return plan{"SK", "421", "0", []string{"903", "905", "907", "911", "915", "918", "948"}, []string{"222", "232"}}
	case "RU":
		return plan{"RU", "7", "8", []string{"9161", "9201", "9262", "9035"}, []string{"4951", "8123"}}
	case "HU":
		return plan{"HU", "36", "06", []string{"202", "301", "704"}, []string{"12", "14"}}
	default:
		return plan{"CZ", "420", "", []string{"602", "604", "608", "724", "731", "775", "777"}, []string{"222", "224"}}
	}
}

// abroad returns where foreign callers of a region come from.
func abroad(region string) string {
	if region == "CZ" {
		return "SK"
	}
	return "CZ"
}

// person returns the number of the person with that index; different indices below a million have different numbers.
func (p plan) person(index uint64) Number { return p.number(p.mobiles, index) }

// landline returns a landline in the same way.
func (p plan) landline(index uint64) Number { return p.number(p.landlines, index) }

func (p plan) number(prefixes []string, index uint64) Number {
	// 382043 has no common factor with a million, so this only shuffles.
	digits := (index*382_043 + 777_888) % 1_000_000
	prefix := prefixes[index%uint64(len(prefixes))]
	return Number{p.region, p.country, p.trunk, fmt.Sprintf("%s%06d", prefix, digits)}
}

// OwnNumber returns a number of an exchange itself, by its place in the configuration. No team has it.
func OwnNumber(region string, exchange int) Number {
	return planOf(region).landline(uint64(MaxTeams*64 + exchange))
}

// maxExtension is the length of the longest number that is dialled within an exchange.
const maxExtension = 6

// IsExtension reports whether an exchange takes what was dialled for one of its own phones.
func IsExtension(dialled string) bool {
	return len(dialled) > 0 && len(dialled) <= maxExtension && isDigits(dialled)
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// ReadNumber reads an outside number as it is dialled at an exchange of the region: with "+" or "00", as in the country
// itself, or E.164 without the plus. It is not ok if no number can be meant.
func ReadNumber(dialled, region string) (n Number, ok bool) {
	digits, international := strings.CutPrefix(dialled, "+")
	if !international {
		digits, international = strings.CutPrefix(dialled, "00")
	}
	if !isDigits(digits) || len(digits) <= maxExtension || len(digits) > 15 {
		return Number{}, false
	}
	if international {
		return foreign(digits), true
	}
	home := planOf(region)
	for _, prefix := range []string{home.trunk, ""} {
		if rest, ok := strings.CutPrefix(digits, prefix); ok && slices.Contains(home.sizes(), len(rest)) {
			return Number{home.region, home.country, home.trunk, rest}, true
		}
	}
	return foreign(digits), true
}

// foreign reads E.164 without its plus. A country without a plan stays in the rest of the number.
func foreign(digits string) Number {
	for _, region := range []string{"CZ", "SK", "RU", "HU"} {
		p := planOf(region)
		if rest, ok := strings.CutPrefix(digits, p.country); ok && slices.Contains(p.sizes(), len(rest)) {
			return Number{p.region, p.country, p.trunk, rest}
		}
	}
	return Number{Subscriber: digits}
}

// sizes returns how long the numbers of a country are, without code and trunk prefix.
func (p plan) sizes() []int {
	switch p.region {
	case "RU":
		return []int{10}
	case "HU":
		return []int{8, 9}
	default:
		return []int{9}
	}
}
