package imapserver

import (
	"fmt"
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

// keptOf is about how much memory one message takes until its change is made.
func keptOf(op *store.Append) int {
	return 512 + len(op.Meta) + len(op.Prefix) + 8*len(op.ThreadKeys)
}

// intake is what APPEND and REPLACE have taken in so far.
type intake struct {
	dest place
	ops  []store.Op
	room int64 // octets left of the quota; -1 = no limit
	kept int   // octets kept of the messages so far

	gone *replacement // what the command removes; nil = nothing

	size  int64 // octets of the message that is coming
	parts bool  // it comes in parts: CATENATE
}

// replacement is the message that goes when another one comes.
type replacement struct {
	account *view.Account
	uid     store.UID
	size    int64
}

// admit refuses octets of a message that go beyond a limit, before they come.
func (in *intake) admit(n, limit int64) error {
	switch {
	case limit >= 0 && n > limit-in.size:
		return &imapwire.TooBigError{Size: n, Limit: limit - in.size}
	case n == 0 && !in.parts:
		return no(imap.CodeCannot, "Empty message")
	case in.room >= 0 && n > in.room:
		return store.ErrOverQuota
	}
	return nil
}

// add counts octets that were admitted.
func (in *intake) add(n int64) {
	in.size += n
	if in.room >= 0 {
		in.room -= n
	}
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
	s.intake = &intake{}
	defer func() { s.intake = nil }()
	for !s.dec.AtEnd() || len(s.intake.ops) == 0 {
		if err := s.takeMessage(name); err != nil {
			return err
		}
	}
	if err := s.dec.End(); err != nil {
		return err
	}
	in := s.intake
	res, err := s.apply(in.dest.account, in.ops...)
	if err != nil {
		return tryCreate(err)
	}
	cmd.okCode = appendUID(res.Ops)
	return nil
}

// takeMessage takes one message with what stands in front of it, for the mailbox
// of that name.
func (s *session) takeMessage(name string) error {
	args, err := s.readAppend()
	if err != nil {
		return err
	}
	in := s.intake
	if len(in.ops) == 0 {
		if in.dest, err = s.destination(name); err != nil {
			return err
		}
		if in.room, err = s.quotaRoom(in.dest.account, in.gone); err != nil {
			return err
		}
	}
	args.flags, args.keywords = granted(in.dest.rights, args.flags, args.keywords)
	op, err := s.receive(args)
	if err != nil {
		return err
	}
	in.ops = append(in.ops, op)
	return nil
}

// appendUID is the code that names the new messages (RFC 4315 §3).
func appendUID(res []store.OpResult) string {
	var uids store.UIDSet
	for _, r := range res {
		uids.AddSet(r.Dest)
	}
	return fmt.Sprintf("%s %d %s", imap.CodeAppendUID, res[0].UIDValidity, uids)
}

// quotaRoom is the number of octets that the account has room for; -1 = no
// limit. gone makes room where it lies in the same account.
func (s *session) quotaRoom(a *view.Account, gone *replacement) (int64, error) {
	u, err := a.Store().Usage(s.ctx)
	if err != nil {
		return 0, err
	}
	if gone != nil && sameAccount(gone.account, a) {
		u.Messages--
		u.Bytes -= gone.size
	}
	switch {
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
	return a, nil
}
