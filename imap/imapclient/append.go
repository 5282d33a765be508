package imapclient

import (
	"context"
	"fmt"
	"io"
	"iter"
	"strings"
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

	// Parts take the place of Size and Body: the server puts them together
	// (RFC 4469). nil = Body is all; ErrNotOffered without CATENATE.
	Parts []Part
}

// Part is a piece of a message: what URL names at the server, or the Size octets of
// Body. A URL that gives nothing is a refusal with imap.CodeBadURL.
type Part struct {
	URL  string // "/INBOX/;UID=20/;SECTION=1.2"; "" = Body
	Size int64
	Body io.Reader
}

// Append adds a message to a mailbox. The result is zero where the server did
// not say which UID it got.
func (c *Client) Append(ctx context.Context, mailbox string, m *NewMessage) (uid imap.AppendUID, err error) {
	return asking(ctx, c, "", func() (imap.AppendUID, error) { return c.appendOne(c.appending(mailbox), m) })
}

// Replace puts a message into a mailbox, mostly the selected one, and expunges the
// one with this UID in its place: both or neither (RFC 8508). ErrNotOffered
// without REPLACE.
func (c *Client) Replace(ctx context.Context, old imap.UID, mailbox string, m *NewMessage) (uid imap.AppendUID, err error) {
	return asking(ctx, c, imap.CapReplace, func() (imap.AppendUID, error) {
		if c.box == nil {
			return uid, ErrState
		}
		return c.appendOne(c.command("UID REPLACE").Slow().Number(int64(old)).Mailbox(mailbox), m)
	})
}

func (c *Client) appending(mailbox string) *line { return c.command("APPEND").Slow().Mailbox(mailbox) }

// appendOne is a command with one message.
func (c *Client) appendOne(l *line, m *NewMessage) (imap.AppendUID, error) {
	k, err := c.put(l, nil, m)
	if err == nil {
		err = c.endAppend(l, k)
	}
	if err != nil {
		return imap.AppendUID{}, err
	}
	return c.appended(k)
}

// appended waits for the end of an APPEND. REPLACE tells the UID before it (RFC
// 8508 §3.3).
func (c *Client) appended(k *call) (uid imap.AppendUID, err error) {
	note := func(s *imap.StatusResponse) bool {
		if s.Code != imap.CodeAppendUID {
			return false
		}
		uid, _ = imapresp.ParseAppendUID(s.Args)
		return true
	}
	err = c.conn.Await(k, func(r *response) (bool, error) { return r.Name == "OK" && note(&r.Status), nil })
	if err == nil {
		err = c.conn.Failed(k)
	}
	if err != nil {
		return imap.AppendUID{}, err
	}
	note(&k.Status)
	return uid, nil
}

// put sends a message behind what is in l, where its end then is. k nil = nothing
// of the command is sent, and no error does harm. The call may be done: refused.
func (c *Client) put(l *line, k *call, m *NewMessage) (*call, error) {
	err := c.checkMessage(m)
	if m.Flags != 0 || len(m.Keywords) > 0 {
		l.Flags(m.Flags, m.Keywords)
	}
	if !m.InternalDate.IsZero() {
		l.Date(m.InternalDate)
	}
	if err == nil {
		err = l.Err()
	}
	switch {
	case err != nil && k != nil:
		return k, c.conn.Lost(err)
	case err != nil:
		return nil, err
	case k == nil:
		if k, err = c.conn.Open(l); err != nil {
			return nil, err
		}
	}
	if m.Parts == nil {
		return k, c.putText(l, k, &Part{Size: m.Size, Body: m.Body}, m)
	}
	l.Text(" CATENATE")
	for i := range m.Parts {
		l.Text([]string{" (", " "}[min(i, 1)])
		if p := &m.Parts[i]; p.URL != "" {
			l.Text("URL ").Value(p.URL)
		} else if err := c.putText(l.Text("TEXT"), k, p, m); err != nil || k.Done {
			return k, err
		}
	}
	l.Text(")")
	return k, nil
}

