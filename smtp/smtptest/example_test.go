package smtptest_test

import (
	netsmtp "net/smtp"
	"testing"

	"github.com/mailstead/mailstead/smtp/smtptest"
)

// SendWelcome is the code under test; any SMTP client will do.
func SendWelcome(addr, to string) error {
	return netsmtp.SendMail(addr, nil, "shop@example.org", []string{to}, []byte("Subject: Welcome\r\n\r\nHello!\r\n"))
}

// A test of code that sends mail: one line starts a server, one reads what it
// took.
func Example() {
	_ = func(t *testing.T) {
		srv := smtptest.NewServer(t)
		if err := SendWelcome(srv.Addr, "ann@example.net"); err != nil {
			t.Fatal(err)
		}
		if m := srv.Messages(); len(m) != 1 || m[0].Recipients[0].ForwardPath.String() != "ann@example.net" {
			t.Errorf("sent %+v", m)
		}
	}
}

// Options script any reply: here the second recipient is unknown.
func ExampleNewServerWith() {
	_ = func(t *testing.T) {
		srv := smtptest.NewServerWith(t, smtptest.Options{StartTLS: true, Reply: func(command string) string {
			return map[string]string{"RCPT TO:<ann@example.net>": "550 5.1.1 No such user"}[command]
		}})
		if SendWelcome(srv.Addr, "ann@example.net") == nil {
			t.Error("the refusal was overlooked")
		}
	}
}

// TestWelcome runs what Example shows.
func TestWelcome(t *testing.T) {
	srv := smtptest.NewServer(t)
	if err := SendWelcome(srv.Addr, "ann@example.net"); err != nil {
		t.Fatal(err)
	}
	if m := srv.Messages(); len(m) != 1 || m[0].Recipients[0].ForwardPath.String() != "ann@example.net" {
		t.Errorf("sent %+v", m)
	}
}
