package smtpclient

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"github.com/mailstead/mailstead/smtp"
)

// data sends the body and reads the reply, or in LMTP the replies, to its end.
func (t *transaction) data(ctx context.Context, b *smtp.Body) error {
	c := t.c
	if c.block == nil {
		c.block = make([]byte, 0, dotBuffer)
	}
	w := &dotWriter{c: c, ctx: ctx, buf: c.block}
	_, err := w.Write(b.Trace())
	if err == nil {
		_, err = b.WriteTo(w)
	}
	if err == nil {
		t.sent = true
		err = w.end()
	}
	if err != nil {
		return t.broken(ctx, w, err)
	}
	return t.final(ctx)
}

// broken handles a body that could not be sent whole. Without its end mark the
// server has nothing; all that can be done is to drop the connection, since
// an end mark would make a whole message of half of one (RFC 5321 §4.1.1.4). A
// server that refused early may have left its reply.
func (t *transaction) broken(ctx context.Context, w *dotWriter, err error) error {
	c := t.c
	defer c.Close()
	if w.err == nil { // the source failed
		c.broken = errors.Join(ErrClosed, err)
		return err
	}
	if t.sent {
		return err
	}
	c.broken = nil
	reply, replyErr := c.reply(ctx, earlyReplyWait)
	c.broken = errors.Join(ErrClosed, err)
	if replyErr == nil && !reply.Positive() && reply.Code != 354 {
		t.refuseAll(".", reply)
	}
	return err
}

// final reads the replies behind the final dot: one, or one for each accepted
// recipient in LMTP (RFC 2033 §4.2).
func (t *transaction) final(ctx context.Context) error {
	c := t.c
	if !c.d.LMTP {
		reply, err := c.reply(ctx, c.timeouts.DataEnd)
		if err != nil {
			return err
		}
		t.res.QueueID = positiveID(reply)
		t.res.all(t.open, byReply(".", reply))
		t.open = nil
		return nil
	}
	for len(t.open) > 0 {
		reply, err := c.reply(ctx, c.timeouts.DataEnd)
		if err != nil {
			return err
		}
		if t.res.QueueID == "" {
			t.res.QueueID = positiveID(reply)
		}
		t.res.Recipients[t.open[0]] = byReply(".", reply)
		t.open = t.open[1:]
	}
	return nil
}

func positiveID(r smtp.Reply) string {
	if !r.Positive() {
		return ""
	}
	return queueID(r)
}

const (
	dotBuffer      = 32 << 10        // octets written at once
	earlyReplyWait = 5 * time.Second // for the reply of a server that closed inside a body
)

// dotWriter writes a body for DATA (RFC 5321 §4.5.2): a dot at the start of a
// line is doubled, a missing CRLF at the end is added, and bare CR and LF
// become CRLF (§2.3.8), since a peer might take them for line ends.
type dotWriter struct {
	c      *Client
	ctx    context.Context
	buf    []byte
	lastCR bool // the last octet was a CR whose LF is yet to come
	inLine bool // the last octet was neither CR nor LF
	err    error
}

// Write implements io.Writer.
func (w *dotWriter) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 && w.err == nil {
		if !w.inLine && !w.lastCR && p[0] == '.' {
			w.put([]byte{'.'})
		}
		p = w.line(p)
	}
	if w.err != nil {
		return 0, w.err
	}
	return total, nil
}

// line writes up to the next line end and returns the rest.
func (w *dotWriter) line(p []byte) []byte {
	if w.lastCR {
		w.lastCR = false
		w.put([]byte("\r\n"))
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
		w.put(p[:cr])
		w.inLine, w.lastCR = false, true
		return p[cr+1:]
	}
	w.put(p[:i])
	w.inLine = i > 0 || w.inLine
	if i == len(p) {
		return nil
	}
	w.put([]byte("\r\n"))
	w.inLine = false
	return p[i+1:]
}

func (w *dotWriter) put(p []byte) {
	for len(p) > 0 && w.err == nil {
		n := min(len(p), cap(w.buf)-len(w.buf))
		w.buf = append(w.buf, p[:n]...)
		p = p[n:]
		if len(w.buf) == cap(w.buf) {
			w.flush()
		}
	}
}

func (w *dotWriter) flush() {
	w.err = w.c.bounded(w.ctx, w.c.timeouts.Block, func() error {
		n, err := w.c.conn.Write(w.buf)
		if err == nil && n < len(w.buf) {
			err = io.ErrShortWrite
		}
		return err
	})
	w.buf = w.buf[:0]
}

// end writes the end mark.
func (w *dotWriter) end() error {
	if w.inLine || w.lastCR {
		w.put([]byte("\r\n"))
	}
	w.put([]byte(".\r\n"))
	if w.err == nil {
		w.flush()
	}
	return w.err
}
