package imapclient

import (
	"fmt"
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
	Preview       string // "" with Has: none, or none yet

	// Extra are items that have no field: those that the options named in Extra,
	// BINARY.SIZE, and an ENVELOPE or BODYSTRUCTURE that cannot be read.
	Extra []Item

	items imap.FetchItem
	c     *Client
	chunk []byte // what of the response is not parsed yet; it lies in the input
	more  bool   // a part of the response is still to come
	open  bool   // the response has not ended
	sec   SectionReader
}

// Item is a data item that has no field: its value as it was sent, literals
// whole within.
type Item struct {
	Name  string // in upper case: "X-GM-LABELS", "BINARY.SIZE[1.2]"
	Value []byte
}

// Has reports whether the response has said all of i.
func (m *Message) Has(i imap.FetchItem) bool { return m.items&i == i }

// Next is the next section of the message, in the order of the server; what is
// left of the one before is skipped. io.EOF: there is none, and all fields are
// final. It reads from the connection, so it is of use only during the turn of
// the loop that yielded the message.
func (m *Message) Next() (*SectionReader, error) {
	if err := m.skip(); err != nil {
		return nil, err
	}
	if !m.sec.ready {
		if err := m.advance(); err != nil {
			return nil, err
		}
	}
	if !m.sec.ready {
		return nil, io.EOF
	}
	m.sec.ready, m.sec.taken = false, true
	return &m.sec, nil
}

// Body is Next for a message of which one section was asked for:
// io.ErrUnexpectedEOF where the server gave none.
func (m *Message) Body() (*SectionReader, error) {
	s, err := m.Next()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return s, err
}

// skip reads what is left of a section that the caller has.
func (m *Message) skip() error {
	if !m.sec.taken {
		return nil
	}
	m.sec.taken = false
	return m.sec.discard()
}

// finish reads the response to its end.
func (m *Message) finish() error {
	for {
		if m.sec.ready {
			m.sec.ready, m.sec.taken = false, true
		}
		if err := m.skip(); err != nil {
			return err
		}
		if !m.open {
			return nil
		}
		if err := m.advance(); err != nil {
			return err
		}
	}
}

// SectionReader reads the octets of a section from the connection. One that
// breaks off is an error that wraps io.ErrUnexpectedEOF, never io.EOF. It is
// valid until the next call of Next.
type SectionReader struct {
	Section imap.Section
	Size    int64 // octets announced
	IsNil   bool  // NIL: there is no such part
	Binary  bool  // sent as literal8: it may hold NUL

	c     *Client
	text  []byte // what is left of a quoted string
	left  int64  // octets that are still to come from the connection
	ready bool   // Next has not given it out yet
	taken bool   // Next has given it out
}

// Read implements io.Reader.
func (r *SectionReader) Read(p []byte) (int, error) {
	if len(r.text) > 0 {
		n := copy(p, r.text)
		r.text = r.text[n:]
		return n, nil
	}
	if r.left == 0 {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	r.c.block = true
	n, err := r.c.in.copyOut(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	if err != nil {
		return n, r.cutOff(err)
	}
	return n, nil
}

// WriteTo implements io.WriterTo: octets go from the buffer of the connection to
// w.
func (r *SectionReader) WriteTo(w io.Writer) (written int64, err error) {
	if len(r.text) > 0 {
		n, err := w.Write(r.text)
		r.text = r.text[n:]
		return int64(n), err
	}
	for r.left > 0 {
		r.c.block = true
		b, err := r.c.in.peek(r.left)
		if err != nil {
			return written, r.cutOff(err)
		}
		n, err := w.Write(b)
		r.c.in.r += n
		r.left -= int64(n)
		written += int64(n)
		if err == nil && n < len(b) {
			err = io.ErrShortWrite
		}
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

func (r *SectionReader) cutOff(err error) error {
	left := r.left
	if err = r.c.lost(err); r.c.ctx == nil || r.c.ctx.Err() == nil {
		return fmt.Errorf("imapclient: %d of %d octets are missing: %w", left, r.Size, err)
	}
	return err
}

// discard reads what is left, if that is not too much.
func (r *SectionReader) discard() error {
	r.text = nil
	if r.left == 0 {
		return nil
	}
	if r.c.discards -= r.left; r.c.discards < 0 {
		return r.c.lost(fmt.Errorf("%w: %d octets of a text that nobody wants", ErrLimit, r.left))
	}
	_, err := r.WriteTo(io.Discard)
	return err
}
