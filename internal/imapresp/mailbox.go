package imapresp

import (
	"bytes"
	"io"
	"unicode/utf8"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
)

// A Namer makes the UTF-8 form of a mailbox name, or of a prefix, on the wire.
type Namer func(wire []byte) string

// mailbox takes the name of a mailbox.
func (name Namer) mailbox(b []byte) (string, int, error) {
	s, n, err := consumeSpaced(b, ConsumeAString)
	if err != nil {
		return "", 0, err
	}
	return name(s), n, nil
}

// ParseList reads what stands behind LIST or LSUB (RFC 9051 §7.3.1).
func ParseList(b []byte, name Namer) (e imap.ListEntry, err error) {
	n := spaces(b)
	m, err := ConsumeList(b[n:], func(b []byte) (int, error) {
		word, n, err := ConsumeWord(b, false)
		e.Attrs = append(e.Attrs, imap.Attr(word))
		return n, err
	})
	if err != nil {
		return e, err
	}
	n += m
	if e.Delimiter, m, err = consumeSpaced(b[n:], consumeDelimiter); err != nil {
		return e, err
	}
	n += m
	if e.Name, m, err = name.mailbox(b[n:]); err != nil {
		return e, err
	}
	n += m
	n += spaces(b[n:])
	if n < len(b) && b[n] == '(' {
		if _, err := ConsumeList(b[n:], func(b []byte) (int, error) { return listItem(&e, b, name) }); err != nil {
			return e, err
		}
	}
	return e, nil
}

// consumeDelimiter takes a string of one character, or NIL or "" for 0.
func consumeDelimiter(b []byte) (rune, int, error) {
	s, n, err := ConsumeNString(b)
	if err != nil || len(s) == 0 {
		return 0, n, err
	}
	r, _ := utf8.DecodeRune(s)
	return r, n, nil
}

// listItem takes a name and a value (RFC 5258 §6, mbox-list-extended-item).
func listItem(e *imap.ListEntry, b []byte, name Namer) (int, error) {
	tag, n, err := ConsumeAString(b)
	if err != nil {
		return 0, err
	}
	n += spaces(b[n:])
	var m int
	switch upper(tag) {
	case "CHILDINFO":
		m, err = ConsumeList(b[n:], func(b []byte) (int, error) {
			s, n, err := ConsumeAString(b)
			e.ChildInfo = append(e.ChildInfo, upper(s))
			return n, err
		})
	case "OLDNAME":
		m, err = ConsumeList(b[n:], func(b []byte) (n int, err error) {
			e.OldName, n, err = name.mailbox(b)
			return n, err
		})
	default:
		m, err = SkipValue(b[n:])
	}
	return n + m, err
}

// ParseMailboxStatus reads what stands behind STATUS (RFC 9051 §7.3.4).
func ParseMailboxStatus(b []byte, name Namer) (*imap.MailboxStatus, error) {
	s := &imap.MailboxStatus{}
	var n int
	var err error
	if s.Name, n, err = name.mailbox(b); err != nil {
		return nil, err
	}
	n += spaces(b[n:])
	_, err = ConsumeList(b[n:], func(b []byte) (int, error) { return statusItem(s, b) })
	return s, err
}

func statusItem(s *imap.MailboxStatus, b []byte) (int, error) {
	word, n, err := ConsumeWord(b, false)
	if err != nil {
		return 0, err
	}
	n += spaces(b[n:])
	item, ok := imap.ParseStatusItem(upper(word))
	if !ok {
		m, err := SkipValue(b[n:])
		return n + m, err
	}
	if item == imap.StatusMailboxID {
		id, m, err := ConsumeObjectID(b[n:])
		if end := bytes.IndexByte(b[n:], ')'); end >= 0 && b[n] == '(' && !isObjectID(id) { // Cyrus 3.6 sends what it has not set, at times
			return n + end + 1, nil
		}
		s.MailboxID = id
		s.Note(item)
		return n + m, err
	}
	v, m, err := consumeCount(b[n:])
	if err != nil {
		return 0, err
	}
	if item == imap.StatusAppendLimit && isNilWord(b[n:]) {
		v = -1
	}
	setStatus(s, item, v)
	s.Note(item)
	return n + m, nil
}

func setStatus(s *imap.MailboxStatus, item imap.StatusItem, v int64) {
	switch item {
	case imap.StatusMessages:
		s.Messages = uint32(v)
	case imap.StatusRecent:
		s.Recent = uint32(v)
	case imap.StatusUIDNext:
		s.UIDNext = imap.UID(v)
	case imap.StatusUIDValidity:
		s.UIDValidity = imap.UIDValidity(v)
	case imap.StatusUnseen:
		s.Unseen = uint32(v)
	case imap.StatusDeleted:
		s.Deleted = uint32(v)
	case imap.StatusSize:
		s.Size = v
	case imap.StatusHighestModSeq:
		s.HighestModSeq = imap.ModSeq(v)
	case imap.StatusAppendLimit:
		s.AppendLimit = v
	case imap.StatusDeletedStorage:
		s.DeletedStorage = v
	}
}

