package smtpclient

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/mailstead/mailstead/smtp"
)

// command sends one line with what is still held, and reads its reply.
func (c *Client) command(ctx context.Context, timeout time.Duration, line string) (smtp.Reply, error) {
	c.out = append(append(c.out, line...), '\r', '\n')
	if err := c.flush(ctx, timeout); err != nil {
		return smtp.Reply{}, err
	}
	return c.reply(ctx, timeout)
}

// flush writes the commands that are held.
func (c *Client) flush(ctx context.Context, timeout time.Duration) error {
	if c.broken != nil {
		return c.broken
	}
	err := c.bounded(ctx, timeout, func() error {
		_, err := c.conn.Write(c.out)
		return err
	})
	c.out = c.out[:0]
	return err
}

// reply reads one reply.
func (c *Client) reply(ctx context.Context, timeout time.Duration) (smtp.Reply, error) {
	if c.broken != nil {
		return smtp.Reply{}, c.broken
	}
	var r smtp.Reply
	err := c.bounded(ctx, timeout, func() (err error) {
		r, err = c.in.read(c.conn)
		return err
	})
	if err == nil && r.Code == 421 { // RFC 5321 §3.8: the server closes
		c.broken = fmt.Errorf("%w: %w", ErrClosed, &smtp.Error{Reply: r})
	}
	return r, err
}

// bounded runs one blocking step until timeout or the end of ctx. A step that
// fails leaves the connection in an unknown state.
func (c *Client) bounded(ctx context.Context, timeout time.Duration, step func() error) error {
	if err := ctx.Err(); err != nil {
		c.broken = err
		return err
	}
	deadline := time.Time{}
	if timeout > 0 {
		deadline = time.Now().Add(timeout)
	}
	c.conn.SetDeadline(deadline)
	stop := context.AfterFunc(ctx, func() { c.conn.SetDeadline(time.Unix(1, 0)) })
	err := step()
	if !stop() && err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		c.broken = fmt.Errorf("%w: %w", ErrClosed, err)
	}
	return err
}

// replyReader reads replies, bounded in lines and octets.
type replyReader struct {
	buf      []byte // octets r..w are not yet used
	r, w     int
	maxLines int
}

// buffered reports whether octets wait behind the last reply.
func (rr *replyReader) buffered() bool { return rr.r < rr.w }

func (rr *replyReader) read(conn net.Conn) (smtp.Reply, error) {
	var reply smtp.Reply
	for range rr.maxLines {
		line, err := rr.line(conn)
		if err != nil {
			return smtp.Reply{}, err
		}
		last, err := reply.AddLine(line)
		if err != nil {
			return smtp.Reply{}, fmt.Errorf("%w: %w", ErrBadReply, err)
		}
		if last {
			return reply, nil
		}
	}
	return smtp.Reply{}, ErrReplyTooLong
}

// line returns the next line without its end, valid until the next call. A
// bare LF ends a line too: some servers send it, and nothing hangs on it here.
func (rr *replyReader) line(conn net.Conn) ([]byte, error) {
	for scanned := 0; ; {
		if i := bytes.IndexByte(rr.buf[rr.r+scanned:rr.w], '\n'); i >= 0 {
			line := rr.buf[rr.r : rr.r+scanned+i]
			rr.r += scanned + i + 1
			return bytes.TrimSuffix(line, []byte{'\r'}), nil
		}
		scanned = rr.w - rr.r
		if rr.r > 0 {
			copy(rr.buf, rr.buf[rr.r:rr.w])
			rr.r, rr.w = 0, scanned
		}
		if rr.w == len(rr.buf) {
			return nil, ErrReplyTooLong
		}
		n, err := conn.Read(rr.buf[rr.w:])
		rr.w += n
		if n == 0 && err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}
