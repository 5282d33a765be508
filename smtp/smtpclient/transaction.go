package smtpclient

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/mailstead/mailstead/smtp"
)

// transaction is one MAIL with its recipients and the body. The body is
// pushed through an encoder, whose first block starts the dialogue: so a body
// that fits into it is known whole before a command is sent.
type transaction struct {
	c     *Client
	ctx   context.Context // of the Send that it is part of
	p     *plan
	mail  smtp.MailParams
	rcpts []int // places in the plan, in RCPT order
	res   *Result

	open  []int // recipients without an outcome yet, in RCPT order
	begun bool  // MAIL was sent
	bdat  bool  // the body goes by BDAT
	prdr  bool  // one reply for each recipient was asked for
	sent  bool  // the end of the body was written
}

// errGivenUp ends a transaction whose recipients all have their outcome.
var errGivenUp = errors.New("smtpclient: transaction given up")

func (c *Client) transact(ctx context.Context, p *plan, rcpts []int, b *smtp.Body, res *Result) error {
	t := &transaction{
		c: c, ctx: ctx, p: p, rcpts: rcpts, res: res,
		open: append([]int(nil), rcpts...),
		bdat: c.caps.Chunking,
		prdr: c.caps.PRDR && !c.d.LMTP && len(rcpts) > 1,
	}
	err := t.run(b)
	c.finish(ctx)
	if err == nil && c.broken != nil {
		err = c.broken // a 421
	}
	c.checkSync()
	return err
}

// finish ends the reading ahead. Where that is not at rest the connection is
// in an unknown state.
func (c *Client) finish(ctx context.Context) {
	if c.broken != nil || c.ahead.pending > 0 {
		c.lost(ctx, ErrUnsolicited)
		c.conn.Close()
	}
	c.ahead.end()
}

// block sends the next block of the body.
func (t *transaction) block(p []byte, last bool) error {
	if t.begun {
		return t.more(p, last)
	}
	t.mail = t.p.mail
	t.mail.PRDR = t.prdr
	if last && t.bdat && t.c.caps.SizeOffered {
		t.mail.Size = int64(len(p)) // known by now, whatever it was before
		if limit := t.c.caps.MaxSize; limit > 0 && t.mail.Size > limit {
			t.settle(RcptResult{Outcome: Failed, Err: tooBig()})
			return errGivenUp
		}
	}
	t.begun = true
	t.c.mails++
	if !t.c.caps.Pipelining {
		if err := t.stepwise(); err != nil {
			return err
		}
		return t.more(p, last)
	}
	whole := t.bdat && last
	if err := t.flight(p, whole); err != nil || whole {
		return err
	}
	return t.more(p, last)
}

// flight sends MAIL and RCPT in one write, with DATA, or with the body if that
// is whole, and reads the replies up to the one that decides about the body.
func (t *transaction) flight(body []byte, whole bool) error {
	c := t.c
	c.out = t.appendMail(c.out[:0])
	for _, i := range t.rcpts {
		c.out = t.appendRcpt(c.out, i)
	}
	replies := 1 + len(t.rcpts)
	switch {
	case whole:
		c.out = append(appendBDAT(c.out, len(body), true), body...)
		replies++
	case !t.bdat:
		c.out = append(c.out, "DATA\r\n"...)
		replies++
	}
	c.expect(replies)
	t.sent = c.write(t.ctx, c.out, c.timeouts.Command) == nil && whole
	mail, err := t.mailReply()
	if err != nil {
		return err
	}
	if err := t.rcptReplies(mail); err != nil {
		return err
	}
	switch {
	case whole && len(t.open) > 0:
		return nil
	case whole: // the refusal of a BDAT without recipients
		t.sent = false
		if _, err := c.reply(t.ctx, c.timeouts.DataEnd); err != nil {
			return err
		}
	case !t.bdat:
		return t.dataInit()
	case len(t.open) > 0:
		return nil
	}
	return t.giveUp(mail)
}

// stepwise sends the envelope command by command.
func (t *transaction) stepwise() error {
	c := t.c
	if err := c.write(t.ctx, t.appendMail(c.out[:0]), c.timeouts.Command); err != nil {
		return err
	}
	mail, err := t.mailReply()
	if err != nil {
		return err
	}
	if !mail {
		return errGivenUp
	}
	if err := t.rcptReplies(true); err != nil {
		return err
	}
	if len(t.open) == 0 {
		return t.giveUp(true)
	}
	if t.bdat {
		return nil
	}
	if err := c.write(t.ctx, []byte("DATA\r\n"), c.timeouts.DataInit); err != nil {
		return err
	}
	return t.dataInit()
}

