package contacts_test

import (
	"errors"
	"testing"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

func BenchmarkLookup(b *testing.B) {
	replica := newBucket(0).view()
	book := book(replica, "1", finder(says(&pbxv1.ContactMatch{Name: "A", ResponsibleExtension: "20"}), fails(errors.New("refused"))))
	for name, request := range map[string]*pbxv1.ContactLookupRequest{
		"e164":      {Tenant: "acme", Number: number},
		"national":  {Tenant: "acme", Number: "224 941 111"},
		"explained": {Tenant: "acme", Number: number, Explain: true},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := book.Lookup(b.Context(), request); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lookups/s")
		})
	}
}
