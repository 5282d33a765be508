package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/webhook"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store/control"
)

func TestControlQueueWays(t *testing.T) {
	s, c := controlled(t, "-user", "alice@example.org:x")
	putJobs(t, s, 3)
	var jobs struct{ Jobs int }
	for _, tt := range []struct {
		path string
		in   fields
		code string
		want int
	}{
		{"reroute", fields{"all": true}, control.CodeBadRequest, 0},
		{"reroute", fields{"all": true, "to": "a@b"}, control.CodeBadRequest, 0},
		{"reroute", fields{"message": "m1", "to": "Backup.example"}, "", 1},
		{"bounce", fields{}, control.CodeBadRequest, 0},
		{"bounce", fields{"message": "m2"}, "", 1},
		{"pause", fields{"destination": ""}, control.CodeBadRequest, 0},
		{"pause", fields{"destination": strings.Repeat("x", 513)}, control.CodeBadRequest, 0},
		{"pause", fields{"destination": "a.example"}, "", 0},
		{"pause", fields{"destination": "b.example"}, "", 0},
		{"resume", fields{"destination": "b.example"}, "", 0},
	} {
		jobs.Jobs = 0
		if code := asks(t, c, "POST", "/v1/queue/"+tt.path, tt.in, &jobs); code != tt.code || jobs.Jobs != tt.want {
			t.Errorf("%s %v: %q, %d jobs", tt.path, tt.in, code, jobs.Jobs)
		}
	}
	var paused answer.Paused
	if asks(t, c, "GET", "/v1/queue/paused", nil, &paused); len(paused.Destinations) != 1 || paused.Destinations[0] != "a.example" {
		t.Errorf("%+v", paused)
	}
	var shape answer.Shape
	asks(t, c, "GET", "/v1/queue/shape", nil, &shape)
	if len(shape.Rows) != 3 || shape.Rows[0].Ages[0] != 1 || shape.Rows[2].Key != "via:backup.example" || shape.Rows[0].Key != queue.BounceDestination {
		t.Errorf("%+v", shape)
	}
	if code := asks(t, c, "GET", "/v1/queue/shape?by=sender&destination=foreign.example&top=1", nil, &shape); code != "" || len(shape.Rows) != 1 || shape.Rows[0].Total != 1 {
		t.Errorf("%q %+v", code, shape)
	}
	for _, bad := range []string{"by=age", "top=0", "top=1001", "held=perhaps"} {
		if code := asks(t, c, "GET", "/v1/queue/shape?"+bad, nil, nil); code != control.CodeBadRequest {
			t.Errorf("%s: %q", bad, code)
		}
	}
}

// TestNoRerouteBesideRelay: where there is one way only.
func TestNoRerouteBesideRelay(t *testing.T) {
	_, c := controlled(t, "-relay", "127.0.0.1:25")
	if code := asks(t, c, "POST", "/v1/queue/reroute", fields{"all": true, "to": "example.net"}, nil); code != control.CodeBadRequest {
		t.Error(code)
	}
}

func TestControlSuppression(t *testing.T) {
	_, c := controlled(t)
	for _, tt := range []struct {
		path, code string
		in         fields
	}{
		{"suppress", "", fields{"address": "Joe@Example.net", "reason": "complained"}},
		{"suppress", "", fields{"address": "@example.com", "expires": time.Now().Add(time.Hour)}},
		{"suppress", control.CodeBadRequest, fields{"address": "joe"}},
		{"unsuppress", control.CodeBadRequest, fields{"address": "joe"}},
		{"unsuppress", "", fields{"address": "@example.com"}},
	} {
		if code := asks(t, c, "POST", "/v1/queue/"+tt.path, tt.in, nil); code != tt.code {
			t.Errorf("%s %v: %q", tt.path, tt.in, code)
		}
	}
	var list answer.Suppressions
	if asks(t, c, "GET", "/v1/queue/suppressed", nil, &list); len(list.Addresses) != 1 || list.Addresses[0].Address != "joe@example.net" || list.Addresses[0].Expires != nil {
		t.Errorf("%+v", list)
	}
}

// TestControlRules: what a rule says is held, and the rest is not.
func TestControlRules(t *testing.T) {
	s, c := controlled(t)
	for _, tt := range []struct {
		code string
		in   fields
	}{
		{"", fields{"name": "a/b", "recipient": "u1@foreign.example", "reason": "wait"}},
		{"", fields{"name": "gone", "all": true}},
		{control.CodeBadRequest, fields{"name": "no condition"}},
		{control.CodeBadRequest, fields{"all": true}},
	} {
		if code := asks(t, c, "POST", "/v1/queue/rules", tt.in, nil); code != tt.code {
			t.Errorf("%v: %q", tt.in, code)
		}
	}
	if code := asks(t, c, "DELETE", "/v1/queue/rules/gone", nil, nil); code != "" {
		t.Error(code)
	}
	var rules answer.HoldRules
	if asks(t, c, "GET", "/v1/queue/rules", nil, &rules); len(rules.Rules) != 1 || rules.Rules[0].Name != "a/b" || rules.Rules[0].Recipient != "u1@foreign.example" {
		t.Errorf("%+v", rules)
	}
	putJobs(t, s, 3)
	var held answer.Jobs
	if asks(t, c, "GET", "/v1/queue/jobs?held=true", nil, &held); len(held.Jobs) != 1 || held.Jobs[0].Hold != "wait" || held.Jobs[0].Message != "m1" {
		t.Errorf("%+v", held)
	}
}

