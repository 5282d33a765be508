package imapconn

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapcmd"
)

// Call is a command that was sent.
type Call struct {
	Done   bool
	Status imap.StatusResponse // of one that is done
	UIDs   imap.UIDSet         // its caller's
	tag    uint64
	name   string
	long   bool
}

// Failed is the error of a call that is done; nil = OK.
func (c *Conn) Failed(k *Call) error {
	if k.Status.Condition == imap.ConditionOK {
		return nil
	}
	return c.Refused(k.name, k.Status)
}

// Sink takes the untagged responses that answer a command. An error is of the
// response, and ends the connection.
type Sink func(r *Response) (taken bool, err error)

// Command begins a command. There is one Line: the one before must have been sent.
func (c *Conn) Command(f imapcmd.Form, name string) *imapcmd.Line {
	c.lastTag++
	return c.line.Begin(f, c.lastTag, name)
}

// LastTag is the tag of the last command.
func (c *Conn) LastTag() string { return fmt.Sprintf("a%d", c.lastTag) }

// Send sends a command. What follows a synchronizing literal is sent when the
// server asks for it; where it refuses instead, the call is done.
func (c *Conn) Send(l *imapcmd.Line) (*Call, error) {
	k, err := c.Open(l)
	if err != nil {
		return nil, err
	}
	l.B = append(l.B, "\r\n"...)
	if err := c.Deliver(l, k); err != nil {
		return nil, err
	}
	return k, nil
}

// Open makes the call of a command, of which nothing is sent yet.
func (c *Conn) Open(l *imapcmd.Line) (*Call, error) {
	if err := l.Err(); err != nil {
		return nil, err
	}
	k := &Call{tag: c.lastTag, name: l.Name, long: l.Long}
	c.pending = append(c.pending, k)
	return k, nil
}

// Deliver sends what is in l.
func (c *Conn) Deliver(l *imapcmd.Line, k *Call) error {
	c.traceOut(l)
	from := 0
	for _, cut := range l.Cuts {
		if err := c.Write(l.B[from:cut]); err != nil {
			return err
		}
		if err := c.AwaitContinue(k); err != nil || k.Done {
			return err
		}
		from = cut
	}
	return c.Write(l.B[from:])
}

// AwaitContinue waits for a continuation request, or for the end of the call.
func (c *Conn) AwaitContinue(k *Call) error {
	c.contd = false
	c.wait = c.Timeouts.Command
	for !c.contd && !k.Done {
		if err := c.step(nil); err != nil {
			return err
		}
	}
	return nil
}

// Await reads until a call is done. The error is a lost connection.
func (c *Conn) Await(k *Call, take Sink) error {
	c.wait = c.Timeouts.Command
	if k.long {
		c.wait = c.Timeouts.Long
	}
	for !k.Done {
		if err := c.step(take); err != nil {
			return err
		}
	}
	return nil
}

// step reads one response, which take may have.
func (c *Conn) step(take Sink) error {
	r, err := c.next()
	if err != nil {
		return err
	}
	if take != nil && r.Tag == 0 && !r.Cont {
		taken, err := take(r)
		if err != nil {
			return c.Lost(Broken(err))
		}
		if taken {
			return nil
		}
	}
	return c.route(r)
}

// route does what follows from a response that no command took.
func (c *Conn) route(r *Response) error {
	switch {
	case r.Cont:
		c.contd, c.contText = true, append(c.contText[:0], r.Args...)
		return nil
	case r.Tag != 0:
		return c.complete(r)
	}
	if c.unasked++; c.Limits.Untagged > 0 && c.unasked > c.Limits.Untagged {
		return c.Lost(fmt.Errorf("%w: %d responses that nobody asked for", ErrLimit, c.unasked))
	}
	if r.Name == "BYE" {
		c.noteBye(r)
	}
	return c.judge(c.Handle(r))
}

func (c *Conn) noteBye(r *Response) {
	s := r.Status
	c.bye = &s
}

// judge ends the connection where a response could not be handled.
func (c *Conn) judge(err error) error {
	if err == nil || c.err != nil {
		return c.err
	}
	return c.Lost(Broken(err))
}

// complete ends a call.
func (c *Conn) complete(r *Response) error {
	i := slices.IndexFunc(c.pending, func(k *Call) bool { return k.tag == r.Tag })
	if i < 0 {
		return c.Lost(fmt.Errorf("%w: a response to a command that is not open", ErrProtocol))
	}
	k := c.pending[i]
	k.Done, k.Status = true, r.Status
	c.pending = slices.Delete(c.pending, i, i+1)
	return c.judge(c.Handle(r))
}

// Do sends a command and waits for its end.
func (c *Conn) Do(l *imapcmd.Line, take Sink) (imap.StatusResponse, error) {
	k, err := c.Send(l)
	if err != nil {
		return imap.StatusResponse{}, err
	}
	if err := c.Await(k, take); err != nil {
		return imap.StatusResponse{}, err
	}
	return k.Status, c.Failed(k)
}

// Greeting reads the first response, which is handled, too.
func (c *Conn) Greeting() (*Response, error) {
	c.wait = c.Timeouts.Greeting
	r, err := c.next()
	if err == nil {
		err = c.route(r)
	}
	return r, err
}

// Answer sends a line that belongs to a command, and is traced as it stands, or
// as "***" where it is secret.
func (c *Conn) Answer(text string, secret bool) error {
	if c.Trace != nil {
		shown := text
		if secret {
			shown = "***"
		}
		c.Trace(true, []byte(shown+"\r\n"))
	}
	return c.Write([]byte(text + "\r\n"))
}

// traceOut shows the lines of a command.
func (c *Conn) traceOut(l *imapcmd.Line) {
	if c.Trace == nil {
		return
	}
	if l.Secret {
		head, _, _ := bytes.Cut(l.B, []byte{' '})
		c.Trace(true, fmt.Appendf(nil, "%s %s ***\r\n", head, l.Name))
		return
	}
	from := 0
	for _, lit := range l.Lits {
		c.Trace(true, l.B[from:lit[0]])
		from = lit[1]
	}
	c.Trace(true, l.B[from:])
}

// traceIn shows a line from the server.
func (c *Conn) traceIn(text []byte) {
	if c.hide && len(text) > 0 && text[0] == '+' {
		text = []byte("+ ***\r\n")
	}
	c.Trace(false, text)
}
