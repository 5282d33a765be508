package pop3server

import (
	"crypto/rand"
	"errors"

	"github.com/mailstead/mailstead/pop3"
	"github.com/mailstead/mailstead/store"
)

// ok writes a positive answer.
func (c *conn) ok(text string) {
	c.bw.WriteString("+OK ")
	c.bw.WriteString(text)
	c.bw.WriteString("\r\n")
}

// fail writes a negative answer with a response code, "" = none.
func (c *conn) fail(code pop3.ResponseCode, text string) {
	c.bw.WriteString("-ERR ")
	if code != "" {
		c.bw.WriteString("[" + string(code) + "] ")
	}
	c.bw.WriteString(text)
	c.bw.WriteString("\r\n")
}

// failure answers an error of the store without showing its text.
func (c *conn) failure(what string, err error) {
	switch {
	case errors.Is(err, errGone), errors.Is(err, store.ErrExpunged), errors.Is(err, store.ErrNoMessage):
		c.fail("", "Message was deleted by another client")
	case errors.Is(err, store.ErrLocked):
		c.fail(pop3.CodeInUse, "Another session has this maildrop")
	case errors.Is(err, store.ErrNoAccount), errors.Is(err, store.ErrNoMailbox):
		c.fail(pop3.CodeSysPerm, "There is no such maildrop")
	default:
		id := rand.Text()[:8]
		c.srv.cfg.Logger.Error("pop3: "+what, "error", err, "log_id", id, "account", c.sess.account)
		code := pop3.CodeSysTemp
		if errors.Is(err, store.ErrCorrupt) {
			code = pop3.CodeSysPerm
		}
		c.fail(code, "Internal error, reference "+id)
	}
}
