package notify

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	mail "github.com/wneessen/go-mail"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/fault"
)

// The ways to encrypt.
const (
	startTLS    = "starttls"
	implicitTLS = "implicit"
	noTLS       = "none"
)

// emailSettings are those of the type email.
type emailSettings struct {
	Host     string        `yaml:"host,required"`
	Port     int           `yaml:"port"`
	TLS      string        `yaml:"tls"`
	Username config.Secret `yaml:"username"`
	Password config.Secret `yaml:"password"`
	From     string        `yaml:"from,required"`
	To       []string      `yaml:"to,required"`
	CAFile   string        `yaml:"ca_file"`
	Timeout  time.Duration `yaml:"timeout"`

	from *netmail.Address
	to   []*netmail.Address
	wire wire
}

func readEmail(src *config.Channel) (settings, config.Problems) {
	s := emailSettings{TLS: startTLS, Timeout: 30 * time.Second}
	problems := src.Read(&s)
	if len(problems) > 0 {
		return s, problems
	}
	ports := map[string]int{startTLS: 587, implicitTLS: 465, noTLS: 25}
	s.Port = cmp.Or(s.Port, ports[s.TLS])
	s.wire, problems = newWire(src, s.CAFile, s.Timeout)
	problems = slices.Concat(
		problems,
		src.Check(ports[s.TLS] > 0, "tls", "want starttls, implicit or none"),
		src.Check(s.TLS != noTLS || isLoopback(s.Host), "tls", "none is for a server on this machine only, such as 127.0.0.1"),
		src.Check(ports[s.TLS] == 0 || s.Port > 0 && s.Port < 1<<16, "port", "want 1 to 65535"),
		src.Check(s.Username.IsZero() == s.Password.IsZero(), "username", "want both username and password"),
		src.Check(len(s.To) > 0, "to", "want at least one address"),
	)
	var err error
	if s.from, err = netmail.ParseAddress(s.From); err != nil {
		problems = append(problems, src.Problem("from", "want an address such as name@example.com"))
	}
	for i, text := range s.To {
		to, err := netmail.ParseAddress(text)
		if err != nil {
			problems = append(problems, src.Problem("to["+strconv.Itoa(i)+"]", "want an address such as name@example.com"))
		}
		s.to = append(s.to, to)
	}
	return s, problems
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (s emailSettings) open(src *config.Channel, _ TokenSource) Channel {
	return &email{settings: s, name: src.Name, delivered: &deliveries{all: make(map[string]bool)}}
}

// email is a channel by SMTP. Everybody gets a mail of their own, so that one address that is refused keeps it from nobody
// else.
type email struct {
	settings  emailSettings
	name      string
	delivered *deliveries
}

// deliveries remember who has which message, so that trying again for one does not repeat it to others.
type deliveries struct {
	mu  sync.Mutex
	all map[string]bool
}

// maxDelivered bounds what is remembered.
const maxDelivered = 10_000

func (d *deliveries) has(id, to string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.all[id+"\x00"+to]
}

func (d *deliveries) add(id, to string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.all) >= maxDelivered {
		clear(d.all)
	}
	d.all[id+"\x00"+to] = true
}

// Send implements Channel.
func (e *email) Send(ctx context.Context, m Message) error {
	ctx, cancel := context.WithTimeout(ctx, e.settings.Timeout)
	defer cancel()
	mails, err := e.mails(m)
	if err != nil || len(mails) == 0 {
		return err
	}
	connection := &dialer{ctx: ctx, settings: e.settings}
	defer connection.release()
	client, err := mail.NewClient(e.settings.Host, connection.options()...)
	if err != nil {
		return fault.New(fault.Invalid, "channel %s: the server's name or port cannot be used", e.name)
	}
	session, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return e.connectFailure(ctx, err)
	}
	defer func() { _ = client.CloseWithSMTPClient(session) }() // What was taken was taken.
	err = client.SendWithSMTPClient(session, mails...)
	return e.verdict(ctx, m.ID, mails, err)
}

// mails returns a mail for everybody who has not got the message yet.
func (e *email) mails(m Message) ([]*mail.Msg, error) {
	recipients := e.settings.to
	if m.To != "" {
		to, err := netmail.ParseAddress(m.To)
		if err != nil {
			return nil, fault.New(fault.Invalid, "channel %s: want an address such as name@example.com, have %q", e.name, m.To)
		}
		recipients = []*netmail.Address{to}
	}
	var all []*mail.Msg
	for _, to := range recipients {
		if !e.delivered.has(m.ID, to.Address) {
			all = append(all, e.mail(m, to))
		}
	}
	return all, nil
}

func (e *email) mail(m Message, to *netmail.Address) *mail.Msg {
	msg := mail.NewMsg()
	msg.FromMailAddress(e.settings.from)
	msg.ToMailAddress(to)
	subject := line(m.Subject, 200)
	id, thread := e.messageID(m.ID), e.messageID(m.Thread)
	if m.Thread != "" && m.Thread != m.ID {
		subject = "Re: " + subject // Gmail puts together only what has the same subject.
		msg.SetGenHeader(mail.HeaderInReplyTo, "<"+thread+">")
		msg.SetGenHeader(mail.HeaderReferences, "<"+thread+">")
	}
	msg.Subject(subject)
	msg.SetMessageIDWithValue(id)
	msg.SetDate()
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no holiday notice in return.
	msg.SetGenHeader(mail.HeaderXAutoResponseSuppress, "All")
	msg.SetBodyString(mail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		msg.AddAlternativeString(mail.TypeTextHTML, m.HTML)
	}
	return msg
}

