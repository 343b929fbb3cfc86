package frames_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/services/web-gateway/frames"
)

func TestDecode(t *testing.T) {
	for frame, want := range map[string]frames.Request{
		`{"action":"auth","token":"t","identityType":"email","identityValue":"k@acme.example"}`: {
			Action: "auth", Token: "t", IdentityType: "email", IdentityValue: "k@acme.example",
		},
		`{"last":12,"had":2,"action":"auth","token":"t","identityType":"line","identityValue":"101"}`: {
			Action: "auth", Token: "t", IdentityType: "line", IdentityValue: "101", Last: 12, Had: 2,
		},
		"\n{\"action\":\"originate\", \"to\":\"777\",\"callerid\":\"Karel <101>\",\"actionid\":\"1\"}\n": {
			Action: "originate", To: "777", CallerID: "Karel <101>", ActionID: "1",
		},
		`{"action":"hangupcall"}`:                                               {Action: "hangupcall"},
		`{"action":"hangupcall","uniqueid":"x","line":"101"}`:                   {Action: "hangupcall", UniqueID: "x", Line: "101"},
		`{"action":"transfer","to":"102","type":"blind","data":{"a":[1,null]}}`: {Action: "transfer", To: "102", Type: "blind"},
		`{"action":"transfer","type":"complete"}`:                               {Action: "transfer", Type: "complete"},
	} {
		have, err := frames.Decode([]byte(frame))
		if err != nil || !reflect.DeepEqual(*have, want) {
			t.Errorf("%s: want %+v, have %+v, %v", frame, want, have, err)
		}
	}
}

func wrongFrames() []string {
	return []string{
		``, `null`, `[]`, `"auth"`, `{}`, `{"action":null}`, `{"action":"dial"}`, `{"action":1}`, `{"Action":"hangupcall"}`,
		`{"action":"hangupcall"}{}`, `{"action":"hangupcall"`, `{"action":"hangupcall",}`, `{"action":"hangupcall"} x`,
		`{"action":"hangupcall","action":"hangupcall"}`, `{"action":"hangupcall","to":"1"}`, `{"action":"hangupcall","uniqueid":null}`,
		`{"action":"hangupcall","actionid":1}`, "{\"action\":\"hangupcall\",\"actionid\":\"\xff\"}",
		`{"action":"hangupcall","actionid":"a\nb"}`, `{"action":"hangupcall","actionid":"` + strings.Repeat("a", 129) + `"}`,
		`{"action":"auth"}`, `{"action":"auth","token":"t","identityType":"login"}`,
		`{"action":"auth","token":"","identityType":"login","identityValue":"k"}`,
		`{"action":"auth","token":"t","identityType":"name","identityValue":"k"}`,
		`{"action":"auth","token":"t","identityType":"login","identityValue":"k","last":-1}`,
		`{"action":"auth","token":"t","identityType":"login","identityValue":"k","last":"1"}`,
		`{"action":"auth","token":"t","identityType":"login","identityValue":"k","last":null}`,
		`{"action":"originate"}`, `{"action":"originate","to":""}`,
		`{"action":"transfer","to":"102"}`, `{"action":"transfer","type":"blind"}`, `{"action":"transfer","type":"cancel","to":"1"}`,
		`{"action":"hangupcall","actionid":"` + strings.Repeat(" ", frames.MaxRequest) + `"}`,
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, frame := range wrongFrames() {
		if r, err := frames.Decode([]byte(frame)); !fault.Is(err, fault.Invalid) || r != nil {
			t.Errorf("%.60s: want it refused, have %+v, %v", frame, r, err)
		}
	}
}

func TestDecodeTellsNoToken(t *testing.T) {
	const secret = "s3cret"
	for _, frame := range []string{
		`{"action":"auth","token":"` + secret + `"}`, `{"action":"auth","token":["` + secret + `"]}`, `"` + secret + `"`,
		`{"action":"` + secret + `"}`, `{"action":"hangupcall","` + secret + `":1}`, `{"token":"` + secret + `"} ` + secret,
		`{"action":"auth","token":"t","identityType":"` + secret + `","identityValue":"k"}`,
	} {
		if _, err := frames.Decode([]byte(frame)); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: want an error without the token, have %v", frame, err)
		}
	}
}

// FuzzDecode demands either a request or an error, and of a request that it is the same when it is written and read again.
func FuzzDecode(f *testing.F) {
	for _, frame := range wrongFrames() {
		f.Add([]byte(frame))
	}
	f.Add([]byte(`{"last":12,"had":2,"action":"auth","token":"t","identityType":"line","identityValue":"101"}`))
	f.Add([]byte(`{"action":"originate","to":"777","callerid":"Karel <101>","actionid":"\u2028"}`))
	f.Add([]byte(`{"action":"transfer","to":"102","type":"blind","data":{"a":[1,null]},"line":"1"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := frames.Decode(data)
		if (r == nil) == (err == nil) || err != nil && !fault.Is(err, fault.Invalid) {
			t.Fatalf("want a request or an invalid frame, have %+v, %v", r, err)
		}
		if err != nil {
			return
		}
		var written strings.Builder
		encoder := json.NewEncoder(&written)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(r); err != nil {
			t.Fatal(err)
		}
		again, err := frames.Decode([]byte(written.String()))
		if err != nil && written.Len() <= frames.MaxRequest {
			t.Fatalf("want %s understood, have %v", written.String(), err)
		}
		if err == nil && !reflect.DeepEqual(r, again) {
			t.Fatalf("want %+v, have %+v", r, again)
		}
	})
}
