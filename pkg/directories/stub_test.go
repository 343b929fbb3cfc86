package directories_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// person is a contact of the stub CRMs, numbers as stored.
type person struct {
	id                                int
	first, last, organisation, number string
}

// people are in the order in which every directory ranks them.
func people() []person {
	return []person{
		{1, "Jan", "Novák", "Globex", "+420 777 888 999"},
		{2, "Eva", "Nováková", "", "+420777888999"},
		{3, "Peter", "Kováč", "", "+421905123456"},
	}
}

func (p person) digits() string {
	return strings.NewReplacer("+", "", " ", "").Replace(p.number)
}

// knowing returns the people whose number, as digits, ends with what was asked for, however it is written.
func knowing(asked string) []person {
	asked = strings.NewReplacer("+", "", " ", "").Replace(asked)
	var found []person
	for _, p := range people() {
		if asked != "" && strings.HasSuffix(p.digits(), asked) {
			found = append(found, p)
		}
	}
	return found
}

// object is a JSON object.
type object = map[string]any

func list(found []person, each func(person) object) []object {
	all := []object{}
	for _, p := range found {
		all = append(all, each(p))
	}
	return all
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// plainCRM answers with a list at "items".
func plainCRM(w http.ResponseWriter, r *http.Request) {
	reply(w, object{"items": list(knowing(r.URL.Query().Get("phone")), func(p person) object {
		return object{
			"id": p.id, "first": p.first, "last": p.last, "company": p.organisation, "phones": []string{p.number},
			"owner": object{"extension": 101, "mail": "owner@acme.example"},
		}
	})})
}

// bitrix24 answers as in https://apidocs.bitrix24.com/api-reference/telephony/telephony-external-call-search-crm-entities.html
func bitrix24(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Number string `json:"PHONE_NUMBER"`
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || r.URL.Path != "/rest/1/hunter2/telephony.externalCall.searchCrmEntities.json" {
		w.WriteHeader(http.StatusUnauthorized)
		reply(w, object{"error": "INVALID_CREDENTIALS", "error_description": r.URL.Path})
		return
	}
	reply(w, object{"result": list(knowing(asked.Number), func(p person) object {
		return object{
			"CRM_ENTITY_TYPE": "CONTACT", "CRM_ENTITY_ID": p.id, "ASSIGNED_BY_ID": 99, "NAME": p.first + " " + p.last,
			"ASSIGNED_BY": object{"ID": "99", "TIMEMAN_STATUS": "OPENED", "USER_PHONE_INNER": "101", "WORK_PHONE": nil},
		}
	}), "time": object{"duration": 0.1}})
}

// hubspot finds by the number without country code, whatever the country.
func hubspot(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Header.Get("Authorization") != "Bearer hunter2":
		w.WriteHeader(http.StatusUnauthorized)
	case strings.HasPrefix(r.URL.Path, "/crm/v3/owners/"):
		reply(w, object{"id": "7", "email": "owner@acme.example"})
	default:
		var asked struct {
			FilterGroups []struct{ Filters []struct{ Value string } }
		}
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || len(asked.FilterGroups) == 0 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		found := append(knowing(asked.FilterGroups[0].Filters[0].Value), person{9, "A", "Stranger", "", "+43777888999"})
		reply(w, object{"total": len(found), "results": list(found, func(p person) object {
			return object{"id": fmt.Sprint(p.id), "properties": object{
				"firstname": p.first, "lastname": p.last, "company": p.organisation, "phone": p.number, "mobilephone": nil,
				"hubspot_owner_id": "7",
			}}
		})})
	}
}

// pipedrive answers as in https://developers.pipedrive.com/docs/api/v1/Persons#searchPersons
func pipedrive(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Header.Get("X-Api-Token") != "hunter2":
		w.WriteHeader(http.StatusUnauthorized)
		reply(w, object{"success": false, "error": "denied"})
	case r.URL.Path == "/api/v1/users/5":
		reply(w, object{"success": true, "data": object{"id": 5, "email": "owner@acme.example"}})
	default:
		reply(w, object{"success": true, "data": object{"items": list(knowing(r.URL.Query().Get("term")), func(p person) object {
			return object{"result_score": 0.5, "item": object{
				"id": p.id, "type": "person", "name": p.first + " " + p.last, "phones": []string{p.number}, "owner": object{"id": 5},
				"organization": object{"id": 1, "name": p.organisation}, //nolint:misspell // It is their word.
			}}
		})}})
	}
}

