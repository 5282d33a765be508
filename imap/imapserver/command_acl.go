package imapserver

import (
	"errors"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/acl"
)

// aclArgs are the arguments of the commands of RFC 4314 §3.
type aclArgs struct {
	mailbox    string
	identifier string // as the client wrote it
	whom       string // as it is kept
	rights     string
}

// readACL takes SP mailbox, and as many more arguments as are asked for, CRLF.
func (s *session) readACL(more int) (a aclArgs, err error) {
	if err = s.dec.SP(); err != nil {
		return a, err
	}
	if a.mailbox, err = s.readMailbox(); err != nil {
		return a, err
	}
	for _, arg := range []*string{&a.identifier, &a.rights}[:more] {
		if err = s.dec.SP(); err != nil {
			return a, err
		}
		if *arg, err = s.dec.AString(); err != nil {
			return a, err
		}
	}
	return a, s.dec.End()
}

// administer reads the arguments as readACL does, and finds the mailbox, if the
// user may look at its list and change it. gone: the identifier may be one of a
// user who is not there any more.
func (s *session) administer(more int, gone bool) (a aclArgs, p place, err error) {
	if a, err = s.readACL(more); err != nil {
		return a, p, err
	}
	if more > 0 {
		if a.whom, err = s.whom(a.identifier, gone); err != nil {
			return a, p, err
		}
	}
	if p, err = s.mailbox(a.mailbox); err == nil {
		err = p.need(imap.RightAdminister)
	}
	return a, p, err
}

// setACL runs SETACL (RFC 4314 §3.1).
func (s *session) setACL(cmd *command) error {
	a, p, err := s.administer(2, false)
	if err != nil {
		return err
	}
	m, err := acl.ParseModification(a.rights)
	if err != nil {
		return bad("Unknown right")
	}
	if !s.grantable(&p, a.whom) {
		return no(imap.CodeCannot, "Only mailboxes of shared accounts can be opened to everybody")
	}
	err = acl.Set(s.ctx, s.srv.cfg.Store, p.account.ID(), p.ID, a.whom, m)
	if errors.Is(err, store.ErrNoAccount) {
		return no(imap.CodeCannot, "No such user")
	}
	return s.changed(err)
}

// changed notes that the store was changed behind the session's view.
func (s *session) changed(err error) error {
	if s.sel != nil {
		s.sel.stale = true
	}
	return err
}

// deleteACL runs DELETEACL (RFC 4314 §3.2). What a user had who was deleted can
// be taken away.
func (s *session) deleteACL(cmd *command) error {
	a, p, err := s.administer(1, true)
	if err != nil {
		return err
	}
	return s.changed(acl.Remove(s.ctx, s.srv.cfg.Store, p.account.ID(), p.ID, a.whom))
}

// whom is the identifier as it is kept (RFC 4314 §3); gone: also one that names
// nobody.
func (s *session) whom(wire string, gone bool) (string, error) {
	id, err := acl.CleanIdentifier(wire)
	if err != nil {
		return "", bad("Bad identifier")
	}
	find := s.sharing.cfg.Account
	if find == nil || acl.AccountOf(id) == "" {
		return id, nil
	}
	account, err := find(s.ctx, string(acl.AccountOf(id)))
	if errors.Is(err, store.ErrNoAccount) {
		if gone {
			return id, nil
		}
		return "", no(imap.CodeCannot, "No such user")
	}
	if err != nil {
		return "", err
	}
	if strings.HasPrefix(id, "-") {
		return "-" + string(account), nil
	}
	return string(account), nil
}

// grantable reports whether the identifier can be given rights on a mailbox:
// those for everybody only where all hear of it.
func (s *session) grantable(p *place, identifier string) bool {
	return strings.HasPrefix(identifier, "-") || acl.AccountOf(identifier) != "" ||
		slices.Contains(s.sharing.cfg.Accounts, p.account.ID())
}

// getACL runs GETACL (RFC 4314 §3.3). The owner comes first, also where the list
// does not name him.
func (s *session) getACL(cmd *command) error {
	_, p, err := s.administer(0, false)
	if err != nil {
		return err
	}
	list := s.listOf(&p)
	owner := p.account.ID()
	named, ok := list.Named(string(owner))
	if !ok {
		named = imap.RightsAll
	}
	s.enc.Raw("* ACL ").Mailbox(p.name, s.asUTF8())
	s.tellRights(string(owner), named|acl.Kept)
	for _, e := range list {
		if e.Identifier != string(owner) {
			s.tellRights(e.Identifier, e.Rights)
		}
	}
	s.enc.CRLF()
	return nil
}

func (s *session) tellRights(identifier string, r imap.Rights) {
	b := append(s.enc.AvailableBuffer(), ' ')
	b = imapwire.AppendAString(b, []byte(identifier))
	_, _ = s.enc.Write(imapwire.AppendAString(append(b, ' '), []byte(r.Compatible())))
}

// listRights runs LISTRIGHTS (RFC 4314 §3.4). No right is tied to another one.
func (s *session) listRights(cmd *command) error {
	a, p, err := s.administer(1, false)
	if err != nil {
		return err
	}
	always, can := acl.None, imap.RightsAll
	switch {
	case acl.AccountOf(a.whom) == p.account.ID():
		always = acl.Kept
	case !s.grantable(&p, a.whom):
		can = acl.None
	}
	s.enc.Raw("* LISTRIGHTS ").Mailbox(p.name, s.asUTF8())
	b := append(s.enc.AvailableBuffer(), ' ')
	b = imapwire.AppendAString(b, []byte(a.identifier))
	b = imapwire.AppendAString(append(b, ' '), []byte(always.String()))
	for _, letter := range (can &^ always).Compatible() {
		b = append(b, ' ', byte(letter))
	}
	_, _ = s.enc.Write(b)
	s.enc.CRLF()
	return nil
}

// myRights runs MYRIGHTS (RFC 4314 §3.5).
func (s *session) myRights(cmd *command) error {
	a, err := s.readACL(0)
	if err != nil {
		return err
	}
	p, err := s.mailbox(a.mailbox)
	if err != nil {
		return err
	}
	if !p.rights.HasAny(imap.RightLookup | imap.RightRead | imap.RightInsert | imap.RightCreate | imap.RightDelete | imap.RightAdminister) {
		return errNoSuch()
	}
	s.tellMyRights(&p)
	return nil
}

func (s *session) tellMyRights(p *place) {
	s.enc.Raw("* MYRIGHTS ").Mailbox(p.name, s.asUTF8()).SP().Raw(p.rights.Compatible()).CRLF()
}
