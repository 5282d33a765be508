package gosmtp_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/mailstead/mailstead/compat/gosmtp"
	"github.com/mailstead/mailstead/smtp/smtpserver"
)

// configure is the go-smtp server of both runs.
func configure(b *backend) *smtp.Server {
	s := smtp.NewServer(b)
	s.Domain, s.LMTP, s.AllowInsecureAuth = "mx.example", b.lmtp, true
	s.MaxRecipients, s.MaxMessageBytes = 5, 1000
	s.EnableSMTPUTF8, s.EnableDSN, s.EnableBINARYMIME = true, true, true
	s.EnableRRVS, s.EnableDELIVERBY, s.EnableMTPRIORITY = true, true, true
	s.MinimumDeliverByTime = 10 * time.Second
	s.ErrorLog = log.New(io.Discard, "", 0)
	return s
}

// runTheirs serves with go-smtp, runOurs with smtpserver.
func runTheirs(t *testing.T, s *smtp.Server) string {
	l := listen(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Serve(l)
	}()
	t.Cleanup(func() {
		s.Close()
		<-done
	})
	return l.Addr().String()
}

func runOurs(t *testing.T, s *smtp.Server) string {
	srv, err := gosmtp.NewServer(s)
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, srv)
}

func serve(t *testing.T, srv *smtpserver.Server) string {
	l := listen(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := srv.Serve(context.Background(), l); !errors.Is(err, smtpserver.ErrServerClosed) {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		srv.Close()
		<-done
	})
	return l.Addr().String()
}

func listen(t *testing.T) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// dialogue sends each step and returns its replies: the last lines, cut to code
// and enhanced code. A step may be answered by several replies.
func dialogue(t *testing.T, addr string, steps []step) (replies []string) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	in := bufio.NewReader(c)
	reply := func() string {
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return "closed"
			}
			if strings.Contains(line, "secret") {
				line = "LEAK " + line
			}
			if len(line) > 3 && line[3] == '-' {
				continue
			}
			f := strings.Fields(line)
			if len(f) > 1 && strings.Count(f[1], ".") == 2 && strings.Trim(f[1], "0123456789.") == "" {
				return f[0] + " " + f[1]
			}
			return f[0]
		}
	}
	reply()
	for _, s := range steps {
		io.WriteString(c, s.send)
		for range max(s.replies, 1) {
			replies = append(replies, reply())
		}
	}
	return replies
}

// step is what a client sends, with how many replies it waits for (zero = 1),
// and what each server says where one of them is not right: "" = both say want.
type step struct {
	send    string
	want    string
	theirs  string // where go-smtp says something else
	replies int
}

const hello = "EHLO client.example\r\n"

