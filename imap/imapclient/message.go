package imapclient

import (
	"io"
	"time"

	"github.com/mailstead/mailstead/imap"
)

// Flags are those of a message or of a mailbox.
type Flags = imap.FlagList

// Message is what a FETCH response says (RFC 9051 §7.5.2). Fields that it does
// not say are zero; Has tells. Servers send items in the order that they like:
// those behind a section are not there before that section has been read (see
// Next).
type Message struct {
	Seq uint32   // sequence number; 0 in a UIDFETCH response (RFC 9586)
	UID imap.UID // 0 = not said, or not yet

	Flags         Flags
	ModSeq        imap.ModSeq
	InternalDate  time.Time
	SaveDate      time.Time // zero with Has: the storage does not know (RFC 8514)
	Size          int64     // RFC822.SIZE
	Envelope      *imap.Envelope
	BodyStructure *imap.BodyPart // of BODY or BODYSTRUCTURE
	EmailID       string
	ThreadID      string // "" with Has: none
	Preview       string // "" with Has: none (yet)

	// Extra are the items that the options named in Extra, and BINARY.SIZE.
	Extra []Item

	items imap.FetchItem
}

// Item is a data item that has no field: its value as it was sent, literals
// whole within. Binary sizes: "BINARY.SIZE[1]" and a number.
type Item struct {
	Name  string // in upper case, up to "["
	Value []byte
}

// Has reports whether the response has said an item.
func (m *Message) Has(i imap.FetchItem) bool { return m.items&i == i }

// Next is the next section of the message, in the order of the server; what is
// left of the one before is skipped. io.EOF: there is none, and all fields are
// final. It reads from the connection, so it is of use only during the turn of
// the loop that yielded the message.
func (m *Message) Next() (*SectionReader, error) { return nil, io.EOF }

// Body is Next for a message of which one section was asked for:
// io.ErrUnexpectedEOF where the server gave none.
func (m *Message) Body() (*SectionReader, error) { return nil, io.EOF }

// SectionReader reads the octets of a section from the connection. A body that
// breaks off is io.ErrUnexpectedEOF, never io.EOF.
type SectionReader struct {
	Section imap.Section
	Size    int64 // octets announced
	IsNil   bool  // NIL: there is no such part
	Binary  bool  // sent as literal8
}

// Read implements io.Reader.
func (r *SectionReader) Read(p []byte) (int, error) { return 0, io.EOF }

// WriteTo implements io.WriterTo.
func (r *SectionReader) WriteTo(w io.Writer) (int64, error) { return 0, nil }
