package itest

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// A smartHost accepts mail for everybody but refused@foreign.example.
type smartHost struct {
	addr     string
	login    string        // what AUTH PLAIN has to say; "" = nothing
	slow     time.Duration // before the reply to a body
	mu       sync.Mutex
	received []relayed
	hellos   int // connections
	goodbyes int
}

type relayed struct {
	from string
	to   []string
	data []byte
}

// newSmartHost serves until the end of the test.
func newSmartHost(t *testing.T) *smartHost {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &smartHost{addr: ln.Addr().String()}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { h.serve(c) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		wg.Wait() // its connections end with the server under test
	})
	return h
}

// serve speaks as little SMTP as a relay needs.
func (h *smartHost) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	say := func(line string) { io.WriteString(c, line+"\r\n") }
	say("220 smarthost.example ESMTP")
	var m relayed
	authenticated := false
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		verb, arg, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		path := between(arg, "<", ">")
		switch strings.ToUpper(verb) {
		case "EHLO":
			h.count(&h.hellos)
			say("250-smarthost.example\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250-AUTH PLAIN\r\n250 8BITMIME")
		case "AUTH":
			authenticated = arg == "PLAIN "+base64.StdEncoding.EncodeToString([]byte(h.login))
			say(map[bool]string{true: "235 2.7.0 ok", false: "535 5.7.8 no"}[authenticated])
		case "MAIL":
			if h.login != "" && !authenticated {
				say("530 5.7.0 who are you?")
				continue
			}
			m = relayed{from: path}
			say("250 2.1.0 ok")
		case "RCPT":
			if strings.HasPrefix(path, "refused@") {
				say("550 5.1.1 no such user here")
				continue
			}
			m.to = append(m.to, path)
			say("250 2.1.5 ok")
		case "DATA":
			if len(m.to) == 0 {
				say("554 5.5.1 no recipients")
				continue
			}
			say("354 go")
			if m.data, err = undot(r); err != nil {
				return
			}
			h.mu.Lock()
			h.received = append(h.received, m)
			h.mu.Unlock()
			time.Sleep(h.slow)
			say("250 2.0.0 ok")
		case "QUIT":
			h.count(&h.goodbyes)
			say("221 2.0.0 bye")
			return
		default:
			say("250 2.0.0 ok")
		}
	}
}

func (h *smartHost) count(n *int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	*n++
}

// undot reads a text up to its final dot.
func undot(r *bufio.Reader) ([]byte, error) {
	var b bytes.Buffer
	for {
		line, err := r.ReadString('\n')
		if err != nil || line == ".\r\n" {
			return b.Bytes(), err
		}
		b.WriteString(strings.TrimPrefix(line, "."))
	}
}

func between(s, open, end string) string {
	_, s, _ = strings.Cut(s, open)
	s, _, _ = strings.Cut(s, end)
	return s
}

func (h *smartHost) messages() []relayed {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]relayed(nil), h.received...)
}

// submit sends a message as alice over implicit TLS.
func submit(t *testing.T, s *mailserver, msg []byte, recipients ...string) {
	t.Helper()
	submitAs(t, s, alice, msg, recipients...)
}

// submitAs is submit with any reverse-path.
func submitAs(t *testing.T, s *mailserver, from string, msg []byte, recipients ...string) {
	t.Helper()
	sc := dialogue(t, s, "submissions", []step{
		{"EHLO client.example", "250"},
		{"AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00"+alice+"\x00"+password)), "235"},
		{"MAIL FROM:<" + from + ">", "250"},
	})
	for _, to := range recipients {
		sc.mustCmd(t, "250", "RCPT TO:<"+to+">")
	}
	sc.mustCmd(t, "354", "DATA")
	if err := sc.send(dotStuff(msg) + ".\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := sc.want("250"); err != nil {
		t.Fatal(err)
	}
	sc.mustCmd(t, "221", "QUIT")
}