// putText sends a literal, and what is in l in front of it.
func (c *Client) putText(l *line, k *call, p *Part, m *NewMessage) error {
	asUTF8 := m.UTF8 && c.enabled[imap.CapUTF8Accept]
	if asUTF8 && m.Parts != nil { // utf8-literal takes the place of TEXT (RFC 6855 §4)
		l.B = l.B[:len(l.B)-len("TEXT ")]
	}
	l.Text(" ")
	if asUTF8 {
		l.Text("UTF8 (")
	}
	l.Announce(p.Size, m.Binary || asUTF8)
	if err := c.conn.Deliver(l, k); err != nil || k.Done {
		return err
	}
	l.Rest()
	if asUTF8 {
		l.Text(")")
	}
	if err := c.conn.WriteFrom(p.Body, p.Size); err != nil {
		return err
	}
	var one [1]byte
	switch n, err := p.Body.Read(one[:]); {
	case n > 0:
		return c.conn.Lost(fmt.Errorf("%w: body is longer than %d octets", ErrArgument, p.Size))
	case err != nil && err != io.EOF:
		return c.conn.Lost(fmt.Errorf("imapclient: body: %w", err))
	}
	return nil
}

// endAppend sends the end of the command, unless it is refused already.
func (c *Client) endAppend(l *line, k *call) error {
	if k.Done {
		return nil
	}
	return c.conn.Deliver(l.Text("\r\n"), k)
}

// checkMessage reports what stands against sending a message.
func (c *Client) checkMessage(m *NewMessage) error {
	for _, p := range m.Parts {
		if p.Size < 0 || p.URL == "" && p.Body == nil || strings.ContainsAny(p.URL, "\r\n\x00") {
			return fmt.Errorf("%w: part of %d octets, URL %q", ErrArgument, p.Size, p.URL)
		}
	}
	switch {
	case m.Size < 0 || m.Parts == nil && m.Body == nil || m.Parts != nil && len(m.Parts) == 0:
		return fmt.Errorf("%w: message of %d octets, %d parts", ErrArgument, m.Size, len(m.Parts))
	case m.Parts != nil && !c.Has(imap.CapCatenate):
		return c.need(imap.CapCatenate)
	case m.Binary:
		return c.need(imap.CapBinary)
	}
	return nil
}

// AppendAll adds messages to a mailbox, a command each, without waiting for the
// answer to the one before, Limits.Pipeline of them at most. It yields one result
// for each message, in order; one that the server refuses does not end it. An
// error of msgs and a lost connection do; messages of which no result came are in
// doubt then.
func (c *Client) AppendAll(ctx context.Context, mailbox string, msgs iter.Seq2[*NewMessage, error]) iter.Seq2[imap.AppendUID, error] {
	return func(yield func(imap.AppendUID, error) bool) {
		a := appender{c: c, yield: yield}
		err := c.run(ctx, func() error { return a.all(mailbox, msgs) })
		if err != nil && !a.over {
			yield(imap.AppendUID{}, err)
		}
	}
}

// appender holds the commands of AppendAll whose answer has not come.
type appender struct {
	c     *Client
	calls []*call
	yield func(imap.AppendUID, error) bool
	over  bool // the caller wants no more
}

func (a *appender) all(mailbox string, msgs iter.Seq2[*NewMessage, error]) error {
	for m, err := range msgs {
		if err == nil {
			err = a.add(mailbox, m)
		}
		if err != nil {
			a.settle(0)
			return err
		}
		if a.over {
			break
		}
	}
	a.settle(0)
	return nil
}

// add sends one more. A message that cannot be sent as it is ends it all.
func (a *appender) add(mailbox string, m *NewMessage) error {
	if !a.settle(a.c.limits.Pipeline - 1) {
		return nil
	}
	l := a.c.appending(mailbox)
	k, err := a.c.put(l, nil, m)
	if err == nil {
		err = a.c.endAppend(l, k)
	}
	if err == nil {
		a.calls = append(a.calls, k)
	}
	return err
}

// settle waits until no more than n commands are open, and yields the results of
// the others. false: the caller wants no more, or the connection is lost.
func (a *appender) settle(n int) bool {
	for len(a.calls) > n || len(a.calls) > 0 && a.calls[0].Done {
		uid, err := a.c.appended(a.calls[0])
		a.calls = a.calls[1:]
		if !a.over && !a.yield(uid, err) {
			a.over = true
		}
		if a.c.Err() != nil {
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
	return asking(ctx, c, imap.CapMultiAppend, func() (imap.AppendUID, error) {
		l := c.appending(mailbox)
		var k *call
		for m, err := range msgs {
			switch {
			case err == nil:
				k, err = c.put(l, k, m)
			case k != nil:
				err = c.conn.Lost(err)
			}
			if err != nil {
				return imap.AppendUID{}, err
			}
			if k.Done {
				break
			}
		}
		if k == nil {
			return imap.AppendUID{}, nil
		}
		if err := c.endAppend(l, k); err != nil {
			return imap.AppendUID{}, err
		}
		return c.appended(k)
	})
}
