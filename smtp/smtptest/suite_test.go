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
