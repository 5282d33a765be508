package smtpclient

import (
	"bytes"
	"errors"
	"io"

	"github.com/mailstead/mailstead/internal/downgrade"
	"github.com/mailstead/mailstead/smtp"
)

// run pushes the body through the encoder, and the converter in front of it.
func (t *transaction) run(b *smtp.Body) error {
	c := t.c
	if c.block == nil {
		c.block = make([]byte, 0, blockSize)
	}
	enc := &encoder{buf: c.block, dots: !t.bdat, raw: t.p.binary, block: t.block}
	var w io.Writer = enc
	var conv *downgrade.Writer
	if t.p.convert != nil {
		conv = downgrade.NewWriter(enc, *t.p.convert)
		w = conv
	}
	_, err := w.Write(b.Trace())
	if err == nil {
		_, err = b.WriteTo(w)
	}
	if err == nil && conv != nil {
		err = conv.Close()
	}
	if err == nil {
		err = enc.end()
	}
	switch {
	case err == nil:
		return t.final()
	case enc.err == nil:
		return t.sourceFailed(refusal(err))
	case errors.Is(err, errGivenUp):
		return nil
	}
	return t.connFailed(err)
}

// refusal gives what the converter found its reply (RFC 3463 §3.7, RFC 6531
// §3.2). Other errors are those of the source.
func refusal(err error) error {
	var e *smtp.Error
	switch {
	case errors.Is(err, downgrade.ErrHeader):
		e = lacks(550, smtp.EnhancedCode{Class: 5, Subject: 6, Detail: 9}, "SMTPUTF8, which the header of the message needs")
	case errors.Is(err, downgrade.ErrSigned):
		e = smtp.Errorf(554, smtp.EnhancedCode{Class: 5, Subject: 6, Detail: 2}, "next hop takes no 8-bit content, and a signed part must not be converted")
	case errors.Is(err, downgrade.ErrStructure):
		e = smtp.Errorf(554, smtp.EnhancedCode{Class: 5, Subject: 6, Detail: 3}, "next hop takes no 8-bit content, and this message cannot be converted")
	default:
		return err
	}
	e.Err = errors.Join(ErrUnsupported, err)
	return e
}

// sourceFailed handles a body that could not be read, or not be converted,
// whole. Without its end the server has nothing. Behind a BDAT the transaction
// is given up by RSET; inside DATA all that can be done is to drop the
// connection, since an end mark would make a whole message of half of one
// (RFC 5321 §4.1.1.4).
func (t *transaction) sourceFailed(err error) error {
	c := t.c
	t.settle(bySource(err))
	switch {
	case !t.begun:
	case t.bdat:
		for c.ahead.pending > 0 {
			c.reply(t.ctx, c.timeouts.Command)
		}
		t.giveUp(true)
	default:
		c.broken = errors.Join(ErrClosed, err)
	}
	if c.broken == nil && smtp.IsPermanent(err) {
		return nil
	}
	return err
}

// connFailed handles a connection that broke. A server that refused and closed
// may have left its reply.
func (t *transaction) connFailed(err error) error {
	for !t.sent && t.c.ahead.pending > 0 {
		r, replyErr := t.c.reply(t.ctx, earlyReplyWait)
		if replyErr == nil && !r.Positive() && r.Code != 354 {
			t.refuseAll(".", r)
		}
	}
	t.fail(err)
	return err
}

// fail gives those without an outcome the one that a lost connection means.
func (t *transaction) fail(err error) {
	res := RcptResult{Err: err}
	if t.sent {
		res.Outcome, res.Command = Unknown, "."
	}
	t.settle(res)
}

// more sends a block behind the envelope.
func (t *transaction) more(p []byte, last bool) error {
	if t.bdat {
		return t.chunk(p, last)
	}
	c := t.c
	if c.ahead.pending == 0 {
		c.expect(1)
	}
	if c.ahead.early() {
		return t.refusedEarly()
	}
	err := c.write(t.ctx, p, c.timeouts.Block)
	t.sent = last && err == nil
	return err
}

// refusedEarly: a reply in the middle of the body. The server waits for the
// end mark, which would be a lie; so the connection is dropped.
func (t *transaction) refusedEarly() error {
	c := t.c
	r, err := c.reply(t.ctx, earlyReplyWait)
	if err != nil {
		return err
	}
	t.refuseAll(".", r)
	if c.broken == nil {
		c.broken = errors.Join(ErrClosed, &smtp.Error{Reply: r})
	}
	return c.broken
}

// maxChunks bounds the chunks that are not answered yet.
const maxChunks = 8

// chunk sends a block by BDAT (RFC 3030 §2). The last one waits until the
// others are accepted.
func (t *transaction) chunk(p []byte, last bool) error {
	c := t.c
	window := maxChunks
	if last || !c.caps.Pipelining {
		window = 1
	}
	for c.ahead.pending >= window || c.ahead.early() {
		r, err := c.reply(t.ctx, c.timeouts.Block)
		if err != nil {
			return err
		}
		if !r.Positive() {
			return t.refusedChunk(r)
		}
	}
	c.out = append(appendBDAT(c.out[:0], len(p), last), p...)
	c.expect(1)
	err := c.write(t.ctx, c.out, c.timeouts.Block)
	t.sent = last && err == nil
	return err
}

