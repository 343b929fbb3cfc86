package notify

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	teams "github.com/atc0005/go-teams-notify/v2"
	"github.com/atc0005/go-teams-notify/v2/adaptivecard"
	telegram "github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"
	"github.com/slack-go/slack"

	"github.com/switchhook/switchhook/pkg/config"
)

// How long a text can be, in UTF-16 units. Longer ones are refused or cut by the services themselves.
const (
	maxSlack      = 4_000
	maxMattermost = 4_000  // before version 5 of the server; 16,383 since
	maxTeams      = 12_000 // a card can have 28 KB
	maxTelegram   = 4_096
)

// hookSettings are those of the types slack, mattermost and teams: the address says where the messages go, and is the
// credential.
type hookSettings struct {
	URL     config.Secret `yaml:"url,required"`
	CAFile  string        `yaml:"ca_file"`
	Timeout time.Duration `yaml:"timeout"`

	wire wire
	post func(ctx context.Context, client *http.Client, url string, m Message) error
}

func readSlack(s *config.Channel) (settings, config.Problems) { return readHook(s, postSlack) }
func readMattermost(s *config.Channel) (settings, config.Problems) {
	return readHook(s, postMattermost)
}
func readTeams(s *config.Channel) (settings, config.Problems) { return readHook(s, postTeams) }

func readHook(src *config.Channel, post func(context.Context, *http.Client, string, Message) error) (settings, config.Problems) {
	s := hookSettings{Timeout: defaultTimeout, post: post}
	problems := src.Read(&s)
	if len(problems) > 0 {
		return s, problems
	}
	s.wire, problems = newWire(src, s.CAFile, s.Timeout)
	return s, append(problems, src.Check(isAddress(s.URL.Reveal()), "url", wantAddress)...)
}

func (s hookSettings) open(src *config.Channel, _ TokenSource) Channel {
	return hook{s, newPoster(src.Name, s.wire.roots, s.Timeout)}
}

// hook is a channel of a chat that gives an address for each of its rooms.
type hook struct {
	settings hookSettings
	poster   poster
}

// Send implements Channel.
func (h hook) Send(ctx context.Context, m Message) error {
	return h.poster.deliver(ctx, func(ctx context.Context, client *http.Client) error {
		return h.settings.post(ctx, client, h.settings.URL.Reveal(), m)
	})
}

// postSlack posts to what Slack calls an incoming webhook. In its text, everything but &, < and > is as it stands.
func postSlack(ctx context.Context, client *http.Client, url string, m Message) error {
	text := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(fit(m.Text, maxSlack))
	return slack.PostWebhookCustomHTTPContext(ctx, url, client, &slack.WebhookMessage{Text: text})
}

// postMattermost posts to Mattermost's incoming webhook, which takes what Slack's takes, with Markdown in it.
func postMattermost(ctx context.Context, client *http.Client, url string, m Message) error {
	return slack.PostWebhookCustomHTTPContext(ctx, url, client, &slack.WebhookMessage{Text: fit(markdown(m.Text), maxMattermost)})
}

// postTeams posts an adaptive card to a workflow of Teams, which is what replaced the connectors of Office 365.
func postTeams(ctx context.Context, client *http.Client, url string, m Message) error {
	card := adaptivecard.NewCard()
	for l := range strings.SplitSeq(fit(m.Text, maxTeams), "\n") {
		if l == "" {
			continue
		}
		block := adaptivecard.NewTextBlock(markdown(l), true)
		if len(card.Body) == 0 {
			block.Weight = adaptivecard.WeightBolder
		} else {
			block.Spacing = adaptivecard.SpacingNone
		}
		card.Body = append(card.Body, block)
	}
	message, err := adaptivecard.NewMessageFromCard(card)
	if err != nil {
		return err
	}
	sender := teams.NewTeamsClient().SetHTTPClient(&http.Client{Transport: accepted{client.Transport}, CheckRedirect: client.CheckRedirect})
	sender.SkipWebhookURLValidationOnSend(true) // Workflows are at many addresses, and gateways in front of them at any.
	return sender.SendWithContext(ctx, url, message)
}

// accepted makes 202 of every success, which is what the library expects of workflows: of 200 it expects the answer of a
// connector.
type accepted struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (a accepted) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := a.RoundTripper.RoundTrip(r)
	if err == nil && response.StatusCode/100 == 2 {
		response.StatusCode = http.StatusAccepted
	}
	return response, err
}

// telegramSettings are those of the type telegram.
type telegramSettings struct {
	Token   config.Secret `yaml:"token,required"`
	Chat    string        `yaml:"chat,required"`
	Topic   int           `yaml:"topic"`
	URL     string        `yaml:"url"`
	CAFile  string        `yaml:"ca_file"`
	Timeout time.Duration `yaml:"timeout"`

	wire wire
}

func readTelegram(src *config.Channel) (settings, config.Problems) {
	s := telegramSettings{URL: "https://api.telegram.org", Timeout: defaultTimeout}
	problems := src.Read(&s)
	if len(problems) > 0 {
		return s, problems
	}
	s.wire, problems = newWire(src, s.CAFile, s.Timeout)
	return s, slices.Concat(
		problems,
		src.Check(isTelegramToken(s.Token.Reveal()), "token", "want what BotFather gave: digits, a colon, and letters, digits, - and _"),
		src.Check(isAddress(s.URL), "url", wantAddress),
	)
}

// isTelegramToken reports whether that can be a token, which becomes part of an address.
func isTelegramToken(token string) bool {
	number, secret, found := strings.Cut(token, ":")
	inSecret := func(r rune) bool {
		return r == '-' || r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	}
	return found && number != "" && secret != "" && strings.Trim(number, "0123456789") == "" &&
		strings.TrimFunc(secret, inSecret) == ""
}

func (s telegramSettings) open(src *config.Channel, _ TokenSource) Channel {
	return chatBot{s, newPoster(src.Name, s.wire.roots, s.Timeout)}
}

// chatBot is a channel to a chat of Telegram.
type chatBot struct {
	settings telegramSettings
	poster   poster
}

// Send implements Channel. The text is sent without formatting, so nothing in it needs escaping.
func (c chatBot) Send(ctx context.Context, m Message) error {
	disabled := true
	var asked time.Duration
	err := c.poster.deliver(ctx, func(ctx context.Context, client *http.Client) error {
		bot, err := telegram.New(c.settings.Token.Reveal(), telegram.WithSkipGetMe(), telegram.WithUpdatesChannelCap(0),
			telegram.WithServerURL(strings.TrimSuffix(c.settings.URL, "/")), telegram.WithHTTPClient(c.settings.Timeout, client),
			telegram.WithErrorsHandler(func(error) {}), // It would log, addresses included.
		)
		if err != nil {
			return err
		}
		_, err = bot.SendMessage(ctx, &telegram.SendMessageParams{
			ChatID: c.settings.Chat, MessageThreadID: c.settings.Topic, Text: fit(m.Text, maxTelegram),
			LinkPreviewOptions: &models.LinkPreviewOptions{IsDisabled: &disabled},
		})
		asked = telegramAsks(err)
		return err
	})
	if err != nil && asked > 0 {
		return &laterError{err, asked}
	}
	return err
}

// telegramAsks returns how long Telegram wants to be left alone. It says so in the body.
func telegramAsks(err error) time.Duration {
	if e, ok := errors.AsType[*telegram.TooManyRequestsError](err); ok {
		return time.Duration(e.RetryAfter) * time.Second
	}
	return 0
}
