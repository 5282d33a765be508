package imapserver

import (
	"bytes"
	"strconv"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapmeta"
	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/view"
)

// Annotations are entries of the mailbox, so that they follow it and go with it;
// those of the server are entries of the user's account. The key of a private
// one holds whose it is.
const (
	sharedAnnotation  = "meta/s"
	privateAnnotation = "meta/p/"
)

// annotated is what annotations belong to: a mailbox, or the server.
type annotated struct {
	account *view.Account
	mailbox store.MailboxID // zero = the server
	name    string          // as the session writes it; "" = the server
	write   bool            // the user may change shared values
}

// annotatedMailbox finds what a command names (RFC 5464 §3.3).
func (s *session) annotatedMailbox(wire string) (annotated, error) {
	if wire == "" {
		return annotated{account: s.account}, nil
	}
	name, err := cleanName(wire, s.asUTF8())
	if err != nil {
		return annotated{}, err
	}
	p, err := s.mailbox(name)
	if err != nil {
		return annotated{}, err
	}
	return s.annotated(&p)
}

func (s *session) annotated(p *place) (annotated, error) {
	if err := p.need(imap.RightLookup); err != nil {
		return annotated{}, err
	}
	if !p.rights.HasAny(imap.RightRead | imap.RightSeen | imap.RightWrite | imap.RightInsert | imap.RightPost) {
		return annotated{}, no(imap.CodeNoPerm, "Permission denied")
	}
	return annotated{p.account, p.ID, p.name, p.rights.Has(imap.RightWrite)}, nil
}

// annotationKey is where the value of an entry is kept.
func (s *session) annotationKey(entry string) string {
	return s.annotationPrefix(imapmeta.IsPrivate(entry)) + entry
}

// annotationPrefix is what stands in front of the names of shared entries, or of
// the user's private ones. The length keeps an id from being the start of another
// one.
func (s *session) annotationPrefix(private bool) string {
	if private {
		return privateAnnotation + strconv.Itoa(len(s.id)) + ":" + string(s.id)
	}
	return sharedAnnotation
}

// getMetadata runs GETMETADATA (RFC 5464 §4.2).
func (s *session) getMetadata(cmd *command) error {
	if err := s.dec.SP(); err != nil {
		return err
	}
	g, err := imapmeta.ParseGet(s.dec)
	if err != nil {
		return err
	}
	if err := s.dec.End(); err != nil {
		return err
	}
	a, err := s.annotatedMailbox(g.Mailbox)
	if err != nil {
		return err
	}
	values, err := s.annotations(&a, &g)
	if err != nil {
		return err
	}
	if g.Depth == imapmeta.DepthNone {
		values = inOrder(g.Entries, values)
	}
	longest := int64(0)
	var told []imapmeta.Value
	for _, v := range values {
		if g.MaxSize >= 0 && int64(len(v.Value)) > g.MaxSize {
			longest = max(longest, int64(len(v.Value)))
			continue
		}
		told = append(told, v)
	}
	s.tellMetadata(a.name, told)
	if longest > 0 {
		cmd.okCode = "METADATA LONGENTRIES " + strconv.FormatInt(longest, 10)
	}
	return nil
}

// annotations are the values that are there of what is asked for, in order.
func (s *session) annotations(a *annotated, g *imapmeta.Get) (list []imapmeta.Value, err error) {
	if a.name == "" {
		list = s.fixed(g)
	}
	for _, prefix := range []string{s.annotationPrefix(false), s.annotationPrefix(true)} {
		q := store.EntryQuery{Mailbox: a.mailbox, Prefix: prefix + "/"}
		for e, err := range a.account.Store().Entries(s.ctx, q) {
			if err != nil {
				return nil, err
			}
			if entry := e.Key[len(prefix):]; g.Asks(entry) {
				list = append(list, imapmeta.Value{Entry: entry, Value: append([]byte{}, e.Value...)})
			}
		}
	}
	return list, nil
}

// fixed are the server's own annotations, which nobody changes here.
func (s *session) fixed(g *imapmeta.Get) (list []imapmeta.Value) {
	c := s.srv.cfg.Annotations
	for _, v := range [][2]string{{"/shared/admin", c.Admin}, {"/shared/comment", c.Comment}} {
		if v[1] != "" && g.Asks(v[0]) {
			list = append(list, imapmeta.Value{Entry: v[0], Value: []byte(v[1])})
		}
	}
	return list
}