// refusedChunk reads the replies to the chunks behind the one that was
// refused; the server is in step, since each chunk has its length.
func (t *transaction) refusedChunk(r smtp.Reply) error {
	c := t.c
	t.refuseAll("BDAT", r)
	for c.ahead.pending > 0 {
		if _, err := c.reply(t.ctx, c.timeouts.Command); err != nil {
			return err
		}
	}
	return t.giveUp(true)
}

// final reads the replies to the end of the body: one; in LMTP one for each
// accepted recipient (RFC 2033 §4.2); with PRDR a 353, one for each, and one
// that decides about all.
func (t *transaction) final() error {
	c := t.c
	r, err := c.reply(t.ctx, c.timeouts.DataEnd)
	switch {
	case err != nil:
	case c.d.LMTP:
		err = t.finalEach(r)
	case t.prdr && r.Code == 353:
		err = t.finalPRDR()
	default:
		t.settle(byReply(".", r))
	}
	if err != nil {
		t.fail(err)
	}
	for _, i := range t.rcpts {
		if t.res.Recipients[i].Outcome == Delivered {
			c.sent++
			break
		}
	}
	return err
}

// finalEach takes one reply for each accepted recipient; r is the first.
func (t *transaction) finalEach(r smtp.Reply) error {
	for {
		t.res.Recipients[t.open[0]] = byReply(".", r)
		if t.open = t.open[1:]; len(t.open) == 0 {
			return nil
		}
		var err error
		if r, err = t.c.reply(t.ctx, t.c.timeouts.DataEnd); err != nil {
			return err
		}
	}
}

// finalPRDR takes the replies behind a 353. A recipient that is refused is so
// whatever comes; the others have the message only if the last reply says so.
func (t *transaction) finalPRDR() error {
	var accepted []int
	for n, i := range t.open {
		r, err := t.c.reply(t.ctx, t.c.timeouts.DataEnd)
		if err != nil {
			t.open = append(accepted, t.open[n:]...)
			return err
		}
		if r.Positive() {
			accepted = append(accepted, i)
		} else {
			t.res.Recipients[i] = byReply(".", r)
		}
	}
	t.open = accepted
	r, err := t.c.reply(t.ctx, t.c.timeouts.DataEnd)
	if err != nil {
		return err
	}
	t.settle(byReply(".", r))
	return nil
}

// blockSize is how much is written at once, in octets; a body that fits into it
// can leave with its envelope.
const blockSize = 64 << 10

// encoder writes a body in blocks. Bare CR and LF become CRLF (RFC 5321
// §2.3.8), since a peer might take them for line ends, and a missing CRLF at
// the end is added. For DATA a dot at the start of a line is doubled (§4.5.2).
type encoder struct {
	buf    []byte
	dots   bool // for DATA, with its end mark
	raw    bool // no octet is changed
	lastCR bool // the last octet was a CR whose LF is yet to come
	inLine bool // the last octet was neither CR nor LF
	block  func(p []byte, last bool) error
	err    error // of block
}

// Write implements io.Writer.
func (e *encoder) Write(p []byte) (int, error) {
	total := len(p)
	if e.raw {
		e.put(p)
		p = nil
	}
	for len(p) > 0 && e.err == nil {
		if e.dots && !e.inLine && !e.lastCR && p[0] == '.' {
			e.put([]byte{'.'})
		}
		p = e.line(p)
	}
	if e.err != nil {
		return 0, e.err
	}
	return total, nil
}

// line writes up to the next line end and returns the rest.
func (e *encoder) line(p []byte) []byte {
	if e.lastCR {
		e.lastCR = false
		e.put([]byte("\r\n"))
		if p[0] == '\n' {
			p = p[1:]
		}
		return p
	}
	i := bytes.IndexByte(p, '\n')
	if i < 0 {
		i = len(p)
	}
	if cr := bytes.IndexByte(p[:i], '\r'); cr >= 0 {
		e.put(p[:cr])
		e.inLine, e.lastCR = false, true
		return p[cr+1:]
	}
	e.put(p[:i])
	e.inLine = i > 0 || e.inLine
	if i == len(p) {
		return nil
	}
	e.put([]byte("\r\n"))
	e.inLine = false
	return p[i+1:]
}

func (e *encoder) put(p []byte) {
	for len(p) > 0 && e.err == nil {
		if len(e.buf) == cap(e.buf) {
			e.err = e.block(e.buf, false)
			e.buf = e.buf[:0]
			continue
		}
		n := min(len(p), cap(e.buf)-len(e.buf))
		e.buf = append(e.buf, p[:n]...)
		p = p[n:]
	}
}

// end writes the last block.
func (e *encoder) end() error {
	if !e.raw && (e.inLine || e.lastCR) {
		e.put([]byte("\r\n"))
	}
	if e.dots {
		e.put([]byte(".\r\n"))
	}
	if e.err == nil {
		e.err = e.block(e.buf, true)
	}
	return e.err
}
