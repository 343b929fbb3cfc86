package command_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/switchhook/switchhook/pkg/command"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/phone"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

func ExampleNeeds() {
	need, err := command.Needs(&pbxv1.CommandRequest{Action: &pbxv1.CommandRequest_Transfer{
		Transfer: &pbxv1.Transfer{Mode: pbxv1.Transfer_ATTENDED_CANCEL},
	}})
	fmt.Println(need, need.Action(), err)
	_, err = command.Needs(&pbxv1.CommandRequest{})
	fmt.Println(fault.Of(err), err)
	// Output:
	// transfer.cancel transfer <nil>
	// invalid the command has no action: want originate, hangup or transfer
}

func transfer(mode pbxv1.Transfer_Mode) *pbxv1.CommandRequest {
	return &pbxv1.CommandRequest{Action: &pbxv1.CommandRequest_Transfer{Transfer: &pbxv1.Transfer{Mode: mode}}}
}

func TestNeeds(t *testing.T) {
	var have []command.Capability
	for _, r := range []*pbxv1.CommandRequest{
		{Action: &pbxv1.CommandRequest_Originate{Originate: &pbxv1.Originate{}}},
		{Action: &pbxv1.CommandRequest_Hangup{Hangup: &pbxv1.Hangup{}}},
		transfer(pbxv1.Transfer_BLIND), transfer(pbxv1.Transfer_ATTENDED),
		transfer(pbxv1.Transfer_ATTENDED_CANCEL), transfer(pbxv1.Transfer_ATTENDED_COMPLETE),
	} {
		need, err := command.Needs(r)
		if err != nil {
			t.Errorf("%v: want no error, have %v", r, err)
		}
		have = append(have, need)
	}
	if want := command.All(); !slices.Equal(want, have) {
		t.Errorf("want %v, have %v", want, have)
	}
	for _, r := range []*pbxv1.CommandRequest{nil, transfer(pbxv1.Transfer_MODE_UNSPECIFIED), transfer(99)} {
		if need, err := command.Needs(r); need != "" || !fault.Is(err, fault.Invalid) {
			t.Errorf("%v: want invalid, have %q and %v", r, need, err)
		}
	}
}

func TestRequire(t *testing.T) {
	c := command.Command{Request: transfer(pbxv1.Transfer_BLIND), Extension: "20"}
	nobody := c
	nobody.Extension = ""
	for name, test := range map[string]struct {
		c    command.Command
		has  []command.Capability
		want string
	}{
		"can":       {c, []command.Capability{command.CanHangup, command.CanTransferBlind}, ""},
		"cannot":    {c, []command.Capability{command.CanHangup}, "transfer.blind is not supported by mcn"},
		"no phone":  {nobody, command.All(), "transfer.blind: no extension is known to act on"},
		"no action": {command.Command{}, command.All(), "the command has no action: want originate, hangup or transfer"},
	} {
		need, err := command.Require("mcn", test.has, test.c)
		if test.want == "" {
			if need != command.CanTransferBlind || err != nil {
				t.Errorf("%s: want %s, have %s and %v", name, command.CanTransferBlind, need, err)
			}
			continue
		}
		if !fault.Is(err, fault.Invalid) || err.Error() != test.want {
			t.Errorf("%s: want invalid: %s, have %v", name, test.want, err)
		}
	}
}

func TestNumbers(t *testing.T) {
	for number, want := range map[string]struct{ digits, cz, sk string }{
		"+420777888999":      {"420777888999", "777888999", "00420777888999"},
		"777 888 999":        {"420777888999", "777888999", "00420777888999"},
		"+421905123456":      {"421905123456", "00421905123456", "0905123456"},
		"+79201119613":       {"79201119613", "0079201119613", "0079201119613"},
		"20":                 {"20", "20", "20"},
		"tel:20":             {},
		"２０":                 {},
		"anonymous":          {},
		"call my mother":     {},
		"":                   {},
		"+420777888999;ext=": {},
	} {
		n := phone.Parse(number, "CZ")
		digits, err := command.Digits(n)
		cz, _ := command.National(n, "CZ")
		sk, _ := command.National(n, "SK")
		have := struct{ digits, cz, sk string }{digits, cz, sk}
		if want != have || (want.digits == "") != fault.Is(err, fault.Invalid) {
			t.Errorf("%s: want %v, have %v and %v", number, want, have, err)
		}
	}
}

// What is dialled is the number that policy looked at.
func TestNationalIsTheSameNumber(t *testing.T) {
	for _, region := range []string{"CZ", "SK", "RU", "HU", "AT", "DE", "US"} {
		for _, e164 := range []string{"+420777888999", "+421905123456", "+79201119613", "+3612345678", "+4312345678", "+493012345678", "+12125551234"} {
			dialled, err := command.National(phone.Parse(e164, region), region)
			if have := phone.Parse(dialled, region).E164; err != nil || e164 != have {
				t.Errorf("%s: want %s, have %s, which is %s (%v)", region, e164, dialled, have, err)
			}
		}
	}
}

func TestCheckText(t *testing.T) {
	for text, good := range map[string]bool{
		"": true, `Novák & "Co" <222>`: true, "a\r\nAction: Originate": false, "a\x00": false, "a\u0085": false,
		strings.Repeat("a", 128): true, strings.Repeat("a", 129): false,
	} {
		if err := command.CheckText("caller_id", text); good == fault.Is(err, fault.Invalid) {
			t.Errorf("%q: want good %v, have %v", text, good, err)
		}
	}
}

func TestPlanString(t *testing.T) {
	p := command.JSON(http.MethodPut, "https://pbx.example/x", command.Concealed, []byte(`{"a":1}`))
	want := "PUT https://pbx.example/x\nAccept: application/json\nAuthorization: Bearer xxxxx\nContent-Type: application/json\n\n{\"a\":1}\n"
	if have := p.String(); want != have {
		t.Errorf("want %s, have %s", want, have)
	}
	if have := command.JSON(http.MethodDelete, "https://pbx.example", "", nil).String(); strings.Contains(have, "Content-Type") {
		t.Errorf("want no type of a body that is not there, have %s", have)
	}
}
