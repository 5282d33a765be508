package itest

import (
	"encoding/base64"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/store/control"
)

// carol has an account on another server.
const carol = "carol@example.net"

// newOther starts a server of another organisation, and makes its certificate
// one that programs started from now on trust.
func newOther(t *testing.T) *mailserver {
	t.Helper()
	other := newBareServer(t, "-hostname", "mx.example.net", "-domain", "example.net", "-user", carol+":"+password)
	other.start()
	t.Setenv("SSL_CERT_FILE", filepath.Join(other.data, "cert.pem"))
	return other
}

// submitWith sends a message as alice with these parameters of MAIL and RCPT,
// and returns the reply to MAIL.
func submitWith(t *testing.T, s *mailserver, mailParams, to, subject string) string {
	t.Helper()
	sc := dialogue(t, s, "submissions", []step{
		{"EHLO client.example", "250"},
		{"AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00"+alice+"\x00"+password)), "235"},
	})
	reply := sc.mustCmd(t, "250", "MAIL FROM:<"+alice+"> "+mailParams)
	sc.mustCmd(t, "250", "RCPT TO:"+to)
	sc.mustCmd(t, "354", "DATA")
	sc.mustCmd(t, "250", "Subject: "+subject+"\r\n\r\nthe secret body\r\n.")
	sc.mustCmd(t, "221", "QUIT")
	return reply
}

// wantReport wants the next report to alice to have these texts and not those
// behind "!".
func wantReport(t *testing.T, s *mailserver, n int, texts ...string) {
	t.Helper()
	all := s.login(t, alice, "INBOX").waitFor(n)
	for _, text := range texts {
		absent := strings.HasPrefix(text, "!")
		if text = strings.TrimPrefix(text, "!"); strings.Contains(all[n-1], text) == absent {
			t.Errorf("report %d, %q: absent should be %v\n%s", n, text, absent, all[n-1])
		}
	}
}

// TestWishesKept asserts that REQUIRETLS, BY= and MT-PRIORITY go from the
// submission port to a mailbox on another server that knows the first two.
func TestWishesKept(t *testing.T) {
	needServer(t)
	other := newOther(t)
	s := newServer(t, "-relay", other.ports["smtp"])
	if r := submitWith(t, s, "REQUIRETLS BY=60;R MT-PRIORITY=9 RET=FULL", "<"+carol+"> NOTIFY=SUCCESS", "urgent"); !strings.HasPrefix(r, "250 2.3.6 4 ") {
		t.Errorf("MT-PRIORITY=9: %q, want 4", r)
	}
	got := other.login(t, carol, "INBOX").waitFor(1)[0]
	for _, want := range []string{"with ESMTPS ", "with ESMTPSA", "priority 4", "Subject: urgent\r\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("it arrived without %q\n%s", want, got)
		}
	}
	if r := submitWith(t, s, "MT-PRIORITY=-3", "<"+bob+">", "bulk"); !strings.HasPrefix(r, "250 2.1.0") {
		t.Errorf("MT-PRIORITY=-3: %q", r)
	}
	s.login(t, bob, "INBOX").waitFor(1)
}

// TestWishesRefused asserts what becomes of messages whose next hop does not
// keep what is asked: they come back, protected as they were.
func TestWishesRefused(t *testing.T) {
	needServer(t)
	h := newSmartHost(t)
	s := newServer(t, "-relay", h.addr)
	submitWith(t, s, "REQUIRETLS RET=FULL", "<"+carol+">", "tls")
	wantReport(t, s, 1, "Action: failed", "Status: 5.7.10", "Subject: tls", "!secret body")
	submitWith(t, s, "BY=600;R", "<"+carol+">", "return")
	wantReport(t, s, 2, "Action: failed", "Status: 5.3.3")
	submitWith(t, s, "BY=600;NT", "<"+carol+">", "trace")
	wantReport(t, s, 3, "Action: relayed")
	submitWith(t, s, "MT-PRIORITY=2", "<"+carol+">", "priority")
	eventually(t, delivery, "the smart host does not get both", func() bool { return len(h.messages()) == 2 })
	for _, m := range h.messages() {
		if strings.Contains(string(m.data), "Subject: tls") || strings.Contains(string(m.data), "Subject: return") {
			t.Errorf("relayed all the same: %q", m.data)
		}
	}
}

// TestRequireTLSStays asserts that a queued message requires TLS also after a
// crash.
func TestRequireTLSStays(t *testing.T) {
	needServer(t)
	h := newSmartHost(t)
	s := newServer(t, "-relay", h.addr)
	submitWith(t, s, "REQUIRETLS HOLDFOR=3", "<"+carol+">", "held")
	s.kill()
	s.start()
	wantReport(t, s, 1, "Status: 5.7.10", "Subject: held")
	if n := len(h.messages()); n != 0 {
		t.Errorf("%d messages left without TLS", n)
	}
}

// TestPRDR asserts one reply for each recipient on the MX port: a full mailbox
// does not touch the others, and its sender is told at once.
func TestPRDR(t *testing.T) {
	s := newServer(t)
	c := control.NewClient(s.data)
	defer c.Close()
	if err := c.Do(t.Context(), "PUT", "/v1/accounts/"+bob+"/quota", map[string]int{"bytes": 10}, nil); err != nil {
		t.Fatal(err)
	}
	sc := s.mx(t)
	for _, body := range []string{"DATA", "BDAT"} {
		sc.mustCmd(t, "250", "MAIL FROM:<a@remote.example> PRDR")
		sc.mustCmd(t, "250", "RCPT TO:<"+bob+">")
		sc.mustCmd(t, "250", "RCPT TO:<"+alice+">")
		if body == "DATA" {
			sc.mustCmd(t, "354", "DATA")
			sc.mustCmd(t, "353", "Subject: 1\r\n\r\nx\r\n.")
		} else {
			sc.mustCmd(t, "353", "BDAT 17 LAST\r\nSubject: 2\r\n\r\nx")
		}
		for _, want := range []string{"452 4.2.2", "250 2.", "250 2."} {
			if r, err := sc.want(want); err != nil {
				t.Fatalf("%s: %q, %v", body, r, err)
			}
		}
	}
	if got := s.login(t, alice, "INBOX").waitFor(2); !strings.Contains(got[0], "Subject: 1") {
		t.Errorf("%q", got)
	}
	// Without PRDR there is one reply, and the queue takes care of the rest.
	sc.mustCmd(t, "250", "MAIL FROM:<a@remote.example>")
	sc.mustCmd(t, "250", "RCPT TO:<"+bob+">")
	sc.mustCmd(t, "250", "RCPT TO:<"+alice+">")
	sc.mustCmd(t, "354", "DATA")
	sc.mustCmd(t, "250", "Subject: 3\r\n\r\nx\r\n.")
	sc.mustCmd(t, "250", "NOOP")
	s.login(t, alice, "INBOX").waitFor(3)
}

// TestOutgoingConnections asserts that messages to one host share a connection,
// and that the server says goodbye when it ends.
func TestOutgoingConnections(t *testing.T) {
	h := newSmartHost(t)
	s := newServer(t, "-relay", h.addr)
	for n := 1; n <= 3; n++ {
		submit(t, s, fromAlice(message(n)), "one@foreign.example")
		eventually(t, delivery, "the smart host does not get the message", func() bool { return len(h.messages()) == n })
	}
	s.terminate()
	if err := s.wait(delivery); err != nil {
		t.Error(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.hellos != 1 || h.goodbyes != 1 {
		t.Errorf("%d connections, %d goodbyes", h.hellos, h.goodbyes)
	}
}
