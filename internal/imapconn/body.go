package imapconn

import (
	"fmt"
	"io"
	"time"
)

// Body reads the text of a section: a string that is here, or octets that are
// still to come from the connection. One that breaks off is an error that wraps
// io.ErrUnexpectedEOF, never io.EOF.
type Body struct {
	c    *Conn
	here []byte
	left int64 // to come
	size int64
}

// Body is the text of the section with which the response at hand ends: size
// octets that follow, or those that are here.
func (c *Conn) Body(here []byte, behind bool, size int64) Body {
	b := Body{c: c, here: here, size: size}
	if behind {
		b.left = size
	}
	return b
}

// Read implements io.Reader: straight from the connection where p is large.
func (b *Body) Read(p []byte) (int, error) {
	if len(b.here) > 0 {
		n := copy(p, b.here)
		b.here = b.here[n:]
		return n, nil
	}
	if b.left == 0 {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	b.c.block = true
	n, err := b.c.in.copyOut(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if err != nil {
		return n, b.cutOff(err)
	}
	return n, nil
}

// WriteTo implements io.WriterTo: octets go from the buffer of the connection to
// w.
func (b *Body) WriteTo(w io.Writer) (written int64, err error) {
	if len(b.here) > 0 {
		n, err := w.Write(b.here)
		b.here = b.here[n:]
		return int64(n), err
	}
	for b.left > 0 {
		b.c.block = true
		p, err := b.c.in.peek(b.left)
		if err != nil {
			return written, b.cutOff(err)
		}
		n, err := w.Write(p)
		b.c.in.r += n
		b.left -= int64(n)
		written += int64(n)
		if err == nil && n < len(p) {
			err = io.ErrShortWrite
		}
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

func (b *Body) cutOff(err error) error {
	left := b.left
	if err = b.c.Lost(err); b.c.ctx == nil || b.c.ctx.Err() == nil {
		return fmt.Errorf("imapclient: %d of %d octets are missing: %w", left, b.size, err)
	}
	return err
}

// Discard reads what is left, if that is not more than budget, which shrinks.
func (b *Body) Discard(budget *int64) error {
	b.here = nil
	if b.left == 0 {
		return nil
	}
	if *budget -= b.left; *budget < 0 {
		return b.c.Lost(fmt.Errorf("%w: %d octets of a text that nobody wants", ErrLimit, b.left))
	}
	_, err := b.WriteTo(io.Discard)
	return err
}

// Rest is the rest of a response behind a section, or up to the next one. Where
// it fails, the connection is lost.
func (c *Conn) Rest() (chunk []byte, section bool, err error) {
	c.block, c.until = false, time.Time{}
	chunk, section, err = c.in.next(true)
	if err != nil {
		err = c.Lost(err)
	}
	return chunk, section, err
}
