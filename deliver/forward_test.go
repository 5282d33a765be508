package deliver_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/srs"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtptest"
)

// sentOn is what Out of a Forward has taken.
type sentOn struct {
	mail  smtp.Mail
	rcpts []smtp.Recipient
	text  string
}

// forwarder sends the mail of ann, ben, cid and dan on; all else stays.
func forwarder(t *testing.T) (f *deliver.Forward, out, local *[]sentOn) {
	t.Helper()
	out, local = new([]sentOn), new([]sentOn)
	var mu sync.Mutex
	take := func(to *[]sentOn) smtp.Receiver {
		return smtp.EachRcpt(func(_ context.Context, env *smtp.Envelope, b *smtp.Body) ([]smtp.RcptStatus, error) {
			text, err := io.ReadAll(b)
			if err != nil {
				return nil, err
			}
			s := sentOn{mail: *env.Mail, text: string(b.Trace()) + string(text)}
			for _, r := range env.Recipients {
				s.rcpts = append(s.rcpts, *r)
			}
			mu.Lock()
			defer mu.Unlock()
			*to = append(*to, s)
			return smtp.Accepted(len(env.Recipients)), nil
		})
	}
	scheme := &srs.Scheme{Domain: "fwd.example", Secrets: []string{"first-secret"}, Now: func() time.Time { return time.Unix(20785*86400, 0) }}
	return &deliver.Forward{
		Out: take(out), Local: take(local), SRS: scheme,
		To: func(_ context.Context, r *smtp.Recipient) (deliver.Forwarding, error) {
			one := []smtp.ForwardPath{address("new@remote.example")}
			switch r.ForwardPath.Local {
			case "ann":
				return deliver.Forwarding{To: one}, nil
			case "ben":
				return deliver.Forwarding{To: one, Keep: true}, nil
			case "cid":
				return deliver.Forwarding{To: append(one, address("second@remote.example"))}, nil
			case "dan":
				return deliver.Forwarding{To: append(one, r.ForwardPath)}, nil
			case "broken":
				return deliver.Forwarding{}, errors.New("no database")
			}
			return deliver.Forwarding{}, nil
		},
	}, out, local
}

