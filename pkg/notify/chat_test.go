package notify_test

import (
	"mime"
	"mime/multipart"
	"strings"
	"testing"

	"github.com/switchhook/switchhook/pkg/notify"
)

// sent returns what a service got.
func sent(t *testing.T, name string, m notify.Message) request {
	t.Helper()
	s := services()[name]
	r := receive(t, s.ok)
	if err := s.open(t, r.URL, "").Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	return r.requests()[0]
}

// hostile is a message with what chats take for more than text.
func hostile(t *testing.T) notify.Message {
	m := message(t, notify.Opened)
	m.Text = "Missed call\n\nCaller: <!channel> *Eve* @all [click](https://evil.example) a&b jan@acme.example\n9. 3. 2026\nOpen it: https://pbx.example/a_b_c?x=1&y=2"
	return m
}

func TestSlack(t *testing.T) {
	var have struct{ Text string }
	decode(t, sent(t, "slack", hostile(t)).body, &have)
	want := "Missed call\n\nCaller: &lt;!channel&gt; *Eve* @all [click](https://evil.example) a&amp;b jan@acme.example\n9. 3. 2026\nOpen it: https://pbx.example/a_b_c?x=1&amp;y=2"
	if want != have.Text {
		t.Errorf("want %q, have %q", want, have.Text)
	}
}

func TestMattermost(t *testing.T) {
	var have struct{ Text string }
	decode(t, sent(t, "mattermost", hostile(t)).body, &have)
	want := "Missed call\n\nCaller: <!channel\\> \\*Eve\\* @\u200ball \\[click\\](https://evil.example) a&b jan@acme.example\n9\\. 3. 2026\n" +
		"Open it: https://pbx.example/a_b_c?x=1&y=2"
	if want != have.Text {
		t.Errorf("want %q, have %q", want, have.Text)
	}
}

func TestTeams(t *testing.T) {
	var have struct {
		Type        string
		Attachments []struct {
			ContentType string
			Content     struct {
				Type string
				Body []struct{ Type, Text, Weight string }
			}
		}
	}
	decode(t, sent(t, "teams", hostile(t)).body, &have)
	if have.Type != "message" || len(have.Attachments) != 1 || have.Attachments[0].ContentType != "application/vnd.microsoft.card.adaptive" {
		t.Fatalf("want one adaptive card, have %+v", have)
	}
	body := have.Attachments[0].Content.Body
	if len(body) != 4 || body[0].Text != "Missed call" || body[0].Weight != "bolder" || body[1].Weight != "" {
		t.Errorf("want four lines, the first bold, have %+v", body)
	}
	if want := "Open it: https://pbx.example/a_b_c?x=1&y=2"; want != body[3].Text {
		t.Errorf("want %q, have %q", want, body[3].Text)
	}
	if strings.Contains(body[1].Text, " [click](") {
		t.Errorf("want no link in disguise, have %q", body[1].Text)
	}
}

// TestTeamsAnswers has what workflows and gateways in front of them answer.
func TestTeamsAnswers(t *testing.T) {
	for _, ok := range []int{200, 202, 204} {
		r := receive(t, answer(ok, ""))
		if err := services()["teams"].open(t, r.URL, "").Send(t.Context(), message(t, notify.Opened)); err != nil {
			t.Errorf("want %d to be a success, have %v", ok, err)
		}
	}
}

func TestTelegram(t *testing.T) {
	m := hostile(t)
	have := sent(t, "telegram", m)
	if want := "/bot123:" + credential + "/sendMessage"; want != have.URL.Path {
		t.Errorf("want %s, have %s", want, have.URL.Path)
	}
	_, parameters, err := mime.ParseMediaType(have.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	form, err := multipart.NewReader(strings.NewReader(have.body), parameters["boundary"]).ReadForm(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	if form.Value["text"][0] != m.Text || form.Value["chat_id"][0] != "-100" || len(form.Value["parse_mode"]) > 0 {
		t.Errorf("want the text as it is, have %v", form.Value)
	}
}

// TestLongText has more text than each service takes.
func TestLongText(t *testing.T) {
	m := message(t, notify.Digest)
	m.Text = strings.Repeat("Zmeškaný hovor 😀 od někoho\n", 5000)
	limits := map[string]int{"slack": 10_000, "mattermost": 10_000, "teams": 60_000, "telegram": 10_000}
	for name, most := range limits {
		have := sent(t, name, m)
		if len(have.body) > most || !strings.Contains(have.body, "…") {
			t.Errorf("%s: want at most %d bytes and a sign that there was more, have %d", name, most, len(have.body))
		}
	}
}
