package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// arrival is a message about one missed call, as it arrived.
type arrival struct {
	box     string // the mailbox, or the path of a chat or a program
	id      string // of the message, where the channel carries one
	thread  string // of a mail: the message that it follows
	entry   string
	kind    string // opened or resolved
	process int    // that sent it
	at      time.Time
}

// name is what was told: it is the same for all that tell it again.
func (m arrival) name() string { return m.box + " " + m.kind + " " + m.entry }

// manner is how a message is received.
type manner int

const (
	take     manner = iota
	lose            // take it, and hang up before the answer
	hang            // do nothing until the other side hangs up
	hangUp          // hang up, and do not take it
	breakOff        // 451 or 500
	putOff          // 451, or 429 with the time to wait
	refuse          // 550 or 404
)

// patience is what putOff asks for.
const patience = 12 * time.Second

// book is where all is written down that arrives.
type book struct {
	mu  sync.Mutex
	all []arrival
}

func (b *book) enter(m arrival) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all = append(b.all, m)
}

func (b *book) read() []arrival {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.all)
}

// names returns what has arrived.
func (b *book) names() map[string]bool {
	all := make(map[string]bool)
	for _, m := range b.read() {
		all[m.name()] = true
	}
	return all
}

// receivers are a mail server, and a server for chats and programs.
type receivers struct {
	t     *testing.T
	book  *book
	treat func(*arrival) manner // decides, before the message is taken
	mail  string                // the address
	http  string                // the URL
}

// receive starts servers.
func receive(t *testing.T, b *book, treat func(*arrival) manner) *receivers {
	t.Helper()
	r := &receivers{t: t, book: b, treat: treat}
	web := httptest.NewServer(r)
	t.Cleanup(func() { web.CloseClientConnections(); web.Close() })
	r.http = web.URL
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{receivers: r, connection: c.Conn()}, nil
	}))
	server.Domain, server.ErrorLog = "mail.test", log.New(io.Discard, "", 0)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.mail = listener.Addr().String()
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close(); <-done })
	return r
}

// channel returns the configuration of a channel with one of the servers.
func (r *receivers) channel(kind, name, more string) string {
	if kind != "email" {
		return fmt.Sprintf("{type: %s, name: %s, url: %q%s}", kind, name, r.http+"/"+name, more)
	}
	host, port, _ := net.SplitHostPort(r.mail)
	return fmt.Sprintf("{type: email, name: %s, host: %s, port: %s, tls: none, from: pbx@acme.example%s}", name, host, port, more)
}

// handle takes a message, or does not.
func (r *receivers) handle(m arrival) manner {
	m.at = time.Now()
	how := r.treat(&m)
	if how == take || how == lose {
		r.book.enter(m)
	}
	return how
}

// ServeHTTP implements http.Handler.
func (r *receivers) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return // The sender is no more.
	}
	m, err := posted(request, body)
	if err != nil {
		r.t.Errorf("want a message at %s, have %v", request.URL, err)
		return
	}
	switch r.handle(m) {
	case hang:
		<-request.Context().Done()
	case lose, hangUp:
		panic(http.ErrAbortHandler)
	case breakOff:
		http.Error(w, "out of order", http.StatusInternalServerError)
	case putOff:
		w.Header().Set("Retry-After", fmt.Sprint(patience.Seconds()))
		http.Error(w, "too many", http.StatusTooManyRequests)
	case refuse:
		http.NotFound(w, request)
	default:
		_, _ = io.WriteString(w, "ok")
	}
}

// posted reads what a webhook is told by its entries, and what a chat is told by its text.
func posted(request *http.Request, data []byte) (arrival, error) {
	m := arrival{box: path.Base(request.URL.Path), id: request.Header.Get("Webhook-Id")}
	var body struct {
		Type string `json:"type"`
		Text string `json:"text"`
		Data struct {
			Entries []struct {
				ID string `json:"id"`
			} `json:"entries"`
		} `json:"data"`
	}
	if err := json.Unmarshal(data, &body); err != nil {
		return m, err
	}
	if m.id == "" {
		return m, m.readText(body.Text)
	}
	m.kind = strings.TrimPrefix(body.Type, "missed_call.")
	if len(body.Data.Entries) != 1 {
		return m, fmt.Errorf("want one entry, have %+v", body)
	}
	m.entry = body.Data.Entries[0].ID
	return m, nil
}

var linked = regexp.MustCompile(`https://phone\.example\.com/#missed/([0-9a-f-]{36})`)

// readText finds out what a text for people is about.
func (m *arrival) readText(text string) error {
	found := linked.FindStringSubmatch(text)
	headline, _, _ := strings.Cut(strings.TrimLeft(text, "* "), "\n")
	switch {
	case found == nil:
		return fmt.Errorf("want a link in it, have %q", text)
	case strings.HasPrefix(headline, "Missed call"):
		m.kind = "opened"
	case strings.HasPrefix(headline, "Done"):
		m.kind = "resolved"
	default:
		return fmt.Errorf("want a known headline, have %q", text)
	}
	m.entry = found[1]
	return nil
}

// session is a mail server's side of a connection.
type session struct {
	receivers  *receivers
	connection net.Conn
	to         string
}

func (s *session) Reset()                                    { s.to = "" }
func (s *session) Logout() error                             { return nil }
func (s *session) Mail(string, *smtp.MailOptions) error      { return nil }
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error { s.to = to; return nil }

func (s *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err // The sender is no more.
	}
	m, err := mailed(data, s.to)
	if err != nil {
		s.receivers.t.Errorf("want a mail to %s, have %v", s.to, err)
		return err
	}
	switch s.receivers.handle(m) {
	case hang:
		_, err := io.Copy(io.Discard, s.connection)
		return err
	case lose, hangUp:
		return s.connection.Close()
	case breakOff, putOff:
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "out of order"}
	case refuse:
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox"}
	default:
		return nil
	}
}

// mailed reads a mail by its text, which is the first of its parts.
func mailed(data []byte, to string) (arrival, error) {
	m := arrival{box: to}
	read, err := mail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		return m, err
	}
	m.id, m.thread = read.Header.Get("Message-Id"), read.Header.Get("In-Reply-To")
	_, parameters, err := mime.ParseMediaType(read.Header.Get("Content-Type"))
	if err != nil {
		return m, err
	}
	part, err := multipart.NewReader(read.Body, parameters["boundary"]).NextRawPart()
	if err != nil {
		return m, err
	}
	text, err := io.ReadAll(quotedprintable.NewReader(part))
	if err != nil {
		return m, err
	}
	return m, m.readText(strings.ReplaceAll(string(text), "\r\n", "\n"))
}
