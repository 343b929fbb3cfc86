package frames

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// keyPrefix begins the idempotency keys of commands that pages send.
const keyPrefix = "web"

// Sender names whoever sends commands from a page, without telling who that is.
func Sender(tenant, identityType, identityValue string) string {
	return digest(tenant, identityType, strings.ToLower(identityValue))
}

// Key returns the idempotency key of a sender's command: the same for the same parts, such as the action and its parameters.
// The results of commands with such keys are told to that sender only.
func Key(sender string, parts ...string) string {
	return keyPrefix + "." + sender + "." + digest(parts...)
}

// senderOf returns whose command has a key; empty for one that no page sent.
func senderOf(key string) string {
	prefix, rest, _ := strings.Cut(key, ".")
	sender, _, found := strings.Cut(rest, ".")
	if prefix != keyPrefix || !found {
		return ""
	}
	return sender
}

// digest shortens texts, and tells ("ab", "c") from ("a", "bc").
func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		length := len(p)
		h.Write([]byte{byte(length >> 16), byte(length >> 8), byte(length)})
		h.Write([]byte(p))
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:18])
}

// answer tells whoever sent a command what came of it.
func (c *Core) answer(tenant string, o *pbxv1.Command) {
	sender, name := senderOf(o.GetIdempotencyKey()), ResultName(o.GetAction())
	if sender == "" || name == "" || o.GetExtension() == "" {
		return
	}
	c.tell(c.line(tenant, o.GetExtension()), &Frame{kind: resultKind, Sender: sender, body: &Result{
		Event: name, Seq: c.seq, ActionID: o.GetActionId(), Result: Outcome(o), Reason: o.GetReason(),
	}})
}

// ResultName returns the event that tells of a command's result, such as originateresponse; empty for an unknown action.
func ResultName(action string) string {
	switch action {
	case "originate":
		return "originateresponse"
	case "hangup":
		return "hangupcallresponse"
	case "transfer":
		return "transferresponse"
	}
	return ""
}

// Outcome returns the result that a command's outcome is.
func Outcome(o *pbxv1.Command) string {
	switch o.GetOutcome() {
	case pbxv1.Command_DONE:
		return Succeeded
	case pbxv1.Command_REFUSED:
		return Refused
	case pbxv1.Command_UNKNOWN:
		return Unknown
	}
	return Failed
}
