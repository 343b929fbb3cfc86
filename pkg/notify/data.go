package notify

import (
	"cmp"
	"html/template"
	"net/url"
	"strings"
	"time"

	"github.com/switchhook/switchhook/pkg/phone"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// Data is what a message is written from.
type Data struct {
	Tenant   string
	Region   string         // of the tenant: numbers of it are written as at home
	Location *time.Location // of the tenant; nil is UTC
	Now      time.Time      // when the message is written
	// Link is the address where people open an entry, in which {id} stands for its ID and {tenant} for the tenant. Empty
	// when there is none.
	Link string
	// Entries are what it is about, at least one. All kinds but Digest are about the first.
	Entries []*pbxv1.MissedCall
	Level   string    // for Escalated: to whom it went, in the words of the configuration. May be empty.
	Since   time.Time // for Digest: from when on. The zero value is not said.
}

// View is what templates see of a message. What comes from outside is one line each, and of a sensible length.
type View struct {
	Kind   Kind
	Lang   string
	Tenant string
	Level  string
	Since  string // empty when not known
	// Entry is the one that the message is about; of a digest, the first.
	Entry
	Entries []Entry // those of a digest that are listed; of another kind the one
	Total   int     // how many there are
	More    int     // how many of them are not listed
	Rows    []Row   // what there is to say about the entry, in order; none for a digest
}

// Columns returns the labels of a digest's table, as keys of rows.
func (View) Columns() []string {
	return []string{"when", "caller", "number", "waited", "attempts", "queue", "reason"}
}

// Entry is an entry of the ledger as templates see it. Texts are empty when nothing is known.
type Entry struct {
	ID           string
	Name         string // of the caller
	Organisation string // unless it is the name
	Who          string // name and organisation; else the number
	Number       string // to call back, as written in the tenant's region; or the word for a withheld one
	Dial         string // the same as +420777888999, or Number where there is no such
	Tel          template.URL
	Link         template.URL // where to open the entry
	Card         template.URL // of the contact in the CRM
	When, Clock  string       // when the last attempt ended, in the tenant's time zone: with the date, and without
	Waited       string       // at the last attempt
	Open         string       // since the entry was opened
	Attempts     int          // 1 or more
	Today        int          // attempts of today
	Callbacks    int          // that were not answered
	Queue        string
	Dialled      string
	Reason       string // in words
	Resolution   string // in words
	ResolvedBy   string
	ClaimedBy    string
	ClaimedUntil string
	Note         string
}

// Row is a line of a message.
type Row struct {
	Key   string       // stable, in English
	Label string       // in the language
	Value string       // to be read
	URL   template.URL // where a click on the value goes; may be empty
}

const (
	maxName   = 80
	maxNote   = 500
	maxListed = 50 // entries of a digest
)

// entry writes down an entry in a language.
func (l *language) entry(m *pbxv1.MissedCall, d Data) (Entry, error) {
	w := wording{language: l}
	location := cmp.Or(d.Location, time.UTC)
	at := m.GetMissedAt().AsTime().In(location)
	e := Entry{
		ID:           line(m.GetId(), maxName),
		Name:         line(m.GetContact().GetName(), maxName),
		Organisation: line(m.GetContact().GetOrganisation(), maxName),
		When:         at.Format(w.of("layout.time")),
		Clock:        at.Format(w.of("layout.clock")),
		Attempts:     max(1, int(m.GetAttempts())),
		Today:        max(0, int(m.GetAttemptsToday())),
		Callbacks:    max(0, int(m.GetFailedCallbacks())),
		Queue:        line(m.GetQueue(), maxName),
		Reason:       w.enum("reason.", m.GetReason()),
		Resolution:   w.enum("resolution.", m.GetResolution()),
		ResolvedBy:   person(m.GetResolvedBy()),
		ClaimedBy:    person(m.GetClaimedBy()),
		Note:         line(m.GetNote(), maxNote),
		Card:         address(m.GetContact().GetUrl()),
		Link:         link(d, m.GetId()),
		Waited:       w.duration(m.GetWait().AsDuration()),
	}
	if m.GetMissedAt() == nil {
		e.When, e.Clock = "", ""
	}
	if m.GetClaimedUntil() != nil {
		e.ClaimedUntil = m.GetClaimedUntil().AsTime().In(location).Format(w.of("layout.clock"))
	}
	if m.GetOpenedAt() != nil && d.Now.After(m.GetOpenedAt().AsTime()) {
		e.Open = w.duration(d.Now.Sub(m.GetOpenedAt().AsTime()))
	}
	e.Number, e.Dial, e.Tel = numbers(m.GetFrom(), d.Region)
	if e.Number == "" {
		e.Number = w.of("withheld")
		e.Dial = e.Number
	}
	e.Dialled, _, _ = numbers(m.GetTo(), d.Region)
	if e.Organisation == e.Name {
		e.Organisation = ""
	}
	e.Who = cmp.Or(strings.Join(nonEmpty(e.Name, e.Organisation), ", "), e.Number)
	return e, w.err
}

// numbers returns how a party's number is written, dialled and clicked. All are empty for a number withheld.
func numbers(p *pbxv1.Party, region string) (shown, dialled string, tel template.URL) {
	n := phone.Parse(cmp.Or(p.GetE164(), p.GetNumber()), region)
	switch n.Kind {
	case phone.Withheld:
		return "", "", ""
	case phone.Outside:
		return spaced(n, region), n.E164, template.URL("tel:" + n.E164) //nolint:gosec // A plus and digits.
	default:
		shown = line(n.Raw, 40)
		return shown, shown, ""
	}
}

// spaced writes an outside number as is usual in the region.
func spaced(n phone.Number, region string) string {
	forms := make(map[string]string)
	for _, f := range phone.Forms(n, region) {
		forms[f.Name] = f.Number
	}
	return cmp.Or(forms["national_spaced"], forms["national"], forms["international_spaced"], n.E164)
}

func person(u *pbxv1.User) string { return line(cmp.Or(u.GetLogin(), u.GetEmail()), maxName) }

// address returns an address that may be clicked, or nothing.
func address(text string) template.URL {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return ""
	}
	return template.URL(u.String()) //nolint:gosec // It runs nothing.
}

