package smtpclient

import (
	"context"
	"fmt"

	"github.com/mailstead/mailstead/smtp"
)

// Send sends one message to the recipients of env. What b.Trace knows before
// the body is read goes first, then the body; fields that a wrapper prepends
// later are not sent, so such a body is spooled first (smtp.Spool).
//
// The Result has an entry for each recipient, whatever happened. An error says
// what broke, the connection (see Usable) or the body; it is never the only
// place where an outcome stands.
//
// Where the server offers PIPELINING, MAIL, RCPT and DATA leave in one write
// (RFC 2920); with CHUNKING besides, a body of up to 64 KiB leaves in the same
// write (BDAT LAST), so that a message costs one round trip. Where it offers
// LIMITS (RFC 9422), recipients beyond them go in further transactions, and those
// that need another connection are Deferred with ErrMailLimit or ErrDomainLimit.
// Bare CR and LF become CRLF, and a missing CRLF at the end is added, unless the
// body is sent as BINARYMIME.
//
// What the server does not offer is made up for where that can be done
// without loss: 8-bit and binary parts become quoted-printable or base64,
// domains in UTF-8 become A-labels, parameters that only inform (RET, ENVID,
// NOTIFY, ORCPT, AUTH) are left out. Otherwise those concerned are Failed with
// a 5.6.x or 5.7.x code: a signed part is never changed, an address with a
// local-part in UTF-8 and a message with header fields in UTF-8 need SMTPUTF8,
// REQUIRETLS needs REQUIRETLS, unless the sender is null (RFC 8689 §5).
func (c *Client) Send(ctx context.Context, env *smtp.Envelope, b *smtp.Body) (*Result, error) {
	defer c.watch(ctx)()
	res := &Result{Recipients: make([]RcptResult, len(env.Recipients))}
	err := c.send(ctx, env, b, res)
	for i := range res.Recipients {
		if res.QueueID == "" {
			res.QueueID = res.Recipients[i].QueueID
		}
	}
	return res, err
}

func (c *Client) send(ctx context.Context, env *smtp.Envelope, b *smtp.Body, res *Result) error {
	if err := c.ready(); err != nil {
		res.all(everybody(env), RcptResult{Err: err})
		return err
	}
	p, err := c.plan(env, b)
	if err != nil {
		res.all(everybody(env), RcptResult{Outcome: Failed, Err: err})
		return nil
	}
	for i, err := range p.refused {
		res.Recipients[i] = RcptResult{Outcome: Failed, Err: err}
	}
	groups, left := c.split(p)
	res.all(left, RcptResult{Err: ErrDomainLimit})
	switch len(groups) {
	case 0:
		return nil
	case 1:
		return c.transact(ctx, p, groups[0], b, res)
	default:
		return c.sendGroups(ctx, p, groups, b, res)
	}
}

// sendGroups sends a message more than once, each time to other recipients.
func (c *Client) sendGroups(ctx context.Context, p *plan, groups [][]int, b *smtp.Body, res *Result) error {
	spooled, err := smtp.Spool(b, smtp.SpoolOptions{})
	if err != nil {
		for _, group := range groups {
			res.all(group, bySource(err))
		}
		return err
	}
	defer spooled.Close()
	for _, group := range groups {
		if err == nil && c.exhausted() {
			err = ErrMailLimit
		}
		if err != nil {
			res.all(group, RcptResult{Err: err})
			continue
		}
		err = c.transact(ctx, p, group, spooled.Body(), res)
	}
	return err
}

func everybody(env *smtp.Envelope) []int {
	all := make([]int, len(env.Recipients))
	for i := range all {
		all[i] = i
	}
	return all
}

// ready reports whether a transaction can start.
func (c *Client) ready() error {
	c.checkSync()
	if c.broken == nil && c.exhausted() {
		return ErrMailLimit
	}
	return c.broken
}

// checkSync: a reply that nobody asked for would be taken for the answer to the
// next command. It may be the 421 of a server that closes (RFC 5321 §3.8).
func (c *Client) checkSync() {
	if c.broken == nil && c.in.buffered() {
		c.broken = fmt.Errorf("%w: %q", ErrUnsolicited, c.in.buf[c.in.r:min(c.in.w, c.in.r+100)])
	}
}

// bySource is the outcome where the body could not be read, or this side
// refused to send it.
func bySource(err error) RcptResult {
	res := RcptResult{Err: err}
	if smtp.IsPermanent(err) {
		res.Outcome = Failed
	}
	return res
}
