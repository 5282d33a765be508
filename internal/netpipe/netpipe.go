// Package netpipe makes connections in memory for tests: net.Pipe with a window,
// as TCP has one, so that two sides that write at a time do not wait for each
// other. They work in a testing/synctest bubble.
package netpipe

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// window is how much of a stream may wait to be read.
const window = 64 << 10

// Pair returns the two ends of a connection.
func Pair(client, server net.Addr) (a, b *Conn) {
	up, down := newStream(), newStream()
	a = &Conn{in: down, out: up, local: client, remote: server}
	b = &Conn{in: up, out: down, local: server, remote: client}
	return a, b
}

// Conn is one end of a connection.
type Conn struct {
	in, out         *stream
	local, remote   net.Addr
	readBy, writeBy deadline
	once            sync.Once
}

// Read returns what is there, and waits where nothing is.
func (c *Conn) Read(p []byte) (int, error) {
	for {
		n, more, err := c.in.take(p)
		if n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
		select {
		case <-more:
		case <-c.readBy.passed():
			return 0, os.ErrDeadlineExceeded
		}
	}
}

// Write waits where the window is full.
func (c *Conn) Write(p []byte) (n int, err error) {
	for {
		k, room, err := c.out.give(p[n:])
		n += k
		if err != nil || n == len(p) {
			return n, err
		}
		select {
		case <-room:
		case <-c.writeBy.passed():
			return n, os.ErrDeadlineExceeded
		}
	}
}

// Close ends both directions: what was written can still be read.
func (c *Conn) Close() error {
	c.once.Do(func() {
		c.out.end(false)
		c.in.end(true)
		c.readBy.set(time.Time{})
		c.writeBy.set(time.Time{})
	})
	return nil
}

// PeerGone is closed when the other end was closed.
func (c *Conn) PeerGone() <-chan struct{} { return c.out.gone }

// LocalAddr is that of this end.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr is that of the other end.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline bounds reads and writes, also those that wait already.
func (c *Conn) SetDeadline(t time.Time) error {
	c.readBy.set(t)
	c.writeBy.set(t)
	return nil
}

// SetReadDeadline bounds reads.
func (c *Conn) SetReadDeadline(t time.Time) error { c.readBy.set(t); return nil }

// SetWriteDeadline bounds writes.
func (c *Conn) SetWriteDeadline(t time.Time) error { c.writeBy.set(t); return nil }

// stream is one direction.
type stream struct {
	mu      sync.Mutex // guards what follows
	buf     []byte
	ended   bool          // by the writer
	refused bool          // by the reader
	changed chan struct{} // closed at the next change
	gone    chan struct{} // closed with refused
}

func newStream() *stream {
	return &stream{changed: make(chan struct{}), gone: make(chan struct{})}
}

// take reads what is there; where nothing is, more is closed once that changes.
func (s *stream) take(p []byte) (n int, more <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.refused:
		return 0, nil, net.ErrClosed
	case len(s.buf) > 0:
		n = copy(p, s.buf)
		s.buf = s.buf[n:]
		s.changeLocked()
	case s.ended:
		return 0, nil, io.EOF
	}
	return n, s.changed, nil
}

// give writes what fits; room is closed once more may.
func (s *stream) give(p []byte) (n int, room <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended:
		return 0, nil, net.ErrClosed
	case s.refused:
		return 0, nil, syscall.EPIPE
	}
	n = min(len(p), window-len(s.buf))
	if n > 0 {
		s.buf = append(s.buf, p[:n]...)
		s.changeLocked()
	}
	return n, s.changed, nil
}

// end is that of the reader or the writer.
func (s *stream) end(reader bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if reader {
		s.refused = true
		close(s.gone)
	} else {
		s.ended = true
	}
	s.changeLocked()
}

func (s *stream) changeLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// deadline is a time that can be changed, also while somebody waits for it.
type deadline struct {
	mu    sync.Mutex // guards what follows
	timer *time.Timer
	over  chan struct{} // closed when the time has come; nil = nobody waits yet
}

// passed is closed when the deadline is over.
func (d *deadline) passed() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over == nil {
		d.over = make(chan struct{})
	}
	return d.over
}

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil && !d.timer.Stop() {
		<-d.over // its function is about to close it, or has
	}
	d.timer = nil
	if d.over == nil {
		d.over = make(chan struct{})
	}
	over := isClosed(d.over)
	if over {
		d.over = make(chan struct{})
	}
	if t.IsZero() {
		return
	}
	ch := d.over
	if left := time.Until(t); left > 0 {
		d.timer = time.AfterFunc(left, func() { close(ch) })
		return
	}
	close(ch)
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
