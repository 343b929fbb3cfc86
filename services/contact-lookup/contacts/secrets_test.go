package contacts_test

import (
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/directories"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/contact-lookup/contacts"
)

// TestNoSecrets has directories that cannot be reached, or refuse, with credentials in all places where they have any.
func TestNoSecrets(t *testing.T) {
	crm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "no access with "+r.URL.String()+r.Header.Get("Authorization"), http.StatusUnauthorized)
	}))
	defer crm.Close()
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	yaml := strings.NewReplacer("CRM", crm.URL, "NOBODY", nobody.Addr().String()).Replace(`
tenants:
  - name: acme
    region: CZ
    contacts: {deadline: 500ms}
    exchanges: [{vendor: xvb}]
    directories:
      - {type: sql, url: "postgres://hunter2:hunter2@NOBODY/db?password=hunter2", query: "select @e164 as name"}
      - {type: hubspot, token: hunter2, url: CRM}
      - {type: raynet, instance: acme, username: hunter2, api_key: hunter2, url: "http://NOBODY"}
      - {type: http, url: "CRM/{secret.key}?phone={number}", secrets: {key: hunter2}, fields: {name: "{name}"}}
      - {type: bitrix24, webhook: "http://NOBODY/rest/1/hunter2/"}
`)
	c, err := config.Parse([]byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	all, err := directories.New(c.Tenants[0], slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	f := contacts.NewFinder(c.Tenants[0], all, time.Now)
	b := book(newBucket(0).view(), "1", f)
	answer, err := b.Lookup(t.Context(), &pbxv1.ContactLookupRequest{Tenant: "acme", Number: number, Explain: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, said := range answer.GetTrace().GetAnswers() {
		if o := said.GetOutcome(); o != pbxv1.DirectoryAnswer_FAILED && o != pbxv1.DirectoryAnswer_TIMED_OUT || said.GetError() == "" {
			t.Errorf("want it failed, and why, have %v", said)
		}
	}
	if have := answer.String() + f.Digest(); strings.Contains(have, "hunter2") {
		t.Errorf("want no secret, have %s", have)
	}
	for _, d := range all {
		d.Close()
	}
}
