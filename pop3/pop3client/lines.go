package pop3client

import (
	"context"
	"fmt"
	"iter"
)

// lines sends a command whose reply has several lines. A line is valid until the
// next one.
func (c *Client) lines(ctx context.Context, command string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if err := c.send(ctx, command); err != nil {
			yield(nil, err)
			return
		}
		c.awaitedLines(ctx, verb(command))(yield)
	}
}

// awaitedLines are those of the next reply.
func (c *Client) awaitedLines(ctx context.Context, verb string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if err := c.lead(ctx, verb); err != nil {
			yield(nil, err)
			return
		}
		c.busy++
		defer func() { c.busy-- }()
		c.in.budget = c.timeouts.Block
		l := listed{c: c, octets: c.limits.listing, lines: c.limits.messages, mark: blockSize}
		for {
			line, err := l.next(ctx)
			switch {
			case err != nil:
				yield(nil, err)
				return
			case line == nil:
				return
			case !yield(line, nil):
				l.octets, l.lines = maxSkip, maxSkip
				l.skip(ctx)
				return
			}
		}
	}
}

// listed is a reply of several lines that is being read.
type listed struct {
	c             *Client
	octets, lines int64 // that may still come
	mark          int64 // octets until the server has Timeouts.Block again
}

// next is the next line, without dot-stuffing; nil = there is no more.
func (l *listed) next(ctx context.Context) ([]byte, error) {
	c := l.c
	if l.mark <= 0 {
		c.in.budget, l.mark = c.timeouts.Block, blockSize
	}
	line, err := c.line(ctx)
	if err != nil {
		return nil, err
	}
	if string(line) == "." {
		return nil, c.quiet(ctx)
	}
	size := int64(len(line)) + 1
	l.mark -= size
	l.octets -= size
	if l.lines--; l.lines < 0 || l.octets < 0 {
		return nil, c.lost(ctx, fmt.Errorf("%w (Dialer.MaxMessages, MaxListing)", ErrListing))
	}
	if len(line) > 0 && line[0] == '.' {
		line = line[1:]
	}
	return line, nil
}

// skip reads what is left.
func (l *listed) skip(ctx context.Context) {
	for {
		if line, err := l.next(ctx); line == nil || err != nil {
			return
		}
	}
}
