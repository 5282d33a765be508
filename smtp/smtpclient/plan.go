package smtpclient

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/mailstead/mailstead/internal/downgrade"
	"github.com/mailstead/mailstead/smtp"
)

// plan is how a message goes to this server: what of its envelope is sent,
// and whether its body has to be converted.
type plan struct {
	reverse smtp.Path
	mail    smtp.MailParams
	rcpts   []smtp.Recipient // as they are sent, by their place in the envelope
	refused map[int]error    // those that cannot be sent

	binary  bool               // the body is sent as it is
	convert *downgrade.Options // nil = it is not converted
}

// plan adapts a message to what the server offers. The error refuses it for
// all recipients.
func (c *Client) plan(env *smtp.Envelope, b *smtp.Body) (*plan, error) {
	p := &plan{
		reverse: env.Mail.ReversePath.Path, mail: env.Mail.Params.Clone(),
		rcpts: make([]smtp.Recipient, len(env.Recipients)),
	}
	for i, r := range env.Recipients {
		p.rcpts[i] = *r
	}
	if p.mail.RequireTLS && (c.tls == nil || !c.caps.RequireTLS) {
		if !env.Mail.ReversePath.IsNull() { // RFC 8689 §4.2.1
			return nil, lacks(550, smtp.EnhancedCode{Class: 5, Subject: 7, Detail: 30}, "REQUIRETLS")
		}
		p.mail.RequireTLS = false // §5: a bounce is not lost for it
	}
	if err := c.planSize(p, b); err != nil {
		return nil, err
	}
	if err := c.planTime(p, env.Mail.Received, time.Now()); err != nil {
		return nil, err
	}
	var opts downgrade.Options
	if err := c.planUTF8(p, &opts); err != nil {
		return nil, err
	}
	c.planBody(p, &opts)
	if opts != (downgrade.Options{}) {
		p.convert = &opts
		p.mail.Size = 0
	}
	c.planParams(p)
	return p, nil
}

func lacks(code int, enhanced smtp.EnhancedCode, extension string) *smtp.Error {
	err := smtp.Errorf(code, enhanced, "next hop does not offer %s", extension)
	err.Err = fmt.Errorf("%w: %s", ErrUnsupported, extension)
	return err
}

// planSize declares the size, where it is known (RFC 1870 §6).
func (c *Client) planSize(p *plan, b *smtp.Body) error {
	p.mail.Size = 0
	if b.Size() < 0 {
		return nil
	}
	size := b.Size() + int64(len(b.Trace()))
	if limit := c.caps.MaxSize; limit > 0 && size > limit {
		return tooBig()
	}
	if c.caps.SizeOffered {
		p.mail.Size = size
	}
	return nil
}

func tooBig() *smtp.Error {
	return smtp.Errorf(552, smtp.EnhancedCode{Class: 5, Subject: 3, Detail: 4}, "message exceeds the size limit of the next hop")
}

// planUTF8: SMTPUTF8 where it is offered; else the addresses have to do
// without, and a message that came under SMTPUTF8 must not have header fields
// that need it (RFC 6531 §3.2, §3.6).
func (c *Client) planUTF8(p *plan, opts *downgrade.Options) error {
	need := p.mail.UTF8 || p.reverse.NeedsUTF8()
	for _, r := range p.rcpts {
		need = need || r.ForwardPath.NeedsUTF8()
	}
	if !need || c.caps.SMTPUTF8 {
		p.mail.UTF8 = need
		return nil
	}
	opts.ASCIIHeader = true
	p.mail.UTF8 = false
	if ascii(p.mail.Auth) != nil {
		p.mail.Auth = "<>"
	}
	if err := downgradePath(&p.reverse); err != nil {
		return err
	}
	for i := range p.rcpts {
		if err := downgradePath(&p.rcpts[i].ForwardPath.Path); err != nil {
			if p.refused == nil {
				p.refused = make(map[int]error)
			}
			p.refused[i] = err
		}
	}
	return nil
}

// downgradePath writes the domain in A-labels. Nothing of the kind exists for
// a local-part.
func downgradePath(p *smtp.Path) error {
	err := ascii(p.Local)
	if err == nil {
		p.Domain, err = asciiDomain(p.Domain)
	}
	if err == nil {
		return nil
	}
	refusal := lacks(550, smtp.EnhancedCode{Class: 5, Subject: 6, Detail: 7}, "SMTPUTF8, which this address needs")
	refusal.Err = fmt.Errorf("%w: SMTPUTF8: %w", ErrUnsupported, err)
	return refusal
}

var errNotASCII = errors.New("not ASCII")

