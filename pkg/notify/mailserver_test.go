package notify_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// mailServer is a real SMTP server. Its fields are set before it is used.
type mailServer struct {
	address string

	rcpt func(to string) error // nil takes everybody
	data func() error          // after a mail was read; nil takes it

	mu    sync.Mutex
	mails []received
}

type received struct {
	to   string
	user string
	mail *mail.Message
	text string // the parts
	html string
}

const (
	mailUser     = "pbx"
	mailPassword = "hunter2-x/y"
)

// serveMail starts a server, encrypted from the beginning if that is implicit.
func serveMail(t *testing.T, config *tls.Config, implicit bool) *mailServer {
	t.Helper()
	s := &mailServer{}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{server: s}, nil }))
	server.Domain, server.TLSConfig, server.AllowInsecureAuth = "mail.test", config, config == nil
	server.ErrorLog = log.New(io.Discard, "", 0)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = listener.Addr().String()
	if implicit {
		listener = tls.NewListener(listener, config)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() { _ = server.Close(); <-done })
	return s
}

// yaml returns a channel to the server.
func (s *mailServer) yaml(more string) string {
	host, port, _ := net.SplitHostPort(s.address)
	return fmt.Sprintf("- type: email\n  host: %s\n  port: %s\n  from: Ústředna <pbx@acme.example>\n  to: [jan@acme.example, Eva <eva@acme.example>]\n%s", host, port, more)
}

func (s *mailServer) received() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]received(nil), s.mails...)
}

type session struct {
	server   *mailServer
	user, to string
}

func (s *session) Reset()                               { s.to = "" }
func (s *session) Logout() error                        { return nil }
func (s *session) Mail(string, *smtp.MailOptions) error { return nil }
func (s *session) AuthMechanisms() []string             { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		if username != mailUser || password != mailPassword {
			return &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "wrong: " + password}
		}
		s.user = username
		return nil
	}), nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	if s.server.rcpt != nil {
		return s.server.rcpt(to)
	}
	return nil
}

func (s *session) Data(r io.Reader) error {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	got := received{to: s.to, user: s.user, mail: m}
	kind, parameters, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		return fmt.Errorf("want two alternatives, have %s, %w", kind, err)
	}
	parts := multipart.NewReader(m.Body, parameters["boundary"])
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		body, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			return err
		}
		body = bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n"))
		if strings.HasPrefix(part.Header.Get("Content-Type"), "text/html") {
			got.html = string(body)
		} else {
			got.text = string(body)
		}
	}
	if s.server.data != nil {
		if err := s.server.data(); err != nil {
			return err
		}
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.mails = append(s.server.mails, got)
	return nil
}

// talk starts a server that says a line, whatever it hears, and then hangs or hangs up.
func talk(t *testing.T, lines []string, hang bool) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer connection.Close()
				heard := make([]byte, 4096)
				for i, l := range lines {
					if _, err := io.WriteString(connection, l+"\r\n"); err != nil {
						return
					}
					if i < len(lines)-1 || hang {
						if _, err := connection.Read(heard); err != nil {
							return
						}
					}
				}
				if hang {
					_, _ = io.Copy(io.Discard, connection)
				}
			}()
		}
	}()
	return listener.Addr().String()
}
