package smtpclient

import (
	"context"
	"fmt"
	"time"

	"github.com/mailstead/mailstead/internal/clientconn"
	"github.com/mailstead/mailstead/smtp"
)

// watch makes the end of ctx end every wait on the connection, until the function
// that it returns is called.
func (c *Client) watch(ctx context.Context) (stop func()) { return clientconn.Watch(ctx, c.conn) }

// lost notes that the connection is in an unknown state.
func (c *Client) lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if c.broken == nil {
		c.broken = fmt.Errorf("%w: %w", ErrClosed, err)
	}
	return err
}

// command sends one line and reads its reply.
func (c *Client) command(ctx context.Context, timeout time.Duration, line string) (smtp.Reply, error) {
	c.out = append(append(c.out[:0], line...), '\r', '\n')
	if err := c.write(ctx, c.out, timeout); err != nil {
		return smtp.Reply{}, err
	}
	return c.reply(ctx, timeout)
}

// write returns nil when all of p was written. Otherwise its last octet was not.
func (c *Client) write(ctx context.Context, p []byte, timeout time.Duration) error {
	if c.broken != nil {
		return c.broken
	}
	err := clientconn.Arm(ctx, c.conn.SetWriteDeadline, timeout)
	if err == nil {
		_, err = c.conn.Write(p)
	}
	if err != nil {
		return c.lost(ctx, err)
	}
	return nil
}

// reply takes the next reply. Where the connection broke while commands were
// being written, what the server said before may still come.
func (c *Client) reply(ctx context.Context, timeout time.Duration) (smtp.Reply, error) {
	if c.broken != nil {
		if c.ahead.pending == 0 {
			return smtp.Reply{}, c.broken
		}
		timeout = earlyReplyWait
	}
	err := clientconn.Arm(ctx, c.conn.SetReadDeadline, timeout)
	if err != nil && c.ahead.pending == 0 {
		return smtp.Reply{}, c.lost(ctx, err)
	}
	if err != nil {
		c.conn.SetReadDeadline(time.Unix(1, 0))
	}
	a := c.next()
	if a.err != nil {
		return smtp.Reply{}, c.lost(ctx, a.err)
	}
	if a.reply.Code == 421 && c.broken == nil { // RFC 5321 §3.8: the server closes
		c.broken = fmt.Errorf("%w: %w", ErrClosed, &smtp.Error{Reply: a.reply})
	}
	return a.reply, nil
}

// earlyReplyWait is how long a reply is waited for that a server may have sent
// before it closed.
const earlyReplyWait = 5 * time.Second

// next is the next reply: one read ahead, or read now.
func (c *Client) next() answer {
	if c.ahead.pending > 0 {
		return c.ahead.next()
	}
	r, err := c.in.read(c.conn)
	return answer{r, err}
}
