// Package ledger is what a simulation writes down: what it sent, what it was answered, and what is true of each call. It
// also judges what became of it. The format is described in the README of pbxsim. It holds no credential.
package ledger

import "time"

// Version is the version of the format.
const Version = 1

// Entry is one line of a ledger: a *Run, *Sent, *Call, *Agent, *Command or *Done.
type Entry interface{ entry() string }

// Run opens a ledger.
type Run struct {
	Version   int               `json:"version"`
	Seed      uint64            `json:"seed"`
	StartedAt time.Time         `json:"started_at"`
	Flags     map[string]string `json:"flags"` // those that were given
}

// Sent is one request and its answer.
type Sent struct {
	Call int64 `json:"call"` // the call that it belongs to; for agents, the call that comes next
	// Seq numbers what happened in the call, from 0. A repetition has the number of the original; what is sent beside
	// the call, which is broken, that of the request before it.
	Seq     int    `json:"seq"`
	Agent   string `json:"agent,omitempty"`   // the login, when it is about an agent
	Chaos   string `json:"chaos,omitempty"`   // what chaos did: duplicate, reorder, delay, malformed/…
	Attempt int    `json:"attempt,omitempty"` // 2 and more when the exchange tries again

	Tenant      string    `json:"tenant"`
	Vendor      string    `json:"vendor"`
	Exchange    string    `json:"exchange"`
	VendorEvent string    `json:"vendor_event"`
	At          time.Time `json:"at"` // when it happened at the exchange

	Want  int    `json:"want_status"`
	Event string `json:"event,omitempty"` // the expected entity and kind, as in call.ringing; empty for none
	Key   string `json:"key,omitempty"`   // the expected key, where the vendor names the call
	Named bool   `json:"named,omitempty"` // the request names its event: sent again, it is the same one

	Status      int       `json:"status"` // 0 when there was no answer
	IDs         []string  `json:"ids,omitempty"`
	Quarantined string    `json:"quarantined,omitempty"`
	Error       string    `json:"error,omitempty"`
	SentAt      time.Time `json:"sent_at"`
	AnsweredAt  time.Time `json:"answered_at"` // or given up
}

// Lost reports whether nobody can know what became of the request: it was not answered, or the server could not say that
// it stored anything.
func (s *Sent) Lost() bool { return s.Status == 0 || s.Status >= 500 }

// Subject returns where the expected event belongs, or nothing when none is expected.
func (s *Sent) Subject() string {
	if s.Event == "" {
		return ""
	}
	return "pbx.events." + s.Vendor + "." + s.Tenant + "." + s.Event
}

func (s *Sent) quarantine() string {
	return "pbx.quarantine." + s.Vendor + "." + s.Tenant + ".ingress"
}

// Call is the truth about one call. It comes after all that was sent of it.
type Call struct {
	Call          int64     `json:"call"` // 1 for the first of a run
	Tenant        string    `json:"tenant"`
	Vendor        string    `json:"vendor"`
	Exchange      string    `json:"exchange"`
	Variant       string    `json:"variant"`       // of the vendor's dialect
	Key           string    `json:"key,omitempty"` // where the vendor names the call
	Scenario      string    `json:"scenario"`
	Direction     string    `json:"direction"`        // incoming, outgoing, internal
	Caller        string    `json:"caller,omitempty"` // E.164 or an extension; absent when withheld
	Callee        string    `json:"callee,omitempty"`
	Queue         string    `json:"queue,omitempty"`
	Rang          []string  `json:"rang,omitempty"`        // extensions, each once
	AnsweredBy    string    `json:"answered_by,omitempty"` // an extension
	TransferredTo string    `json:"transferred_to,omitempty"`
	Outcome       string    `json:"outcome"`
	Missed        bool      `json:"missed"`
	Start         time.Time `json:"start"`
	WaitSeconds   int       `json:"wait_seconds"`
	RingSeconds   int       `json:"ring_seconds"`
	TalkSeconds   int       `json:"talk_seconds"`
	Ended         time.Time `json:"ended"`
	Legs          []Leg     `json:"legs,omitempty"` // in the order of their first moment
	Rating        int       `json:"rating,omitempty"`
	Requests      int       `json:"requests"`      // that make it up, agents before it included: Seq is below
	Cut           bool      `json:"cut,omitempty"` // the run was stopped before all of them were sent
}

// Leg is the part of one of the exchange's own phones in a call. Times are those of the exchange's clock.
type Leg struct {
	Extension string `json:"extension"`
	Login     string `json:"login"`
	Ringing   []Span `json:"ringing,omitempty"` // it was called
	Dialing   []Span `json:"dialing,omitempty"` // it called, and nobody had answered yet
	Talking   []Span `json:"talking,omitempty"`
	Answered  bool   `json:"answered"` // it picked up; if it called, the other side did
}

// Span is from when until when something lasted.
type Span [2]time.Time

// Agent is the truth about what an agent did.
type Agent struct {
	Call      int64     `json:"call"` // the call that comes next
	Tenant    string    `json:"tenant"`
	Vendor    string    `json:"vendor"`
	Exchange  string    `json:"exchange"`
	Login     string    `json:"login"`
	Email     string    `json:"email"`
	Extension string    `json:"extension"`
	Queue     string    `json:"queue"`
	Kind      string    `json:"kind"` // login, logout, paused, unpaused
	Reason    string    `json:"pause_reason,omitempty"`
	At        time.Time `json:"at"`
}

// Command is a request of somebody who wants an exchange to do something, and what it was answered. It comes once it is
// answered; the truth about the call that it made follows.
type Command struct {
	Command  int64             `json:"command"`          // 1 for the first that came
	Vendor   string            `json:"vendor"`           // whose interface it came to
	Tenant   string            `json:"tenant,omitempty"` // empty when the credentials were refused
	Exchange string            `json:"exchange,omitempty"`
	Action   string            `json:"action"` // originate, hangup, transfer, transfer_cancel
	Method   string            `json:"method"`
	Path     string            `json:"path"`
	Asked    map[string]string `json:"asked,omitempty"` // its parameters, by the vendor's names, without credentials
	Chaos    string            `json:"chaos,omitempty"` // fail, drop, drop_before
	Call     int64             `json:"call,omitempty"`  // that it made, ended or moved; none when it was not carried out
	CallID   string            `json:"call_id,omitempty"`
	Status   int               `json:"status"`           // 0 when the connection was dropped instead of an answer
	Answer   string            `json:"answer,omitempty"` // its body; also one that was dropped

	ReceivedAt time.Time `json:"received_at"`
	AnsweredAt time.Time `json:"answered_at"` // or dropped
}

// Done closes a ledger. It is missing when the simulation was killed.
type Done struct {
	Calls             int64            `json:"calls"` // begun
	Requests          int64            `json:"requests"`
	Statuses          map[string]int64 `json:"statuses"` // by status; "0" counts the unanswered
	Seconds           float64          `json:"seconds"`
	RequestsPerSecond float64          `json:"requests_per_second"`
	P50Millis         float64          `json:"p50_millis"`
	P99Millis         float64          `json:"p99_millis"`
}

func (*Run) entry() string     { return "run" }
func (*Sent) entry() string    { return "sent" }
func (*Call) entry() string    { return "call" }
func (*Agent) entry() string   { return "agent" }
func (*Command) entry() string { return "command" }
func (*Done) entry() string    { return "done" }