// configured is a data directory with an outbound.toml and the secret of a
// webhook.
func configured(t *testing.T, text string) (dir string, secret webhook.Secret) {
	t.Helper()
	dir, secret = filepath.Join(t.TempDir(), "data"), webhook.NewSecret()
	err := os.Mkdir(dir, 0o700)
	for name, content := range map[string]string{outboundFileName: text, "hook.secret": secret.Reveal() + "\n"} {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir, secret
}

// TestQueueTells: a delivery and a suppressed recipient are in the history, and
// a webhook hears of them.
func TestQueueTells(t *testing.T) {
	told := make(chan string, 100)
	var secret webhook.Secret
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if _, err := webhook.Verify(r.Header, body, time.Now(), secret); err != nil {
			t.Error(err)
		}
		told <- string(body)
	}))
	defer hook.Close()
	dir, secret := configured(t, "[queue]\nhistory = true\n[[webhooks]]\nname = 'crm'\nurl = '"+hook.URL+"'\nsecret-file = 'hook.secret'\ninsecure = true\nkinds = ['delivered', 'failed']\n")
	s, c := controlled(t, "-data", dir, "-user", "alice@example.org:x")
	asks(t, c, "POST", "/v1/queue/suppress", fields{"address": "joe@foreign.example", "reason": "complained"}, nil)
	from := smtp.ReversePath{Path: smtp.Path{Local: "alice", Domain: "example.org"}}
	for id, to := range map[string]smtp.Path{"m1": from.Path, "m2": {Local: "joe", Domain: "foreign.example"}} {
		env := &smtp.Envelope{Mail: &smtp.Mail{ID: id, ReversePath: from}, Recipients: []*smtp.Recipient{{ForwardPath: smtp.ForwardPath{Path: to}}}}
		if err := s.queue.Enqueue(t.Context(), env, strings.NewReader("A: b\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.runner.Run(ctx) }()
	var all string
	for !strings.Contains(all, `"message":"m1"`) || !strings.Contains(all, `"message":"m2"`) {
		select {
		case body := <-told:
			all += body
		case <-time.After(30 * time.Second):
			t.Fatalf("the webhook heard\n%s", all)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]string{"m1": "delivered", "m2": "failed"} {
		var h answer.History
		if code := asks(t, c, "GET", "/v1/queue/history?message="+id, nil, &h); code != "" || len(h.Records) != 1 || h.Records[0].Recipients[0].State != want {
			t.Errorf("%s: %q %+v", id, code, h)
		}
	}
	for _, bad := range []string{"since=now", "limit=0", "limit=10001"} {
		if code := asks(t, c, "GET", "/v1/queue/history?"+bad, nil, nil); code != control.CodeBadRequest {
			t.Errorf("%s: %q", bad, code)
		}
	}
}

// TestNoHistory: by default there is none, and who asks hears how to begin one.
func TestNoHistory(t *testing.T) {
	s, c := controlled(t)
	if code := asks(t, c, "GET", "/v1/queue/history", nil, nil); code != control.CodeBadRequest || s.runner.Record != nil || s.queue.Notify != nil {
		t.Error(code)
	}
}

func TestWebhookFile(t *testing.T) {
	const good = "[[webhooks]]\nname = 'crm'\nurl = 'https://example.org/'\nsecret-file = 'hook.secret'\n"
	for text, want := range map[string]string{
		good:                            "",
		good + good:                     "twice",
		good + "kinds = ['lost']":       "no kind",
		good + "[queue]\nhistories = 1": "unknown name",
		strings.Replace(good, "https", "http", 1):                "https://",
		strings.Replace(good, "hook.secret", "x", 1):             "no such file",
		strings.Replace(good, "'crm'", "'a b'", 1):               "name",
		strings.Replace(good, "hook.secret", "outbound.toml", 1): "not a secret",
		"[queue]\nsuppress-bounced-days = -1":                    "from 0 to",
	} {
		dir, secret := configured(t, text)
		_, err := readOutboundFile(dir)
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
		if err != nil && strings.Contains(err.Error(), secret.Reveal()) {
			t.Errorf("%q shows the secret", text)
		}
	}
}

// TestSuppressBounced: addresses of hard bounces are recorded where that is
// asked for, and by default not.
func TestSuppressBounced(t *testing.T) {
	for text, want := range map[string]bool{"": false, "[queue]\nsuppress-bounced-days = 14": true} {
		dir, _ := configured(t, text)
		s, err := newTestServer(t, "-data", dir)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.runner.Record != nil; got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
