package smtpclient

import (
	"context"
	"fmt"
	"strings"

	"github.com/mailstead/mailstead/smtp"
)

// Send sends one message to the recipients of env. What b.Trace knows before
// the body is read goes first, then the body; fields that a wrapper prepends
// later are not sent, so such a body is spooled first (smtp.Spool).
//
// The Result has an entry for each recipient, whatever happened. An error
// says why the connection is of no more use (see Usable); it is never the only
// place where an outcome stands. MAIL, RCPT and DATA leave in one write where
// the server offers PIPELINING (RFC 2920). Parameters that the server did not
// announce are left out, apart from SMTPUTF8 and REQUIRETLS: without them the
// message fails. A body declared 8BITMIME is sent as it is also to a server
// that does not announce it.
func (c *Client) Send(ctx context.Context, env *smtp.Envelope, b *smtp.Body) (*Result, error) {
	tx := &transaction{c: c, env: env, res: &Result{Recipients: make([]RcptResult, len(env.Recipients))}}
	for i := range env.Recipients {
		tx.open = append(tx.open, i)
	}
	if c.broken != nil {
		tx.fail(c.broken)
		return tx.res, c.broken
	}
	if err := tx.check(b); err != nil {
		tx.res.all(tx.open, RcptResult{Outcome: Failed, Err: err})
		return tx.res, nil
	}
	ready, err := tx.envelope(ctx, b)
	if err == nil && ready {
		err = tx.data(ctx, b)
	}
	if err != nil {
		tx.fail(err)
	}
	return tx.res, err
}

// transaction is the state of one Send.
type transaction struct {
	c    *Client
	env  *smtp.Envelope
	res  *Result
	open []int // recipients without an outcome yet, in order
	sent bool  // the end of the body was (or may have been) written
}

// fail gives those without an outcome the one that a lost connection means.
func (t *transaction) fail(err error) {
	res := RcptResult{Err: err}
	if t.sent {
		res.Outcome, res.Command = Unknown, "."
	}
	t.res.all(t.open, res)
	t.open = nil
}

// check refuses what the server cannot take.
func (t *transaction) check(b *smtp.Body) error {
	caps, p := t.c.caps, t.env.Mail.Params
	utf8 := p.UTF8 || t.env.Mail.ReversePath.NeedsUTF8()
	for _, r := range t.env.Recipients {
		utf8 = utf8 || r.ForwardPath.NeedsUTF8()
	}
	size := b.Size() + int64(len(b.Trace()))
	switch limit := caps.MaxSize(); {
	case utf8 && !caps.Has("SMTPUTF8"): // RFC 6531 §3.2
		return refusal(550, smtp.EnhancedCode{Class: 5, Subject: 6, Detail: 7}, "SMTPUTF8")
	case p.RequireTLS && (t.c.tls == nil || !caps.Has("REQUIRETLS")): // RFC 8689 §4.2.1
		return refusal(550, smtp.EnhancedCode{Class: 5, Subject: 7, Detail: 30}, "REQUIRETLS")
	case p.Body == smtp.BodyBinaryMIME: // needs BDAT and BINARYMIME, RFC 3030 §3
		return refusal(554, smtp.EnhancedCode{Class: 5, Subject: 6, Detail: 3}, "BINARYMIME")
	case limit > 0 && b.Size() >= 0 && size > limit: // RFC 1870 §6.2
		return smtp.Errorf(552, smtp.EnhancedCode{Class: 5, Subject: 3, Detail: 4}, "message exceeds the size limit of the next hop")
	}
	return nil
}

func refusal(code int, enhanced smtp.EnhancedCode, extension string) error {
	err := smtp.Errorf(code, enhanced, "next hop does not offer %s", extension)
	err.Err = fmt.Errorf("%w: %s", ErrUnsupported, extension)
	return err
}

// envelope sends MAIL, RCPT and DATA. ready: the 354 was given and at least
// one recipient accepted.
func (t *transaction) envelope(ctx context.Context, b *smtp.Body) (ready bool, err error) {
	pipelining := t.c.caps.Has("PIPELINING") && len(t.env.Recipients) <= maxPipelined
	t.appendMail(b)
	if pipelining {
		for _, r := range t.env.Recipients {
			t.appendRcpt(r)
		}
		t.c.out = append(t.c.out, "DATA\r\n"...)
	}
	mail, err := t.exchange(ctx)
	if err != nil {
		return false, err
	}
	if !mail.Positive() {
		t.refuseAll("MAIL", mail)
		if !pipelining {
			return false, nil
		}
	}
	if err := t.rcpts(ctx, pipelining, mail.Positive()); err != nil {
		return false, err
	}
	if !pipelining {
		if len(t.open) == 0 {
			return false, t.c.resetAfter(ctx)
		}
		t.c.out = append(t.c.out, "DATA\r\n"...)
	}
	return t.dataInit(ctx)
}