// TestRelay submits mail for another domain: the smart host gets it with its
// bytes unchanged behind the trace fields, and without a Return-Path, which
// only the final host adds (RFC 5321 §4.4).
func TestRelay(t *testing.T) {
	h := newSmartHost(t)
	s := newServer(t, "-relay", h.addr)
	sent := fromAlice(message(7))
	submit(t, s, sent, "one@foreign.example", "two@foreign.example", bob)
	checkDelivered(t, []byte(s.login(t, bob, "INBOX").waitFor(1)[0]), sent, alice)

	seen := map[string]int{}
	eventually(t, delivery, "the smart host does not get the message", func() bool {
		clear(seen)
		for _, m := range h.messages() {
			for _, to := range m.to {
				seen[to]++
			}
		}
		return len(seen) >= 2
	})
	if seen["one@foreign.example"] != 1 || seen["two@foreign.example"] != 1 || len(seen) != 2 {
		t.Errorf("copies by recipient: %v", seen)
	}
	for _, m := range h.messages() {
		trace, ok := bytes.CutSuffix(m.data, sent)
		if !ok || m.from != alice {
			t.Errorf("relayed from <%s>: %.400q", m.from, m.data)
		}
		if bytes.Contains(trace, []byte("Return-Path:")) || !bytes.HasPrefix(trace, []byte("Received: ")) {
			t.Errorf("fields in front of a relayed message: %q", trace)
		}
	}
}

// TestBounce asserts that a refusal by the smart host comes back as a delivery
// status notification with the null sender (RFC 3464, RFC 5321 §4.5.5).
func TestBounce(t *testing.T) {
	h := newSmartHost(t)
	s := newServer(t, "-relay", h.addr)
	submit(t, s, fromAlice(message(8)), "refused@foreign.example")
	dsn := s.login(t, alice, "INBOX").waitFor(1)[0]
	if !strings.HasPrefix(dsn, "Return-Path: <>\r\n") {
		t.Errorf("the notification does not have the null sender: %.200q", dsn)
	}
	lower := strings.ToLower(dsn)
	for _, want := range []string{
		"multipart/report", "report-type=delivery-status", "message/delivery-status",
		"action: failed", "status: 5.1.1", "final-recipient: rfc822;", "refused@foreign.example", "<itest.8@remote.example>",
	} {
		if !strings.Contains(lower, want) {
			t.Errorf("the notification lacks %q", want)
		}
	}
	if t.Failed() {
		t.Logf("%s", dsn)
	}
}

// TestNoBounceOfBounces asserts that the null sender gets no notification, and
// that one for a foreign sender leaves through the smart host.
func TestNoBounceOfBounces(t *testing.T) {
	h := newSmartHost(t)
	s := newServer(t, "-relay", h.addr)
	submitAs(t, s, "", fromAlice(message(9)), "refused@foreign.example")
	submitAs(t, s, "away@foreign.example", fromAlice(message(10)), "refused@foreign.example")
	eventually(t, delivery, "the smart host does not get the notification", func() bool { return len(h.messages()) > 0 })
	for _, m := range h.messages() {
		if m.from != "" || len(m.to) != 1 || m.to[0] != "away@foreign.example" || !bytes.Contains(m.data, []byte("itest.10@")) {
			t.Errorf("from <%s> to %q: %.300q", m.from, m.to, m.data)
		}
	}
	onlySentinel(t, s, alice, 0)
}

// TestSubmission asserts what the submission port refuses at RCPT, completes
// (RFC 6409 §8) and normalises.
func TestSubmission(t *testing.T) {
	h := newSmartHost(t)
	s := newServer(t, "-relay", h.addr)
	submit(t, s, []byte("Subject: bare\n\nbody\r\n"), "one@foreign.example")
	eventually(t, delivery, "the smart host does not get the message", func() bool { return len(h.messages()) > 0 })
	got := string(h.messages()[0].data)
	for _, want := range []string{"\r\nSubject: bare\r\n", "\r\nDate: ", "\r\nMessage-ID: <", "\r\nFrom: alice@example.org\r\n", "\r\n\r\nbody\r\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
	dialogue(t, s, "submissions", []step{
		{"EHLO client.example", "250"},
		{"AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00"+alice+"\x00"+password)), "235"},
		{"MAIL FROM:<" + bob + ">", "553 5.7.1"},     // somebody else's
		{"MAIL FROM:<alice@foreign.example>", "250"}, // nobody's here
		{"RSET", "250"},
		{"MAIL FROM:<>", "250"},
		{"RSET", "250"},
		{"MAIL FROM:<alice+lists@EXAMPLE.org>", "250"},
		{"RSET", "250"},
		{"MAIL FROM:<" + alice + ">", "250"},
		{"RCPT TO:<nobody@example.org>", "550 5.1.1"},
	})
}

// TestRelayUser asserts that the smart host is told the name and password.
func TestRelayUser(t *testing.T) {
	h := newSmartHost(t)
	h.login = "\x00relay@foreign.example\x00pass:word"
	s := newServer(t, "-relay", h.addr, "-relay-user", "relay@foreign.example:pass:word")
	submit(t, s, fromAlice(message(11)), "one@foreign.example")
	eventually(t, delivery, "the smart host does not get the message", func() bool { return len(h.messages()) > 0 })
}
