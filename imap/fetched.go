package imap

import "time"

// Fetched is what a FETCH response says of a message (RFC 9051 §7.5.2), the texts
// of sections apart. Fields that it does not say are zero; Has tells. It is the
// server's word: sizes may lie, and texts hold anything.
type Fetched struct {
	Seq uint32 // sequence number; 0 in a UIDFETCH response (RFC 9586)
	UID UID    // 0 = not said, or not yet

	Flags         FlagList
	ModSeq        ModSeq    // 0 = not said
	InternalDate  time.Time // in the server's zone
	SaveDate      time.Time // zero with Has: the storage does not know (RFC 8514)
	Size          int64     // RFC822.SIZE, octets
	Envelope      *Envelope // nil = not said, or it cannot be read
	BodyStructure *BodyPart // of BODY or BODYSTRUCTURE; nil as Envelope
	EmailID       string    // RFC 8474 §5.1
	ThreadID      string    // "" with Has: none
	Preview       string    // RFC 8970, in UTF-8; "" with Has: none, or none yet

	// Extra are items that have no field: those that the options named in Extra,
	// BINARY.SIZE, and an ENVELOPE or BODYSTRUCTURE that cannot be read.
	Extra []Item

	items FetchItem
}

// Has reports whether the response has said all of i.
func (f *Fetched) Has(i FetchItem) bool { return f.items&i == i }

// HasAny reports whether the response has said some of i.
func (f *Fetched) HasAny(i FetchItem) bool { return f.items&i != 0 }

// Note marks items as said.
func (f *Fetched) Note(i FetchItem) { f.items |= i }

// Item is a data item that has no field: its value as it was sent, literals
// whole within.
type Item struct {
	Name  string // in upper case: "X-GM-LABELS", "BINARY.SIZE[1.2]"
	Value []byte
}
