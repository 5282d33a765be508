package imapserver

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/view"
)

// maxAppendMemory bounds what one APPEND keeps of its messages until the last one
// came: they become one change. Their octets are in the blobs already.
const maxAppendMemory = 32 << 20

// appendArgs are what stands in front of one message of APPEND.
type appendArgs struct {
	flags    store.Flags
	keywords []string
	received time.Time
}

// appendMessage runs APPEND (RFC 3501 §6.3.11), with several messages as one
// change where the client sends several (RFC 3502). What can be refused is
// refused before the client sends the message: an unknown mailbox, a size over
// the limit, a full account.
func (s *session) appendMessage(cmd *command) error {
	if err := s.dec.SP(); err != nil {
		return err
	}
	name, err := s.readMailbox()
	if err != nil {
		return err
	}
	var dest place
	var ops []store.Op
	s.kept = 0
	for first := true; first || !s.dec.AtEnd(); first = false {
		args, err := s.readAppend()
		if err != nil {
			return err
		}
		if first {
			if dest, err = s.destination(name); err != nil {
				return err
			}
			if s.room, err = s.quotaRoom(dest.account); err != nil {
				return err
			}
		}
		args.flags, args.keywords = granted(dest.rights, args.flags, args.keywords)
		op, err := s.receive(dest, args, len(ops))
		if err != nil {
			return err
		}
		ops = append(ops, op)
	}
	if err := s.dec.End(); err != nil {
		return err
	}
	return s.commitAppend(cmd, dest, ops)
}

// commitAppend adds the messages and names them in APPENDUID (RFC 4315 §3).
func (s *session) commitAppend(cmd *command, dest place, ops []store.Op) error {
	res, err := s.apply(dest.account, ops...)
	if err != nil {
		return tryCreate(err)
	}
	var uids store.UIDSet
	for _, r := range res.Ops {
		uids.AddSet(r.Dest)
	}
	cmd.okCode = fmt.Sprintf("%s %d %s", imap.CodeAppendUID, res.Ops[0].UIDValidity, uids)
	return nil
}

// quotaRoom is the number of octets that the account has room for; -1 = no
// limit.
func (s *session) quotaRoom(a *view.Account) (int64, error) {
	u, err := a.Store().Usage(s.ctx)
	switch {
	case err != nil:
		return 0, err
	case u.Limits.Messages > 0 && u.Messages >= u.Limits.Messages:
		return 0, store.ErrOverQuota
	case u.Limits.Bytes > 0:
		return max(u.Limits.Bytes-u.Bytes, 0), nil
	}
	return -1, nil
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
		if err = s.dec.SP(); err != nil {
			return a, err
		}
	}
	if s.dec.Peek() != '{' && !s.dec.Follows("~{") {
		return a, bad("Literal expected")
	}
	return a, nil
}

// receive streams the literal of message n into the blob store and returns the
// Op that adds it.
func (s *session) receive(dest place, args appendArgs, n int) (store.Append, error) {
	switch {
	case int64(n) >= s.saveLimit():
		return store.Append{}, no(imap.Code(string(imap.CodeMessageLimit)+" "+s.saveLimitValue()), "Too many messages in one command")
	case s.kept >= maxAppendMemory:
		return store.Append{}, store.ErrTooLarge
	}
	lit, r, err := s.dec.Stream()
	if err != nil {
		return store.Append{}, err
	}
	if s.room >= 0 {
		s.room -= lit.Size
	}
	op, err := store.PrepareAppend(s.ctx, s.srv.cfg.Store, store.NewMessage{
		Mailbox: dest.ID, Flags: args.flags, Keywords: args.keywords, Received: args.received,
		Body: &whole{r: r, left: lit.Size}, BodySize: lit.Size,
	})
	s.kept += 512 + len(op.Meta) + len(op.Prefix)
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
