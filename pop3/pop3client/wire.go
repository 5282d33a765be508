package pop3client

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"time"

	"github.com/mailstead/mailstead/internal/clientconn"
	"github.com/mailstead/mailstead/pop3"
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
		c.pending = 0
		c.in.r, c.in.w = 0, 0
	}
	return err
}

// ready reports why no command can be sent.
func (c *Client) ready() error {
	switch {
	case c.broken != nil:
		return c.broken
	case c.busy > 0:
		return ErrBusy
	}
	return nil
}

// command sends one line and reads the first line of its reply.
func (c *Client) command(ctx context.Context, line string) (pop3.Reply, error) {
	if err := c.send(ctx, line); err != nil {
		return pop3.Reply{}, err
	}
	return c.reply(ctx, c.timeouts.Command)
}

// send sends one command.
func (c *Client) send(ctx context.Context, line string) error {
	c.out = append(append(c.out[:0], line...), '\r', '\n')
	c.trace(true, shown(line))
	return c.flush(ctx, 1)
}

// flush writes c.out, which holds n commands.
func (c *Client) flush(ctx context.Context, n int) error {
	if err := c.quiet(ctx); err != nil {
		return err
	}
	if err := c.write(ctx); err != nil {
		return err
	}
	c.pending += n
	return nil
}

// quiet reports octets of the server that nothing asked for.
func (c *Client) quiet(ctx context.Context) error {
	switch {
	case c.broken != nil:
		return c.broken
	case c.pending == 0 && c.in.r < c.in.w:
		return c.lost(ctx, ErrUnasked)
	}
	return nil
}

// write writes c.out.
func (c *Client) write(ctx context.Context) error {
	err := clientconn.Arm(ctx, c.conn.SetWriteDeadline, c.timeouts.Command)
	if err == nil {
		_, err = c.conn.Write(c.out)
	}
	if err != nil {
		return c.lost(ctx, err)
	}
	return nil
}

// reply takes the next reply, of one line. Where it is all that is awaited,
// nothing may stand behind it.
func (c *Client) reply(ctx context.Context, timeout time.Duration) (pop3.Reply, error) {
	r, err := c.head(ctx, timeout)
	if err == nil {
		err = c.quiet(ctx)
	}
	return r, err
}

// head is the first line of a reply, of which lines may follow.
func (c *Client) head(ctx context.Context, timeout time.Duration) (pop3.Reply, error) {
	line, err := c.replyLine(ctx, timeout)
	if err != nil {
		return pop3.Reply{}, err
	}
	return c.parse(ctx, line)
}

// lead is the first line of a reply of several lines, which follow if there is
// no error.
func (c *Client) lead(ctx context.Context, verb string) error {
	r, err := c.head(ctx, c.timeouts.Command)
	if err == nil && !r.OK {
		err = c.quiet(ctx)
	}
	if err != nil {
		return err
	}
	return c.judge(verb, r)
}

func (c *Client) parse(ctx context.Context, line []byte) (pop3.Reply, error) {
	if len(c.secrets) > 0 {
		line = []byte(c.scrub(string(line)))
	}
	r, err := pop3.ParseReply(line)
	if err != nil {
		return r, c.lost(ctx, fmt.Errorf("%w: %.80q", ErrBadReply, line))
	}
	c.trace(false, r.String())
	return r, nil
}

// replyLine is the next line, for which the server has timeout. It is valid
// until the next read.
func (c *Client) replyLine(ctx context.Context, timeout time.Duration) ([]byte, error) {
	if c.broken != nil {
		return nil, c.broken
	}
	c.in.budget = timeout
	line, err := c.line(ctx)
	if err != nil {
		return nil, err
	}
	c.pending--
	return line, nil
}

// line is the next line without its end.
func (c *Client) line(ctx context.Context) ([]byte, error) {
	line, err := c.in.line(ctx, c.conn, c.limits.replyLine)
	if err != nil {
		return nil, c.lost(ctx, err)
	}
	return line, nil
}

// input is what was read of the connection and not yet used, and how long the
// server may be waited for.
type input struct {
	buf    []byte // octets r..w are not yet used
	r, w   int
	bareLF bool          // the last line ended in a bare LF
	budget time.Duration // what is left of the time to wait; negative = no limit
}

const inputSize = 32 << 10

// fill reads more behind the unused octets, and io.ErrUnexpectedEOF at the end.
func (in *input) fill(ctx context.Context, conn net.Conn) error {
	if in.buf == nil {
		in.buf = make([]byte, inputSize)
	}
	if in.r > 0 {
		in.w = copy(in.buf, in.buf[in.r:in.w])
		in.r = 0
	}
	if in.w == len(in.buf) {
		in.buf = append(in.buf, make([]byte, len(in.buf))...)
	}
	if in.budget == 0 { // all of it is used up
		return os.ErrDeadlineExceeded
	}
	start := time.Now()
	if err := clientconn.Arm(ctx, conn.SetReadDeadline, in.budget); err != nil {
		return err
	}
	n, err := conn.Read(in.buf[in.w:])
	in.w += n
	if in.budget > 0 {
		in.budget = max(0, in.budget-time.Since(start))
	}
	switch {
	case n > 0:
		return nil
	case err == io.EOF:
		return io.ErrUnexpectedEOF
	}
	return err
}

// line returns the next line without its end, valid until the next read. A bare
// LF ends a line too: some servers send it.
func (in *input) line(ctx context.Context, conn net.Conn, longest int) ([]byte, error) {
	for scanned := 0; ; {
		if i := bytes.IndexByte(in.buf[in.r+scanned:in.w], '\n'); i >= 0 {
			line := in.buf[in.r : in.r+scanned+i]
			in.r += scanned + i + 1
			if len(line)+1 > longest {
				return nil, ErrReplyTooLong
			}
			n := len(line)
			line = bytes.TrimSuffix(line, []byte{'\r'})
			in.bareLF = len(line) == n
			return line, nil
		}
		scanned = in.w - in.r
		if scanned >= longest {
			return nil, ErrReplyTooLong
		}
		if err := in.fill(ctx, conn); err != nil {
			return nil, err
		}
	}
}

// orDefault: zero = def, negative = no bound.
func orDefault(n, def int64) int64 {
	switch {
	case n == 0:
		return def
	case n < 0:
		return math.MaxInt64
	}
	return n
}
