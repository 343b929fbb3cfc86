package commands

import pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"

// Reply says to whoever asks for a command while its key gets a record what that does: whether the command is tried, and why not.
// The record is past TAKEN. It may be of another command that asked for the same at the same time, or for something else.
func Reply(rec *pbxv1.CommandRecord, a Arrival) *pbxv1.CommandReply {
	if !sameRequest(rec, a) {
		return a.refusal(conflict)
	}
	return replyTo(rec, a.Request.GetActionId())
}