// maxPipelined bounds a group of commands, so that its replies fit into the
// buffers of the connection and both sides can never wait for each other to
// read (RFC 2920 §3.1).
const maxPipelined = 1000

// exchange writes what is held, if anything, and reads one reply.
func (t *transaction) exchange(ctx context.Context) (smtp.Reply, error) {
	if len(t.c.out) > 0 {
		if err := t.c.flush(ctx, t.c.timeouts.Command); err != nil {
			return smtp.Reply{}, err
		}
	}
	return t.c.reply(ctx, t.c.timeouts.Command)
}

// rcpts reads the reply to each RCPT, sending them one by one without
// PIPELINING.
func (t *transaction) rcpts(ctx context.Context, pipelining, mailOK bool) error {
	accepted := t.open[:0]
	for i, r := range t.env.Recipients {
		if !pipelining {
			t.appendRcpt(r)
		}
		reply, err := t.exchange(ctx)
		if err != nil {
			t.open = remaining(accepted, i, len(t.env.Recipients), mailOK)
			return err
		}
		if !mailOK {
			continue
		}
		if reply.Positive() {
			accepted = append(accepted, i)
		} else {
			t.res.Recipients[i] = byReply("RCPT", reply)
		}
	}
	t.open = accepted
	return nil
}

// remaining are the recipients without an outcome when the connection broke
// at recipient i.
func remaining(accepted []int, i, n int, mailOK bool) []int {
	if !mailOK {
		return nil
	}
	for ; i < n; i++ {
		accepted = append(accepted, i)
	}
	return accepted
}

// dataInit reads the reply to DATA. A server that gives a 354 without a
// recipient (RFC 2920 §3.1 tells it not to) gets an empty message.
func (t *transaction) dataInit(ctx context.Context) (ready bool, err error) {
	if len(t.c.out) > 0 {
		if err := t.c.flush(ctx, t.c.timeouts.DataInit); err != nil {
			return false, err
		}
	}
	reply, err := t.c.reply(ctx, t.c.timeouts.DataInit)
	if err != nil {
		return false, err
	}
	if reply.Code == 354 {
		if len(t.open) > 0 {
			return true, nil
		}
		_, err = t.c.command(ctx, t.c.timeouts.DataEnd, ".")
		return false, err
	}
	if reply.Positive() { // no promise was asked for, none is believed
		reply.Code = 451
	}
	t.refuseAll("DATA", reply)
	return false, t.c.resetAfter(ctx)
}

// refuseAll gives every open recipient the outcome of reply.
func (t *transaction) refuseAll(command string, reply smtp.Reply) {
	res := byReply(command, reply)
	if res.Outcome == Delivered {
		res.Outcome = Deferred
	}
	t.res.all(t.open, res)
	t.open = t.open[:0]
}

// resetAfter ends a transaction that was given up, so that the next MAIL finds
// the server ready. A server that closed meanwhile is no error.
func (c *Client) resetAfter(ctx context.Context) error {
	if c.broken != nil {
		return nil
	}
	c.Reset(ctx) // a failure shows in c.broken
	return nil
}

func (t *transaction) appendMail(b *smtp.Body) {
	c, m := t.c, t.env.Mail
	p := m.Params.Clone()
	p.Size = 0
	if n := b.Size(); n >= 0 && c.caps.Has("SIZE") {
		p.Size = n + int64(len(b.Trace()))
	}
	if !c.caps.Has("8BITMIME") {
		p.Body = smtp.BodyDefault
	}
	if !c.caps.Has("DSN") {
		p.Return, p.EnvelopeID = smtp.ReturnDefault, ""
	}
	if !c.authed {
		p.Auth = "" // RFC 4954 §5
	}
	p.Unknown = nil
	c.out = append(append(c.out, "MAIL FROM:<"...), m.ReversePath.String()...)
	c.out = append(p.AppendParams(append(c.out, '>')), '\r', '\n')
}

func (t *transaction) appendRcpt(r *smtp.Recipient) {
	c, p := t.c, r.Params
	if !c.caps.Has("DSN") {
		p = smtp.RcptParams{}
	}
	p.Unknown = nil
	c.out = append(append(c.out, "RCPT TO:<"...), r.ForwardPath.String()...)
	c.out = append(p.AppendParams(append(c.out, '>'), t.env.Mail.Params.UTF8), '\r', '\n')
}

// queueID finds the id in texts like "2.0.0 Ok: queued as 4bXyz" and
// "OK id=1abc"; "" where there is none.
func queueID(r smtp.Reply) string {
	for _, line := range r.Lines {
		for _, mark := range []string{"queued as ", "id="} {
			if i := strings.Index(strings.ToLower(line), mark); i >= 0 {
				id, _, _ := strings.Cut(line[i+len(mark):], " ")
				return strings.TrimRight(id, ".,;)")
			}
		}
	}
	return ""
}