// ConsumeObjectID takes "(" objectid ")", or NIL for "" (RFC 8474 §7).
func ConsumeObjectID(b []byte) (id string, n int, err error) {
	if isNilWord(b) {
		return "", 3, nil
	}
	n, err = ConsumeList(b, func(b []byte) (int, error) {
		word, n, err := ConsumeAString(b)
		id = string(word)
		return n, err
	})
	return id, n, err
}

// isObjectID reports whether s is 1*255(ALPHA / DIGIT / "_" / "-") (RFC 8474 §7).
func isObjectID(s string) bool {
	for _, c := range []byte(s) {
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return s != ""
}

// ParseObjectID reads the argument of MAILBOXID.
func ParseObjectID(args string) string {
	id, _, _ := ConsumeObjectID(end(args))
	return id
}

// ParseNamespaces reads what stands behind NAMESPACE (RFC 9051 §7.3.3).
func ParseNamespaces(b []byte, name Namer) (ns imap.Namespaces, err error) {
	n := 0
	for _, to := range []*[]imap.Namespace{&ns.Personal, &ns.Other, &ns.Shared} {
		n += spaces(b[n:])
		if isNilWord(b[n:]) {
			n += 3
			continue
		}
		m, err := ConsumeList(b[n:], func(b []byte) (int, error) {
			space, m, err := consumeNamespace(b, name)
			*to = append(*to, space)
			return m, err
		})
		if err != nil {
			return ns, err
		}
		n += m
	}
	return ns, nil
}

// consumeNamespace takes "(" prefix delimiter extensions ")".
func consumeNamespace(b []byte, name Namer) (space imap.Namespace, n int, err error) {
	item := 0
	n, err = ConsumeList(b, func(b []byte) (n int, err error) {
		switch item++; item {
		case 1:
			space.Prefix, n, err = name.mailbox(b)
		case 2:
			space.Delimiter, n, err = consumeDelimiter(b)
		default:
			n, err = SkipValue(b)
		}
		return n, err
	})
	return space, n, err
}

// ParseQuota reads what stands behind QUOTA (RFC 9208 §4.2.1).
func ParseQuota(b []byte) (q imap.QuotaRoot, err error) {
	root, n, err := consumeSpaced(b, ConsumeAString)
	if err != nil {
		return q, err
	}
	q.Name = string(root)
	n += spaces(b[n:])
	_, err = ConsumeList(b[n:], func(b []byte) (int, error) {
		word, n, err := ConsumeAString(b)
		if err != nil {
			return 0, err
		}
		r := imap.QuotaResource{Name: upper(word)}
		for _, to := range []*int64{&r.Usage, &r.Limit} {
			v, m, err := consumeSpaced(b[n:], ConsumeNumber)
			if err != nil {
				return 0, err
			}
			*to, n = v, n+m
		}
		q.Resources = append(q.Resources, r)
		return n, nil
	})
	return q, err
}

// ParseNamed reads a mailbox and the strings behind it, up to limit: what stands
// behind QUOTAROOT, ACL, MYRIGHTS and LISTRIGHTS.
func ParseNamed(b []byte, name Namer, limit int) (mailbox string, rest []string, err error) {
	mailbox, n, err := name.mailbox(b)
	if err != nil {
		return "", nil, err
	}
	for {
		n += spaces(b[n:])
		switch {
		case n == len(b):
			return "", nil, io.ErrUnexpectedEOF
		case b[n] == '\r' || b[n] == '\n':
			return mailbox, rest, nil
		case len(rest) == limit:
			return "", nil, ErrTooMany
		}
		s, m, err := ConsumeAString(b[n:])
		if err != nil {
			return "", nil, err
		}
		rest = append(rest, string(s))
		n += m
	}
}

// ParseMetadata reads what stands behind METADATA (RFC 5464 §4.4): entries with
// their values, or, unasked, names alone.
func ParseMetadata(b []byte, name Namer, limit int) (mailbox string, entries []imap.MetadataEntry, names []string, err error) {
	mailbox, n, err := name.mailbox(b)
	if err != nil {
		return "", nil, nil, err
	}
	n += spaces(b[n:])
	if n < len(b) && b[n] != '(' {
		_, names, err = ParseNamed(b, name, limit)
		return mailbox, nil, names, err
	}
	_, err = ConsumeList(b[n:], func(b []byte) (int, error) {
		entry, n, err := ConsumeAString(b)
		if err != nil {
			return 0, err
		}
		if len(entries) == limit {
			return 0, ErrTooMany
		}
		value, m, err := consumeSpaced(b[n:], ConsumeNString)
		if err != nil {
			return 0, err
		}
		e := imap.MetadataEntry{Name: lower(entry)}
		if value != nil {
			e.Value = append([]byte{}, value...)
		}
		entries = append(entries, e)
		return n + m, nil
	})
	return mailbox, entries, nil, err
}

// MailboxName makes the UTF-8 form of a name on the wire, and reports whether
// the name that imapwire.AppendMailbox makes of it is the same one.
func MailboxName(wire []byte, asUTF8 bool) (name string, same bool) {
	s := string(wire)
	if equalWord(wire, imap.Inbox) {
		return imap.Inbox, true
	}
	if asUTF8 {
		return s, true
	}
	name, err := imapwire.DecodeMailbox(s)
	if err != nil {
		return s, false
	}
	return name, string(imapwire.AppendUTF7(nil, name)) == s
}
