package directories

import (
	"net/url"
	"slices"
	"strings"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/event"
)

// The presets are settings of the type http. What a customer gives is only what differs between customers. Each fact about a
// CRM's API is from the public page that stands beside it.

// readBitrix24 reads the settings of Bitrix24: the URL of an inbound webhook with the right "telephony", which is the
// credential. https://apidocs.bitrix24.com/local-integrations/local-webhooks.html
func readBitrix24(d *config.Directory) (settings, config.Problems) {
	var given struct {
		Webhook config.Secret `yaml:"webhook,required"`
	}
	problems := d.Read(&given)
	webhook := strings.TrimRight(given.Webhook.Reveal(), "/")
	u, ok := address(webhook)
	problems = append(problems, d.Check(webhook == "" || ok, "webhook", "want the URL of an inbound webhook, https://….bitrix24.com/rest/…")...)
	if len(problems) > 0 {
		return nil, problems
	}
	s := defaultHTTP()
	s.Host = u.Host
	s.Secrets = map[string]config.Secret{"webhook": config.NewSecret(webhook)}
	// One request gives contacts, companies and leads, best first, each with its employee and that one's internal number.
	// https://apidocs.bitrix24.com/api-reference/telephony/telephony-external-call-search-crm-entities.html
	s.URL = "{webhook}/telephony.externalCall.searchCrmEntities.json"
	s.Body = `{"PHONE_NUMBER": "{number}"}`
	// What it makes of other forms than stored is not documented.
	s.Forms = []string{"e164", "digits", "national", "significant"}
	s.Found, s.Error = "result", "error"
	s.Fields = fieldSettings{
		Name:                 "{NAME}",
		ResponsibleExtension: "{ASSIGNED_BY.USER_PHONE_INNER}",
		URL:                  u.Scheme + "://" + u.Host + "/crm/{CRM_ENTITY_TYPE|lower}/details/{CRM_ENTITY_ID}/",
	}
	return s, nil
}

// readHubSpot reads the settings of HubSpot: the token of a private app with the scopes crm.objects.contacts.read and
// crm.objects.owners.read. https://developers.hubspot.com/docs/apps/legacy-apps/private-apps/overview
func readHubSpot(d *config.Directory) (settings, config.Problems) {
	given := struct {
		Token  config.Secret `yaml:"token,required"`
		Portal string        `yaml:"portal"`
		URL    string        `yaml:"url"`
	}{URL: "https://api.hubapi.com"}
	problems := append(d.Read(&given), checkAddress(d, given.URL)...)
	problems = append(problems, d.Check(strings.Trim(given.Portal, "0123456789") == "", "portal", "want the digits of the account's id")...)
	s := defaultHTTP()
	s.Secrets = map[string]config.Secret{"token": given.Token}
	s.Headers = map[string]string{"Authorization": "Bearer {token}"}
	// Up to five groups of filters, of which one has to apply; phone numbers are compared without country code, in the
	// calculated properties. https://developers.hubspot.com/docs/api-reference/search/guide
	s.URL = trimSlash(given.URL) + "/crm/v3/objects/contacts/search"
	s.Body = `{"filterGroups": [` +
		`{"filters": [{"propertyName": "hs_searchable_calculated_phone_number", "operator": "EQ", "value": "{significant}"}]}, ` +
		`{"filters": [{"propertyName": "hs_searchable_calculated_mobile_number", "operator": "EQ", "value": "{significant}"}]}, ` +
		`{"filters": [{"propertyName": "phone", "operator": "EQ", "value": "{e164}"}]}, ` +
		`{"filters": [{"propertyName": "mobilephone", "operator": "EQ", "value": "{e164}"}]}], ` +
		`"properties": ["firstname", "lastname", "company", "phone", "mobilephone", "hs_calculated_phone_number", ` +
		`"hs_calculated_mobile_number", "hubspot_owner_id"], "limit": 100}`
	s.Found = "results"
	s.Fields = fieldSettings{
		Name:         "{properties.firstname} {properties.lastname}",
		Organisation: "{properties.company}",
		// Without country code the search finds strangers too, who are told by these.
		MatchedNumber: []string{
			"properties.phone", "properties.mobilephone", "properties.hs_calculated_phone_number", "properties.hs_calculated_mobile_number",
		},
	}
	if given.Portal != "" {
		s.Fields.URL = "https://app.hubspot.com/contacts/" + given.Portal + "/record/0-1/{id}"
	}
	// https://developers.hubspot.com/docs/api-reference/crm-owners-v3/guide
	s.Lookup = &lookupSettings{Key: "properties.hubspot_owner_id", URL: trimSlash(given.URL) + "/crm/v3/owners/{key}"}
	s.Lookup.Fields.ResponsibleEmail = "{email}"
	return s, problems
}