func link(d Data, id string) template.URL {
	return address(strings.NewReplacer("{id}", url.PathEscape(id), "{tenant}", url.PathEscape(d.Tenant)).Replace(d.Link))
}

func nonEmpty(all ...string) []string {
	var some []string
	for _, s := range all {
		if s != "" {
			some = append(some, s)
		}
	}
	return some
}

// view writes down a message's data in a language.
func (l *language) view(kind Kind, d Data) (View, error) {
	w := wording{language: l}
	v := View{Kind: kind, Lang: l.name, Tenant: line(d.Tenant, maxName), Level: line(d.Level, maxName), Total: len(d.Entries)}
	listed := d.Entries[:min(len(d.Entries), maxListed)]
	if kind != Digest {
		listed, v.Total = listed[:1], 1
	}
	for _, m := range listed {
		e, err := l.entry(m, d)
		if err != nil {
			return View{}, err
		}
		v.Entries = append(v.Entries, e)
	}
	v.Entry, v.More = v.Entries[0], v.Total-len(listed)
	if !d.Since.IsZero() {
		v.Since = d.Since.In(cmp.Or(d.Location, time.UTC)).Format(w.of("layout.time"))
	}
	if kind != Digest {
		v.Rows = w.rows(v)
	}
	return v, w.err
}

// rows returns what there is to say about the entry of a message.
func (w *wording) rows(v View) []Row {
	over := v.Kind == Resolved || v.Kind == Withdrawn
	caller := ""
	if v.Name != "" || v.Organisation != "" {
		caller = v.Who
	}
	all := []Row{
		{Key: "level", Value: only(v.Kind == Escalated, v.Level)},
		{Key: "by", Value: only(over, v.ResolvedBy)},
		{Key: "caller", Value: caller, URL: v.Card},
		{Key: "number", Value: v.Number, URL: v.Tel},
		{Key: "when", Value: v.When},
		{Key: "waited", Value: v.Waited},
		{Key: "attempts", Value: only(v.Attempts > 1 || v.Today > v.Attempts, w.say("value.attempts", v))},
		{Key: "queue", Value: v.Queue},
		{Key: "dialled", Value: v.Dialled},
		{Key: "reason", Value: only(!over, v.Reason)},
		{Key: "callbacks", Value: only(v.Callbacks > 0, w.say("value.callbacks", v))},
		{Key: "claimed", Value: only(!over && v.ClaimedBy != "", w.say("value.claimed", v))},
		{Key: "note", Value: v.Note},
		{Key: "link", Value: string(v.Link), URL: v.Link},
	}
	var rows []Row
	for _, r := range all {
		if r.Value == "" {
			continue
		}
		r.Label = w.of("label." + r.Key)
		rows = append(rows, r)
	}
	return rows
}

// only returns a text under a condition.
func only(condition bool, text string) string {
	if condition {
		return text
	}
	return ""
}
