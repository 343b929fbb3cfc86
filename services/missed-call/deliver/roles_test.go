package deliver_test

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net"
	"net/mail"
	"slices"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"

	"github.com/switchhook/switchhook/pkg/bustest"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// mailServer is a real SMTP server that takes everything.
type mailServer struct {
	host, port string

	mu    sync.Mutex
	mails []letter
}

// letter is a mail to one person.
type letter struct {
	to     string
	header mail.Header
}

type session struct {
	*mailServer
	to string
}

func (s *session) Reset()                                    {}
func (s *session) Logout() error                             { return nil }
func (s *session) Mail(string, *smtp.MailOptions) error      { return nil }
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error { s.to = to; return nil }

func (s *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m, err := mail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mails = append(s.mails, letter{s.to, m.Header})
	return nil
}

func serveMail(t *testing.T) *mailServer {
	t.Helper()
	s := &mailServer{}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{mailServer: s}, nil }))
	server.Domain, server.AllowInsecureAuth, server.ErrorLog = "mail.test", true, log.New(io.Discard, "", 0)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.host, s.port, _ = net.SplitHostPort(listener.Addr().String())
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close(); <-done })
	return s
}

// channel is a configuration of channels that begins with one to the server, named mail.
func (s *mailServer) channel() string {
	return fmt.Sprintf(
		"      - {type: email, name: mail, host: %s, port: %s, tls: none, from: pbx@acme.example, to: [jan@acme.example]}\n", s.host, s.port)
}

func (s *mailServer) received() []letter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

// Roles are told by the channels behind them, and by others where there is nobody.
func TestRoles(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		contact *pbxv1.ContactMatch
		queue   string
		mail    string // to whom
		inbox   string
	}{
		"by address":               {&pbxv1.ContactMatch{ResponsibleEmail: "dana@acme.example"}, "NOC", "dana@acme.example", ""},
		"by extension":             {&pbxv1.ContactMatch{ResponsibleExtension: "20"}, "NOC", "karel@acme.example", ""},
		"without an address":       {&pbxv1.ContactMatch{ResponsibleExtension: "21"}, "NOC", "", "noc"},
		"unknown extension":        {&pbxv1.ContactMatch{ResponsibleExtension: "99"}, "sales", "", "desk"},
		"unknown, no queue":        {&pbxv1.ContactMatch{ResponsibleExtension: "99"}, "", "", "desk"},
		"no address at all":        {&pbxv1.ContactMatch{ResponsibleEmail: "dana@"}, "NOC", "", "noc"},
		"nobody responsible":       {nil, "NOC", "", "noc"},
		"other queue":              {nil, "sales", "", "desk"},
		"neither person nor queue": {nil, "", "", "boss"},
	}
	w, s := newWorld(t), serveMail(t)
	inboxes := map[string]*inbox{"noc": newInbox(t, nil), "desk": newInbox(t, nil), "boss": newInbox(t, nil)}
	w.start(s.channel() + routed(`{roles: {responsible: mail, queue: desk, queues: {NOC: noc}, supervisor: boss},
      alerts: {routes: [{receivers: [responsible], group_wait: 0s}]}}`, inboxes))
	for name, test := range tests {
		e := w.open(name)
		e.Contact, e.Queue = test.contact, test.queue
		w.tell(e)
	}
	for name, test := range tests {
		if test.mail != "" {
			bustest.Eventually(t, name+" by mail to "+test.mail, func() bool {
				return slices.ContainsFunc(s.received(), func(l letter) bool { return l.to == test.mail })
			})
			continue
		}
		bustest.Eventually(t, name+" to "+test.inbox, func() bool {
			return slices.Contains(inboxes[test.inbox].received(), "opened "+name)
		})
	}
	if all := s.received(); len(all) != 2 {
		t.Errorf("want two mails, have %v", all)
	}
}

// The mails about an entry are one thread, which begins with the first.
func TestThread(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), serveMail(t)
	w.start(s.channel() + routed(`{alerts: {routes: [{receivers: [mail], group_wait: 0s}]}}`, nil))
	e := w.open("e1")
	w.tell(e)
	bustest.Eventually(t, "a mail", func() bool { return len(s.received()) == 1 })
	w.tell(w.resolved(e, pbxv1.MissedCall_CALLED_BACK))
	bustest.Eventually(t, "another", func() bool { return len(s.received()) == 2 })
	first, second := s.received()[0].header, s.received()[1].header
	if first.Get("In-Reply-To") != "" || first.Get("Message-Id") == "" || first.Get("Message-Id") != second.Get("In-Reply-To") {
		t.Errorf("want the second to answer the first, have %v and %v", first, second)
	}
	if want, have := "Re: "+first.Get("Subject"), second.Get("Subject"); want != have {
		t.Errorf("want %q, have %q", want, have)
	}
}