func ascii(s string) error {
	if strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 }) {
		return errNotASCII
	}
	return nil
}

// planBody chooses the form of the body (RFC 6152 §3, RFC 3030 §3).
func (c *Client) planBody(p *plan, opts *downgrade.Options) {
	switch binary := p.mail.Body == smtp.BodyBinaryMIME; {
	case binary && c.caps.BinaryMIME && c.caps.Chunking && *opts == downgrade.Options{}:
		p.binary = true
	case binary && c.caps.EightBitMIME:
		opts.NoBinary = true
		p.mail.Body = smtp.Body8BitMIME
	case c.caps.EightBitMIME:
	default:
		if p.mail.Body != smtp.Body7Bit {
			opts.NoBinary, opts.No8Bit = true, true
		}
		p.mail.Body = smtp.BodyDefault
	}
}

// planParams leaves out what the server does not know.
func (c *Client) planParams(p *plan) {
	if !c.caps.DSN {
		p.mail.Return, p.mail.EnvelopeID = smtp.ReturnDefault, ""
	}
	if !c.authed {
		p.mail.Auth = "" // RFC 4954 §5
	}
	if !c.caps.Priority {
		p.mail.Priority = smtp.Priority{}
	}
	p.mail.PRDR = false // this side's own choice
	p.mail.Unknown = c.known(p.mail.Unknown)
	for i := range p.rcpts {
		params := &p.rcpts[i].Params
		if !c.caps.DSN {
			params.Notify, params.Original = 0, smtp.OriginalRecipient{}
		}
		params.Unknown = c.known(params.Unknown)
	}
}

// planTime writes BY, HOLDFOR and HOLDUNTIL as they are now. What says when a
// message may, or may not, be delivered is never dropped; a wish to hear of a
// delay is.
func (c *Client) planTime(p *plan, received, now time.Time) error {
	if received.IsZero() {
		received = now
	}
	by, inTime := p.mail.DeliverBy.At(received, now)
	switch p.mail.DeliverBy = by; {
	case !inTime:
		return smtp.Errorf(554, smtp.EnhancedCode{Class: 5, Subject: 4, Detail: 7}, "delivery time expired")
	case c.caps.DeliverBy && by.Mode == smtp.ByReturn && time.Duration(by.Seconds)*time.Second < c.caps.MinDeliverBy:
		return smtp.Errorf(554, smtp.EnhancedCode{Class: 5, Subject: 4, Detail: 7}, "the next hop needs more time than is left")
	case c.caps.DeliverBy:
	case by.Mode == smtp.ByReturn:
		return lacks(554, smtp.EnhancedCode{Class: 5, Subject: 3, Detail: 3}, "DELIVERBY")
	default:
		p.mail.DeliverBy = smtp.DeliverBy{}
	}
	hold := &p.mail.FutureRelease
	left := hold.Release(received).Sub(now)
	switch {
	case hold.IsZero():
	case left <= 0: // it was held until now
		*hold = smtp.FutureRelease{}
	case !c.caps.FutureRelease:
		return lacks(554, smtp.EnhancedCode{Class: 5, Subject: 3, Detail: 3}, "FUTURERELEASE")
	case hold.For > 0:
		hold.For = int32(math.Ceil(left.Seconds()))
	}
	return nil
}

// known are the parameters whose keyword is one that the server announced.
func (c *Client) known(params []smtp.Param) []smtp.Param {
	return slices.DeleteFunc(slices.Clone(params), func(p smtp.Param) bool { return !c.caps.Has(p.Keyword) })
}

// split makes the transactions that the limits of the server ask for
// (RFC 9422 §4): each a list of places in the envelope, in its order. left are
// those whose domains are too many for the session.
func (c *Client) split(p *plan) (groups [][]int, left []int) {
	limits := c.caps.Limits
	for i := range p.rcpts {
		switch last := len(groups) - 1; {
		case p.refused[i] != nil:
		case limits.RcptDomains > 0 && !c.takesDomain(p.rcpts[i].ForwardPath.Domain):
			left = append(left, i)
		case last < 0 || limits.Rcpts > 0 && len(groups[last]) == limits.Rcpts:
			groups = append(groups, []int{i})
		default:
			groups[last] = append(groups[last], i)
		}
	}
	return groups, left
}

// takesDomain counts a domain, where it is a new one of this session.
func (c *Client) takesDomain(domain string) bool {
	domain = strings.ToLower(domain)
	if slices.Contains(c.domains, domain) {
		return true
	}
	if len(c.domains) >= c.caps.Limits.RcptDomains {
		return false
	}
	c.domains = append(c.domains, domain)
	return true
}
