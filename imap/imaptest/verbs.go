package imaptest

import (
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
)

// verb is one command that the server knows.
type verb struct {
	state int    // 0 = any, 1 = logged in, 2 = selected
	needs string // capability
	do    func(c *Conn, cmd *Command) error
}

func verbs() map[string]verb {
	return map[string]verb{
		"CAPABILITY":   {0, "", (*Conn).capability},
		"NOOP":         {0, "", (*Conn).noop},
		"LOGOUT":       {0, "", (*Conn).logout},
		"LOGIN":        {0, "", (*Conn).login},
		"AUTHENTICATE": {0, "", (*Conn).authenticate},
		"STARTTLS":     {0, "STARTTLS", (*Conn).starttls},
		"ID":           {0, "ID", (*Conn).id},
		"ENABLE":       {1, "ENABLE", (*Conn).enable},
		"NAMESPACE":    {1, "NAMESPACE", (*Conn).namespace},
		"LIST":         {1, "", (*Conn).list},
		"LSUB":         {1, "", (*Conn).list},
		"CREATE":       {1, "", (*Conn).create},
		"DELETE":       {1, "", (*Conn).delete},
		"SUBSCRIBE":    {1, "", (*Conn).noop},
		"UNSUBSCRIBE":  {1, "", (*Conn).noop},
		"STATUS":       {1, "", (*Conn).status},
		"APPEND":       {1, "", (*Conn).append},
		"SELECT":       {1, "", (*Conn).selectBox},
		"EXAMINE":      {1, "", (*Conn).selectBox},
		"IDLE":         {1, "IDLE", (*Conn).idle},
		"CHECK":        {2, "", (*Conn).noop},
		"UNSELECT":     {2, "UNSELECT", (*Conn).leave},
		"CLOSE":        {2, "", (*Conn).leave},
		"EXPUNGE":      {2, "", (*Conn).expunge},
		"UID EXPUNGE":  {2, "UIDPLUS", (*Conn).expunge},
		"FETCH":        {2, "", (*Conn).fetch},
		"UID FETCH":    {2, "", (*Conn).fetch},
		"STORE":        {2, "", (*Conn).store},
		"UID STORE":    {2, "", (*Conn).store},
		"COPY":         {2, "", (*Conn).copy},
		"UID COPY":     {2, "", (*Conn).copy},
		"MOVE":         {2, "MOVE", (*Conn).copy},
		"UID MOVE":     {2, "MOVE", (*Conn).copy},
		"SEARCH":       {2, "", (*Conn).search},
		"UID SEARCH":   {2, "", (*Conn).search},
	}
}

// args reads the arguments of a command from the left.
type args struct{ b []byte }

func newArgs(s string) *args { return &args{[]byte(s + "\r\n")} }

var errSyntax = errors.New("syntax")

func (a *args) str() (string, error) {
	s, n, err := imapwire.ConsumeAString(a.b)
	if err != nil {
		return "", errSyntax
	}
	a.b = a.b[n:]
	if a.b[0] == ' ' {
		a.b = a.b[1:]
	}
	return string(s), nil
}

func (a *args) mailbox() (string, error) {
	s, err := a.str()
	if err != nil {
		return "", err
	}
	if name, err := imapwire.DecodeMailbox(s); err == nil {
		return name, nil
	}
	return s, nil
}

func (a *args) rest() string { return strings.TrimSuffix(string(a.b), "\r\n") }

func mailboxName(name string) string { return string(imapwire.AppendMailbox(nil, name, false)) }

func (c *Conn) capability(cmd *Command) error {
	c.Send("* CAPABILITY %s", strings.Join(c.caps(), " "))
	return c.Tell(cmd, "OK done")
}

func (c *Conn) noop(cmd *Command) error {
	c.sync(false)
	return c.Tell(cmd, "OK done")
}

func (c *Conn) logout(cmd *Command) error {
	c.Send("* BYE until next time")
	_ = c.Tell(cmd, "OK done")
	return ErrClose
}

func (c *Conn) login(cmd *Command) error {
	a := newArgs(cmd.Args)
	user, err := a.str()
	password, err2 := a.str()
	if err != nil || err2 != nil {
		return c.Tell(cmd, "BAD syntax")
	}
	return c.admit(cmd, user, password)
}

func (c *Conn) admit(cmd *Command, user, password string) error {
	if user != User || password != Password {
		return c.Tell(cmd, "NO [AUTHENTICATIONFAILED] no")
	}
	c.user = true
	return c.Tell(cmd, "OK [CAPABILITY "+strings.Join(c.caps(), " ")+"] welcome")
}