// tellMetadata sends METADATA with values (RFC 5464 §4.4.1); nothing where there
// are none.
func (s *session) tellMetadata(name string, values []imapmeta.Value) {
	if len(values) == 0 {
		return
	}
	s.enc.Raw("* METADATA ")
	if name == "" {
		s.enc.Raw(`""`)
	} else {
		s.enc.Mailbox(name, s.asUTF8())
	}
	for i, v := range values {
		s.enc.Raw([]string{" (", " "}[min(i, 1)])
		_, _ = s.enc.Write(imapwire.AppendAString(nil, []byte(v.Entry)))
		s.enc.SP()
		if bytes.IndexByte(v.Value, 0) >= 0 {
			s.enc.Literal(imapwire.Literal{Size: int64(len(v.Value)), Binary: true}, bytes.NewReader(v.Value))
		} else {
			s.enc.NString(v.Value)
		}
	}
	s.enc.Raw(")\r\n")
}

// listMetadata sends METADATA of LIST (RFC 9590 §3): each entry that was asked
// for, NIL where there is none. Where the user may not see annotations there is
// no response.
func (s *session) listMetadata(p *place, entries []string) error {
	a, err := s.annotated(p)
	if err != nil {
		return nil
	}
	have, err := s.annotations(&a, &imapmeta.Get{Entries: entries})
	if err == nil {
		s.tellMetadata(a.name, inOrder(entries, have))
	}
	return err
}

// inOrder returns the values of entries, without one where there is none.
func inOrder(entries []string, have []imapmeta.Value) []imapmeta.Value {
	values := make([]imapmeta.Value, len(entries))
	for i, entry := range entries {
		values[i].Entry = entry
		for _, v := range have {
			if v.Entry == entry {
				values[i].Value = v.Value
			}
		}
	}
	return values
}

// setMetadata runs SETMETADATA (RFC 5464 §4.3): all values or none.
func (s *session) setMetadata(cmd *command) error {
	if err := s.dec.SP(); err != nil {
		return err
	}
	set, err := imapmeta.ParseSet(s.dec)
	if err != nil {
		return err
	}
	if err := s.dec.End(); err != nil {
		return err
	}
	a, err := s.annotatedMailbox(set.Mailbox)
	if err != nil {
		return err
	}
	if err := s.admitAnnotations(&a, set.Values); err != nil {
		return err
	}
	ops := make([]store.Op, len(set.Values))
	for i, v := range set.Values {
		ops[i] = store.PutEntry{Mailbox: a.mailbox, Key: s.annotationKey(v.Entry), Value: v.Value}
	}
	res, err := s.apply(a.account, ops...)
	if err == nil && s.has(metadata) && sameAccount(a.account, s.account) {
		s.noted.made(res.ModSeq)
	}
	return err
}

// admitAnnotations refuses values that are too long or too many, and changes of
// shared ones by who may only read.
func (s *session) admitAnnotations(a *annotated, values []imapmeta.Value) error {
	limits := &s.srv.cfg.Limits
	fresh := map[bool]int{} // by whether they are private
	for _, v := range values {
		private := imapmeta.IsPrivate(v.Entry)
		switch {
		case !private && !a.write:
			return no(imap.CodeNoPerm, "Permission denied")
		case int64(len(v.Value)) > limits.MaxAnnotationBytes:
			return no(imap.Code("METADATA MAXSIZE "+strconv.FormatInt(limits.MaxAnnotationBytes, 10)), "Value too long")
		case v.Value != nil:
			fresh[private]++
		}
	}
	if limits.MaxAnnotations < 0 {
		return nil
	}
	for private, n := range fresh {
		prefix := s.annotationPrefix(private)
		for e, err := range a.account.Store().Entries(s.ctx, store.EntryQuery{Mailbox: a.mailbox, Prefix: prefix + "/"}) {
			if err != nil {
				return err
			}
			if !replaces(values, e.Key[len(prefix):]) {
				n++
			}
		}
		if n > limits.MaxAnnotations {
			return no(imap.CodeMetadata+" TOOMANY", "Too many annotations")
		}
	}
	return nil
}

// replaces reports whether one of values is of that entry.
func replaces(values []imapmeta.Value, entry string) bool {
	for _, v := range values {
		if v.Entry == entry {
			return true
		}
	}
	return false
}
