package smtppolicy_test

import (
	"context"
	"net"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
	"github.com/mailstead/mailstead/smtp/smtppolicy"
	"github.com/mailstead/mailstead/smtp/smtpserver"
)

// nextHop serves on loopback and answers recipients by their local-part.
func nextHop(t *testing.T, lmtp bool) (addr string, asked *atomic.Int32) {
	t.Helper()
	asked = new(atomic.Int32)
	judge := smtp.JudgeRcpt(func(_ context.Context, m *smtp.Mail, rs []*smtp.Recipient) []error {
		asked.Add(int32(len(rs)))
		if !m.ReversePath.IsNull() {
			t.Errorf("reverse-path %v", m.ReversePath)
		}
		errs := make([]error, len(rs))
		for i, r := range rs {
			switch r.ForwardPath.Local {
			case "nobody":
				errs[i] = smtp.Errorf(550, smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 1}, "secret.internal: no such user")
			case "policy":
				errs[i] = smtp.Errorf(550, smtp.EnhancedCode{Class: 5, Subject: 7, Detail: 1}, "We do not like you")
			case "busy":
				errs[i] = smtp.Errorf(452, smtp.EnhancedCode{Class: 4, Subject: 2, Detail: 2}, "Mailbox full")
			}
		}
		return errs
	})
	ext := smtpserver.DefaultExtensions | smtpserver.SMTPUTF8
	srv := quiet(smtpserver.Config{Receiver: judge(accept()), LMTP: lmtp, Extensions: ext})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		srv.Serve(context.Background(), l)
	}()
	t.Cleanup(func() {
		srv.Close()
		<-done
	})
	return l.Addr().String(), asked
}

func TestCallForward(t *testing.T) {
	for _, lmtp := range []bool{false, true} {
		addr, asked := nextHop(t, lmtp)
		f := &smtppolicy.CallForward{Addr: addr, Dialer: &smtpclient.Dialer{Hello: "gate.example", LMTP: lmtp}}
		to := []string{"u@x.example", "nobody@x.example", "policy@x.example", "busy@x.example", "ü@x.example", "\"a b\"@x.example"}
		want := []int{250, 550, 451, 451, 250, 250}
		for range 2 {
			if _, got := offer(t, f.Verify(), peerAt("192.0.2.1"), "a@b.example", to...); !slices.Equal(got, want) {
				t.Errorf("LMTP %v: %v, want %v", lmtp, got, want)
			}
		}
		if n := asked.Load(); n != 6+2 { // only what was no verdict is asked again
			t.Errorf("asked %d times", n)
		}
	}
}

func TestCallForwardDown(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	f := &smtppolicy.CallForward{NextHop: func(p smtp.ForwardPath) string {
		if p.Domain == "other.example" {
			return ""
		}
		return l.Addr().String()
	}}
	_, got := offer(t, f.Verify(), peerAt("192.0.2.1"), "a@b.example", "u@x.example", "u@other.example")
	if want := []int{451, 250}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
