package imapclient

import (
	"bytes"
	"fmt"

	"github.com/mailstead/mailstead/imap"
)

// call is a command that was sent.
type call struct {
	tag    uint64
	name   string
	long   bool
	done   bool
	uids   imap.UIDSet // of a FETCH
	status imap.StatusResponse
}

// err is the error of a call that is done; nil = OK.
func (k *call) err() error {
	if k.status.Condition == imap.ConditionOK {
		return nil
	}
	return &Error{Command: k.name, Response: k.status}
}

// sink takes the untagged responses that answer a command.
type sink func(r *response) (taken bool, err error)

// send sends a command. What follows a synchronizing literal is sent when the
// server asks for it; where it refuses instead, the call is done.
func (c *Client) send(l *line) (*call, error) {
	k, err := c.open(l)
	if err != nil {
		return nil, err
	}
	l.b = append(l.b, "\r\n"...)
	if err := c.deliver(l, k); err != nil {
		return nil, err
	}
	return k, nil
}

// open makes the call of a command, of which nothing is sent yet.
func (c *Client) open(l *line) (*call, error) {
	if l.err != nil {
		return nil, l.err
	}
	k := &call{tag: c.lastTag, name: l.name, long: l.long}
	c.pending = append(c.pending, k)
	return k, nil
}

// deliver sends what is in l.
func (c *Client) deliver(l *line, k *call) error {
	c.traceOut(l)
	from := 0
	for _, cut := range l.cuts {
		if err := c.write(l.b[from:cut]); err != nil {
			return err
		}
		if err := c.awaitContinue(k); err != nil || k.done {
			return err
		}
		from = cut
	}
	return c.write(l.b[from:])
}

// awaitContinue waits for a continuation request, or for the end of the call.
func (c *Client) awaitContinue(k *call) error {
	c.contd = false
	c.wait = c.timeouts.Command
	for !c.contd && !k.done {
		r, err := c.next()
		if err != nil {
			return err
		}
		if err := c.route(&r); err != nil {
			return err
		}
	}
	return nil
}

// await reads until a call is done. The error is a lost connection, or one of
// take.
func (c *Client) await(k *call, take sink) error {
	c.wait = c.timeouts.Command
	if k.long {
		c.wait = c.timeouts.Long
	}
	for !k.done {
		r, err := c.next()
		if err != nil {
			return err
		}
		if take != nil && r.tag == 0 && !r.cont {
			taken, err := take(&r)
			if err != nil {
				return c.lost(tooMany(err))
			}
			if taken {
				continue
			}
		}
		if err := c.route(&r); err != nil {
			return err
		}
	}
	return nil
}

// do sends a command and waits for its end.
func (c *Client) do(l *line, take sink) (imap.StatusResponse, error) {
	k, err := c.send(l)
	if err != nil {
		return imap.StatusResponse{}, err
	}
	if err := c.await(k, take); err != nil {
		return imap.StatusResponse{}, err
	}
	return k.status, k.err()
}

// simple is do for a command without results.
func (c *Client) simple(l *line) error {
	_, err := c.do(l, nil)
	return err
}

// complete ends a call.
func (c *Client) complete(r *response) error {
	for i, k := range c.pending {
		if k.tag != r.tag {
			continue
		}
		k.done, k.status = true, r.status
		c.pending = append(c.pending[:i], c.pending[i+1:]...)
		switch r.status.Code {
		case imap.CodeCapability:
			_ = c.setCapabilities(r.status.Args)
		case imap.CodeMessageLimit:
			if k.status.Condition == imap.ConditionOK {
				c.low = lowest(r.status.Args)
			}
		}
		if r.status.Code == imap.CodeAlert && c.hears() && c.handler.Response != nil {
			c.handler.Response(r.status)
		}
		return nil
	}
	return c.lost(fmt.Errorf("%w: a response to a command that is not open", ErrProtocol))
}

// traceOut shows the lines of a command.
func (c *Client) traceOut(l *line) {
	if c.d.Trace == nil {
		return
	}
	if l.secret {
		head, _, _ := bytes.Cut(l.b, []byte{' '})
		c.d.Trace(true, fmt.Appendf(nil, "%s %s ***\r\n", head, l.name))
		return
	}
	from := 0
	for _, lit := range l.lits {
		c.d.Trace(true, l.b[from:lit[0]])
		from = lit[1]
	}
	c.d.Trace(true, l.b[from:])
}

// traceIn shows a line from the server.
func (c *Client) traceIn(text []byte) {
	if c.hide && len(text) > 0 && text[0] == '+' {
		text = []byte("+ ***\r\n")
	}
	c.d.Trace(false, text)
}
