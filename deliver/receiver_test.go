package deliver_test

import (
	"context"
	"io"
	"testing"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
	"github.com/mailstead/mailstead/smtp/smtptest"
	"github.com/mailstead/mailstead/store"
)

// judged is a receiver over a store of its own.
type judged struct {
	smtp.Receiver
	s store.Store
}

// mailboxes are the messages that the receiver has taken, in alice's INBOX.
func mailboxes(t *testing.T, r smtp.Receiver) []string {
	got, _ := inbox(t, r.(judged).s, "alice@example.org")
	return got
}

func TestLocalDeliveryIsReceiver(t *testing.T) {
	smtptest.TestReceiver(t, smtptest.Suite{
		New: func(t *testing.T) smtp.Receiver {
			s, dir := newStore(t)
			return judged{&deliver.LocalDelivery{Store: s, Directory: dir}, s}
		},
		Good: []string{"alice@example.org", "bob@example.org"}, Bad: "carol@example.org", Stored: mailboxes,
	})
}

// Half of the recipients go at once, and half later.
func TestPromptIsReceiver(t *testing.T) {
	smtptest.TestReceiver(t, smtptest.Suite{
		New: func(t *testing.T) smtp.Receiver {
			s, dir := newStore(t)
			later := smtp.EachRcpt(func(_ context.Context, env *smtp.Envelope, b *smtp.Body) ([]smtp.RcptStatus, error) {
				_, err := io.Copy(io.Discard, b)
				return smtp.Accepted(len(env.Recipients)), err
			})
			return judged{&deliver.Prompt{Directory: dir, Now: &deliver.LocalDelivery{Store: s, Directory: dir}, Later: later}, s}
		},
		Good: []string{"alice@example.org", "all@example.org"}, Bad: "broken@example.org", Stored: mailboxes,
	})
}

// relayed is a Relay with the server that it relays to.
type relayed struct {
	smtp.Receiver
	srv *smtptest.Server
}

// Begin says that the body is any octets, so that a server which takes those gets
// them unchanged.
func (r relayed) Begin(ctx context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	binary := *m
	binary.Params.Body = smtp.BodyBinaryMIME
	return r.Receiver.Begin(ctx, &binary)
}

func TestRelayIsReceiver(t *testing.T) {
	sent := func(_ *testing.T, r smtp.Receiver) (all []string) {
		for _, m := range r.(relayed).srv.Messages() {
			all = append(all, string(m.Data))
		}
		return all
	}
	for name, extensions := range map[string][]string{
		"binary":  {"PIPELINING", "CHUNKING", "8BITMIME", "BINARYMIME", "SMTPUTF8", "DSN", "SIZE"},
		"nothing": {}, // bodies are converted for these
		"8-bit":   {"PIPELINING", "8BITMIME"},
		"limits":  {"8BITMIME", "LIMITS RCPTMAX=7 MAILMAX=2"},
	} {
		t.Run(name, func(t *testing.T) {
			suite := smtptest.Suite{New: func(t *testing.T) smtp.Receiver {
				srv := smtptest.NewServerWith(t, smtptest.Options{Extensions: extensions})
				pool := &smtpclient.Pool{}
				t.Cleanup(func() { pool.Close() })
				r := &deliver.Relay{Dialer: &smtpclient.Dialer{Hello: "client.example"}, Pool: pool}
				r.Hosts = func(context.Context) ([]string, error) { return []string{srv.Addr}, nil }
				return relayed{r, srv}
			}}
			if name == "binary" {
				suite.Stored = sent
			}
			smtptest.TestReceiver(t, suite)
		})
	}
}
