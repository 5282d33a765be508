package deliver_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
	"github.com/mailstead/mailstead/smtp/smtptest"
)

// scripted is a server of one connection: it answers each line that starts
// with a key of answers with its value, other lines with 250, and hangs up at
// "hangup". It returns its address.
func scripted(t *testing.T, greeting string, answers map[string]string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		fmt.Fprintf(c, "%s\r\n", greeting)
		data := false
		for s := bufio.NewScanner(c); s.Scan(); {
			line := s.Text()
			if data && line != "." {
				continue
			}
			answer := "250 ok"
			for prefix, a := range answers {
				if strings.HasPrefix(line, prefix) {
					answer = a
				}
			}
			if answer == "hangup" {
				return
			}
			data = !data && line == "DATA" && strings.HasPrefix(answer, "354")
			fmt.Fprintf(c, "%s\r\n", answer)
		}
	}()
	return l.Addr().String()
}

var accepts = map[string]string{"DATA": "354 go", ".": "250 2.0.0 queued as Q1"}

func with(key, answer string) map[string]string {
	m := map[string]string{key: answer}
	for k, v := range accepts {
		if k != key {
			m[k] = v
		}
	}
	return m
}

func sendTo(t *testing.T, r *deliver.Relay, addrs ...string) ([]smtp.RcptStatus, error) {
	t.Helper()
	r.Hosts = func(context.Context) ([]string, error) { return addrs, nil }
	r.Dialer = &smtpclient.Dialer{Hello: "client.example"}
	tx, err := r.Begin(t.Context(), &smtp.Mail{ID: "i", PerRecipient: true})
	if err != nil {
		t.Fatal(err)
	}
	tx.Rcpt(t.Context(), []*smtp.Recipient{{ForwardPath: address("a@example.com")}, {ForwardPath: address("b@example.com")}})
	return tx.Data(t.Context(), smtp.NewBody(strings.NewReader(content), -1))
}

func TestRelayOutcomes(t *testing.T) {
	type want struct{ a, b int } // reply codes, 0 = delivered, -1 = unknown
	tests := []struct {
		name    string
		answers map[string]string
		want    want
	}{
		{"taken", accepts, want{0, 0}},
		{"one refused", with("RCPT TO:<b@", "550 5.1.1 no"), want{0, 550}},
		{"one deferred", with("RCPT TO:<b@", "450 4.2.0 later"), want{0, 450}},
		{"all refused at MAIL", with("MAIL", "554 5.7.1 no"), want{554, 554}},
		{"refused at the end", with(".", "554 5.6.0 spam"), want{554, 554}},
		{"deferred at the end", with(".", "451 4.3.0 disk"), want{451, 451}},
		{"lost before the body", with("DATA", "hangup"), want{450, 450}},
		{"lost behind the final dot", with(".", "hangup"), want{-1, -1}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			statuses, err := sendTo(t, &deliver.Relay{}, scripted(t, "220 hi", test.answers))
			if err != nil {
				t.Fatal(err)
			}
			var got [2]int
			for i, s := range statuses {
				if got[i] = smtp.ReplyOf(s.Err).Code; errors.Is(s.Err, queue.ErrOutcomeUnknown) {
					got[i] = -1
				}
			}
			if got != [2]int{test.want.a, test.want.b} {
				t.Errorf("%v (%v), want %v", got, statuses, test.want)
			}
		})
	}
}

func TestRelayTriesTheNextHost(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	busy, good := scripted(t, "421 4.3.2 busy", nil), scripted(t, "220 hi", accepts)
	statuses, err := sendTo(t, &deliver.Relay{}, closed.Addr().String(), busy, good)
	if err != nil || statuses[0].Err != nil {
		t.Errorf("%v, %v", statuses, err)
	}
	_, err = sendTo(t, &deliver.Relay{}, closed.Addr().String())
	if r := smtp.ReplyOf(err); r.Code != 450 {
		t.Errorf("no host answers: %v, want 450", err)
	}
	refuses := scripted(t, "554 5.7.1 go away", nil)
	if _, err = sendTo(t, &deliver.Relay{}, refuses); smtp.IsPermanent(err) || err == nil {
		t.Errorf("a 554 greeting: %v, want a deferral", err)
	}
}

func TestRelaySendsNoPasswordInPlainText(t *testing.T) {
	offers := with("EHLO", "250-hi\r\n250 AUTH PLAIN")
	offers["AUTH"] = "235 2.7.0 ok"
	r := &deliver.Relay{Auth: func() sasl.Client { return sasl.NewPlainClient("", "u", "secret") }}
	if _, err := sendTo(t, r, scripted(t, "220 hi", offers)); !errors.Is(err, smtpclient.ErrTLSRequired) {
		t.Errorf("%v, want ErrTLSRequired", err)
	}
	r.PlaintextAuth = true
	if statuses, err := sendTo(t, r, scripted(t, "220 hi", offers)); err != nil || statuses[0].Err != nil {
		t.Errorf("%v, %v", statuses, err)
	}
}

