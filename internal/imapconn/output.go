package imapconn

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// outputSize is how much is collected before it is written.
const outputSize = 64 << 10

// Write puts octets behind those that are still to be sent.
func (c *Conn) Write(p []byte) error {
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

// WriteFrom writes n octets of r.
func (c *Conn) WriteFrom(r io.Reader, n int64) error {
	for n > 0 {
		if err := c.Write(nil); err != nil {
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
			return c.Lost(fmt.Errorf("imapclient: body: %w", cutOff(err)))
		}
	}
	return nil
}

// flush sends what was written. Where responses are on their way, they are read
// meanwhile, so that neither side waits for the other, however small the buffers
// between them are.
func (c *Conn) flush() error {
	if c.err != nil {
		return c.err
	}
	if len(c.out) == 0 {
		return nil
	}
	out := c.out
	c.out = c.out[:0]
	if err := c.arm(c.raw.SetWriteDeadline, c.Timeouts.Block); err != nil {
		return c.Lost(err)
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
		return c.Lost(err)
	}
	return nil
}

// pumpDelay is how long a write may wait for the server before what the server
// sends is read ahead.
const pumpDelay = 5 * time.Millisecond

// pump reads ahead where a write waits, until the function that it returns is
// called.
func (c *Conn) pump() (stop func()) {
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
func (c *Conn) lastWords() {
	if c.in.err == nil {
		c.in.err = io.ErrUnexpectedEOF // what is in the buffer is all
	}
	for c.bye == nil {
		r, err := c.parseNext()
		if err != nil || r.Section {
			return
		}
		if r.Name == "BYE" {
			c.noteBye(r)
		}
	}
}

// timedOut reports whether a read ended because of its deadline.
func timedOut(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
