package imapclient

import (
	"context"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapresp"
)

// NewMessage is a message to append. Body gives exactly Size octets with CRLF
// line ends. With fewer or more the connection is closed before the server has
// the whole command, so that no message comes of it.
type NewMessage struct {
	Flags        imap.Flags
	Keywords     []string
	InternalDate time.Time // zero = now, as the server sees it
	Size         int64
	Body         io.Reader
	UTF8         bool // the header has 8-bit octets: RFC 6855 §4 where UTF8=ACCEPT is enabled
	Binary       bool // it may hold NUL; ErrNotOffered without BINARY (RFC 3516 §4.4)
}

// Append adds a message to a mailbox. The result is zero where the server did
// not say which UID it got.
func (c *Client) Append(ctx context.Context, mailbox string, m *NewMessage) (uid imap.AppendUID, err error) {
	err = c.run(ctx, func() error {
		k, err := c.sendAppend(mailbox, m)
		if err == nil {
			uid, err = c.appended(k)
		}
		return err
	})
	return uid, err
}

// appended waits for the end of an APPEND.
func (c *Client) appended(k *call) (imap.AppendUID, error) {
	if err := c.await(k, nil); err != nil {
		return imap.AppendUID{}, err
	}
	if err := k.err(); err != nil {
		return imap.AppendUID{}, err
	}
	if k.status.Code != imap.CodeAppendUID {
		return imap.AppendUID{}, nil
	}
	uid, _ := imapresp.ParseAppendUID(k.status.Args)
	return uid, nil
}

// sendAppend sends APPEND with one message.
func (c *Client) sendAppend(mailbox string, m *NewMessage) (*call, error) {
	l := c.command("APPEND").mailbox(mailbox)
	l.long = true
	if err := c.checkMessage(m); err != nil {
		return nil, err
	}
	l.message(m)
	k, err := c.open(l)
	if err != nil {
		return nil, err
	}
	if err := c.deliver(l, k); err != nil || k.done {
		return k, err
	}
	return k, c.sendBody(m, l.behind(m)+"\r\n")
}

// checkMessage reports what stands against sending a message.
func (c *Client) checkMessage(m *NewMessage) error {
	switch {
	case m.Size < 0:
		return fmt.Errorf("%w: size %d", ErrArgument, m.Size)
	case m.Binary:
		return c.need(imap.CapBinary)
	}
	return nil
}

// message adds the flags, the date and the announcement of a message.
func (l *line) message(m *NewMessage) {
	if m.Flags != 0 || len(m.Keywords) > 0 {
		l.flags(m.Flags, m.Keywords)
	}
	if !m.InternalDate.IsZero() {
		l.date(m.InternalDate)
	}
	l.text(" ")
	if l.asUTF8(m) {
		l.text("UTF8 (")
	}
	l.announce(m.Size, m.Binary || l.asUTF8(m))
}

// asUTF8 reports whether a message goes as UTF8 (~{n}).
func (l *line) asUTF8(m *NewMessage) bool { return m.UTF8 && l.c.enabled[imap.CapUTF8Accept] }

// behind is what follows the octets of a message.
func (l *line) behind(m *NewMessage) string {
	if l.asUTF8(m) {
		return ")"
	}
	return ""
}

// sendBody sends the octets of a message and what follows them.
func (c *Client) sendBody(m *NewMessage, behind string) error {
	if err := c.writeFrom(m.Body, m.Size); err != nil {
		return err
	}
	var one [1]byte
	switch n, err := m.Body.Read(one[:]); {
	case n > 0:
		return c.lost(fmt.Errorf("%w: body is longer than %d octets", ErrArgument, m.Size))
	case err != nil && err != io.EOF:
		return c.lost(fmt.Errorf("imapclient: body: %w", err))
	}
	return c.write([]byte(behind))
}

// AppendAll adds messages to a mailbox, a command each, without waiting for the
// answer to the one before, Limits.Pipeline of them at most. It yields one result
// for each message, in order; one that the server refuses does not end it. An
// error of msgs and a lost connection do; messages of which no result came are in
// doubt then.
func (c *Client) AppendAll(ctx context.Context, mailbox string, msgs iter.Seq2[*NewMessage, error]) iter.Seq2[imap.AppendUID, error] {
	return func(yield func(imap.AppendUID, error) bool) {
		end, err := c.begin(ctx)
		if err != nil {
			yield(imap.AppendUID{}, err)
			return
		}
		defer end()
		a := appender{c: c, yield: yield}
		for m, err := range msgs {
			if err == nil {
				err = a.add(mailbox, m)
			}
			if err != nil {
				if a.settle(0) {
					yield(imap.AppendUID{}, err)
				}
				return
			}
			if a.over {
				break
			}
		}
		a.settle(0)
	}
}

// appender holds the commands of AppendAll whose answer has not come.
type appender struct {
	c     *Client
	calls []*call
	yield func(imap.AppendUID, error) bool
	over  bool // the caller wants no more
}

// add sends one more. A message that cannot be sent as it is ends it all.
func (a *appender) add(mailbox string, m *NewMessage) error {
	if !a.settle(a.c.limits.Pipeline - 1) {
		return nil
	}
	k, err := a.c.sendAppend(mailbox, m)
	if err == nil {
		a.calls = append(a.calls, k)
	}
	return err
}

// settle waits until no more than n commands are open, and yields the results of
// the others. false: the caller wants no more, or the connection is lost.
func (a *appender) settle(n int) bool {
	for len(a.calls) > n || len(a.calls) > 0 && a.calls[0].done {
		uid, err := a.c.appended(a.calls[0])
		a.calls = a.calls[1:]
		if !a.over && !a.yield(uid, err) {
			a.over = true
		}
		if a.c.err != nil {
			a.calls = nil
			a.over = true
		}
	}
	return !a.over
}

// MultiAppend adds messages in one command: all or none (RFC 3502).
// ErrNotOffered without MULTIAPPEND. An error of msgs closes the connection, as
// the command cannot be taken back.
func (c *Client) MultiAppend(ctx context.Context, mailbox string, msgs iter.Seq2[*NewMessage, error]) (uid imap.AppendUID, err error) {
	if err := c.need(imap.CapMultiAppend); err != nil {
		return uid, err
	}
	err = c.run(ctx, func() error {
		uid, err = c.multiAppend(mailbox, msgs)
		return err
	})
	return uid, err
}

func (c *Client) multiAppend(mailbox string, msgs iter.Seq2[*NewMessage, error]) (uid imap.AppendUID, err error) {
	l := c.command("APPEND").mailbox(mailbox)
	l.long = true
	var k *call
	for m, err := range msgs {
		if err == nil {
			err = c.checkMessage(m)
		}
		if err == nil {
			l.message(m)
			err = l.err
		}
		switch {
		case err != nil && k != nil:
			return uid, c.lost(err)
		case err != nil:
			return uid, err
		case k == nil:
			if k, err = c.open(l); err != nil {
				return uid, err
			}
		}
		if err := c.deliver(l, k); err != nil {
			return uid, err
		}
		if k.done { // refused
			return c.appended(k)
		}
		if err := c.sendBody(m, l.behind(m)); err != nil {
			return uid, err
		}
		l.b, l.cuts, l.lits = l.b[:0], l.cuts[:0], l.lits[:0]
	}
	if k == nil {
		return uid, nil
	}
	if err := c.write([]byte("\r\n")); err != nil {
		return uid, err
	}
	return c.appended(k)
}
