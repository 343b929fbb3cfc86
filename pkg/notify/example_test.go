package notify_test

import (
	"fmt"

	"github.com/switchhook/switchhook/pkg/notify"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

func ExampleTemplates_Render() {
	templates, err := notify.Load("")
	if err != nil {
		fmt.Println(err)
		return
	}
	message, err := templates.Render("sk", notify.Again, notify.Data{
		Region: "SK",
		Entries: []*pbxv1.MissedCall{{
			From: &pbxv1.Party{E164: "+421905123456"}, Contact: &pbxv1.ContactMatch{Name: "Ján Kováč"}, Attempts: 5,
		}},
	})
	fmt.Println(message.Subject, err)
	fmt.Println(message.Text)
	// Output:
	// Zmeškaný hovor: Ján Kováč (0905 123 456) <nil>
	// Volá znova, zatiaľ 5 pokusov
	//
	// Volajúci: Ján Kováč
	// Zavolať späť: 0905 123 456
	// Pokusy: 5
}
