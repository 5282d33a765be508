package pop3client

import (
	"context"
	"iter"
	"strconv"
)

// maxPending bounds the commands that wait for their replies where the server
// pipelines (RFC 2449 §6.6). They are less than a kilobyte, which every
// transport buffers: writing them never waits for the server to read.
const maxPending = 32

// kind is a command with the number of a message.
type kind struct {
	verb, suffix string
}

var (
	retr = kind{verb: "RETR"}
	dele = kind{verb: "DELE"}
)

func top(lines int) kind { return kind{"TOP", " " + strconv.Itoa(max(0, lines))} }

func (k kind) append(dst []byte, number int) []byte {
	dst = append(append(dst, k.verb...), ' ')
	return append(strconv.AppendInt(dst, int64(number), 10), k.suffix...)
}

// RetrEach retrieves messages in the order of numbers, and asks for the next
// ones while one arrives where the server pipelines. It returns a body for each,
// or the *Error of one that the server refuses, with a Body that has no more
// than its Number. Any other error ends it.
//
// A body counts until the next step of the loop, which skips what is left of
// it. Leaving the loop skips what was asked for, or closes the connection where
// that is much: pass no more numbers than are wanted.
func (c *Client) RetrEach(ctx context.Context, numbers []int) iter.Seq2[*Body, error] {
	return c.bodies(ctx, retr, numbers)
}

// TopEach is RetrEach for Top.
func (c *Client) TopEach(ctx context.Context, numbers []int, lines int) iter.Seq2[*Body, error] {
	return c.bodies(ctx, top(lines), numbers)
}

func (c *Client) bodies(ctx context.Context, k kind, numbers []int) iter.Seq2[*Body, error] {
	return func(yield func(*Body, error) bool) {
		c.each(ctx, k, numbers, func(p *pipeline, number int) (more bool, err error) {
			b, err := p.body(ctx, number)
			if err != nil {
				return yield(&Body{Number: number, c: c, err: err}, err), err
			}
			more = yield(b, nil)
			b.Close() // what is wrong with the connection is heard at the next number
			return more, nil
		})
	}
}

// Dele marks a message as deleted. A refusal is an *Error. It is Quit that
// deletes.
func (c *Client) Dele(ctx context.Context, number int) error {
	for _, err := range c.DeleEach(ctx, []int{number}) {
		return err
	}
	return nil
}

// DeleEach marks messages as deleted, many at a time where the server
// pipelines, and returns for each what became of it: nil, the server's *Error,
// or another error, which ends it. Leaving the loop does not take back what was
// sent.
func (c *Client) DeleEach(ctx context.Context, numbers []int) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		c.each(ctx, dele, numbers, func(p *pipeline, number int) (more bool, err error) {
			err = p.line(ctx)
			return yield(number, err), err
		})
	}
}

// each has take deal with the reply to a command for each number, which it asks
// the pipeline for. It ends when take says so, or with an error that is no
// refusal.
func (c *Client) each(ctx context.Context, k kind, numbers []int, take func(p *pipeline, number int) (more bool, err error)) {
	p := pipeline{c: c, kind: k, numbers: numbers, err: c.ready()}
	if p.err == nil {
		c.busy++
		defer func() { c.busy-- }()
		defer c.watch(ctx)()
	}
	for _, number := range numbers {
		more, err := take(&p, number)
		switch {
		case err != nil && !refusal(err):
			return
		case !more:
			p.drain(ctx)
			return
		}
	}
}

// pipeline sends one kind of command for many messages, ahead of their replies.
type pipeline struct {
	c       *Client
	kind    kind
	numbers []int
	sent    int
	err     error // why nothing can be sent
}

// ask sends commands, if it is time for more of them.
func (p *pipeline) ask(ctx context.Context) error {
	c, window := p.c, 1
	if c.caps.Pipelining {
		window = maxPending
	}
	if p.err != nil || c.pending > window/2 || p.sent == len(p.numbers) {
		return p.err
	}
	c.out = c.out[:0]
	more := p.numbers[p.sent:min(len(p.numbers), p.sent+window-c.pending)]
	for _, number := range more {
		c.put(p.kind, number)
	}
	p.sent += len(more)
	return c.flush(ctx, len(more))
}

// line is the next reply, of one line.
func (p *pipeline) line(ctx context.Context) error {
	if err := p.ask(ctx); err != nil {
		return err
	}
	r, err := p.c.reply(ctx, p.c.timeouts.Command)
	if err != nil {
		return err
	}
	return p.c.judge(p.kind.verb, r)
}

// body is the next reply, with a body.
func (p *pipeline) body(ctx context.Context, number int) (*Body, error) {
	if err := p.ask(ctx); err != nil {
		return nil, err
	}
	if err := p.c.lead(ctx, p.kind.verb); err != nil {
		return nil, err
	}
	return p.c.newBody(ctx, number), nil
}

// drain skips the replies to what was sent, as long as that is little.
func (p *pipeline) drain(ctx context.Context) {
	p.numbers = p.numbers[:p.sent]
	for skipped := 0; p.c.pending > 0 && p.c.broken == nil; {
		if p.kind == dele {
			_ = p.line(ctx)
			continue
		}
		if b, err := p.body(ctx, 0); err == nil {
			skipped += b.skip(maxSkip - skipped)
		}
	}
}
