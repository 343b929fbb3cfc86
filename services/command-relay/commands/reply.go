package commands

import pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"

// Reply says to whoever asked for a command what its record does: whether it is tried, and why not. The record is past TAKEN.
func Reply(rec *pbxv1.CommandRecord, actionID string) *pbxv1.CommandReply {
	return replyTo(rec, actionID)
}
