package pop3server

import (
	"crypto/rand"
	"errors"
	"log/slog"

	"github.com/mailstead/mailstead/pop3"
	"github.com/mailstead/mailstead/store"
)

// maxLine is the space that one line of an answer takes at most: more than
// RFC 2449 §4 allows, as unique-ids and capabilities stay below it.
const maxLine = 1024

// ok begins a positive answer; what it is about follows where there are
// parts of it before the text.
func (c *conn) ok(t text, numbers ...int64) { c.okWith("", t, numbers...) }

// okWith is ok with a word before the text.
func (c *conn) okWith(word string, t text, numbers ...int64) {
	c.sess.last = true
	b := c.out.room(maxLine)
	start := len(b)
	b = append(b, "+OK "...)
	if word != "" {
		b = append(append(b, word...), ' ')
	}
	b = append(c.sess.lang.appendText(b, t, numbers...), "\r\n"...)
	c.traceAnswer(b[start:])
	c.out.set(b)
}

// fail writes a negative answer with a response code, "" = none.
func (c *conn) fail(code pop3.ResponseCode, t text, numbers ...int64) {
	c.failWith(code, "", t, numbers...)
}

// failWith is fail with a word behind the text.
func (c *conn) failWith(code pop3.ResponseCode, word string, t text, numbers ...int64) {
	c.sess.last = false
	b := c.out.room(maxLine)
	start := len(b)
	b = append(b, "-ERR "...)
	if code != "" {
		b = append(append(append(b, '['), code...), "] "...)
	}
	b = c.sess.lang.appendText(b, t, numbers...)
	if word != "" {
		b = append(append(b, ' '), word...)
	}
	b = append(b, "\r\n"...)
	c.traceAnswer(b[start:])
	c.out.set(b)
}

// line writes one line of a multi-line answer.
func (c *conn) line(s ...string) {
	b := c.out.room(maxLine)
	for _, part := range s {
		b = append(b, part...)
	}
	c.out.set(append(b, "\r\n"...))
}

// failure answers an error of the store without showing its text.
func (c *conn) failure(what string, err error) {
	switch {
	case errors.Is(err, errGone), errors.Is(err, store.ErrExpunged), errors.Is(err, store.ErrNoMessage):
		c.fail("", textGone)
	case errors.Is(err, store.ErrLocked):
		c.fail(pop3.CodeInUse, textInUse)
	case errors.Is(err, store.ErrNoAccount), errors.Is(err, store.ErrNoMailbox):
		c.fail(pop3.CodeSysPerm, textNoMaildrop)
	default:
		id := rand.Text()[:8]
		c.logs(slog.LevelError, "pop3: "+what, "error", err, "log_id", id)
		code := pop3.CodeSysTemp
		if errors.Is(err, store.ErrCorrupt) {
			code = pop3.CodeSysPerm
		}
		c.failWith(code, id, textInternal)
	}
}
