package submission_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/deliver/submission"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtppolicy"
)

// rpath parses local@domain; "" is the null sender.
func rpath(s string) smtp.ReversePath {
	p, err := smtp.ParseReversePath("<"+s+">", true)
	if err != nil {
		panic(err)
	}
	return p
}

// owns: alice has alice@ and sales@example.org; looking up @broken.example fails.
func owns(_ context.Context, account string, a smtp.ReversePath) (bool, error) {
	if a.Domain == "broken.example" {
		return false, errors.New("no database")
	}
	s := a.String()
	return account == "alice@example.org" && (s == account || s == "sales@example.org"), nil
}

var received = time.Date(2026, 11, 3, 9, 11, 12, 0, time.UTC)

// mailOf is one that alice submits.
func mailOf(identity string) *smtp.Mail {
	return &smtp.Mail{
		ID: "id", ReversePath: rpath("alice@example.org"), Received: received,
		Peer: &smtp.Peer{Protocol: "ESMTPSA", Identity: identity, Hello: "laptop.example"},
	}
}

// pass gives text to mw, and returns what comes out of it.
func pass(t *testing.T, mw smtp.Middleware, m *smtp.Mail, text string) (out string, err error) {
	t.Helper()
	r := smtp.ReceiveFunc(func(_ context.Context, _ *smtp.Envelope, r io.Reader) error {
		b, err := io.ReadAll(r)
		out = string(b)
		return err
	})
	rcpt := &smtp.Recipient{ForwardPath: smtp.ForwardPath{Path: rpath("bob@example.net").Path}}
	err = smtp.Hand(t.Context(), mw(r), m, []*smtp.Recipient{rcpt}, smtp.NewBody(strings.NewReader(text), -1))
	return out, err
}

const (
	date = "Date: Tue, 03 Nov 2026 09:11:12 +0000\r\n"
	mid  = "Message-ID: <id@mail.example.org>\r\n"
	from = "From: alice@example.org\r\n"
	body = "\r\nhello\r\n\r\nBcc: not a field\r\n"
	long = "0123456789012345678901234567890123456789 "
)

