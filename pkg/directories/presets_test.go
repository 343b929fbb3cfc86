package directories_test

import (
	"net/http"
	"slices"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

const hubspotBody = `{"filterGroups": [` +
	`{"filters": [{"propertyName": "hs_searchable_calculated_phone_number", "operator": "EQ", "value": "777888999"}]}, ` +
	`{"filters": [{"propertyName": "hs_searchable_calculated_mobile_number", "operator": "EQ", "value": "777888999"}]}, ` +
	`{"filters": [{"propertyName": "phone", "operator": "EQ", "value": "+420777888999"}]}, ` +
	`{"filters": [{"propertyName": "mobilephone", "operator": "EQ", "value": "+420777888999"}]}], ` +
	`"properties": ["firstname", "lastname", "company", "phone", "mobilephone", "hs_calculated_phone_number", ` +
	`"hs_calculated_mobile_number", "hubspot_owner_id"], "limit": 100}`

// TestPresets compares what is sent to each CRM, and what is made of its answer.
func TestPresets(t *testing.T) {
	tests := map[string]struct {
		requests []string
		match    *pbxv1.ContactMatch
	}{
		"bitrix24": {
			[]string{
				`POST /rest/1/hunter2/telephony.externalCall.searchCrmEntities.json Accept: application/json Content-Type: application/json {"PHONE_NUMBER": "+420777888999"}`,
			},
			&pbxv1.ContactMatch{Name: "Jan Novák", ResponsibleExtension: "101", Url: "STUB/crm/contact/details/1/", MatchedForm: "e164"},
		},
		"hubspot": {
			[]string{
				"POST /crm/v3/objects/contacts/search Accept: application/json Authorization: Bearer hunter2 Content-Type: application/json " + hubspotBody,
				"GET /crm/v3/owners/7 Accept: application/json Authorization: Bearer hunter2",
			},
			&pbxv1.ContactMatch{
				Name: "Jan Novák", Organisation: "Globex", ResponsibleEmail: "owner@acme.example",
				Url: "https://app.hubspot.com/contacts/123/record/0-1/1", MatchedNumber: "+420 777 888 999", MatchedForm: "international_spaced",
			},
		},
		"pipedrive": {
			[]string{
				"GET /api/v2/persons/search?term=777888999&fields=phone&limit=100 Accept: application/json X-Api-Token: hunter2",
				"GET /api/v1/users/5 Accept: application/json X-Api-Token: hunter2",
			},
			&pbxv1.ContactMatch{
				Name: "Jan Novák", Organisation: "Globex", ResponsibleEmail: "owner@acme.example", Url: "https://acme.pipedrive.com/person/1",
				MatchedNumber: "+420 777 888 999", MatchedForm: "international_spaced",
			},
		},
		"raynet": {
			[]string{
				"GET /api/v2/person/?fulltext=%2B420777888999&limit=100 Accept: application/json Authorization: Basic Y3JtQGFjbWUuZXhhbXBsZTpodW50ZXIy X-Instance-Name: acme",
				"GET /api/v2/person/2/ Accept: application/json Authorization: Basic Y3JtQGFjbWUuZXhhbXBsZTpodW50ZXIy X-Instance-Name: acme",
			},
			&pbxv1.ContactMatch{
				Name: "Jan Novák", Organisation: "Globex", ResponsibleEmail: "owner@acme.example",
				Url: "STUB/acme/?view=DetailView&en=Person&ei=1", MatchedNumber: "+420 777 888 999", MatchedForm: "international_spaced",
			},
		},
		"raynet companies": {
			[]string{
				"GET /api/v2/company/?fulltext=%2B420777888999&limit=100 Accept: application/json Authorization: Basic Y3JtQGFjbWUuZXhhbXBsZTpodW50ZXIy X-Instance-Name: acme",
				"GET /api/v2/person/2/ Accept: application/json Authorization: Basic Y3JtQGFjbWUuZXhhbXBsZTpodW50ZXIy X-Instance-Name: acme",
			},
			&pbxv1.ContactMatch{
				Name: "Jan Novák", Organisation: "Jan Novák", ResponsibleEmail: "owner@acme.example",
				Url: "STUB/acme/?view=DetailView&en=Company&ei=1", MatchedNumber: "+420 777 888 999", MatchedForm: "international_spaced",
			},
		},
		"raynet leads": {
			[]string{
				"GET /api/v2/lead/?fulltext=%2B420777888999&limit=100 Accept: application/json Authorization: Basic Y3JtQGFjbWUuZXhhbXBsZTpodW50ZXIy X-Instance-Name: acme",
			},
			&pbxv1.ContactMatch{
				Name: "Jan Novák", Organisation: "Globex", Url: "STUB/acme/?view=DetailView&en=Lead&ei=1",
				MatchedNumber: "+420 777 888 999", MatchedForm: "international_spaced",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var have []string
			preset := presets()[name]
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				copied := r.Clone(r.Context())
				copied.Body, r.Body = tee(r.Body)
				mu.Lock()
				have = append(have, describe(copied))
				mu.Unlock()
				preset.handler(w, r)
			})
			matches := find(t, open(t, at(preset.yaml, s)), "777888999")
			if !slices.Equal(test.requests, have) {
				t.Errorf("want %q\nhave %q", test.requests, have)
			}
			test.match.Url = at(test.match.GetUrl(), s)
			if len(matches) != 2 || !proto.Equal(test.match, matches[0]) {
				t.Errorf("want %v first of two\nhave %v", test.match, matches)
			}
		})
	}
}
