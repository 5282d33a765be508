package itest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// maxMessage is the limit of SMTP and APPEND.
const maxMessage = 35_000_000

// sized is a message of exactly n octets.
func sized(n int) []byte {
	b := append(make([]byte, 0, n+100), "Subject: large\r\n\r\n"...)
	for len(b) < n {
		b = append(b, strings.Repeat("x", 98)+"\r\n"...)
	}
	return append(b[:n-2], "\r\n"...)
}

// TestSizeLimit asserts that the limit is exact by DATA, BDAT and APPEND.
func TestSizeLimit(t *testing.T) {
	s := newServer(t)
	fits, above := sized(maxMessage), sized(maxMessage+1)
	for _, bdat := range []bool{false, true} {
		sc := s.mx(t)
		if err := sc.deliver("sender@remote.example", alice, fits, bdat); err != nil {
			t.Errorf("bdat %v, at the limit: %.200v", bdat, err)
		}
		if err := sc.deliver("sender@remote.example", alice, above, bdat); err == nil || !strings.Contains(err.Error(), `"552 `) {
			t.Errorf("bdat %v, one octet above: %.200v, want 552", bdat, err)
		}
	}
	ic := s.login(t, alice, "INBOX")
	for _, got := range ic.waitFor(2) {
		if !bytes.HasSuffix([]byte(got), fits) {
			t.Errorf("a message of %d octets is another than was sent", len(got))
		}
	}
	if status := ic.command(nil, "APPEND INBOX {%d}", maxMessage+1); !strings.HasPrefix(status, "NO [TOOBIG]") {
		t.Errorf("APPEND above the limit: %q", status)
	}
	ic = s.login(t, alice, "INBOX")
	ic.appendAll("Drafts", fits)
}

// TestManyRecipients sends one message to as many recipients as a transaction
// may have; one more is refused for now (RFC 5321 §4.5.3.1.10).
func TestManyRecipients(t *testing.T) {
	s := newServer(t)
	sc := s.mx(t)
	sc.mustCmd(t, "250", "MAIL FROM:<sender@remote.example>")
	var flight strings.Builder
	for i := range 1001 {
		fmt.Fprintf(&flight, "RCPT TO:<alice+%d@example.org>\r\n", i)
	}
	if err := sc.send(flight.String()); err != nil {
		t.Fatal(err)
	}
	for i := range 1001 {
		want := "250"
		if i == 1000 {
			want = "452"
		}
		if _, err := sc.want(want); err != nil {
			t.Fatalf("recipient %d: %v", i, err)
		}
	}
	sc.mustCmd(t, "354", "DATA")
	if err := sc.send("Subject: all\r\n\r\n.\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := sc.want("250"); err != nil {
		t.Fatal(err)
	}
	ic := s.login(t, alice, "INBOX")
	eventually(t, delivery, "not every recipient has the message", func() bool { return len(ic.bodies()) == 1000 })
}