// raynet answers as in https://app.raynetcrm.com/api/doc/
func raynet(w http.ResponseWriter, r *http.Request) {
	username, password, _ := r.BasicAuth()
	contactInfo := func(p person) object {
		return object{"tel1": "123 456 789", "tel2": p.number, "email": "x@globex.example"}
	}
	found := knowing(r.URL.Query().Get("fulltext"))
	switch {
	case username != "crm@acme.example" || password != "hunter2" || r.Header.Get("X-Instance-Name") != "acme":
		w.WriteHeader(http.StatusUnauthorized)
	case r.URL.Path == "/api/v2/person/2/":
		reply(w, object{"success": true, "data": object{"contactInfo": object{"email": "owner@acme.example"}}})
	case r.URL.Path == "/api/v2/person/":
		reply(w, object{"success": "true", "data": list(found, func(p person) object {
			return object{
				"id": p.id, "titleBefore": nil, "firstName": p.first, "lastName": p.last, "contactInfo": contactInfo(p),
				"primaryRelationship": object{"company": object{"id": 1, "name": p.organisation}}, "owner": object{"id": 2},
			}
		})})
	case r.URL.Path == "/api/v2/company/":
		reply(w, object{"success": "true", "data": list(found, func(p person) object {
			return object{"id": p.id, "name": p.first + " " + p.last, "primaryAddress": object{"contactInfo": contactInfo(p)}, "owner": object{"id": 2}}
		})})
	default:
		reply(w, object{"success": true, "data": list(found, func(p person) object {
			return object{
				"id": p.id, "companyName": p.organisation, "firstName": p.first, "lastName": p.last, "contactInfo": contactInfo(p), "owner": nil,
			}
		})})
	}
}

// serve starts a stub CRM.
func serve(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// hang answers when the request was given up.
func hang(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // Until then, the server does not notice.
	<-r.Context().Done()
}

// presets returns the YAML of each preset, which goes to a stub CRM, and the CRM's handler.
func presets() map[string]struct {
	yaml    string
	handler http.HandlerFunc
} {
	return map[string]struct {
		yaml    string
		handler http.HandlerFunc
	}{
		"bitrix24":         {"- type: bitrix24\n  webhook: STUB/rest/1/hunter2/", bitrix24},
		"hubspot":          {"- type: hubspot\n  token: hunter2\n  portal: 123\n  url: STUB", hubspot},
		"pipedrive":        {"- type: pipedrive\n  company: acme\n  token: hunter2\n  url: STUB", pipedrive},
		"raynet":           {"- type: raynet\n  instance: acme\n  username: crm@acme.example\n  api_key: hunter2\n  url: STUB", raynet},
		"raynet companies": {"- type: raynet\n  instance: acme\n  username: crm@acme.example\n  api_key: hunter2\n  entity: company\n  url: STUB", raynet},
		"raynet leads":     {"- type: raynet\n  instance: acme\n  username: crm@acme.example\n  api_key: hunter2\n  entity: lead\n  url: STUB", raynet},
	}
}

// plainYAML is of the type http.
const plainYAML = `
- type: http
  url: STUB/contacts?phone={number}
  found: items
  fields:
    name: "{first} {last}"
    organisation: "{company}"
    responsible_extension: "{owner.extension}"
    responsible_email: "{owner.mail}"
    url: https://crm.example/contact/{id}
    matched_number: [phones]
`

// at puts the address of a stub into YAML.
func at(yaml string, s *httptest.Server) string { return strings.ReplaceAll(yaml, "STUB", s.URL) }

// tee returns what can be read twice.
func tee(body io.Reader) (io.ReadCloser, io.ReadCloser) {
	data, err := io.ReadAll(body)
	if err != nil {
		data = []byte(err.Error())
	}
	return io.NopCloser(bytes.NewReader(data)), io.NopCloser(bytes.NewReader(data))
}
