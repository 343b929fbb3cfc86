package event_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

func TestParty(t *testing.T) {
	tests := map[string]struct {
		number, region string
		want           *pbxv1.Party
	}{
		"nothing":       {"", "CZ", nil},
		"white space":   {" \t", "CZ", nil},
		"national":      {"777888999", "CZ", &pbxv1.Party{Number: "777888999", E164: "+420777888999"}},
		"other region":  {"8 920 111-96-13", "RU", &pbxv1.Party{Number: "8 920 111-96-13", E164: "+79201119613"}},
		"surrounded":    {" 777 888 999 ", "CZ", &pbxv1.Party{Number: "777 888 999", E164: "+420777888999"}},
		"international": {"+421905123456", "CZ", &pbxv1.Party{Number: "+421905123456", E164: "+421905123456"}},
		"extension":     {"20", "CZ", &pbxv1.Party{Number: "20"}},
		"withheld":      {"Anonymous", "CZ", &pbxv1.Party{Number: "Anonymous"}},
		"no number":     {"sip:recepce@pbx.example", "CZ", &pbxv1.Party{Number: "sip:recepce@pbx.example"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if have := event.Party(test.number, test.region); !proto.Equal(test.want, have) {
				t.Errorf("want %v, have %v", test.want, have)
			}
		})
	}
}

func TestUser(t *testing.T) {
	tests := map[string]struct {
		login, email string
		want         *pbxv1.User
	}{
		"nobody": {"", "", nil},
		"both":   {"novak", "novak@acme.example", &pbxv1.User{Login: "novak", Email: "novak@acme.example"}},
		"login":  {"novak", "", &pbxv1.User{Login: "novak"}},
		"e-mail": {"", "novak@acme.example", &pbxv1.User{Email: "novak@acme.example"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if have := event.User(test.login, test.email); !proto.Equal(test.want, have) {
				t.Errorf("want %v, have %v", test.want, have)
			}
		})
	}
}

func TestCallKey(t *testing.T) {
	outside := &pbxv1.Party{Number: "777 888 999", E164: "+420777888999"}
	tests := map[string]struct {
		id, extension string
		outside       *pbxv1.Party
		want          string
	}{
		"id":                  {"1504094571.123", "20", outside, "1504094571.123"},
		"id only":             {"1504094571.123", "", nil, "1504094571.123"},
		"no id":               {"", "20", outside, "acme/20/+420777888999"},
		"written differently": {"", "20", &pbxv1.Party{Number: "00420777888999", E164: "+420777888999"}, "acme/20/+420777888999"},
		"no E.164":            {"", "20", &pbxv1.Party{Number: "Anonymous"}, "acme/20/Anonymous"},
		"no extension":        {"", "", outside, "acme//+420777888999"},
		"extension only":      {"", "20", nil, "acme/20/"},
		"nothing":             {"", "", nil, "acme//"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if have := event.CallKey(test.id, "acme", test.extension, test.outside); test.want != have {
				t.Errorf("want %s, have %s", test.want, have)
			}
		})
	}
}

func TestOutside(t *testing.T) {
	const (
		unknown = pbxv1.Call_DIRECTION_UNSPECIFIED
		barge   = pbxv1.Call_BARGE
	)
	outside := &pbxv1.Party{Number: "777888999", E164: "+420777888999"}
	other := &pbxv1.Party{Number: "222333444", E164: "+420222333444"}
	short := &pbxv1.Party{Number: "20"}
	hidden := &pbxv1.Party{Number: "Anonymous"}
	tests := map[string]struct {
		direction      pbxv1.Call_Direction
		from, to, want *pbxv1.Party
	}{
		"incoming":                   {pbxv1.Call_INCOMING, outside, other, outside},
		"incoming, withheld":         {pbxv1.Call_INCOMING, hidden, other, hidden},
		"incoming, no caller":        {pbxv1.Call_INCOMING, nil, other, nil},
		"internal incoming":          {pbxv1.Call_INTERNAL_INCOMING, short, outside, short},
		"outgoing":                   {pbxv1.Call_OUTGOING, outside, other, other},
		"outgoing to a short number": {pbxv1.Call_OUTGOING, outside, short, short},
		"outgoing, no called":        {pbxv1.Call_OUTGOING, outside, nil, nil},
		"internal outgoing":          {pbxv1.Call_INTERNAL_OUTGOING, outside, short, short},
		"unknown, both outside":      {unknown, outside, other, outside},
		"unknown, from outside":      {unknown, outside, short, outside},
		"unknown, to outside":        {unknown, short, outside, outside},
		"unknown, neither":           {unknown, hidden, short, short},
		"unknown, short caller only": {unknown, short, nil, short},
		"unknown, short called only": {unknown, nil, short, short},
		"unknown, called only":       {unknown, nil, outside, outside},
		"unknown, nobody":            {unknown, nil, nil, nil},
		"barge, from outside":        {barge, outside, short, outside},
		"barge, to outside":          {barge, short, outside, outside},
		"of a later version":         {99, short, outside, outside},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			have := event.Outside(&pbxv1.Call{Direction: test.direction, From: test.from, To: test.to})
			if test.want != have {
				t.Errorf("want %v, have %v", test.want, have)
			}
		})
	}
	if have := event.Outside(nil); have != nil {
		t.Errorf("want nobody for no call, have %v", have)
	}
}
