package pop3client

import (
	"context"
	"fmt"
)

// Queue is commands that leave ahead of their replies where the server
// pipelines (RFC 2449 §6.6); the replies are taken in the order of the commands.
// It is for a caller that decides on the way what it wants next, where a loop of
// RetrEach has to know it before.
//
//	q, err := c.Queue()
//	...
//	defer q.Close(ctx)
//	q.Retr(1)
//	q.UIDL(1)
//	body, err := q.Body(ctx)   // both commands leave
//	...                        // body is read to its end
//	m, err := q.UniqueID(ctx)  // its reply stands behind the body
//
// Commands leave when a reply is taken: all of them where the server pipelines,
// as far as they are less than a kilobyte, and else the one whose reply it is.
// Replies that are not taken yet wait in the transport: nothing is read ahead of
// the caller but what one buffer of 32 KiB holds.
//
// One goroutine at a time uses it. Until Close its Client takes no other command.
type Queue struct {
	c     *Client
	calls []call // whose replies were not taken, in order
	sent  int    // how many of them left
	body  *Body  // taken last; nil = none
	over  bool
}

// call is one command about a message.
type call struct {
	kind   kind
	number int
}

// Queue begins to queue. ErrBusy: another command is not finished.
func (c *Client) Queue() (*Queue, error) {
	if err := c.ready(); err != nil {
		return nil, err
	}
	c.busy++
	return &Queue{c: c}, nil
}

// Retr asks for a message, which Body takes. It sends nothing.
func (q *Queue) Retr(number int) { q.calls = append(q.calls, call{retr, number}) }

// UIDL asks for the unique-id of a message, which UniqueID takes. It sends
// nothing.
func (q *Queue) UIDL(number int) { q.calls = append(q.calls, call{uidl, number}) }

// Body takes the next reply, which has to be that of Retr. A refusal is an
// *Error. The ctx counts until the body has been read to its end, or closed;
// before that no other reply can be taken. ErrBusy: the body before is not
// finished, or the next reply is another one.
func (q *Queue) Body(ctx context.Context) (*Body, error) {
	if err := q.due(retr); err != nil {
		return nil, err
	}
	stop := q.c.watch(ctx)
	b, err := q.lead(ctx)
	if err != nil {
		stop()
		return nil, err
	}
	b.stop = stop
	q.body = b
	return b, nil
}

// lead begins the next body.
func (q *Queue) lead(ctx context.Context) (*Body, error) {
	number, err := q.take(ctx)
	if err != nil {
		return nil, err
	}
	if err := q.c.lead(ctx, retr.verb); err != nil {
		return nil, err
	}
	return q.c.newBody(ctx, number), nil
}

// UniqueID takes the next reply, which has to be that of UIDL. A refusal is an
// *Error. ErrBadReply: it is about another message, so that nobody knows any
// more which reply belongs to which command; the connection is not used any more.
// ErrBusy as for Body.
func (q *Queue) UniqueID(ctx context.Context) (Message, error) {
	if err := q.due(uidl); err != nil {
		return Message{}, err
	}
	defer q.c.watch(ctx)()
	number, err := q.take(ctx)
	if err != nil {
		return Message{}, err
	}
	r, err := q.c.reply(ctx, q.c.timeouts.Command)
	if err == nil {
		err = q.c.judge(uidl.verb, r)
	}
	if err != nil {
		return Message{}, err
	}
	m := parseEntry(uidl, []byte(r.Text))
	if m.Number != number {
		return m, q.c.lost(ctx, fmt.Errorf("%w: %s: %.80q", ErrBadReply, uidl.verb, r.Text))
	}
	return m, nil
}

// Skip leaves the next reply out, whatever it is, and does not send its command
// if that has not left. A body that is long is ErrAbandoned: the connection is
// closed. No command is queued: nothing happens.
func (q *Queue) Skip(ctx context.Context) error {
	_, err := q.skip(ctx, maxSkip)
	return err
}

// Close skips the replies to what has left, as long as they are not long
// together, else ErrAbandoned, and gives the Client back. Idempotent.
func (q *Queue) Close(ctx context.Context) (err error) {
	if q.over {
		return nil
	}
	left := maxSkip
	if q.body != nil {
		left -= q.body.skip(left)
	}
	q.calls = q.calls[:q.sent]
	for len(q.calls) > 0 && err == nil {
		var n int
		n, err = q.skip(ctx, left)
		left -= n
	}
	q.over = true
	q.c.busy--
	if err == nil {
		err = q.c.broken
	}
	return err
}

// skip leaves a reply out, of limit octets at most.
func (q *Queue) skip(ctx context.Context, limit int) (octets int, err error) {
	switch {
	case len(q.calls) == 0:
		return 0, nil
	case q.sent == 0:
		q.calls = q.calls[1:]
		return 0, nil
	case q.calls[0].kind == retr:
		var b *Body
		if b, err = q.Body(ctx); err == nil {
			octets = b.skip(limit)
			err = q.c.broken
		}
	default:
		_, err = q.UniqueID(ctx)
	}
	if refusal(err) {
		err = nil
	}
	return octets, err
}

// due reports why the next reply is not the one to a command of kind k.
func (q *Queue) due(k kind) error {
	switch {
	case q.c.broken != nil:
		return q.c.broken
	case q.over, q.body != nil && q.body.err == nil, len(q.calls) == 0, q.calls[0].kind != k:
		return ErrBusy
	}
	return nil
}

// take sends what may leave, and takes the next call, whose reply comes next.
func (q *Queue) take(ctx context.Context) (number int, err error) {
	n := 1
	if q.c.caps.Pipelining {
		n = min(len(q.calls), maxPending)
	}
	if n > q.sent {
		q.c.out = q.c.out[:0]
		for _, call := range q.calls[q.sent:n] {
			q.c.put(call.kind, call.number)
		}
		if err := q.c.flush(ctx, n-q.sent); err != nil {
			return 0, err
		}
		q.sent = n
	}
	number = q.calls[0].number
	q.calls, q.sent = q.calls[1:], q.sent-1
	return number, nil
}

// put puts a command behind those that are to be written.
func (c *Client) put(k kind, number int) {
	start := len(c.out)
	c.out = k.append(c.out, number)
	if c.d.Trace.Line != nil {
		c.trace(true, string(c.out[start:]))
	}
	c.out = append(c.out, '\r', '\n')
}
