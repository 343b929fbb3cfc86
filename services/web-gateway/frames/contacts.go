package frames

import (
	"slices"
	"strings"
	"time"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// number is an outside number as a tenant knows it.
type number struct{ tenant, e164 string }

// known is who a number belongs to.
type known struct {
	number
	contact *Contact
	at      time.Time
}

// contacts are those of a while. A contact belongs to a number, so the next call has it as it rings.
type contacts struct {
	known map[number]*known
	aging []*known
}

func (c *contacts) find(tenant, e164 string) *Contact {
	if k := c.known[number{tenant, e164}]; k != nil {
		return k.contact
	}
	return nil
}

func (c *contacts) forget(now time.Time) {
	for len(c.aging) > 0 && now.Sub(c.aging[0].at) > contactFor {
		if k := c.aging[0]; c.known[k.number] == k {
			delete(c.known, k.number)
		}
		c.aging[0] = nil
		c.aging = c.aging[1:]
	}
}

// recognise tells the lines that have a call of a number whose that is.
func (c *Core) recognise(tenant string, found *pbxv1.Contact) {
	n := number{tenant, found.GetParty().GetE164()}
	if n.e164 == "" {
		return
	}
	if found.GetKind() != pbxv1.Contact_RESOLVED || found.GetMatch() == nil {
		delete(c.contacts.known, n)
		return
	}
	k := &known{n, contactOf(found.GetMatch()), c.clock}
	c.contacts.known[n] = k
	c.contacts.aging = append(c.contacts.aging, k)
	var its []*entry
	for _, e := range c.calls {
		if e.call.Tenant == tenant && e.call.Outside().GetE164() == n.e164 {
			its = append(its, e)
		}
	}
	slices.SortFunc(its, func(x, y *entry) int { return strings.Compare(x.call.ID, y.call.ID) })
	for _, e := range its {
		if e.contact != nil && *e.contact == *k.contact {
			continue
		}
		e.contact = k.contact
		for _, p := range e.phones {
			if p.told.Event == "" { // it was never told of the call
				continue
			}
			c.tell(p.line, &Frame{kind: callKind, body: &ContactFrame{
				Event: "Contact", Seq: c.seq, UniqueID: e.call.ID, Line: p.line.Line, Contact: k.contact,
			}})
		}
	}
}

func contactOf(m *pbxv1.ContactMatch) *Contact {
	return &Contact{
		Name: m.GetName(), Organisation: m.GetOrganisation(), URL: webURL(m.GetUrl()), Responsible: m.GetResponsibleExtension(),
		ResponsibleEmail: m.GetResponsibleEmail(), Fallback: m.GetFallbackExtension(), Directory: m.GetDirectory(),
	}
}

// webURL returns a URL that a page may offer as a link, and nothing for one that could run as a script there.
func webURL(url string) string {
	for _, scheme := range []string{"https://", "http://"} {
		if len(url) > len(scheme) && strings.EqualFold(url[:len(scheme)], scheme) {
			return url
		}
	}
	return ""
}