// readPipedrive reads the settings of Pipedrive: the company's domain, and an API token of a user.
// https://pipedrive.readme.io/docs/how-to-find-the-api-token
func readPipedrive(d *config.Directory) (settings, config.Problems) {
	var given struct {
		Company string        `yaml:"company,required"`
		Token   config.Secret `yaml:"token,required"`
		URL     string        `yaml:"url"`
	}
	problems := d.Read(&given)
	problems = append(problems, d.Check(given.Company == "" || event.IsToken(given.Company), "company",
		"want the part of https://….pipedrive.com that is the company's")...)
	company := "https://" + given.Company + ".pipedrive.com"
	if given.URL == "" {
		given.URL = company
	}
	problems = append(problems, checkAddress(d, given.URL)...)
	s := defaultHTTP()
	s.Secrets = map[string]config.Secret{"token": given.Token}
	s.Headers = map[string]string{"x-api-token": "{token}"}
	// The term is looked for anywhere in the stored text unless exact_match is demanded. So what all ways to write a number
	// without spaces share finds most, and comes first; then come the usual ways to write it with spaces.
	// https://developers.pipedrive.com/docs/api/v1/Persons#searchPersons
	s.URL = trimSlash(given.URL) + "/api/v2/persons/search?term={number}&fields=phone&limit=100"
	s.Forms = []string{"significant", "national", "e164", "international_spaced", "national_spaced"}
	s.Found = "data.items"
	s.Fields = fieldSettings{
		Name: "{item.name}", Organisation: "{item.organization.name}", URL: company + "/person/{item.id}",
		MatchedNumber: []string{"item.phones"},
	}
	// https://developers.pipedrive.com/docs/api/v1/Users#getUser
	s.Lookup = &lookupSettings{Key: "item.owner.id", URL: trimSlash(given.URL) + "/api/v1/users/{key}"}
	s.Lookup.Fields.ResponsibleEmail = "{data.email}"
	return s, problems
}

// readRaynet reads the settings of RAYNET CRM: the name of the instance, a user's name and an API key of theirs.
// https://app.raynetcrm.com/api/doc/
func readRaynet(d *config.Directory) (settings, config.Problems) {
	given := struct {
		Instance string        `yaml:"instance,required"`
		Username config.Secret `yaml:"username,required"`
		APIKey   config.Secret `yaml:"api_key,required"`
		Entity   string        `yaml:"entity"`
		URL      string        `yaml:"url"`
	}{Entity: "person", URL: "https://app.raynet.cz"}
	problems := append(d.Read(&given), checkAddress(d, given.URL)...)
	problems = append(problems, d.Check(event.IsToken(strings.ToLower(given.Instance)) || given.Instance == "", "instance",
		"want the name of the instance as it stands in its address")...)
	entities := raynetEntities()
	fields, known := entities[given.Entity]
	problems = append(problems, d.Check(known, "entity", "want person, company or lead")...)
	base := trimSlash(given.URL)
	s := defaultHTTP()
	s.Basic = basicSettings{given.Username, given.APIKey}
	s.Headers = map[string]string{"X-Instance-Name": given.Instance}
	// Lists have no filter by number, only a search over the text of all fields.
	s.URL = base + "/api/v2/" + given.Entity + "/?fulltext={number}&limit=100"
	s.Forms = []string{"e164", "international_spaced", "significant", "national", "groups", "national_spaced"}
	s.Found = "data"
	fields.URL = base + "/" + given.Instance + "/?view=DetailView&en=" + raynetView(given.Entity) + "&ei={id}"
	s.Fields = fields
	s.Lookup = &lookupSettings{Key: "owner.id", URL: base + "/api/v2/person/{key}/"}
	s.Lookup.Fields.ResponsibleEmail = "{data.contactInfo.email}"
	return s, problems
}

// raynetEntities says where each kind of contact keeps what. https://app.raynetcrm.com/api/doc/
func raynetEntities() map[string]fieldSettings {
	return map[string]fieldSettings{
		"person": {
			Name: "{titleBefore} {firstName} {lastName} {titleAfter}", Organisation: "{primaryRelationship.company.name}",
			MatchedNumber: []string{"contactInfo.tel1", "contactInfo.tel2"},
		},
		"company": {
			Name: "{name}", Organisation: "{name}",
			MatchedNumber: []string{"primaryAddress.contactInfo.tel1", "primaryAddress.contactInfo.tel2"},
		},
		"lead": {
			Name: "{firstName} {lastName}", Organisation: "{companyName}",
			MatchedNumber: []string{"contactInfo.tel1", "contactInfo.tel2"},
		},
	}
}

// raynetView returns what links call an entity.
func raynetView(entity string) string {
	return strings.ToUpper(entity[:min(1, len(entity))]) + entity[min(1, len(entity)):]
}

func trimSlash(address string) string { return strings.TrimRight(address, "/") }

// address reads the address of a server.
func address(s string) (*url.URL, bool) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, false
	}
	return u, slices.Contains([]string{"http", "https"}, u.Scheme) && u.Host != "" && u.RawQuery == "" && u.User == nil
}

func checkAddress(d *config.Directory, s string) config.Problems {
	_, ok := address(s)
	return d.Check(ok && !strings.ContainsAny(s, "{}"), "url", "want an address that begins with https:// or http://")
}
