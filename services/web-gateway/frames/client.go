package frames

import (
	"bytes"
	"encoding/json"
	"io"
	"unicode"
	"unicode/utf8"

	"github.com/switchhook/switchhook/pkg/fault"
)

// MaxRequest is how long a client's frame may be, in bytes.
const MaxRequest = 16 << 10

// The actions of clients.
const (
	Auth       = "auth"
	Originate  = "originate"
	HangupCall = "hangupcall"
	Transfer   = "transfer"
)

// Request is a client's frame. Which fields count depends on the action.
type Request struct {
	Action string `json:"action"`

	Token         string `json:"token,omitempty"`
	IdentityType  string `json:"identityType,omitempty"`
	IdentityValue string `json:"identityValue,omitempty"`
	Last          uint64 `json:"last,omitempty"` // the last sequence that the client saw; 0: it wants a snapshot
	Had           uint64 `json:"had,omitempty"`  // how many frames of that sequence it saw; 0: all

	To       string `json:"to,omitempty"`
	CallerID string `json:"callerid,omitempty"` // "name <number>"
	UniqueID string `json:"uniqueid,omitempty"` // of the call; empty: the current one
	Type     string `json:"type,omitempty"`     // of a transfer: blind, attended, complete or cancel
	Line     string `json:"line,omitempty"`     // on which of one's own lines; empty: the one that has the call, or the first
	ActionID string `json:"actionid,omitempty"` // echoed; the same action with the same one is done once within 24 hours
}

// field says where a field goes, and what is demanded of it.
type field struct {
	into     any // *string or *uint64; nil for any value, of which nothing is kept
	longest  int // bytes of a string
	required bool
	oneOf    []string
}

// fields returns what an action takes; nil for one that is none.
func (r *Request) fields(action string) map[string]field {
	id := field{into: &r.ActionID, longest: 128}
	line := field{into: &r.Line, longest: 32}
	switch action {
	case Auth:
		return map[string]field{
			"token":         {into: &r.Token, longest: 8 << 10, required: true},
			"identityType":  {into: &r.IdentityType, required: true, oneOf: []string{"login", "line", "email"}},
			"identityValue": {into: &r.IdentityValue, longest: 254, required: true},
			"last":          {into: &r.Last}, "had": {into: &r.Had},
		}
	case Originate:
		return map[string]field{
			"to":       {into: &r.To, longest: 64, required: true},
			"callerid": {into: &r.CallerID, longest: 128}, "line": line, "actionid": id,
		}
	case HangupCall:
		return map[string]field{"uniqueid": {into: &r.UniqueID, longest: 128}, "line": line, "actionid": id}
	case Transfer:
		return map[string]field{
			"to":   {into: &r.To, longest: 64},
			"type": {into: &r.Type, required: true, oneOf: []string{"blind", "attended", "complete", "cancel"}},
			"data": {}, "line": line, "actionid": id, // no exchange has a place for data
		}
	}
	return nil
}

// Decode reads a client's frame: one JSON object with the keys of its action, each once and spelled exactly so. The error is
// fault.Invalid, and tells nothing that the frame holds, as that may be a token.
func Decode(data []byte) (*Request, error) {
	if len(data) > MaxRequest {
		return nil, fault.New(fault.Invalid, "a frame has at most %d bytes", MaxRequest)
	}
	values, err := object(data)
	if err != nil {
		return nil, err
	}
	r := &Request{}
	if err := (field{into: &r.Action, longest: 32}).set("action", values["action"]); err != nil {
		return nil, err
	}
	delete(values, "action")
	fields := r.fields(r.Action)
	if fields == nil {
		return nil, fault.New(fault.Invalid, "action: want auth, originate, hangupcall or transfer")
	}
	for name, f := range fields {
		value, given := values[name]
		if !given && f.required {
			return nil, fault.New(fault.Invalid, "%s: want %s", r.Action, name)
		}
		if given {
			if err := f.set(name, value); err != nil {
				return nil, err
			}
		}
		delete(values, name)
	}
	if len(values) > 0 {
		return nil, fault.New(fault.Invalid, "%s has no such key", r.Action)
	}
	if wanted := r.Type == "blind" || r.Type == "attended"; r.Action == Transfer && wanted != (r.To != "") {
		return nil, fault.New(fault.Invalid, "transfer: to goes with the types blind and attended, and with no other")
	}
	return r, nil
}

// object reads one JSON object, and nothing after it.
func object(data []byte) (map[string]json.RawMessage, error) {
	wrong := fault.New(fault.Invalid, "a frame is one JSON object, in UTF-8, with each key once")
	if !utf8.Valid(data) {
		return nil, wrong
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, wrong
	}
	values := map[string]json.RawMessage{}
	for d.More() {
		t, err := d.Token()
		name, isName := t.(string)
		var value json.RawMessage
		if err != nil || !isName || d.Decode(&value) != nil {
			return nil, wrong
		}
		if _, twice := values[name]; twice {
			return nil, wrong
		}
		values[name] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, wrong
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, wrong
	}
	return values, nil
}

func (f field) set(name string, value json.RawMessage) error {
	switch into := f.into.(type) {
	case *uint64:
		if bytes.Equal(value, []byte("null")) || json.Unmarshal(value, into) != nil {
			return fault.New(fault.Invalid, "%s: want a whole number", name)
		}
	case *string:
		if len(value) == 0 || value[0] != '"' || json.Unmarshal(value, into) != nil {
			return fault.New(fault.Invalid, "%s: want a string", name)
		}
		return f.check(name, *into)
	}
	return nil
}

func (f field) check(name, value string) error {
	if value == "" && f.required {
		return fault.New(fault.Invalid, "%s is empty", name)
	}
	if len(f.oneOf) > 0 {
		for _, allowed := range f.oneOf {
			if value == allowed {
				return nil
			}
		}
		return fault.New(fault.Invalid, "%s: want one of %q", name, f.oneOf)
	}
	if len(value) > f.longest {
		return fault.New(fault.Invalid, "%s has more than %d bytes", name, f.longest)
	}
	for _, r := range value {
		if unicode.IsControl(r) {
			return fault.New(fault.Invalid, "%s has control characters", name)
		}
	}
	return nil
}