func TestFixes(t *testing.T) {
	folded := "X-Long: " + strings.Repeat(long, 24) + "\r\n" + " " + strings.Repeat(long, 5) + "end\r\n"
	unfolded := "X-Long: " + strings.Repeat(long, 24) + " " + strings.Repeat(long, 5) + "end\r\n"
	tests := []struct {
		name     string
		f        submission.Fixes
		identity string // "" = alice@example.org
		in, want string // whole headers; want "5xx" or "4xx" is a reply
	}{
		{"nothing to do", submission.Fixes{}, "", "X: 1\r\nDate: x\r\nMessage-Id: y\r\nfrom : (c) A <alice@example.org>\r\n", "X: 1\r\nDate: x\r\nMessage-Id: y\r\nfrom : (c) A <alice@example.org>\r\n"},
		{"all missing", submission.Fixes{}, "", "Subject: s\r\n", "Subject: s\r\n" + from + date + mid},
		{"no header at all", submission.Fixes{}, "", "", from + date + mid},
		{"empty From", submission.Fixes{}, "", "From: \r\nX: 1\r\n", "X: 1\r\n" + from + date + mid},
		{"From required", submission.Fixes{RequireFrom: true}, "", "X: 1\r\n", "554 5.6.0"},
		{"a group is left", submission.Fixes{}, "", "From: Nobody:;\r\n", "From: Nobody:;\r\n" + date + mid},
		{"a group is no address", submission.Fixes{RequireFrom: true}, "", "From: Nobody:;\r\n", "554 5.6.0"},
		{"two From", submission.Fixes{}, "", from + from, "554 5.6.0"},
		{"two From, one without white space", submission.Fixes{}, "", from + "FROM :x@y.example\r\n", "554 5.6.0"},

		{"own From", submission.Fixes{}, "", "From: Sales <sales@example.org>\r\n", "From: Sales <sales@example.org>\r\n" + date + mid},
		{"foreign From", submission.Fixes{}, "", "From: ceo@example.org\r\n", "From: ceo@example.org\r\nSender: alice@example.org\r\n" + date + mid},
		{"foreign From, own Sender", submission.Fixes{}, "", "From: ceo@example.org\r\nSender: \"A\" <sales@example.org>\r\n", "From: ceo@example.org\r\nSender: \"A\" <sales@example.org>\r\n" + date + mid},
		{"foreign From, foreign Sender", submission.Fixes{}, "", "From: ceo@example.org\r\nSender: ceo@example.org\r\n", "From: ceo@example.org\r\nSender: alice@example.org\r\n" + date + mid},
		{"own From, foreign Sender", submission.Fixes{}, "", from + "Sender: ceo@example.org\r\n", from + "Sender: alice@example.org\r\n" + date + mid},
		{"own From, broken Sender", submission.Fixes{}, "", from + "Sender: \r\n", from + date + mid},
		{"two authors", submission.Fixes{}, "", "From: alice@example.org, sales@example.org\r\n", "From: alice@example.org, sales@example.org\r\nSender: alice@example.org\r\n" + date + mid},
		{"a second, hidden author", submission.Fixes{Foreign: submission.RefuseForeign}, "", "From: alice@example.org,\r\n ceo@example.org\r\n", "550 5.7.1"},
		{"an author behind many", submission.Fixes{Foreign: submission.RefuseForeign}, "", "From: " + strings.Repeat("alice@example.org,\r\n ", 50) + "ceo@example.org\r\n", "554 5.6.0"},
		{"display name with an address", submission.Fixes{Foreign: submission.RefuseForeign}, "", "From: \"ceo@example.org\" <alice@example.org>\r\n", "From: \"ceo@example.org\" <alice@example.org>\r\n" + date + mid},
		{"foreign refused", submission.Fixes{Foreign: submission.RefuseForeign}, "", "From: ceo@example.org\r\n", "550 5.7.1"},
		{"foreign Sender refused", submission.Fixes{Foreign: submission.RefuseForeign}, "", from + "Sender: ceo@example.org\r\n", "550 5.7.1"},
		{"From without a domain", submission.Fixes{Foreign: submission.RefuseForeign}, "", "From: root\r\n", "550 5.7.1"},
		{"nobody knows", submission.Fixes{}, "", "From: x@broken.example\r\n", "451 4.3.0"},
		{"identity without an address", submission.Fixes{}, "alice", "From: ceo@example.org\r\n", "550 5.7.1"},
		{"not authenticated", submission.Fixes{Foreign: submission.RefuseForeign}, "-", "From: ceo@example.org\r\n", "From: ceo@example.org\r\n" + date + mid},
		{"author by a function", submission.Fixes{Author: func(context.Context, string) (smtp.Path, bool, error) {
			return rpath("boss@bücher.example").Path, true, nil
		}}, "alice", "From: ceo@example.org\r\n", "From: ceo@example.org\r\nSender: boss@xn--bcher-kva.example\r\n" + date + mid},

		{"Bcc and Return-Path", submission.Fixes{}, "", "Return-Path: <x@y.example>\r\n" + from + "bcc: a@b.example,\r\n\tc@d.example\r\nBCC :\r\nResent-Bcc: x\r\n", from + date + mid},
		{"Bcc kept", submission.Fixes{KeepBcc: true}, "", from + "Bcc: a@b.example\r\n", from + "Bcc: a@b.example\r\n" + date + mid},
		{"others removed", submission.Fixes{Remove: []string{"User-Agent", "x-originating-ip"}}, "", "User-agent: MUA\r\n" + from + "X-Originating-IP: [1]\r\n", from + date + mid},
		{"long line folded", submission.Fixes{}, "", from + unfolded, from + folded + date + mid},
		{"long line refused", submission.Fixes{LongLines: submission.RefuseLines}, "", from + unfolded, "554 5.6.0"},
		{"long word", submission.Fixes{}, "", from + "X: " + strings.Repeat("x", 1000) + "\r\n", "554 5.6.0"},
		{"long line of a text", submission.Fixes{}, "", "text\r\nX: " + strings.Repeat("x", 1000) + "\r\n", from + date + mid + "\r\ntext\r\nX: " + strings.Repeat("x", 1000) + "\r\n"},
		{"8-bit refused", submission.Fixes{RefuseEightBit: true}, "", from + "Subject: \xe4\r\n", "554 5.6.1"},
		{"8-bit passed", submission.Fixes{}, "", from + "Subject: \xe4\r\n", from + "Subject: \xe4\r\n" + date + mid},
		{"header too large", submission.Fixes{Limits: smtppolicy.Limits{Bytes: 100}}, "", from + unfolded, "552 5.3.4"},
		{"too many fields", submission.Fixes{Limits: smtppolicy.Limits{Fields: 3}}, "", strings.Repeat("X: 1\r\n", 4), "552 5.3.4"},
		{
			"mapped",
			submission.Fixes{Map: &submission.Masquerade{Domains: []string{"example.org"}}},
			"-",
			"From: A (of host.example.org) <a@host.example.org>\r\nTo: b@host.example.org\r\nReply-To: b@HOST.example.org,\r\n c@x.example.org (c)\r\n",
			"From: A (of host.example.org) <a@example.org>\r\nTo: b@host.example.org\r\nReply-To: b@example.org,\r\n c@example.org (c)\r\n" + date + mid,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := test.f
			f.Hostname, f.Owns = "mail.example.org", owns
			identity := test.identity
			switch identity {
			case "":
				identity = "alice@example.org"
			case "-":
				identity = ""
			}
			got, err := pass(t, f.Middleware(), mailOf(identity), test.in+body)
			switch {
			case err != nil:
				if reply := smtp.ReplyOf(err).String(); !strings.HasPrefix(reply, test.want) || strings.Contains(reply, "database") {
					t.Errorf("%v, want %q", err, test.want)
				}
			case got != test.want+body:
				t.Errorf("got\n%q\nwant\n%q", got, test.want+body)
			}
		})
	}
}

