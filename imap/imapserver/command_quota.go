package imapserver

import (
	"errors"
	"strconv"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
)

// The root of all mailboxes of an account is called like the account (RFC 9208
// §3.2).

// getQuota runs GETQUOTA (RFC 9208 §4.1.1): of the user's own account, and for
// an administrator of any.
func (s *session) getQuota(cmd *command) error {
	root, err := s.readRoot()
	if err != nil {
		return err
	}
	if err := s.dec.End(); err != nil {
		return err
	}
	a, err := s.rootAccount(root)
	if err != nil {
		return err
	}
	return s.tellQuota(root, a)
}

// readRoot takes SP quota-root-name.
func (s *session) readRoot() (store.AccountID, error) {
	if err := s.dec.SP(); err != nil {
		return "", err
	}
	root, err := s.dec.AString()
	return store.AccountID(root), err
}

// rootAccount opens the account of a quota root that the user may see. To others
// a root that is there looks like one that is not.
func (s *session) rootAccount(root store.AccountID) (store.Account, error) {
	if root == s.id {
		return s.account.Store(), nil
	}
	none := no(imap.CodeNonExistent, "No such quota root")
	if !s.isQuotaAdmin() {
		return nil, none
	}
	a, err := s.srv.cfg.Store.Open(s.ctx, root)
	if errors.Is(err, store.ErrNoAccount) {
		return nil, none
	}
	return a, err
}

// isQuotaAdmin reports whether the user may set quotas.
func (s *session) isQuotaAdmin() bool {
	f := s.srv.cfg.QuotaAdmin
	return f != nil && f(s.ctx, s.id)
}

// tellQuota sends QUOTA with the resources that are limited (RFC 9208 §4.2.1).
func (s *session) tellQuota(root store.AccountID, a store.Account) error {
	u, err := a.Usage(s.ctx)
	if err != nil {
		return err
	}
	b := append(s.enc.AvailableBuffer(), "* QUOTA "...)
	b = append(imapwire.AppendAString(b, []byte(root)), " ("...)
	from := len(b)
	for _, r := range []struct {
		name        string
		used, limit int64
	}{
		{"STORAGE", (u.Bytes + 1023) / 1024, u.Limits.Bytes / 1024},
		{"MESSAGE", u.Messages, u.Limits.Messages},
		{"MAILBOX", u.Mailboxes, u.Limits.Mailboxes},
	} {
		if r.limit == 0 {
			continue
		}
		b = append(space(b, from), r.name...)
		b = strconv.AppendInt(append(b, ' '), r.used, 10)
		b = strconv.AppendInt(append(b, ' '), r.limit, 10)
	}
	_, _ = s.enc.Write(append(b, ")\r\n"...))
	return nil
}

// getQuotaRoot runs GETQUOTAROOT (RFC 9208 §4.1.2), also of a mailbox that is
// not there yet. Of another account's mailbox it takes the right r (§6).
func (s *session) getQuotaRoot(cmd *command) error {
	name, err := s.readLastMailbox()
	if err != nil {
		return err
	}
	if err := creatable(name); err != nil {
		return err
	}
	a := s.account
	p, err := s.find(name)
	_, foreign := s.foreign(name)
	switch {
	case err == nil:
		if err := p.need(imap.RightRead); err != nil {
			return err
		}
		a, name = p.account, p.name
	case foreign:
		return err
	}
	s.enc.Raw("* QUOTAROOT ").Mailbox(name, s.asUTF8()).SP()
	_, _ = s.enc.Write(imapwire.AppendAString(nil, []byte(a.ID())))
	s.enc.CRLF()
	return s.tellQuota(a.ID(), a.Store())
}

// setQuota runs SETQUOTA (RFC 9208 §4.1.3): limits that are not named end.
func (s *session) setQuota(cmd *command) error {
	root, err := s.readRoot()
	if err != nil {
		return err
	}
	if err := s.dec.SP(); err != nil {
		return err
	}
	limits, err := s.readLimits()
	if err != nil {
		return err
	}
	if err := s.dec.End(); err != nil {
		return err
	}
	a, err := s.rootAccount(root)
	if err != nil {
		return err
	}
	if _, err := a.Apply(s.ctx, store.Change{Ops: []store.Op{store.PutAccount{Limits: &limits}}}); err != nil {
		return err
	}
	return s.tellQuota(root, a)
}

// maxStorage is the greatest limit of octets, in units of 1024.
const maxStorage = (1<<63 - 1) / 1024

// readLimits takes "(" [resource SP limit *(SP resource SP limit)] ")". No
// account can be limited to nothing: zero is no limit in a store.
func (s *session) readLimits() (l store.Limits, err error) {
	var refused error
	err = s.dec.List(func() error {
		word, err := s.dec.Word()
		if err != nil {
			return err
		}
		if err := s.dec.SP(); err != nil {
			return err
		}
		n, err := imapwire.Take(s.dec, imapwire.ConsumeNumber64)
		if err != nil {
			return err
		}
		if n == 0 || word == "STORAGE" && n > maxStorage {
			refused = no(imap.CodeCannot, "Limit not possible")
		}
		switch word {
		case "STORAGE":
			l.Bytes = min(n, maxStorage) * 1024
		case "MESSAGE":
			l.Messages = n
		case "MAILBOX":
			l.Mailboxes = n
		default:
			refused = no(imap.CodeCannot, "Resource cannot be limited")
		}
		return nil
	})
	if err == nil {
		err = refused
	}
	return l, err
}