// mailReply reads the reply to MAIL.
func (t *transaction) mailReply() (accepted bool, err error) {
	r, err := t.c.reply(t.ctx, t.c.timeouts.Command)
	if err != nil {
		return false, err
	}
	if !r.Positive() {
		t.refuseAll("MAIL", r)
	}
	return r.Positive(), nil
}

// rcptReplies reads the reply to each RCPT, sending them one by one without
// PIPELINING. Where MAIL was refused they say nothing.
func (t *transaction) rcptReplies(mail bool) error {
	c := t.c
	var accepted []int
	for n, i := range t.rcpts {
		var r smtp.Reply
		var err error
		if !c.caps.Pipelining {
			err = c.write(t.ctx, t.appendRcpt(c.out[:0], i), c.timeouts.Command)
		}
		if err == nil {
			r, err = c.reply(t.ctx, c.timeouts.Command)
		}
		switch {
		case !mail:
		case err != nil:
			t.open = append(accepted, t.rcpts[n:]...)
		case r.Positive():
			accepted = append(accepted, i)
		default:
			t.refuseRcpt(i, r, len(accepted) > 0)
		}
		if err != nil {
			return err
		}
	}
	if mail {
		t.open = accepted
	}
	return nil
}

// refuseRcpt: 552 behind accepted recipients means that there are too many
// (RFC 5321 §4.5.3.1.10): those left over go later.
func (t *transaction) refuseRcpt(i int, r smtp.Reply, others bool) {
	t.closing(r)
	t.res.Recipients[i] = byReply("RCPT", r)
	if r.Code == 552 && others {
		t.res.Recipients[i].Outcome = Deferred
	}
}

// closing: a server that answers with 421 does not go on to what else was in
// the flight.
func (t *transaction) closing(r smtp.Reply) {
	if r.Code == 421 {
		t.sent = false
	}
}

// dataInit reads the reply to DATA. A server that gives a 354 without a
// recipient (RFC 2920 §3.1 tells it not to) gets an empty message.
func (t *transaction) dataInit() error {
	c := t.c
	r, err := c.reply(t.ctx, c.timeouts.DataInit)
	if err != nil {
		return err
	}
	if r.Code == 354 {
		if len(t.open) > 0 {
			return nil
		}
		if _, err = c.command(t.ctx, c.timeouts.DataEnd, "."); err != nil {
			return err
		}
		return errGivenUp
	}
	t.refuseAll("DATA", r)
	return t.giveUp(true)
}

// giveUp ends a transaction that the server may hold open. What becomes of the
// RSET shows in c.broken.
func (t *transaction) giveUp(mail bool) error {
	if mail && t.c.broken == nil {
		t.c.command(t.ctx, t.c.timeouts.Command, "RSET")
	}
	return errGivenUp
}

// refuseAll gives every open recipient the outcome of r. A 2xx or 3xx where
// neither fits is no promise.
func (t *transaction) refuseAll(command string, r smtp.Reply) {
	t.closing(r)
	res := byReply(command, r)
	if res.Outcome == Delivered {
		res.Outcome, res.QueueID = Deferred, ""
	}
	t.settle(res)
}

// settle gives every open recipient its outcome.
func (t *transaction) settle(res RcptResult) {
	t.res.all(t.open, res)
	t.open = nil
}

func (t *transaction) appendMail(dst []byte) []byte {
	dst = append(append(dst, "MAIL FROM:<"...), t.p.reverse.String()...)
	return append(t.mail.AppendParams(append(dst, '>')), '\r', '\n')
}

func (t *transaction) appendRcpt(dst []byte, i int) []byte {
	r := &t.p.rcpts[i]
	dst = append(append(dst, "RCPT TO:<"...), r.ForwardPath.String()...)
	return append(r.Params.AppendParams(append(dst, '>'), t.p.mail.UTF8), '\r', '\n')
}

func appendBDAT(dst []byte, n int, last bool) []byte {
	dst = strconv.AppendInt(append(dst, "BDAT "...), int64(n), 10)
	if last {
		dst = append(dst, " LAST"...)
	}
	return append(dst, '\r', '\n')
}

// expect has n replies read while what they answer is still being written.
func (c *Client) expect(n int) {
	conn := c.conn
	conn.SetReadDeadline(time.Time{})
	c.ahead.expect(n, func() (smtp.Reply, error) { return c.in.read(conn) })
}