func TestDialogues(t *testing.T) {
	const mail, rcpt = "MAIL FROM:<ann@example.com>\r\n", "RCPT TO:<one@x.example>\r\n"
	tests := []struct {
		name  string
		lmtp  bool
		steps []step
	}{
		{name: "a message", steps: []step{
			{send: hello, want: "250"},
			{send: mail, want: "250 2.1.0", theirs: "250 2.0.0"},
			{send: rcpt, want: "250 2.1.5", theirs: "250 2.0.0"},
			{send: "DATA\r\n", want: "354"},
			{send: "Subject: x\r\n\r\n..dot\r\n.\r\n", want: "250 2.0.0"},
			{send: "QUIT\r\n", want: "221 2.0.0"},
		}},
		{name: "two messages, a hello between", steps: []step{
			{send: hello, want: "250"},
			{send: mail, want: "250 2.1.0", theirs: "250 2.0.0"},
			{send: rcpt, want: "250 2.1.5", theirs: "250 2.0.0"},
			{send: "RSET\r\n", want: "250 2.0.0"},
			{send: "EHLO again.example\r\n", want: "250"},
			{send: mail, want: "250 2.1.0", theirs: "250 2.0.0"},
			{send: rcpt, want: "250 2.1.5", theirs: "250 2.0.0"},
			{send: "BDAT 4\r\nab\r\n", want: "250 2.0.0"},
			{send: "BDAT 2 LAST\r\nc\n", want: "250 2.0.0"},
		}},
		{name: "refusals", steps: []step{
			{send: hello, want: "250"},
			{send: "MAIL FROM:<refused@b.example>\r\n", want: "550 5.1.1"},
			{send: "MAIL FROM:<later@b.example>\r\n", want: "450 4.0.0"},
			{send: "MAIL FROM:<broken@b.example>\r\n", want: "451 4.3.0", theirs: "LEAK"},
			{send: "MAIL FROM:<wrapped@b.example>\r\n", want: "550 5.7.1", theirs: "LEAK"},
			{send: mail, want: "250 2.1.0", theirs: "250 2.0.0"},
			{send: "RCPT TO:<refused@x.example>\r\n", want: "550 5.1.1"},
			{send: "RCPT TO:<later@x.example>\r\n", want: "450 4.0.0"},
			{send: "RCPT TO:<broken@x.example>\r\n", want: "451 4.3.0", theirs: "LEAK"},
			{send: "DATA\r\n", want: "503 5.5.1", theirs: "502 5.5.1"},
			{send: rcpt, want: "250 2.1.5", theirs: "250 2.0.0"},
			{send: "DATA\r\n", want: "354"},
			{send: "bad\r\n.\r\n", want: "550 5.6.0"},
		}},
		{name: "an internal error is no refusal", steps: []step{
			{send: hello, want: "250"},
			{send: mail, want: "250 2.1.0", theirs: "250 2.0.0"},
			{send: rcpt, want: "250 2.1.5", theirs: "250 2.0.0"},
			{send: "DATA\r\n", want: "354"},
			{send: "internal\r\n.\r\n", want: "451 4.3.0", theirs: "LEAK"},
		}},
		{name: "too large", steps: []step{
			{send: hello, want: "250"},
			{send: "MAIL FROM:<a@b.example> SIZE=1001\r\n", want: "552 5.3.4"},
			{send: mail, want: "250 2.1.0", theirs: "250 2.0.0"},
			{send: rcpt, want: "250 2.1.5", theirs: "250 2.0.0"},
			{send: "DATA\r\n", want: "354"},
			{send: strings.Repeat("x", 600) + "\r\n" + strings.Repeat("x", 600) + "\r\n.\r\n", want: "552 5.3.4"},
			{send: "NOOP\r\n", want: "250 2.0.0"},
		}},
		{name: "parameters", steps: []step{
			{send: hello, want: "250"},
			{send: "MAIL FROM:<a@b.example> SIZE=10 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=q+2B1 AUTH=ann@example.com\r\n", want: "250 2.1.0", theirs: "250 2.0.0"},
			{send: "RCPT TO:<\"a b\"@x.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;o+2Bx@x.example\r\n", want: "250 2.1.5", theirs: "250 2.0.0"},
			{send: "RCPT TO:<ü@x.example>\r\n", want: "250 2.1.5", theirs: "250 2.0.0"},
			{send: "RCPT TO:<a@x.example> FOO=1\r\n", want: "555 5.5.4", theirs: "500 5.5.4"},
			{send: "RSET\r\n", want: "250 2.0.0"},
			{send: "MAIL FROM:<>\r\n", want: "250 2.1.0", theirs: "250 2.0.0"},
		}},
		{name: "parameters that go-smtp takes at RCPT", steps: []step{
			{send: hello, want: "250"},
			{send: mail, want: "250 2.1.0", theirs: "250 2.0.0"},
			{send: "RCPT TO:<a@x.example> BY=60;RT MT-PRIORITY=-3 RRVS=2014-04-03T23:01:00Z;C\r\n", want: "250 2.1.5", theirs: "250 2.0.0"},
			{send: "RCPT TO:<a@x.example> by=-60;N\r\n", want: "250 2.1.5", theirs: "250 2.0.0"},
			{send: "RCPT TO:<a@x.example> BY=9;R\r\n", want: "501 5.5.4"},
			{send: "RCPT TO:<a@x.example> BY=0;R\r\n", want: "501 5.5.4"},
			{send: "RCPT TO:<a@x.example> BY=60\r\n", want: "501 5.5.4"},
			{send: "RCPT TO:<a@x.example> MT-PRIORITY=10\r\n", want: "501 5.5.4"},
			{send: "RCPT TO:<a@x.example> RRVS=yesterday\r\n", want: "501 5.5.4"},
			{send: "RSET\r\n", want: "250 2.0.0"},
			{send: "MAIL FROM:<a@b.example> RRVS=2014-04-03T23:01:00Z\r\n", want: "555 5.5.4", theirs: "500 5.5.4"},
		}},
		{name: "too many recipients", steps: []step{
			{send: hello, want: "250"},
			{send: mail, want: "250 2.1.0", theirs: "250 2.0.0"},
			{send: strings.Repeat(rcpt, 3), want: "250 2.1.5", theirs: "250 2.0.0", replies: 3},
			{send: strings.Repeat(rcpt, 2), want: "250 2.1.5", theirs: "250 2.0.0", replies: 2},
			{send: rcpt, want: "452 4.5.3"},
		}},
		{name: "AUTH", steps: []step{
			{send: hello, want: "250"},
			{send: "AUTH PLAIN AGFubgBndWVzcw==\r\n", want: "535 5.7.8"},
			{send: "AUTH PLAIN AGFubgBsb2NrZWQ=\r\n", want: "534 5.7.9"},
			{send: "AUTH PLAIN AGFubgByaWdodA==\r\n", want: "235 2.7.0", theirs: "235 2.0.0"},
			{send: "AUTH PLAIN AGFubgByaWdodA==\r\n", want: "503 5.5.1"},
		}},
		{name: "AUTH in steps", steps: []step{
			{send: hello, want: "250"},
			{send: "AUTH X-ASK\r\n", want: "334"},
			{send: "*\r\n", want: "501 5.7.0", theirs: "501 5.0.0"},
			{send: "AUTH X-ASK\r\n", want: "334"},
			{send: "bWU=\r\n", want: "235 2.7.0", theirs: "235 2.0.0"},
		}},
		{name: "AUTH with a backend that is down", steps: []step{
			{send: hello, want: "250"}, {send: "AUTH PLAIN AGFubgBicm9rZW4=\r\n", want: "454 4.7.0", theirs: "LEAK"},
		}},
		{name: "no session", steps: []step{
			{send: "EHLO refused.example\r\n", want: "554", theirs: "554 5.7.1"}, {send: "EHLO broken.example\r\n", want: "451", theirs: "LEAK"}, {send: hello, want: "250"},
		}},
		{name: "rejected", steps: []step{
			{send: "EHLO rejected.example\r\n", want: "421", theirs: "421 4.4.5"}, {send: "NOOP\r\n", want: "closed"},
		}},
		{name: "HELO", steps: []step{
			{send: "HELO client.example\r\n", want: "250", theirs: "250 2.0.0"}, {send: mail, want: "250", theirs: "250 2.0.0"},
		}},
		{name: "LMTP", lmtp: true, steps: []step{
			{send: "LHLO client.example\r\n", want: "250"},
			{send: mail, want: "250 2.1.0", theirs: "250 2.0.0"},
			{send: rcpt, want: "250 2.1.5", theirs: "250 2.0.0"},
			{send: "RCPT TO:<two@x.example>\r\n", want: "250 2.1.5", theirs: "250 2.0.0"},
			{send: rcpt, want: "250 2.1.5", theirs: "250 2.0.0"},
			{send: "RCPT TO:<three@x.example>\r\n", want: "250 2.1.5", theirs: "250 2.0.0"},
			{send: "DATA\r\n", want: "354"},
			{send: "bad\r\n.\r\n", want: "LMTP", replies: 4},
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ours, theirs := newBackend(test.lmtp), newBackend(test.lmtp)
			got := dialogue(t, runOurs(t, configure(ours)), test.steps)
			other := dialogue(t, runTheirs(t, configure(theirs)), test.steps)
			compare(t, test.steps, got, other)
			sameCalls(t, ours, theirs)
		})
	}
}

