package smtppeers

import (
	"strings"
	"testing"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
)

// traits are what a foreign server can.
type traits struct {
	noTLS    bool // takes mail without TLS and AUTH only
	utf8     bool
	chunking bool   // takes BDAT
	sends    bool   // sends BDAT
	dsn      bool   // passes DSN parameters on
	queueID  bool   // its id is recognized
	protocol string // of what it sends to us
}

// chain sends messages through a foreign server that relays to our own: both
// directions at once, under TLS and AUTH on both sides where it has them.
func chain(t *testing.T, c *smtpclient.Client, s *sink, tr traits) {
	t.Helper()
	caps := c.Capabilities()
	if (c.TLS() == nil) != tr.noTLS || caps.Chunking != tr.chunking || caps.SMTPUTF8 != tr.utf8 || caps.DSN != tr.dsn {
		t.Fatalf("%+v", caps)
	}
	small, large := message("small", 1), message("large", 20_000)
	env := envelope(t, "from@example.org", "one@example.net", "refused@example.net", "two@example.net")
	env.Mail.Params = smtp.MailParams{Body: smtp.Body8BitMIME, Return: smtp.ReturnHeaders, EnvelopeID: "id+1 2"}
	env.Recipients[0].Params = smtp.RcptParams{Notify: smtp.NotifyFailure | smtp.NotifyDelay, Original: smtp.OriginalRecipient{Type: "rfc822", Address: "o+1@x"}}
	env.Recipients[2].Params = env.Recipients[0].Params
	res := send(t, c, env, small, "delivered(.) failed(RCPT) delivered(.)")
	if (res.QueueID != "") != tr.queueID {
		t.Errorf("queue id %q of %v", res.QueueID, res.Recipients[0].Reply)
	}
	send(t, c, envelope(t, "", "one@example.net"), large, "delivered(.)")
	want := map[string]int{small: 2, large: 1}
	if tr.utf8 {
		utf8 := message("größe", 1)
		env := envelope(t, "grüße@bücher.example", "ö@example.net")
		env.Mail.Params.UTF8 = true
		send(t, c, env, utf8, "delivered(.)")
		want[utf8] = 1
	}
	if err := c.Quit(t.Context()); err != nil {
		t.Error(err)
	}
	judge(t, s, want, tr)
}

// judge wants that each text arrived for so many recipients.
func judge(t *testing.T, s *sink, want map[string]int, tr traits) {
	t.Helper()
	left := 0
	for _, n := range want {
		left += n
	}
	for n := 1; left > 0; n++ {
		m := s.wait(t, n)[n-1]
		left -= len(m.rcpts)
		found := false
		for text := range want {
			if strings.HasSuffix(m.data, text) {
				found = true
				want[text] -= len(m.rcpts)
			}
		}
		p := m.mail.Peer
		if !found || p.TLS == nil || p.Identity != user || !strings.HasPrefix(p.Protocol, tr.protocol) {
			t.Errorf("by %s from %q for %v: %.500q", p.Protocol, p.Identity, m.rcpts, m.data)
		}
		r := m.rcpts[0]
		switch {
		case r.ForwardPath.Local == "ö" && (!m.mail.Params.UTF8 || m.mail.ReversePath.Local != "grüße"):
			t.Errorf("%+v", m.mail)
		case tr.dsn && r.ForwardPath.Local == "two" && (r.Params.Notify != smtp.NotifyFailure|smtp.NotifyDelay || r.Params.Original.Address != "o+1@x" ||
			m.mail.Params.EnvelopeID != "id+1 2" || m.mail.Params.Return != smtp.ReturnHeaders):
			t.Errorf("%+v %+v", m.mail.Params, r.Params)
		}
	}
	for text, n := range want {
		if n != 0 {
			t.Errorf("%d recipients too few for %.200q", n, text)
		}
	}
	if s.said("BDAT") != tr.sends {
		t.Errorf("BDAT was sent: %v", !tr.sends)
	}
}