// pass sends text, as the queue does, and returns the statuses of those accepted.
func pass(t *testing.T, r smtp.Receiver, text string, notify smtp.Notify, to ...string) ([]error, []smtp.RcptStatus) {
	t.Helper()
	tx, err := r.Begin(t.Context(), &smtp.Mail{ID: "id", Once: "job", PerRecipient: true, ReversePath: smtp.ReversePath(address("alice@example.com"))})
	if err != nil {
		t.Fatal(err)
	}
	var rs []*smtp.Recipient
	for _, a := range to {
		rs = append(rs, &smtp.Recipient{ForwardPath: address(a), Params: smtp.RcptParams{Notify: notify}})
	}
	errs := tx.Rcpt(t.Context(), rs)
	statuses, err := tx.Data(t.Context(), smtp.NewStoredBody(strings.NewReader(text), int64(len(text)), nil, []byte("Received: here\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	return errs, statuses
}

const forwardedText = "DKIM-Signature: v=1\r\nSubject:  odd \t spaces\r\n\r\nbody \r\n.\r\n"

func TestForward(t *testing.T) {
	f, out, local := forwarder(t)
	errs, st := pass(t, f, forwardedText, smtp.NotifySuccess, "ann@example.org", "broken@example.org", "ben@example.org", "cid@example.org", "eve@example.org", "dan@example.org")
	for i, err := range errs {
		if (err != nil) != (i == 1) || smtp.IsPermanent(err) {
			t.Errorf("recipient %d: %v", i, err)
		}
	}
	if len(st) != 5 || len(*out) != 4 || len(*local) != 1 {
		t.Fatalf("%d statuses, %d sent, %d kept", len(st), len(*out), len(*local))
	}
	for i, s := range st {
		if s.Err != nil || (s.Passed&smtp.WishDSN != 0) != (i == 0 || i == 2) {
			t.Errorf("status %d: %+v", i, s)
		}
	}
	for i, name := range []string{"ann", "ben", "cid", "dan"} {
		s := (*out)[i]
		if want := "Delivered-To: " + name + "@example.org\r\nReceived: here\r\n" + forwardedText; s.text != want {
			t.Errorf("%s: %q", name, s.text)
		}
		if s.mail.ReversePath.String() != "SRS0=asbx=JR=example.com=alice@fwd.example" {
			t.Errorf("%s from %v", name, s.mail.ReversePath)
		}
		if s.mail.Once == "" || s.mail.Once == "job" || i > 0 && s.mail.Once == (*out)[i-1].mail.Once {
			t.Errorf("%s once %q", name, s.mail.Once)
		}
		if o := s.rcpts[0].Params.Original; o.Type != "rfc822" || o.Address != name+"@example.org" {
			t.Errorf("%s: ORCPT %v", name, o)
		}
		want := smtp.NotifySuccess
		if name == "ben" || name == "dan" { // was delivered here
			want = smtp.NotifyNever
		}
		if got := s.rcpts[0].Params.Notify; got != want {
			t.Errorf("%s: NOTIFY %v, want %v", name, got, want)
		}
	}
	if r := (*out)[2].rcpts; len(r) != 2 || r[1].Params.Notify != smtp.NotifyNever {
		t.Errorf("cid: %v", r)
	}
	kept := (*local)[0]
	if kept.mail.ReversePath.String() != "alice@example.com" || kept.text != "Received: here\r\n"+forwardedText || len(kept.rcpts) != 3 {
		t.Errorf("kept %+v", kept)
	}
}

func TestForwardLoops(t *testing.T) {
	f, out, local := forwarder(t)
	looped := "delivered-to: ANN@Example.org\r\nDelivered-To:\r\n ben@example.org\r\n" + forwardedText
	_, st := pass(t, f, looped, 0, "ann@example.org", "ben@example.org", "cid@example.org")
	if r := smtp.ReplyOf(st[0].Err); r.Code != 554 || r.Enhanced.String() != "5.4.6" {
		t.Errorf("ann: %v", st[0].Err)
	}
	if st[1].Err != nil || st[2].Err != nil || len(*out) != 1 || len(*local) != 1 {
		t.Errorf("%v, %d sent, %d kept", st, len(*out), len(*local))
	}
	_, st = pass(t, f, strings.Repeat("Received: x\r\n", 100)+forwardedText, 0, "ann@example.org")
	if !smtp.IsPermanent(st[0].Err) {
		t.Errorf("101 hops: %v", st[0].Err)
	}
	if _, st = pass(t, f, "X: y\r\n\r\nDelivered-To: ann@example.org\r\n", 0, "ann@example.org"); st[0].Err != nil {
		t.Errorf("a field in the body: %v", st[0].Err)
	}
}

// What Out does not take, nobody has.
func TestForwardRefused(t *testing.T) {
	f, _, local := forwarder(t)
	busy := smtp.Errorf(451, smtp.EnhancedCode{Class: 4, Subject: 3}, "busy")
	f.Out = smtp.EachRcpt(func(context.Context, *smtp.Envelope, *smtp.Body) ([]smtp.RcptStatus, error) { return nil, busy })
	_, st := pass(t, f, forwardedText, 0, "ben@example.org", "eve@example.org")
	if !errors.Is(st[0].Err, busy) || st[1].Err != nil || len(*local) != 1 {
		t.Errorf("%v, %d kept", st, len(*local))
	}
	f.Local = nil
	if errs, _ := pass(t, f, forwardedText, 0, "eve@example.org", "ann@example.org"); !smtp.IsPermanent(errs[0]) || errs[1] != nil {
		t.Errorf("nobody: %v", errs)
	}
}

func TestForwardIsReceiver(t *testing.T) {
	var s judged
	smtptest.TestReceiver(t, smtptest.Suite{
		New: func(t *testing.T) smtp.Receiver {
			st, dir := newStore(t)
			f, _, _ := forwarder(t)
			f.Local = &deliver.LocalDelivery{Store: st, Directory: dir}
			s = judged{f, st}
			return s
		},
		Good: []string{"alice@example.org", "cid@example.org"}, Bad: "broken@example.org", Stored: mailboxes,
	})
}

// A bounce to a rewritten path passes the gate, and goes to the sender.
func TestSRSDirectory(t *testing.T) {
	_, accounts := newStore(t)
	f, _, _ := forwarder(t)
	dir := deliver.SRSDirectory(accounts, f.SRS)
	got, err := dir.Lookup(t.Context(), []smtp.ForwardPath{
		address("alice@example.org"), address("SRS0=asbx=JR=example.com=alice@fwd.example"),
		address("SRS0=asbx=JR=example.com=alicf@fwd.example"), address("x@remote.example"),
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []deliver.Kind{deliver.Local, deliver.Alias, deliver.Unknown, deliver.Remote} {
		if got[i].Kind != want || got[i].Err != nil {
			t.Errorf("%d: %v %v, want %v", i, got[i].Kind, got[i].Err, want)
		}
	}
	if len(got[1].Expand) != 1 || got[1].Expand[0].String() != "alice@example.com" {
		t.Errorf("stands for %v", got[1].Expand)
	}
}