func (c *Conn) authenticate(cmd *Command) error {
	mechanism, initial, ok := strings.Cut(cmd.Args, " ")
	if !strings.EqualFold(mechanism, "PLAIN") {
		return c.Tell(cmd, "NO no such mechanism")
	}
	if !ok {
		c.Send("+ ")
		var err error
		if initial, err = c.readLine(); err != nil {
			return err
		}
	}
	decoded, err := base64.StdEncoding.DecodeString(initial)
	parts := strings.Split(string(decoded), "\x00")
	if err != nil || len(parts) != 3 {
		return c.Tell(cmd, "BAD no")
	}
	return c.admit(cmd, parts[1], parts[2])
}

func (c *Conn) starttls(cmd *Command) error {
	if err := c.Tell(cmd, "OK begin TLS"); err != nil {
		return err
	}
	c.out.release()
	c.tls = true
	c.attach(tls.Server(c.raw, c.Server.TLS))
	return nil
}

func (c *Conn) id(cmd *Command) error {
	var list []string
	for k, v := range c.Server.ID {
		list = append(list, fmt.Sprintf("%q %q", k, v))
	}
	if list == nil {
		c.Send("* ID NIL")
	} else {
		c.Send("* ID (%s)", strings.Join(list, " "))
	}
	return c.Tell(cmd, "OK done")
}

func (c *Conn) enable(cmd *Command) error {
	var now []string
	for _, word := range strings.Fields(strings.ToUpper(cmd.Args)) {
		if c.Has(word) && (word == "CONDSTORE" || word == "QRESYNC") {
			now = append(now, word)
			c.enabled = append(c.enabled, word)
			if word == "QRESYNC" {
				c.enabled = append(c.enabled, "CONDSTORE")
			}
		}
	}
	c.Send("* ENABLED %s", strings.Join(now, " "))
	return c.Tell(cmd, "OK done")
}

func (c *Conn) namespace(cmd *Command) error {
	c.Send(`* NAMESPACE (("" "/")) NIL NIL`)
	return c.Tell(cmd, "OK done")
}

func (c *Conn) list(cmd *Command) error {
	a := newArgs(cmd.Args)
	reference, err := a.str()
	pattern, n, err2 := imapwire.ConsumeListMailbox(a.b)
	if err != nil || err2 != nil {
		return c.Tell(cmd, "BAD syntax")
	}
	_ = n
	match := imapwire.CompilePattern(reference+string(pattern), '/')
	for _, name := range c.Server.Account.names() {
		if wire := mailboxName(name); match.Match(wire) || match.Match(name) {
			var attrs []string
			c.Server.Account.read(name, func(b *Box) { attrs = b.Attrs })
			c.Send(`* %s %s "/" %s`, cmd.Name, flagList(attrs), wire)
		}
	}
	return c.Tell(cmd, "OK done")
}

func (c *Conn) create(cmd *Command) error {
	name, err := newArgs(cmd.Args).mailbox()
	if err != nil {
		return c.Tell(cmd, "BAD syntax")
	}
	if c.Server.Account.read(name, func(*Box) {}) {
		return c.Tell(cmd, "NO [ALREADYEXISTS] no")
	}
	c.Server.Account.Create(name)
	return c.Tell(cmd, "OK done")
}

func (c *Conn) delete(cmd *Command) error {
	name, err := newArgs(cmd.Args).mailbox()
	if err != nil || strings.EqualFold(name, imap.Inbox) {
		return c.Tell(cmd, "NO no")
	}
	c.Server.Account.drop(name)
	return c.Tell(cmd, "OK done")
}

// leave is CLOSE and UNSELECT.
func (c *Conn) leave(cmd *Command) error {
	if cmd.Name == "CLOSE" && !c.sel.readOnly {
		c.Server.Account.update(c.sel.name, func(b *Box) { b.remove(b.deleted(imap.UIDSet{{First: 1, Last: 1<<32 - 1}})) })
	}
	c.sel = nil
	return c.Tell(cmd, "OK done")
}

func (c *Conn) idle(cmd *Command) error {
	c.Send("+ idling")
	type read struct {
		line string
		err  error
	}
	lines := make(chan read, 1)
	go func() {
		line, err := c.readLine()
		lines <- read{line, err}
	}()
	for {
		changed := c.Server.Account.wait()
		c.sync(false)
		select {
		case l := <-lines:
			if l.err != nil {
				return l.err
			}
			if !strings.EqualFold(l.line, "DONE") {
				return c.Tell(cmd, "BAD DONE expected")
			}
			return c.Tell(cmd, "OK done")
		case <-changed:
		}
	}
}
