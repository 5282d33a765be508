package imaptest

import (
	"net"
	"sync"
)

// maxOutbox is how much waits to be sent before the server waits, too.
const maxOutbox = 1 << 20

// outbox sends from a goroutine of its own, so that a server reads while the
// client does not.
type outbox struct {
	conn net.Conn
	s    *Stream
	done chan struct{}

	mu      sync.Mutex
	cond    sync.Cond
	pending []byte
	busy    bool // octets are on their way
	failed  bool // nothing gets through any more
	closing bool
}

func newOutbox(conn net.Conn, m Mangle) *outbox {
	o := &outbox{conn: conn, done: make(chan struct{})}
	o.cond.L = &o.mu
	o.s = &Stream{conn: conn, mangle: m, done: make(chan struct{})}
	go o.run()
	return o
}

func (o *outbox) run() {
	defer close(o.done)
	for {
		o.mu.Lock()
		o.busy = false
		o.cond.Broadcast()
		for len(o.pending) == 0 && !o.closing {
			o.cond.Wait()
		}
		p := o.pending
		o.pending, o.busy = nil, true
		o.mu.Unlock()
		if len(p) == 0 {
			return
		}
		if o.s.feed(p) != nil {
			o.abort()
			return
		}
	}
}

func (o *outbox) write(p []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.pending) > maxOutbox && !o.failed && !o.closing {
		o.cond.Wait()
	}
	if !o.failed && !o.closing {
		o.pending = append(o.pending, p...)
		o.cond.Broadcast()
	}
}

// flush waits until all has been sent.
func (o *outbox) flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for !o.failed && (len(o.pending) > 0 || o.busy) {
		o.cond.Wait()
	}
}

// abort loses what has not been sent, and closes the connection.
func (o *outbox) abort() {
	o.mu.Lock()
	if !o.failed {
		close(o.s.done)
	}
	o.failed, o.closing, o.pending = true, true, nil
	o.cond.Broadcast()
	o.mu.Unlock()
	o.conn.Close()
}

// close is abort, and waits for the goroutine.
func (o *outbox) close() {
	o.abort()
	<-o.done
}

// release ends the goroutine once all has been sent, and leaves the connection
// open.
func (o *outbox) release() {
	o.flush()
	o.mu.Lock()
	o.closing = true
	o.cond.Broadcast()
	o.mu.Unlock()
	<-o.done
}