// compare holds the replies of both servers against the steps.
func compare(t *testing.T, steps []step, ours, theirs []string) {
	t.Helper()
	n := 0
	for _, s := range steps {
		for range max(s.replies, 1) {
			got, other := ours[n], theirs[n]
			n++
			if s.want == "LMTP" {
				if got != []string{"250 2.0.0", "452 4.2.2", "550 5.2.1", "554 5.6.0"}[n-len(ours)+3] || got[:3] != other[:3] {
					t.Errorf("reply %d: ours %q, theirs %q", n, got, other)
				}
				continue
			}
			want := s.want
			if s.theirs != "" {
				want = s.theirs
			}
			if got != s.want || other != want && !(want == "LEAK" && strings.HasPrefix(other, "LEAK")) {
				t.Errorf("%.60q: ours %q, want %q; theirs %q, want %q", s.send, got, s.want, other, want)
			}
		}
	}
}

// sameCalls asserts that both backends were asked the same.
func sameCalls(t *testing.T, ours, theirs *backend) {
	t.Helper()
	var a, b []string
	limit := time.After(10 * time.Second)
	for { // Logout comes after the client has gone
		a, b = append(a, ours.taken()...), append(b, theirs.taken()...)
		if slices.Equal(a, b) {
			return
		}
		select {
		case <-ours.news:
		case <-theirs.news:
		case <-limit:
			t.Errorf("calls of our server:\n%s\ncalls of theirs:\n%s", strings.Join(a, "\n"), strings.Join(b, "\n"))
			return
		}
	}
}
