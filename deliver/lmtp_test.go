package deliver_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
	"github.com/mailstead/mailstead/smtp/smtptest"
)

// toSocket passes each connection to a socket on to addr; it returns the path
// and counts the connections.
func toSocket(t *testing.T, addr string) (path string, count func() int) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "lmtp")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	var mu sync.Mutex
	n := 0
	t.Cleanup(func() { l.Close(); work.Wait() })
	work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			n++
			mu.Unlock()
			s, err := net.Dial("tcp", addr)
			if err != nil {
				c.Close()
				continue
			}
			work.Go(func() { io.Copy(s, c); s.Close() })
			work.Go(func() { io.Copy(c, s); c.Close() })
		}
	})
	return path, func() int { mu.Lock(); defer mu.Unlock(); return n }
}

// statusesOf sends one message and returns a word for each recipient.
func statusesOf(t *testing.T, r smtp.Receiver, m *smtp.Mail, to ...string) string {
	t.Helper()
	tx, err := r.Begin(t.Context(), m)
	if err != nil {
		return "begin " + smtp.ReplyOf(err).String()
	}
	defer tx.Abort()
	for _, a := range to {
		if err := tx.Rcpt(t.Context(), []*smtp.Recipient{{ForwardPath: address(a)}})[0]; err != nil {
			t.Fatal(err)
		}
	}
	statuses, err := tx.Data(t.Context(), smtp.NewBody(strings.NewReader(content), -1))
	if err != nil {
		return "data " + smtp.ReplyOf(err).Enhanced.String()
	}
	var out []string
	for _, s := range statuses {
		reply := smtp.ReplyOf(s.Err)
		out = append(out, fmt.Sprint(reply.Code))
	}
	return strings.Join(out, " ")
}

func TestLMTP(t *testing.T) {
	extensions := []string{"PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES"}
	srv := smtptest.NewServerWith(t, smtptest.Options{LMTP: true, Extensions: extensions, Reply: func(command string) string {
		switch command {
		case ". <full@example.org>":
			return "452 4.2.2 full"
		case "RCPT TO:<gone@example.org>":
			return "550 5.1.1 gone"
		case ". <lost@example.org>":
			return "close"
		}
		return ""
	}})
	path, connections := toSocket(t, srv.Addr)
	pool := &smtpclient.Pool{}
	t.Cleanup(func() { pool.Close() })
	l := &deliver.LMTP{Addr: "unix:" + path, Relay: deliver.Relay{Pool: pool, Dialer: &smtpclient.Dialer{Hello: "a.example", TLS: smtpclient.TLSRequired}}}
	if key := l.Key(address("x@y")); key != "lmtp:"+path {
		t.Errorf("key %s", key)
	}
	r, name := l.Receiver("")
	if name != path {
		t.Errorf("name %s", name)
	}
	secret := &smtp.Mail{ID: "i", PerRecipient: true, Params: smtp.MailParams{RequireTLS: true}}
	for _, test := range []struct {
		m    *smtp.Mail
		to   string
		want string
	}{
		{&smtp.Mail{ID: "i", PerRecipient: true}, "a@example.org full@example.org gone@example.org b@example.org", "0 452 550 0"},
		{&smtp.Mail{ID: "i", PerRecipient: true}, "c@example.org", "0"},
		{secret, "d@example.org", "0"},
	} {
		if got := statusesOf(t, r, test.m, strings.Fields(test.to)...); got != test.want {
			t.Errorf("%s: %s, want %s", test.to, got, test.want)
		}
	}
	if !secret.Params.RequireTLS {
		t.Error("the Mail was changed")
	}
	if n := connections(); n != 1 {
		t.Errorf("%d connections, want one", n)
	}
	if got := statusesOf(t, r, &smtp.Mail{ID: "i", PerRecipient: true}, "a@example.org", "lost@example.org"); got != "0 451" {
		t.Errorf("a reply that was lost: %s", got)
	}
	// By TCP the demand of REQUIRETLS stays, and is not met here.
	tcp := &deliver.LMTP{Addr: srv.Addr}
	if got := statusesOf(t, tcp, &smtp.Mail{ID: "i", PerRecipient: true}, "e@example.org"); got != "0" {
		t.Errorf("by TCP: %s", got)
	}
	secret.ReversePath = smtp.ReversePath(address("s@example.net"))
	if got := statusesOf(t, tcp, secret, "f@example.org"); got != "data 5.7.10" {
		t.Errorf("REQUIRETLS by TCP: %s", got)
	}
	gone := &deliver.LMTP{Addr: filepath.Join(t.TempDir(), "none")}
	if got := statusesOf(t, gone, &smtp.Mail{ID: "i"}, "e@example.org"); got != "data 4.4.1" {
		t.Errorf("no socket: %s", got)
	}
}

// A reply that was lost leaves open whether LMTP's server has the message.
func TestLMTPUnknown(t *testing.T) {
	srv := smtptest.NewServerWith(t, smtptest.Options{LMTP: true, Reply: func(command string) string {
		if strings.HasPrefix(command, ". <") {
			return "close"
		}
		return ""
	}})
	l := &deliver.LMTP{Addr: srv.Addr}
	tx, _ := l.Begin(t.Context(), &smtp.Mail{ID: "i", PerRecipient: true})
	tx.Rcpt(t.Context(), []*smtp.Recipient{{ForwardPath: address("a@example.org")}})
	statuses, err := tx.Data(t.Context(), smtp.NewBody(strings.NewReader(content), -1))
	if err != nil || len(statuses) != 1 || !errors.Is(statuses[0].Err, queue.ErrOutcomeUnknown) {
		t.Errorf("%v, %v", statuses, err)
	}
}
