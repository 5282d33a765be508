package smtppolicy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/mailstead/mailstead/internal/flight"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
)

// CallForward verifies recipients at the next hop, for hosts that have no
// directory of their own: it says MAIL and RCPT there and then RSET. Who is
// unknown there is refused here, with 550 5.1.1, before the message is taken,
// instead of a report to a sender who may be forged. Where a directory is at
// hand, deliver.Gate asks it.
//
//	f := &smtppolicy.CallForward{Addr: "mail.internal:25"}
//	cfg.Receiver = smtp.Chain(relay, f.Verify())
//
// Fields are set before the first use. Any number of goroutines may call the
// methods.
type CallForward struct {
	// Dialer makes the connections; nil = the zero Dialer. Its LMTP says what
	// the next hop speaks.
	Dialer *smtpclient.Dialer

	// Addr is the next hop, "host:port", or the path of a Unix socket.
	Addr string

	// NextHop names the next hop of a recipient in place of Addr; "" = that
	// recipient is not verified. nil = Addr for all.
	NextHop func(smtp.ForwardPath) string

	// Sender is the reverse-path; zero = the null sender, which every host
	// takes (RFC 5321 §6.1).
	Sender smtp.ReversePath

	// Timeout bounds one question, with the connection. Zero = 20 s.
	Timeout time.Duration

	// Connections are open at once at most; others wait, within Timeout.
	// Zero = 10.
	Connections int

	// KeepAccepted and KeepRefused are how long an answer is good. Zero = 1 h
	// and 5 min. Failures are not kept.
	KeepAccepted, KeepRefused time.Duration

	// MaxEntries bounds the memory: answers that are kept, 600 octets each at
	// most. Zero = 32768.
	MaxEntries int

	once  sync.Once
	cache flight.Cache[string, bool]
	slots slots
}

// Verify returns the middleware. A next hop that does not answer, or answers
// neither yes nor "no such mailbox", defers the recipient with 451 4.4.0.
func (f *CallForward) Verify() smtp.Middleware {
	return smtp.JudgeRcpt(func(ctx context.Context, _ *smtp.Mail, rs []*smtp.Recipient) []error {
		errs := make([]error, len(rs))
		for i, r := range rs {
			switch known, err := f.Known(ctx, r.ForwardPath); {
			case err != nil:
				errs[i] = refusal(451, smtp.EnhancedCode{Class: 4, Subject: 4}, "Cannot verify this address now", err)
			case !known:
				errs[i] = smtp.Errorf(550, smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 1}, "No such user here")
			}
		}
		return errs
	})
}

// Known asks for one address. An error is a failure to find out.
func (f *CallForward) Known(ctx context.Context, p smtp.ForwardPath) (bool, error) {
	f.once.Do(func() {
		f.cache.Max = int64(or(f.MaxEntries, 1<<15))
		f.slots = make(slots, or(f.Connections, 10))
	})
	addr := f.Addr
	if f.NextHop != nil {
		if addr = f.NextHop(p); addr == "" {
			return true, nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, or(f.Timeout, 20*time.Second))
	defer cancel()
	got, err := f.cache.Get(ctx, addr+"\x00"+p.String(), func(ctx context.Context) (bool, time.Duration, error) {
		if err := f.slots.take(ctx); err != nil {
			return false, 0, err
		}
		defer f.slots.give()
		known, err := f.ask(ctx, addr, p)
		if known {
			return known, or(f.KeepAccepted, time.Hour), err
		}
		return known, or(f.KeepRefused, 5*time.Minute), err
	})
	return got.Value, err
}

var errNoVerdict = errors.New("smtppolicy: the next hop answered neither yes nor no")

func (f *CallForward) ask(ctx context.Context, addr string, p smtp.ForwardPath) (known bool, err error) {
	d := or(f.Dialer, &smtpclient.Dialer{})
	network := "tcp"
	if strings.HasPrefix(addr, "/") {
		network = "unix"
	}
	c, err := d.Dial(ctx, network, addr)
	if err != nil {
		return false, err
	}
	defer c.Close()
	replies, err := c.Verify(ctx, f.Sender, []smtp.ForwardPath{p})
	if len(replies) == 0 {
		return false, errors.Join(errNoVerdict, err)
	}
	switch r := replies[0]; {
	case r.Positive():
		known = true
	case !noMailbox(r):
		return false, fmt.Errorf("%w: %v", errNoVerdict, r)
	}
	c.Quit(ctx) // the answer is there, whatever becomes of the connection
	return known, nil
}

// noMailbox reports a reply that speaks of the address, and not of us: X.1.x,
// a disabled mailbox (X.2.1), or no enhanced code with one of RFC 5321 §4.2.3.
func noMailbox(r smtp.Reply) bool {
	switch e := r.Enhanced; {
	case !r.Permanent():
		return false
	case e.IsZero():
		return r.Code == 550 || r.Code == 551 || r.Code == 553
	default:
		return e.Subject == 1 && e.Detail <= 6 || e.Subject == 2 && e.Detail == 1
	}
}
