package imap

import "strings"

// ListEntry is a mailbox as LIST or LSUB tells of it (RFC 9051 §7.3.1).
type ListEntry struct {
	// Name is in UTF-8. It may hold anything that a server has sent: it is no
	// path of a file.
	Name string

	// Delimiter is what separates the levels of Name; 0 = the name is flat.
	Delimiter rune

	Attrs []Attr

	// OldName is what the mailbox was called before (RFC 9051 §6.3.9.7); "" = not
	// said.
	OldName string

	// ChildInfo holds the criteria that children of the mailbox fulfil (RFC 5258
	// §3.5), "SUBSCRIBED" for one.
	ChildInfo []string

	// Status is there where it was asked for (LIST-STATUS); nil = not said.
	Status *MailboxStatus

	// Rights are one's own (LIST-MYRIGHTS); "" = not said.
	Rights string

	// Metadata are annotations (LIST-METADATA), by entry.
	Metadata []MetadataEntry
}

// Has reports whether the mailbox has an attribute.
func (e *ListEntry) Has(a Attr) bool {
	for _, b := range e.Attrs {
		if strings.EqualFold(string(a), string(b)) {
			return true
		}
	}
	return false
}

// Selectable reports whether the mailbox can be selected.
func (e *ListEntry) Selectable() bool { return !e.Has(AttrNoSelect) && !e.Has(AttrNonExistent) }

// MailboxStatus is a STATUS response (RFC 9051 §7.3.4). Has says which numbers
// are there.
type MailboxStatus struct {
	Name string // in UTF-8

	Messages       uint32 // all of them
	Recent         uint32 // with \Recent
	UIDNext        UID    // 0 = the mailbox has no more UIDs to give, or not said
	UIDValidity    UIDValidity
	Unseen         uint32 // without \Seen
	Deleted        uint32 // with \Deleted
	Size           int64  // octets
	HighestModSeq  ModSeq // 0 = the mailbox keeps none (RFC 7162 §3.1.2.2)
	AppendLimit    int64  // octets; -1 = no limit
	MailboxID      string // RFC 8474 §4.3; "" = not said
	DeletedStorage int64  // octets of the messages with \Deleted

	items uint32
}

// Has reports whether the server gave an item.
func (s *MailboxStatus) Has(i StatusItem) bool { return s.items&(1<<i) != 0 }

// Note marks an item as given.
func (s *MailboxStatus) Note(i StatusItem) { s.items |= 1 << i }

// MetadataEntry is an annotation (RFC 5464 §1).
type MetadataEntry struct {
	Name  string // "/private/comment", in lower case
	Value []byte // nil = NIL: there is none
}

// Namespace is a part of the names of mailboxes (RFC 9051 §6.3.10).
type Namespace struct {
	Prefix    string // in UTF-8, with its delimiter at the end
	Delimiter rune   // 0 = flat
}

// Namespaces are those of a user.
type Namespaces struct{ Personal, Other, Shared []Namespace }

// QuotaRoot is what counts together, and its limits (RFC 9208 §3).
type QuotaRoot struct {
	Name      string
	Resources []QuotaResource
}

// QuotaResource is one limit (RFC 9208 §5).
type QuotaResource struct {
	Name  string // "STORAGE", "MESSAGE", "MAILBOX", in upper case
	Usage int64  // in units of the resource; of STORAGE 1024 octets
	Limit int64  // as Usage
}

// ACLEntry is what one identifier may do (RFC 4314 §3.6). Rights are letters,
// also those that this module does not know.
type ACLEntry struct{ Identifier, Rights string }
