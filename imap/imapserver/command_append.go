package imapserver

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
)

// appendArgs are what stands in front of one message of APPEND.
type appendArgs struct {
	flags    store.Flags
	keywords []string
	received time.Time
}

// appendMessage runs APPEND (RFC 3501 §6.3.11). What can be refused is refused
// before the client sends the message: an unknown mailbox, a size over the
// limit, a full account.
func (s *session) appendMessage(cmd *command) error {
	if err := s.dec.SP(); err != nil {
		return err
	}
	name, err := s.readMailbox()
	if err != nil {
		return err
	}
	args, err := s.readAppend()
	if err != nil {
		return err
	}
	if c := s.dec.Peek(); c != '{' && c != '~' {
		return bad("Literal expected")
	}
	dest, err := s.destination(name)
	if err != nil {
		return err
	}
	op, err := s.receive(dest, args)
	if err != nil {
		return err
	}
	if err := s.dec.End(); err != nil {
		return err
	}
	res, err := s.apply(op)
	if err != nil {
		return tryCreate(err)
	}
	r := res.Ops[0]
	cmd.okCode = fmt.Sprintf("%s %d %s", imap.CodeAppendUID, r.UIDValidity, r.Dest)
	return nil
}

// readAppend takes [SP flag-list] [SP date-time] SP.
func (s *session) readAppend() (a appendArgs, err error) {
	if err = s.dec.SP(); err != nil {
		return a, err
	}
	if s.dec.Peek() == '(' {
		if a.flags, a.keywords, err = s.readFlags(); err != nil {
			return a, err
		}
		if err = s.dec.SP(); err != nil {
			return a, err
		}
	}
	if s.dec.Peek() == '"' {
		if a.received, err = imapwire.Take(s.dec, imapwire.ConsumeDateTime); err != nil {
			return a, err
		}
		err = s.dec.SP()
	}
	return a, err
}

// receive streams the literal into the blob store and returns the Op that adds
// the message.
func (s *session) receive(dest *store.Mailbox, args appendArgs) (store.Append, error) {
	usage, err := s.account.Store().Usage(s.ctx)
	if err != nil {
		return store.Append{}, err
	}
	if l := usage.Limits; l.Messages > 0 && usage.Messages >= l.Messages || l.Bytes > 0 && usage.Bytes >= l.Bytes {
		return store.Append{}, store.ErrOverQuota
	}
	s.room = -1
	if l := usage.Limits.Bytes; l > 0 {
		s.room = l - usage.Bytes
	}
	lit, r, err := s.dec.Stream()
	if err != nil {
		return store.Append{}, err
	}
	op, err := store.PrepareAppend(s.ctx, s.srv.cfg.Store, store.NewMessage{
		Mailbox: dest.ID, Flags: args.flags, Keywords: args.keywords, Received: args.received,
		Body: &whole{r: r, left: lit.Size}, BodySize: lit.Size,
	})
	return op, err
}

// whole is a reader that knows how much has to come: an early end is an error.
type whole struct {
	r    io.Reader
	left int64
}

var errShort = errors.New("imapserver: literal ended early")

func (w *whole) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	w.left -= int64(n)
	if err == io.EOF && w.left > 0 {
		err = errShort
	}
	return n, err
}
