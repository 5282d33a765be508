package pop3source

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/mailstead/mailstead/deliver/fetch"
	"github.com/mailstead/mailstead/internal/crlf"
	"github.com/mailstead/mailstead/pop3/pop3client"
)

// What is asked for ahead of Retrieve: messages, and their octets together as
// they were listed. The octets fit into what hosts buffer of a connection, so that
// a server does not wait with a full window while a message is handed over; and
// what is not wanted in the end is little enough to be read away.
const (
	maxAhead       = 2
	maxAheadOctets = 128 << 10
)

// ahead is what Retrieve has on its way.
type ahead struct {
	queue *pop3client.Queue // nil = nothing is on its way
	asked []asked           // in the order of the replies
	want  []fetch.Item      // what Retrieve is called for next, and is not asked
}

// asked is a message whose body was not taken.
type asked struct {
	number  int
	size    int64
	checked bool // its unique-id is asked for behind it
}

// Expect implements fetch.Expecter. Nothing is asked for ahead of a server that
// does not pipeline (RFC 2449 §6.6), or that may delete what was retrieved though
// nobody said so (EXPIRE 0, §6.7).
func (s *session) Expect(next []fetch.Item) {
	caps := s.c.Capabilities()
	if s.ahead.want = nil; caps.Pipelining && (caps.Expire == nil || caps.Expire.Never || caps.Expire.Days > 0) {
		s.ahead.want = next
	}
}

// Retrieve implements fetch.Session. The question whether the number still has
// its unique-id leaves with it where the server pipelines.
func (s *session) Retrieve(ctx context.Context, it *fetch.Item) (io.ReadCloser, error) {
	a := &s.ahead
	if len(a.asked) > 0 && a.asked[0].number != number(it) {
		if err := s.settle(ctx); err != nil {
			return nil, err
		}
	}
	if a.queue == nil {
		q, err := s.c.Queue()
		if err != nil {
			return nil, err
		}
		a.queue = q
	}
	if len(a.asked) == 0 {
		s.ask(it)
	}
	now := a.asked[0]
	s.lookAhead(it)
	a.asked = a.asked[1:]
	b, err := a.queue.Body(ctx)
	if isRefusal(err) && now.checked {
		if err := a.queue.Skip(ctx); err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, gone(err)
	}
	return &body{s: s, ctx: ctx, b: b, r: crlf.Stream(b), unchecked: now.checked}, nil
}

// ask queues the commands for a message.
func (s *session) ask(it *fetch.Item) {
	a := &s.ahead
	n := number(it)
	checked := s.ids[n] != "" && !s.noCheck
	a.queue.Retr(n)
	if checked {
		a.queue.UIDL(n)
	}
	a.asked = append(a.asked, asked{n, it.Size, checked})
}

// lookAhead queues the commands for what comes behind it, if that was said.
func (s *session) lookAhead(it *fetch.Item) {
	a := &s.ahead
	var octets int64
	for _, m := range a.asked[1:] {
		octets += m.size
	}
	if len(a.want) > 0 && a.want[0].Handle == it.Handle {
		a.want = a.want[1:]
	}
	for len(a.want) > 0 && len(a.asked) <= maxAhead {
		next := &a.want[0]
		if octets += next.Size; next.Size < 0 || octets > maxAheadOctets {
			return
		}
		s.ask(next)
		a.want = a.want[1:]
	}
}

// settle reads away what is on its way, in front of other commands.
func (s *session) settle(ctx context.Context) error {
	q := s.ahead.queue
	if q == nil {
		return nil
	}
	s.ahead = ahead{}
	return q.Close(ctx)
}

// body is a message as it comes.
type body struct {
	s         *session
	ctx       context.Context //nolint:containedctx // that of Retrieve
	b         *pop3client.Body
	r         io.Reader
	unchecked bool  // the reply to UIDL was not taken
	err       error // behind the end
}

// Read implements io.Reader. Behind the last octet it looks whether the number
// stands for the same message still.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.r.Read(p)
	if err == io.EOF {
		if err = b.check(); err == nil {
			err = io.EOF
		}
		b.err = err
	}
	return n, err
}

// Close implements io.Closer.
func (b *body) Close() error {
	err := b.b.Close()
	if err == nil && b.unchecked {
		b.unchecked = false
		err = b.s.ahead.queue.Skip(b.ctx)
	}
	return err
}

// check takes the unique-id of the message.
func (b *body) check() error {
	if !b.unchecked {
		return nil
	}
	b.unchecked = false
	m, err := b.s.ahead.queue.UniqueID(b.ctx)
	if isRefusal(err) {
		b.s.noCheck = true // Commit asks again
		return nil
	}
	if err != nil {
		return err
	}
	if id := b.s.ids[m.Number]; m.UniqueID != id {
		return fmt.Errorf("%w: %d was %q and is %q", ErrRenumbered, m.Number, id, m.UniqueID)
	}
	return nil
}

func isRefusal(err error) bool {
	_, refused := errors.AsType[*pop3client.Error](err)
	return refused
}