// Where there is no reverse-path, From is the account's; where there is neither,
// the message is refused.
func TestFromOfNobody(t *testing.T) {
	f := submission.Fixes{Hostname: "mail.example.org", Owns: owns}
	m := mailOf("alice@example.org")
	m.ReversePath = smtp.ReversePath{}
	if got, err := pass(t, f.Middleware(), m, "\r\n"); err != nil || !strings.HasPrefix(got, from) {
		t.Errorf("%q, %v", got, err)
	}
	m = mailOf("alice")
	m.ReversePath = smtp.ReversePath{}
	if got, err := pass(t, f.Middleware(), m, "\r\n"); smtp.ReplyOf(err).Code != 554 {
		t.Errorf("%q, %v", got, err)
	}
}

// The field of a hidden client tells neither its address nor its hello, and the
// receiver behind it still knows the peer.
func TestReceivedHidden(t *testing.T) {
	var trace string
	var peer *smtp.Peer
	r := smtp.EachRcpt(func(_ context.Context, env *smtp.Envelope, b *smtp.Body) ([]smtp.RcptStatus, error) {
		_, err := io.Copy(io.Discard, b)
		trace, peer = string(b.Trace()), env.Mail.Peer
		return smtp.Accepted(len(env.Recipients)), err
	})
	m := mailOf("alice@example.org")
	rcpt := &smtp.Recipient{ForwardPath: smtp.ForwardPath{Path: rpath("bob@example.net").Path}}
	err := smtp.Hand(t.Context(), submission.Received("mail.example.org")(r), m, []*smtp.Recipient{rcpt}, smtp.NewBody(strings.NewReader("x"), 1))
	if err != nil || strings.Contains(trace, "laptop") || !strings.Contains(trace, "by mail.example.org with ESMTPSA id id\r\n\tfor <bob@example.net>") || peer != m.Peer {
		t.Errorf("%q, %v, %v", trace, peer, err)
	}
}
