package ctl_test

import (
	"bytes"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/cli"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/pbxctl/ctl"
)

func decode(t *testing.T, wire []byte) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := ctl.New(world())
	cmd.SetArgs([]string{"decode"})
	cmd.SetIn(bytes.NewReader(wire))
	cmd.SetOut(&stdout)
	code := cli.Run(t.Context(), cmd, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

func TestDecode(t *testing.T) {
	want := &pbxv1.Event{Id: "1", Payload: &pbxv1.Event_Call{Call: &pbxv1.Call{Kind: pbxv1.Call_RINGING, Extension: "20"}}}
	wire, err := proto.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	r := decode(t, wire)
	have := new(pbxv1.Event)
	if err := protojson.Unmarshal([]byte(r.stdout), have); err != nil || !proto.Equal(want, have) || r.code != 0 {
		t.Errorf("want %v, have %v (%v, exit code %d)", want, have, err, r.code)
	}
	if r := decode(t, []byte("\xff")); r.code != cli.ExitFailure || !strings.Contains(r.stderr, "1 bytes that are no event") {
		t.Errorf("want a clear error, have %+v", r)
	}
}