// Login is in the place of Auth, and without it there is no mail.
func TestRelayLogin(t *testing.T) {
	offers := with("EHLO", "250-hi\r\n250 AUTH PLAIN LOGIN")
	offers["AUTH"] = "235 2.7.0 ok"
	var seen []string
	r := &deliver.Relay{
		Auth: func() sasl.Client { t.Error("Auth beside Login"); return nil },
		Login: func(ctx context.Context, c *smtpclient.Client) error {
			seen = c.Capabilities().Mechanisms
			return c.Auth(ctx, sasl.NewPlainClient("", "u", "secret"))
		},
	}
	if statuses, err := sendTo(t, r, scripted(t, "220 hi", offers)); err != nil || statuses[0].Err != nil || len(seen) != 2 {
		t.Errorf("%v, %v, offered %v", statuses, err, seen)
	}
	refused := errors.New("refused")
	r.Login = func(context.Context, *smtpclient.Client) error { return refused }
	if _, err := sendTo(t, r, scripted(t, "220 hi", offers)); !errors.Is(err, refused) {
		t.Errorf("%v, want the error of Login", err)
	}
}

// What this side refuses keeps its own code: the next hop said nothing.
func TestRelayRefusesItself(t *testing.T) {
	r := &deliver.Relay{Dialer: &smtpclient.Dialer{Hello: "client.example"}}
	addr := scripted(t, "220 hi", accepts)
	r.Hosts = func(context.Context) ([]string, error) { return []string{addr}, nil }
	tx, err := r.Begin(t.Context(), &smtp.Mail{ID: "i", PerRecipient: true})
	if err != nil {
		t.Fatal(err)
	}
	tx.Rcpt(t.Context(), []*smtp.Recipient{{ForwardPath: address("grün@example.com")}})
	statuses, err := tx.Data(t.Context(), smtp.NewBody(strings.NewReader(content), -1))
	if err != nil || len(statuses) != 1 {
		t.Fatalf("%v, %v", statuses, err)
	}
	if reply := smtp.ReplyOf(statuses[0].Err); reply.Code != 550 || reply.Enhanced.String() != "5.6.7" {
		t.Errorf("%v, want 550 5.6.7 (RFC 6531 §3.5)", statuses[0].Err)
	}
}

// With a Pool messages share a connection, and one that broke is not used
// again.
func TestRelayPool(t *testing.T) {
	var hellos, bodies atomic.Int64
	srv := smtptest.NewServerWith(t, smtptest.Options{Reply: func(command string) string {
		switch {
		case strings.HasPrefix(command, "EHLO"):
			hellos.Add(1)
		case command == "." && bodies.Add(1) == 3:
			return "close"
		}
		return ""
	}})
	pool := &smtpclient.Pool{}
	defer pool.Close()
	r := &deliver.Relay{Pool: pool}
	for i := range 5 {
		statuses, err := sendTo(t, r, srv.Addr)
		if err != nil || errors.Is(statuses[0].Err, queue.ErrOutcomeUnknown) != (i == 2) || i != 2 && statuses[1].Text != "smtptest" {
			t.Fatalf("message %d: %v, %v", i, statuses, err)
		}
	}
	if hellos.Load() != 2 || len(srv.Messages()) != 4 {
		t.Errorf("%d connections, %d messages", hellos.Load(), len(srv.Messages()))
	}
}

// A server that takes few domains, or few messages, in a session gets as many
// sessions as that makes (RFC 9422).
func TestRelayLimits(t *testing.T) {
	for limits, want := range map[string]int{"RCPTDOMAINMAX=1": 3, "RCPTDOMAINMAX=2": 2, "RCPTMAX=1 MAILMAX=2": 3, "RCPTMAX=9": 1} {
		var hellos atomic.Int64
		srv := smtptest.NewServerWith(t, smtptest.Options{Extensions: []string{"PIPELINING", "LIMITS " + limits}, Reply: func(command string) string {
			if strings.HasPrefix(command, "EHLO") {
				hellos.Add(1)
			}
			return ""
		}})
		pool := &smtpclient.Pool{}
		r := &deliver.Relay{Pool: pool, Dialer: &smtpclient.Dialer{Hello: "client.example"}}
		r.Hosts = func(context.Context) ([]string, error) { return []string{srv.Addr}, nil }
		tx, err := r.Begin(t.Context(), &smtp.Mail{ID: "i", PerRecipient: true})
		if err != nil {
			t.Fatal(err)
		}
		var rcpts []*smtp.Recipient
		for _, to := range []string{"a@one.example", "b@two.example", "c@One.example", "d@three.example", "e@two.example"} {
			rcpts = append(rcpts, &smtp.Recipient{ForwardPath: address(to)})
		}
		tx.Rcpt(t.Context(), rcpts)
		statuses, err := tx.Data(t.Context(), smtp.NewBody(strings.NewReader(content), -1))
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range statuses {
			if s.Err != nil {
				t.Errorf("%s: %v: %v", limits, rcpts[i].ForwardPath, s.Err)
			}
		}
		taken := 0
		for _, m := range srv.Messages() {
			taken += len(m.Recipients)
			if string(m.Data) != content {
				t.Errorf("%s: %q", limits, m.Data)
			}
		}
		if taken != len(rcpts) || int(hellos.Load()) != want {
			t.Errorf("%s: %d recipients over %d connections, want %d", limits, taken, hellos.Load(), want)
		}
		pool.Close()
	}
}
