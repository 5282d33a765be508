package smtptest_test

import (
	"context"
	"io"
	netsmtp "net/smtp"
	"sync"
	"testing"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtptest"
)

type box struct {
	smtp.Receiver
	mu     sync.Mutex
	bodies []string
}

func newBox(*testing.T) smtp.Receiver {
	b := &box{}
	b.Receiver = smtp.ReceiveFunc(func(_ context.Context, _ *smtp.Envelope, r io.Reader) error {
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.bodies = append(b.bodies, string(data))
		return nil
	})
	return b
}

func stored(_ *testing.T, r smtp.Receiver) []string {
	b := r.(*box)
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bodies
}

func TestReceiveFunc(t *testing.T) {
	smtptest.TestReceiver(t, smtptest.Suite{New: newBox, Stored: stored})
}

func TestUniform(t *testing.T) {
	smtptest.TestReceiver(t, smtptest.Suite{New: func(t *testing.T) smtp.Receiver {
		return smtp.Uniform(newBox(t), newBox(t))
	}})
}

// The server against the client of the standard library.
func TestServer(t *testing.T) {
	srv := smtptest.NewServer(t)
	err := netsmtp.SendMail(srv.Addr, nil, "a@example.org", []string{"b@example.org", "c@example.org"}, []byte("Subject: x\r\n\r\n.dot\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	m := srv.Messages()
	if len(m) != 1 || string(m[0].Data) != "Subject: x\r\n\r\n.dot\r\n" || len(m[0].Recipients) != 2 || m[0].ReversePath.String() != "a@example.org" {
		t.Errorf("%+v", m)
	}
}

// A test that waits for mail that is sent later.
func TestWait(t *testing.T) {
	srv := smtptest.NewServer(t)
	done := make(chan error)
	go func() { done <- SendWelcome(srv.Addr, "ann@example.net") }()
	if m, err := srv.Wait(t.Context(), 1); err != nil || len(m) != 1 {
		t.Errorf("%v, %v", m, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if m, err := srv.Wait(ctx, 2); len(m) != 1 || err == nil {
		t.Errorf("%v, %v", m, err)
	}
}

// The server as a client sees it that follows a script.
func TestPlay(t *testing.T) {
	srv := smtptest.NewServerWith(t, smtptest.Options{StartTLS: true, Auth: func(u, p string) bool { return u == "u" && p == "p" }})
	smtptest.Play(t, srv.Addr, `S: 220
C: EHLO x
S: 250
L: STARTTLS
C: STARTTLS
S: 220
T:
C: EHLO x
S: 250
L: AUTH PLAIN LOGIN
C: AUTH LOGIN
S: 334
C: dQ==
S: 334
C: cA==
S: 235
C: MAIL FROM:<a@b>
C: RCPT TO:<c@d>
R: "BDAT 3\r\nabcBDAT 0 LAST\r\n"
S: 250
S: 250
S: 250
S: 250 2.0.0 OK queued as smtptest
C: QUIT
S: 221
X:
`)
	if m := srv.Messages(); len(m) != 1 || !m[0].TLS || m[0].User != "u" || string(m[0].Data) != "abc" {
		t.Errorf("%+v", m)
	}
}