// messageID returns the Message-ID of a message, without brackets: the same for the same message.
func (e *email) messageID(id string) string {
	sum := sha256.Sum256([]byte(id))
	_, domain, _ := strings.Cut(e.settings.from.Address, "@")
	return hex.EncodeToString(sum[:16]) + "@" + domain
}

// verdict says what became of the mails, and remembers it.
func (e *email) verdict(ctx context.Context, id string, mails []*mail.Msg, err error) error {
	kinds := make(map[fault.Kind][]string)
	for _, msg := range mails {
		to := msg.GetTo()[0].Address
		if msg.IsDelivered() {
			e.delivered.add(id, to)
			continue
		}
		refusal, refused := errors.AsType[*mail.SendError](cmp.Or(msg.SendError(), err))
		if !refused || refusal.ErrorCode() == 0 {
			kinds[fault.Unavailable] = append(kinds[fault.Unavailable], to+": "+interrupted(ctx))
			continue
		}
		kind := kindOfReply(refusal.ErrorCode())
		kinds[kind] = append(kinds[kind], fmt.Sprintf("%s: %d %s", to, refusal.ErrorCode(), refusal.EnhancedStatusCode()))
	}
	for _, kind := range []fault.Kind{fault.Unavailable, fault.Denied, fault.Invalid} {
		if refused := kinds[kind]; len(refused) > 0 {
			return fault.New(kind, "channel %s: %s: %d of %d recipients not reached: %s", e.name, e.settings.Host,
				len(refused), len(mails), strings.Join(refused, ", "))
		}
	}
	return nil
}

func interrupted(ctx context.Context) string {
	if ctx.Err() != nil {
		return ctx.Err().Error()
	}
	return "the connection broke off"
}

// connectFailure says why there is no session.
func (e *email) connectFailure(ctx context.Context, err error) error {
	if reply, ok := errors.AsType[*textproto.Error](err); ok && ctx.Err() == nil {
		return fault.New(kindOfReply(reply.Code), "channel %s: %s: the server refused with %d", e.name, e.settings.Host, reply.Code)
	}
	if !isNetwork(err) && ctx.Err() == nil {
		return fault.New(fault.Unavailable, "channel %s: %s: the server offers no encryption as configured (tls: %s), or no safe way to log in",
			e.name, e.settings.Host, e.settings.TLS)
	}
	return fault.New(fault.Unavailable, "channel %s: connect to %s: %w", e.name, e.settings.Host, harmlessError(ctx, err))
}

func isNetwork(err error) bool {
	general := harmlessError(context.Background(), errors.New(""))
	return harmlessError(context.Background(), err).Error() != general.Error()
}

// kindOfReply classifies a reply of an SMTP server that is no success.
func kindOfReply(code int) fault.Kind {
	switch {
	case slices.Contains([]int{530, 534, 535, 538}, code): // RFC 4954, section 6
		return fault.Denied
	case code/100 == 5:
		return fault.Invalid
	default:
		return fault.Unavailable
	}
}

// dialer makes a connection that ends with the context, which the library looks at for connecting only.
type dialer struct {
	ctx      context.Context
	settings emailSettings
	stop     func() bool
}

func (d *dialer) options() []mail.Option {
	config := &tls.Config{ServerName: d.settings.Host, RootCAs: d.settings.wire.roots, MinVersion: tls.VersionTLS12}
	// With an encrypted connection from the dialer, opportunistic means that the library finds it encrypted already.
	policy := map[string]mail.TLSPolicy{startTLS: mail.TLSMandatory, implicitTLS: mail.TLSOpportunistic, noTLS: mail.NoTLS}
	options := []mail.Option{
		mail.WithPort(d.settings.Port), mail.WithTLSPolicy(policy[d.settings.TLS]), mail.WithTLSConfig(config),
		mail.WithTimeout(2 * d.settings.Timeout), // The context ends before, and then it is known why.
		mail.WithDialContextFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
			return d.dial(ctx, network, address, config)
		}),
	}
	if d.settings.Username.IsZero() {
		return options
	}
	auth := mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover)
	if d.settings.TLS == noTLS { // Nothing leaves this machine.
		auth = mail.WithOpportunisticSMTPAuth(mail.SMTPAuthSCRAMSHA256, mail.SMTPAuthPlainNoEnc, mail.SMTPAuthLoginNoEnc)
	}
	return append(options, auth, mail.WithUsername(d.settings.Username.Reveal()), mail.WithPassword(d.settings.Password.Reveal()))
}

func (d *dialer) dial(ctx context.Context, network, address string, config *tls.Config) (net.Conn, error) {
	connection, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	d.stop = context.AfterFunc(d.ctx, func() { _ = connection.Close() })
	if d.settings.TLS != implicitTLS {
		return connection, nil
	}
	encrypted := tls.Client(connection, config)
	if err := encrypted.HandshakeContext(ctx); err != nil {
		_ = connection.Close()
		return nil, err
	}
	return encrypted, nil
}

func (d *dialer) release() {
	if d.stop != nil {
		d.stop()
	}
}
