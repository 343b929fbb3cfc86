package notify_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"mime"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/notify"
)

// TestEmail has a mail arrive, whole, in every way of connecting.
func TestEmail(t *testing.T) {
	config, caFile := certificate(t)
	login := "  username: " + mailUser + "\n  password: " + mailPassword + "\n"
	tests := map[string]struct {
		config   *tls.Config
		implicit bool
		yaml     string
		user     string
	}{
		"STARTTLS":            {config, false, "  ca_file: " + caFile + "\n" + login, mailUser},
		"implicit TLS":        {config, true, "  tls: implicit\n  ca_file: " + caFile + "\n" + login, mailUser},
		"plain":               {nil, false, "  tls: none\n", ""},
		"plain with password": {nil, false, "  tls: none\n" + login, mailUser},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := serveMail(t, test.config, test.implicit)
			m := message(t, notify.Resolved)
			if err := open(t, s.yaml(test.yaml), nil).Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			all := s.received()
			if len(all) != 2 || all[0].to != "jan@acme.example" || all[1].to != "eva@acme.example" {
				t.Fatalf("want a mail for each of two, have %v", all)
			}
			have := all[0]
			if want := m.Text; want != strings.TrimSpace(have.text) {
				t.Errorf("want %q, have %q", want, have.text)
			}
			if want := strings.TrimSpace(m.HTML); want != strings.TrimSpace(have.html) {
				t.Errorf("want %q, have %q", want, have.html)
			}
			if test.user != have.user {
				t.Errorf("want user %q, have %q", test.user, have.user)
			}
			if want := "pbx@acme.example"; !strings.Contains(have.mail.Header.Get("From"), want) {
				t.Errorf("want %s, have %s", want, have.mail.Header.Get("From"))
			}
			if want, have := "Re: "+m.Subject, header(t, have, "Subject"); want != have {
				t.Errorf("want %q, have %q", want, have)
			}
		})
	}
}

