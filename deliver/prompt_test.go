package deliver_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store"
)

// What can be delivered at once has its own result; the rest goes to the queue.
func TestPrompt(t *testing.T) {
	s, dir := newStore(t)
	bob, _ := s.Open(t.Context(), "bob@example.org")
	if _, err := bob.Apply(t.Context(), store.Change{Ops: []store.Op{store.PutAccount{Limits: &store.Limits{Bytes: 10}}}}); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		to     []string // with "!" the sender asks to hear of success
		plain  bool     // the peer takes one result only
		broken bool     // the queue takes nothing
		want   string   // a code for each recipient, 250 = taken
		queued string
		alice  int // messages in her INBOX
	}{
		{"one full mailbox", []string{"alice@example.org", "bob@example.org", "alice+x@example.org"}, false, false, "250 452 250", "", 2},
		{"an alias", []string{"team@example.org", "bob@example.org", "alice@example.org"}, false, false, "250 452 250", "team@example.org", 1},
		{"only aliases", []string{"team@example.org", "all@example.org"}, false, false, "250 250", "team@example.org all@example.org", 0},
		{"the queue is down", []string{"alice@example.org", "team@example.org"}, false, true, "250 451", "", 1},
		{"success is to be reported", []string{"!alice@example.org", "bob@example.org"}, false, false, "250 452", "alice@example.org", 0},
		{"one result only", []string{"alice@example.org", "bob@example.org"}, true, false, "250 250", "alice@example.org bob@example.org", 0},
		{"a directory that fails", []string{"alice@example.org", "broken@example.org"}, false, false, "250", "", 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before, _ := inbox(t, s, "alice@example.org")
			var queued []string
			later := smtp.EachRcpt(func(_ context.Context, env *smtp.Envelope, b *smtp.Body) ([]smtp.RcptStatus, error) {
				if test.broken {
					return nil, smtp.Errorf(451, smtp.EnhancedCode{Class: 4, Subject: 3}, "disk")
				}
				text, err := io.ReadAll(b)
				if string(text) != content || string(b.Trace()) != "Received: x\r\n" {
					t.Errorf("queued %q behind %q", text, b.Trace())
				}
				for _, r := range env.Recipients {
					queued = append(queued, r.ForwardPath.String())
				}
				return smtp.Accepted(len(env.Recipients)), err
			})
			p := &deliver.Prompt{Directory: dir, Now: &deliver.LocalDelivery{Store: s, Directory: dir}, Later: later}
			tx, err := p.Begin(t.Context(), &smtp.Mail{ID: "i", PerRecipient: !test.plain})
			if err != nil {
				t.Fatal(err)
			}
			defer tx.Abort()
			for _, to := range test.to {
				r := &smtp.Recipient{ForwardPath: address(strings.TrimPrefix(to, "!"))}
				if to[0] == '!' {
					r.Params.Notify = smtp.NotifySuccess
				}
				if err := tx.Rcpt(t.Context(), []*smtp.Recipient{r})[0]; (err != nil) != strings.HasPrefix(to, "broken") {
					t.Errorf("%s: %v", to, err)
				}
			}
			b := smtp.NewBody(strings.NewReader(content), -1)
			b.Prepend([]byte("Received: x\r\n"))
			statuses, err := tx.Data(t.Context(), b)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, st := range statuses {
				code := 250
				if st.Err != nil {
					code = smtp.ReplyOf(st.Err).Code
				}
				got = append(got, fmt.Sprint(code))
			}
			if strings.Join(got, " ") != test.want || strings.Join(queued, " ") != test.queued {
				t.Errorf("%v, queued %v", got, queued)
			}
			if after, _ := inbox(t, s, "alice@example.org"); len(after)-len(before) != test.alice {
				t.Errorf("%d messages for alice, want %d", len(after)-len(before), test.alice)
			}
		})
	}
}
