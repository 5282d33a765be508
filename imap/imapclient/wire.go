package imapclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/klauspost/compress/flate"

	"github.com/mailstead/mailstead/internal/clientconn"
	"github.com/mailstead/mailstead/internal/inflate"
)

// past is a deadline that ends every wait.
var past = time.Unix(1, 0)

// begin takes the connection for one call, and makes the end of ctx end every
// wait on it, until the function that it returns is called.
func (c *Client) begin(ctx context.Context) (end func(), err error) {
	if !c.busy.CompareAndSwap(false, true) {
		return nil, ErrBusy
	}
	if err = c.err; err == nil {
		err = ctx.Err()
	}
	if err != nil {
		c.busy.Store(false)
		return nil, err
	}
	stop := clientconn.Watch(ctx, c.raw)
	c.ctx, c.unasked, c.low = ctx, 0, 0
	return func() {
		c.ctx = nil
		stop()
		c.busy.Store(false)
	}, nil
}

// arm sets a deadline, see clientconn.Arm.
func (c *Client) arm(set func(time.Time) error, timeout time.Duration) error {
	return clientconn.Arm(c.ctx, set, timeout)
}

// ready runs before each read: what is still to be sent leaves, and the wait
// gets its bound. A wait for a response has one in all, one for octets of a text
// begins anew with each read.
func (c *Client) ready() error {
	if err := c.flush(); err != nil {
		return err
	}
	if c.block {
		return c.arm(c.raw.SetReadDeadline, c.timeouts.Block)
	}
	if !c.idle.IsZero() {
		c.raw.SetReadDeadline(c.idle)
		if c.idleCtx != nil && c.idleCtx.Err() != nil {
			return os.ErrDeadlineExceeded // its end was overtaken by the deadline
		}
		return nil
	}
	if c.until.IsZero() && c.wait > 0 {
		c.until = time.Now().Add(c.wait)
	}
	c.raw.SetReadDeadline(c.until)
	return c.ctx.Err()
}

// lost notes that the connection is in an unknown state, and closes it.
func (c *Client) lost(err error) error {
	if c.err != nil {
		return c.err
	}
	switch {
	case c.ctx != nil && c.ctx.Err() != nil:
		err = c.ctx.Err()
	case c.bye != nil:
		err = c.bye
	}
	if !errors.Is(err, ErrClosed) {
		err = fmt.Errorf("%w: %w", ErrClosed, err)
	}
	c.err = err
	c.pending = nil
	c.raw.Close()
	return err
}

// outputSize is how much is collected before it is written.
const outputSize = 64 << 10

// write puts octets behind those that are still to be sent.
func (c *Client) write(p []byte) error {
	if c.err != nil {
		return c.err
	}
	if c.out == nil {
		c.out = make([]byte, 0, outputSize)
	}
	for len(p) > 0 {
		if len(c.out) == cap(c.out) {
			if err := c.flush(); err != nil {
				return err
			}
		}
		n := copy(c.out[len(c.out):cap(c.out)], p)
		c.out = c.out[:len(c.out)+n]
		p = p[n:]
	}
	return nil
}

// writeFrom writes n octets of r.
func (c *Client) writeFrom(r io.Reader, n int64) error {
	for n > 0 {
		if err := c.write(nil); err != nil {
			return err
		}
		if len(c.out) == cap(c.out) {
			if err := c.flush(); err != nil {
				return err
			}
		}
		free := c.out[len(c.out):cap(c.out)]
		m, err := r.Read(free[:min(int64(len(free)), n)])
		c.out = c.out[:len(c.out)+m]
		n -= int64(m)
		if err != nil && n > 0 {
			return c.lost(fmt.Errorf("imapclient: body: %w", cutOff(err)))
		}
	}
	return nil
}

// flush sends what was written. Where responses are on their way, they are read
// meanwhile, so that neither side waits for the other, however small the buffers
// between them are.
func (c *Client) flush() error {
	if c.err != nil {
		return c.err
	}
	if len(c.out) == 0 {
		return nil
	}
	out := c.out
	c.out = c.out[:0]
	if err := c.arm(c.raw.SetWriteDeadline, c.timeouts.Block); err != nil {
		return c.lost(err)
	}
	var err error
	if c.deflate != nil { // in one write: a server that has seen LOGOUT closes
		c.packed.Reset()
		if _, err = c.deflate.Write(out); err == nil {
			err = c.deflate.Flush()
		}
		out = c.packed.Bytes()
	}
	stop := c.pump()
	if err == nil {
		_, err = c.conn.Write(out)
	}
	stop()
	if err != nil {
		c.lastWords()
		return c.lost(err)
	}
	return nil
}

// pumpDelay is how long a write may wait for the server before what the server
// sends is read ahead.
const pumpDelay = 5 * time.Millisecond

// pump reads ahead where a write waits, until the function that it returns is
// called.
func (c *Client) pump() (stop func()) {
	if c.in.err != nil {
		return func() {}
	}
	var mu sync.Mutex
	stopped := false
	done := make(chan struct{})
	timer := time.AfterFunc(pumpDelay, func() {
		defer close(done)
		mu.Lock()
		if !stopped {
			c.raw.SetReadDeadline(time.Time{})
		}
		mu.Unlock()
		c.in.pump() // a deadline that is past ends it at once
	})
	return func() {
		if timer.Stop() {
			return
		}
		mu.Lock()
		stopped = true
		c.raw.SetReadDeadline(past)
		mu.Unlock()
		<-done
	}
}

// lastWords looks for a BYE that came before the connection broke.
func (c *Client) lastWords() {
	if c.in.err == nil {
		c.in.err = io.ErrUnexpectedEOF // what is in the buffer is all
	}
	for c.bye == nil {
		r, err := c.parseNext()
		if err != nil || r.section {
			return
		}
		if r.name == "BYE" {
			c.bye = &Error{Response: r.status}
		}
	}
}

// timedOut reports whether a read ended because of its deadline.
func timedOut(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// inflater reads what a server compressed (RFC 4978). An interrupted read loses
// nothing.
type inflater struct {
	src io.Reader
	in  inflate.Decoder
	raw []byte
	buf [8 << 10]byte
}

func (f *inflater) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		n, taken, err := f.in.Decode(p, f.raw)
		f.raw = f.raw[taken:]
		if n > 0 || err != nil {
			return n, err
		}
		if len(f.raw) > 0 && taken > 0 {
			continue
		}
		kept := copy(f.buf[:], f.raw)
		m, err := f.src.Read(f.buf[kept:])
		f.raw = f.buf[:kept+m]
		if m == 0 && err != nil {
			return 0, err
		}
	}
}

// compress puts the layers of compression around the connection. ahead is what
// came behind the server's OK.
func (c *Client) compress() error {
	w, err := flate.NewWriter(&c.packed, flate.DefaultCompression)
	if err != nil {
		return err
	}
	f := &inflater{src: c.conn}
	if c.in.buffered() {
		f.raw = append([]byte(nil), c.in.buf[c.in.r:c.in.w]...)
		c.in.r = c.in.w
	}
	c.in.src, c.deflate = f, w
	return nil
}
