package frames

import (
	"encoding/json"
	"time"
)

// The events of calls.
const (
	Ringing  = "Ringing"
	Answered = "Answered"
	Hangup   = "Hangup"
)

// The results of commands.
const (
	Accepted  = "accepted"
	Refused   = "refused"
	Succeeded = "succeeded"
	Failed    = "failed"
	Unknown   = "unknown" // nobody knows whether it was done
)

// The codes that sockets are closed with, besides those of the protocol (1001 going away, 1009 too big).
const (
	CloseInvalid  = 4400 // what the client sent was not understood
	CloseToken    = 4401 // the token was refused, or has expired
	CloseDenied   = 4403 // the token does not allow it
	CloseNoSuch   = 4404 // no one has the identity
	CloseNoAuth   = 4408 // no auth came in time
	CloseTooSlow  = 4429 // the client did not keep up; it comes back and catches up
	CloseGoing    = 1001
	CloseTooLarge = 1009
)

// Frame is what the pages of a line are told.
type Frame struct {
	Seq          uint64 // of the event that caused it; several frames of a line may share it
	Tenant, Line string
	Sender       string    // for a command's result: who sent it, as by Sender
	Received     time.Time // when the event that caused it was received; zero when it was time alone

	kind    kind
	at      time.Time // when the event was stored
	order   int       // among the frames of the event
	line    *line
	dropped bool
	body    any
	encoded []byte
}

type kind int

const (
	callKind kind = iota
	resultKind
)

// JSON returns the frame as it is sent. It is encoded once: all of a line's sockets share the bytes, which nobody may
// change. It must not be called concurrently with itself.
func (f *Frame) JSON() []byte {
	if f.encoded == nil {
		f.encoded = Encode(f.body)
	}
	return f.encoded
}

// CallFrame tells that a call rings, was answered, or is over at a line.
type CallFrame struct {
	Event     string    `json:"event"`
	Seq       uint64    `json:"seq"`
	From      string    `json:"from"`
	To        string    `json:"to"`
	UniqueID  string    `json:"uniqueId"`
	Direction string    `json:"direction"`
	Line      string    `json:"line"`
	Queue     string    `json:"queue"`
	Time      string    `json:"time"` // since when it rings or talks, or when it ended
	Contact   *Contact  `json:"contact,omitempty"`
	ClosedBy  *ClosedBy `json:"closedBy,omitempty"` // for Hangup: who took the call that rang here
	Cause     string    `json:"cause,omitempty"`    // for Hangup, as Call.Cause in lower case
}

// ClosedBy is who took a call.
type ClosedBy struct {
	Line  string `json:"line"`
	Login string `json:"login,omitempty"`
}

// Contact is who an outside number belongs to.
type Contact struct {
	Name             string `json:"name"`
	Organisation     string `json:"organisation,omitempty"`
	URL              string `json:"url,omitempty"` // http or https
	Responsible      string `json:"responsible,omitempty"`
	ResponsibleEmail string `json:"responsibleEmail,omitempty"`
	Fallback         string `json:"fallback,omitempty"` // who takes the call for the responsible, who cannot now
	Directory        string `json:"directory,omitempty"`
}

// ContactFrame tells whose the number of a call is, once that is known.
type ContactFrame struct {
	Event    string   `json:"event"`
	Seq      uint64   `json:"seq"`
	UniqueID string   `json:"uniqueId"`
	Line     string   `json:"line"`
	Contact  *Contact `json:"contact"`
}

// Snapshot tells the calls that go on, in place of frames that cannot be given again.
type Snapshot struct {
	Event string      `json:"event"`
	Seq   uint64      `json:"seq"`
	Calls []CallFrame `json:"calls"`
}

// Result tells what becomes of a command: at once, without a sequence, whether it is tried, and later what came of it.
type Result struct {
	Event    string `json:"event"`
	Seq      uint64 `json:"seq,omitempty"`
	ActionID string `json:"actionid"`
	Result   string `json:"result"`
	Reason   string `json:"reason,omitempty"`
}

// AuthResponse answers an auth. Seq is where the frames that follow go on: the client's last, or that of the snapshot.
type AuthResponse struct {
	Event   string   `json:"event"`
	OK      bool     `json:"ok"`
	Seq     uint64   `json:"seq,omitempty"`
	Lines   []string `json:"lines,omitempty"`
	Rights  []string `json:"rights,omitempty"`
	Expires string   `json:"expires,omitempty"`
	Reason  string   `json:"reason,omitempty"` // why not
}

// Encode returns a frame as JSON.
func Encode(frame any) []byte {
	data, err := json.Marshal(frame)
	if err != nil { // none of the types above can fail
		panic(err)
	}
	return data
}