// TestEmailTo has a mail for one person alone, who gets it once; and a channel that takes the place of another knows who has it.
func TestEmailTo(t *testing.T) {
	s, m := serveMail(t, nil, false), message(t, notify.Opened)
	named := func() notify.Named {
		all, err := notify.New(sources(t, s.yaml("  tls: none\n")), nil)
		if err != nil {
			t.Fatal(err)
		}
		return all[0]
	}
	channel := named()
	m.To = "Dana <dana@acme.example>"
	for range 2 {
		if err := channel.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if all := s.received(); len(all) != 1 || all[0].to != "dana@acme.example" {
		t.Fatalf("want one mail to Dana, have %v", all)
	}
	heir := named()
	heir.Inherit(notify.Named{})
	heir.Inherit(channel)
	if err := heir.Send(t.Context(), m); err != nil || len(s.received()) != 1 {
		t.Errorf("want no second one from the heir, have %d, %v", len(s.received()), err)
	}
	m.To = ""
	if err := heir.Send(t.Context(), m); err != nil || len(s.received()) != 3 {
		t.Errorf("want it for the channel's own two, have %d, %v", len(s.received())-1, err)
	}
	for _, to := range []string{"dana", "dana@acme.example, eva@acme.example", "dana@acme.example\r\nBcc: eva@acme.example"} {
		m.ID, m.To = "another", to
		wantKind(t, fault.Invalid, heir.Send(t.Context(), m))
	}
	if have := len(s.received()); have != 3 {
		t.Errorf("want no further mail, have %d", have-3)
	}
}

func header(t *testing.T, r received, name string) string {
	t.Helper()
	text, err := new(mime.WordDecoder).DecodeHeader(r.mail.Header.Get(name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestEmailThreads has the mails about one entry in one thread, and the same mail under the same Message-ID.
func TestEmailThreads(t *testing.T) {
	s := serveMail(t, nil, false)
	for _, kind := range []notify.Kind{notify.Opened, notify.Again, notify.Resolved, notify.Opened} {
		if err := open(t, s.yaml("  tls: none\n"), nil).Send(t.Context(), message(t, kind)); err != nil {
			t.Fatal(err)
		}
	}
	digest := message(t, notify.Digest)
	digest.Thread = ""
	if err := open(t, s.yaml("  tls: none\n"), nil).Send(t.Context(), digest); err != nil {
		t.Fatal(err)
	}
	all := s.received()
	first, again, resolved, repeated, alone := all[0].mail.Header, all[2].mail.Header, all[4].mail.Header, all[6].mail.Header, all[8].mail.Header
	root := first.Get("Message-Id")
	if !strings.HasSuffix(root, "@acme.example>") || root != repeated.Get("Message-Id") || root != all[1].mail.Header.Get("Message-Id") {
		t.Errorf("want one Message-ID for one message, have %s and %s", root, repeated.Get("Message-Id"))
	}
	for name, h := range map[string]mail.Header{"again": again, "resolved": resolved} {
		if root != h.Get("In-Reply-To") || root != h.Get("References") || root == h.Get("Message-Id") {
			t.Errorf("%s: want an answer to %s, have %v", name, root, h)
		}
	}
	for name, h := range map[string]mail.Header{"first": first, "digest": alone} {
		if h.Get("In-Reply-To") != "" || h.Get("References") != "" {
			t.Errorf("%s: want no answer, have %v", name, h)
		}
	}
	if want := "auto-generated"; want != first.Get("Auto-Submitted") {
		t.Errorf("want %s, have %s", want, first.Get("Auto-Submitted"))
	}
}

// TestEmailHeaderInjection has texts from outside try to become headers.
func TestEmailHeaderInjection(t *testing.T) {
	s := serveMail(t, nil, false)
	m := message(t, notify.Opened)
	m.ID, m.Thread = "a>\r\nBcc: x@evil.example", "b\nBcc: x@evil.example"
	m.Subject = "Eve\r\nBcc: x@evil.example\r\n\r\n<b>body</b>" + strings.Repeat("ž\n", 500)
	if err := open(t, s.yaml("  tls: none\n"), nil).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	have := s.received()[0]
	if have.mail.Header.Get("Bcc") != "" || strings.TrimSpace(have.text) != m.Text {
		t.Errorf("want neither header nor body from a subject, have %v", have.mail.Header)
	}
	if want := "Re: Eve Bcc: x@evil.example <b>body</b>"; !strings.HasPrefix(header(t, have, "Subject"), want) {
		t.Errorf("want %q, have %q", want, header(t, have, "Subject"))
	}
}

// TestEmailRefused has servers that do not take a mail.
func TestEmailRefused(t *testing.T) {
	refuse := func(code int) error { return &smtp.SMTPError{Code: code, Message: "no: " + mailPassword} }
	tests := map[string]struct {
		rcpt func(string) error
		data func() error
		want fault.Kind
		sent int // mails at the first attempt
		then int // when the server has come round
	}{
		"later":                {nil, func() error { return refuse(451) }, fault.Unavailable, 0, 2},
		"never":                {nil, func() error { return refuse(554) }, fault.Invalid, 0, 2},
		"recipient later":      {func(to string) error { return onlyFor(to, "eva", refuse(450)) }, nil, fault.Unavailable, 1, 2},
		"recipient never":      {func(to string) error { return onlyFor(to, "jan", refuse(550)) }, nil, fault.Invalid, 1, 2},
		"without login denied": {func(string) error { return refuse(530) }, nil, fault.Denied, 0, 2},
		"both ways": {func(to string) error {
			if strings.HasPrefix(to, "jan") {
				return refuse(550)
			}
			return refuse(450)
		}, nil, fault.Unavailable, 0, 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := serveMail(t, nil, false)
			s.rcpt, s.data = test.rcpt, test.data
			channel, m := open(t, s.yaml("  tls: none\n"), nil), message(t, notify.Opened)
			err := channel.Send(t.Context(), m)
			wantKind(t, test.want, err)
			if strings.Contains(fmt.Sprintf("%+v", err), mailPassword) {
				t.Errorf("want nothing that the server said, have %v", err)
			}
			if have := len(s.received()); test.sent != have {
				t.Errorf("want %d mails, have %d", test.sent, have)
			}
			s.rcpt, s.data = nil, nil
			if err := channel.Send(t.Context(), m); err != nil {
				t.Error(err)
			}
			if have := len(s.received()); test.then != have {
				t.Errorf("want %d mails after trying again, have %d", test.then, have)
			}
		})
	}
}

func onlyFor(to, who string, err error) error {
	if strings.HasPrefix(to, who) {
		return err
	}
	return nil
}

func TestEmailDenied(t *testing.T) {
	config, caFile := certificate(t)
	s := serveMail(t, config, false)
	err := open(t, s.yaml("  ca_file: "+caFile+"\n  username: pbx\n  password: hunter3\n"), nil).Send(t.Context(), message(t, notify.Opened))
	wantKind(t, fault.Denied, err)
	if strings.Contains(fmt.Sprintf("%+v", err), "hunter") {
		t.Errorf("want no password, have %v", err)
	}
}

// TestEmailUnsafe has servers that must get no password, and no mail either.
func TestEmailUnsafe(t *testing.T) {
	config, caFile := certificate(t)
	login := "  username: " + mailUser + "\n  password: " + mailPassword + "\n"
	tests := map[string]struct {
		server     *tls.Config
		yaml, want string
	}{
		"no STARTTLS":           {nil, "  ca_file: " + caFile + "\n" + login, "no encryption as configured (tls: starttls)"},
		"no STARTTLS, no login": {nil, "  ca_file: " + caFile + "\n", "no encryption as configured (tls: starttls)"},
		"stranger":              {config, login, "certificate signed by unknown authority"},
		"no TLS where implicit": {nil, "  tls: implicit\n  ca_file: " + caFile + "\n" + login, "no encryption as configured (tls: implicit)"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := serveMail(t, test.server, false)
			err := open(t, s.yaml(test.yaml), nil).Send(within(t, 10*time.Second), message(t, notify.Opened))
			wantKind(t, fault.Unavailable, err)
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("want %q, have %v", test.want, err)
			}
			if len(s.received()) > 0 {
				t.Error("want no mail, have one")
			}
		})
	}
}

// TestEmailSilence has servers that hang or hang up at every point of the conversation.
func TestEmailSilence(t *testing.T) {
	lines := []string{"220 test", "250-test\r\n250 8BITMIME", "250 noop", "250 sender", "250 recipient", "354 go"}
	for n := range len(lines) + 1 {
		for _, hang := range []bool{true, false} {
			t.Run(fmt.Sprint(n, hang), func(t *testing.T) {
				t.Parallel()
				s := &mailServer{address: talk(t, lines[:n], hang)}
				timeout := "  timeout: 300ms\n"
				if !hang {
					timeout = ""
				}
				began := time.Now()
				err := open(t, s.yaml("  tls: none\n"+timeout), nil).Send(t.Context(), message(t, notify.Opened))
				wantKind(t, fault.Unavailable, err)
				if took := time.Since(began); took > 5*time.Second {
					t.Errorf("want an end soon, have %v", took)
				}
				if hang && !strings.Contains(err.Error(), context.DeadlineExceeded.Error()) {
					t.Errorf("want %v, have %v", context.DeadlineExceeded, err)
				}
			})
		}
	}
	t.Run("context ends", func(t *testing.T) {
		s, began := &mailServer{address: talk(t, lines[:3], true)}, time.Now()
		err := open(t, s.yaml("  tls: none\n"), nil).Send(within(t, 200*time.Millisecond), message(t, notify.Opened))
		wantKind(t, fault.Unavailable, err)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("want an end soon, have %v", took)
		}
	})
	t.Run("nobody there", func(t *testing.T) {
		s := &mailServer{address: "127.0.0.1:1"}
		err := open(t, s.yaml("  tls: none\n"), nil).Send(t.Context(), message(t, notify.Opened))
		wantKind(t, fault.Unavailable, err)
		if !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("want to know why, have %v", err)
		}
	})
}
