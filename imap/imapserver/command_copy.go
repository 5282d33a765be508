package imapserver

import (
	"errors"
	"strconv"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/store"
)

// copy runs COPY and UID COPY (RFC 3501 §6.4.7).
func (s *session) copy(cmd *command) error { return s.copyOrMove(cmd, false) }

// move runs MOVE and UID MOVE (RFC 6851): each message in one atomic change within
// an account; to another account the copy comes first.
func (s *session) move(cmd *command) error { return s.copyOrMove(cmd, true) }

func (s *session) copyOrMove(cmd *command, move bool) error {
	set, name, err := s.readCopy()
	if err != nil {
		return err
	}
	if move {
		if err := s.writable(); err != nil {
			return err
		}
		if err := s.sel.need(imap.RightDeleteMsg | imap.RightExpunge); err != nil { // as STORE and EXPUNGE (RFC 6851 §3.3)
			return err
		}
	}
	uids, err := s.sel.resolve(cmd, set)
	if err != nil {
		return err
	}
	dest, err := s.destination(name)
	if err != nil || len(uids) == 0 {
		return err
	}
	limit := s.saveLimit()
	over := uids.Len() > limit
	if over {
		uids = newest(uids, limit)
		if !move { // all or nothing (RFC 9738 §3.1)
			return &reply{"NO", limitCode(limit, uids.Min()), "Too many messages in one command"}
		}
	}
	if over {
		cmd.okCode, cmd.okText = limitCode(limit, uids.Min()), "Only the newest messages were moved"
	}
	return s.transfer(cmd, uids, &dest, move)
}

// readCopy takes SP sequence-set SP mailbox CRLF.
func (s *session) readCopy() (set imap.NumSet, name string, err error) {
	if err = s.dec.SP(); err != nil {
		return nil, "", err
	}
	if set, err = s.readSet(); err != nil {
		return nil, "", err
	}
	if err = s.dec.SP(); err != nil {
		return nil, "", err
	}
	if name, err = s.readMailbox(); err != nil {
		return nil, "", err
	}
	return set, name, s.dec.End()
}

// tellCopied sends COPYUID (RFC 4315 §3): in the OK of COPY, and before the
// EXPUNGE responses of MOVE (RFC 6851 §4.3). A MOVE that left messages where they
// are, because of a hold, is answered NO, with what it did (RFC 6851 §3.3).
func (s *session) tellCopied(cmd *command, move bool, res store.OpResult) error {
	if len(res.Missing) > 0 && !cmd.uid && len(res.Source) == 0 {
		return no(imap.CodeExpungeIssued, "Messages are gone")
	}
	if len(res.Source) == 0 {
		return heldBack(res.Held)
	}
	s.tellUIDs(cmd, move, &res)
	return heldBack(res.Held)
}

// tellUIDs is tellCopied for messages of which there are some.
func (s *session) tellUIDs(cmd *command, move bool, res *store.OpResult) {
	code := append([]byte(imap.CodeCopyUID), ' ')
	code = strconv.AppendUint(code, uint64(res.UIDValidity), 10)
	code = res.Source.Append(append(code, ' '))
	code = res.Dest.Append(append(code, ' '))
	if !move {
		cmd.okCode = string(code)
		return
	}
	s.enc.Raw("* OK [").Raw(string(code)).Raw("] Moved\r\n")
}

// heldBack answers for messages that are under a hold.
func heldBack(held store.UIDSet) error {
	if len(held) > 0 {
		return store.ErrHeld
	}
	return nil
}

// destination finds the mailbox that messages go into.
func (s *session) destination(name string) (place, error) {
	m, err := s.mailbox(name)
	if err == nil {
		return m, m.need(imap.RightInsert)
	}
	if name == badName {
		return place{}, creatable(name)
	}
	if _, ok := errors.AsType[*reply](err); ok {
		return place{}, no(imap.CodeTryCreate, "No such mailbox")
	}
	return place{}, err
}

// tryCreate answers a mailbox that vanished under a COPY or APPEND
// (RFC 3501 §6.3.11).
func tryCreate(err error) error {
	if errors.Is(err, store.ErrNoMailbox) {
		return no(imap.CodeTryCreate, "No such mailbox")
	}
	return err
}
