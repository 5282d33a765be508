package pop3client

import (
	"context"
	"fmt"
	"io"
)

// Body is a message as it arrives, without its dot-stuffing. One goroutine at a
// time uses it. Until it has been read to its end, or closed, its Client takes
// no other command.
type Body struct {
	// Number is that of the message.
	Number int

	c    *Client
	ctx  context.Context //nolint:containedctx // that of Retr, until the end of the body
	stop func()          // ends watch; nil = somebody else does
	u    unstuffer
	left int64 // octets that may still come
	mark int   // octets until the server has Timeouts.Block again
	err  error // io.EOF: the end was seen
}

// blockSize is what a server has Timeouts.Block for.
const blockSize = 64 << 10

// maxSkip is how much of a reply is read that nobody wants any more, before the
// connection is closed instead.
const maxSkip = 256 << 10

// Retr retrieves a message. A refusal is an *Error. The ctx counts until the
// body has been read to its end, or closed.
func (c *Client) Retr(ctx context.Context, number int) (*Body, error) {
	return c.one(ctx, retr, number)
}

// Top retrieves the header of a message and the first lines of its body. A
// server without TOP refuses.
func (c *Client) Top(ctx context.Context, number, lines int) (*Body, error) {
	return c.one(ctx, top(lines), number)
}

func (c *Client) one(ctx context.Context, k kind, number int) (*Body, error) {
	if err := c.ready(); err != nil {
		return nil, err
	}
	stop := c.watch(ctx)
	p := pipeline{c: c, kind: k, numbers: []int{number}}
	b, err := p.body(ctx, number)
	if err != nil {
		stop()
		return nil, err
	}
	b.stop = stop
	return b, nil
}

// newBody begins a body behind its reply.
func (c *Client) newBody(ctx context.Context, number int) *Body {
	c.busy++
	c.in.budget = c.timeouts.Block
	return &Body{
		Number: number, c: c, ctx: ctx, left: c.limits.message, mark: blockSize,
		u: unstuffer{looseEnd: c.d.LooseEnd, bareLF: c.in.bareLF},
	}
}

// Read returns io.EOF behind the last octet of a whole message only; a body that
// is cut off is io.ErrUnexpectedEOF. ErrUnasked and ErrBadReply: what stands
// behind the end is no reply, so that the end may have been none.
func (b *Body) Read(p []byte) (int, error) {
	in := &b.c.in
	for b.err == nil && len(p) > 0 {
		nDst, nSrc := b.u.next(p, in.buf[in.r:in.w])
		in.r += nSrc
		if b.left -= int64(nDst); b.left < 0 {
			return 0, b.fail(ErrMessageTooLarge)
		}
		if b.u.at == finished {
			b.finish()
			return nDst, b.err
		}
		if nDst > 0 {
			return nDst, nil
		}
		if err := b.fill(); err != nil {
			return 0, b.fail(err)
		}
	}
	return 0, b.err
}

// WriteTo writes the rest of the body to w without a buffer of its own.
func (b *Body) WriteTo(w io.Writer) (n int64, err error) {
	for {
		size, err := b.Read(b.c.room())
		if size > 0 {
			written, err := w.Write(b.c.scratch[:size])
			n += int64(written)
			if err != nil {
				return n, err
			}
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// room is a buffer for octets of bodies.
func (c *Client) room() []byte {
	if c.scratch == nil {
		c.scratch = make([]byte, inputSize)
	}
	return c.scratch
}

// Close ends a body. What is left of it is skipped; where that is much,
// ErrAbandoned: the connection is closed instead, and the server deletes nothing.
func (b *Body) Close() error {
	b.skip(maxSkip)
	if b.err != io.EOF {
		return b.err
	}
	return nil
}

// skip reads what is left, up to a limit, and closes the connection there.
func (b *Body) skip(limit int) (skipped int) {
	for b.err == nil {
		n, _ := b.Read(b.c.room())
		if skipped += n; skipped > limit && b.err == nil {
			b.fail(ErrAbandoned)
			b.c.Close()
		}
	}
	return skipped
}

// fill reads more of the body.
func (b *Body) fill() error {
	in := &b.c.in
	if b.c.broken != nil {
		return b.c.broken
	}
	if b.mark <= 0 {
		in.budget, b.mark = b.c.timeouts.Block, blockSize
	}
	had := in.w - in.r
	err := in.fill(b.ctx, b.c.conn)
	b.mark -= in.w - in.r - had
	return err
}

// finish comes behind the end that was seen.
func (b *Body) finish() {
	c := b.c
	err := c.quiet(b.ctx)
	if in := &c.in; err == nil && in.r < in.w && in.buf[in.r] != '+' && in.buf[in.r] != '-' {
		err = c.lost(b.ctx, fmt.Errorf("%w: behind a body", ErrBadReply))
	}
	if err == nil {
		err = io.EOF
	}
	b.end(err)
}

func (b *Body) fail(err error) error {
	b.end(b.c.lost(b.ctx, err))
	return b.err
}

func (b *Body) end(err error) {
	b.err = err
	b.c.busy--
	if b.stop != nil {
		b.stop()
		b.stop = nil
	}
}
