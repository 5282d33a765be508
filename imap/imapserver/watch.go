package imapserver

import (
	"context"
	"errors"
	"io"
	"os"
	"sync/atomic"
	"time"
)

// maxAhead bounds the octets of later commands that are read while one command
// computes.
const maxAhead = 4 << 10

// watch looks after the client while a command computes and nobody reads: one
// goroutine that lives until stop.
type watch struct {
	c       *conn
	cancel  context.CancelFunc
	done    chan struct{}
	stopped bool        // guarded by conn.mu
	err     error       // that ended the connection; read behind done
	ended   atomic.Bool // the client sends no more; it may still listen
}

// watch starts to look after the client: when the connection fails, or the time
// of Shutdown is up, cancel is called. What the client sends meanwhile is kept
// for Read, or for the decoder of COMPRESS.
func (c *conn) watch(cancel context.CancelFunc) *watch {
	w := &watch{c: c, cancel: cancel, done: make(chan struct{})}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.expired {
		w.stopped, w.err = true, errExpired
		close(w.done)
		cancel()
		return w
	}
	c.reading = true
	_ = c.nc.SetReadDeadline(time.Time{})
	go w.run()
	return w
}

func (w *watch) run() {
	defer close(w.done)
	var buf [512]byte
	for len(w.c.ahead) < maxAhead {
		n, err := w.c.rw.Read(buf[:])
		w.c.ahead = append(w.c.ahead, buf[:n]...)
		if err != nil {
			w.failed(err)
			return
		}
	}
}

// failed says what the end of reading means.
func (w *watch) failed(err error) {
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	switch {
	case w.c.expired:
		w.err = errExpired
		w.cancel()
	case w.stopped && errors.Is(err, os.ErrDeadlineExceeded):
	case errors.Is(err, io.EOF):
		w.ended.Store(true)
	default:
		w.err = err
		w.cancel()
	}
}

// takeAhead takes octets as they came, before what can be read. No watch runs.
func (c *conn) takeAhead(p []byte) int {
	n := copy(p, c.ahead)
	if c.ahead = c.ahead[n:]; len(c.ahead) == 0 {
		c.ahead = nil
	}
	return n
}

// stop ends the watch and waits for its goroutine. Read may be called again; a
// connection that failed meanwhile stays so.
func (w *watch) stop() {
	w.c.mu.Lock()
	if !w.stopped {
		w.stopped, w.c.reading = true, false
		_ = w.c.nc.SetReadDeadline(time.Unix(1, 0))
	}
	w.c.mu.Unlock()
	<-w.done
	if w.err != nil {
		w.c.readErr = w.err
	}
}
