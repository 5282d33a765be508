package imapclient

import (
	"bytes"
	"fmt"
	"io"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapconn"
	"github.com/mailstead/mailstead/internal/imapresp"
)

// Message is a FETCH response: what it says, and the texts of sections. Servers
// send items in the order that they like: those behind a section are not there
// before that section has been read (see Next).
type Message struct {
	imap.Fetched

	c     *Client
	fetch imapresp.Fetch // into Fetched
	chunk []byte         // what of the response is not parsed yet; it lies in the input
	more  bool           // a part of the response is still to come
	open  bool           // the response has not ended
	sec   SectionReader
}

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
	return m.sec.body.Discard(&m.c.discards)
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

// begin turns to a new FETCH response.
func (m *Message) begin(r *response) error {
	m.open, m.more, m.sec = true, r.Section, SectionReader{}
	n, err := m.fetch.Begin(r.Args, r.Number, r.Name == "UIDFETCH")
	if err != nil {
		return m.broken(err)
	}
	m.chunk = r.Args[n:]
	return nil
}

func (m *Message) broken(err error) error {
	return m.c.conn.Lost(imapconn.Broken(fmt.Errorf("FETCH response: %w", err)))
}

// advance parses up to a section, which is ready then, or to the end.
func (m *Message) advance() error {
	for m.open && !m.sec.ready {
		if len(m.chunk) == 0 {
			if !m.more {
				return m.broken(io.ErrUnexpectedEOF)
			}
			var err error
			if m.chunk, m.more, err = m.c.conn.Rest(); err != nil {
				return err
			}
		}
		m.chunk = bytes.TrimLeft(m.chunk, " ")
		switch {
		case len(m.chunk) == 0:
			return m.broken(io.ErrUnexpectedEOF)
		case m.chunk[0] == ')':
			m.open = false
			return nil
		}
		n, text, err := m.fetch.Item(m.chunk, m.more)
		if err != nil {
			return m.broken(err)
		}
		m.chunk = m.chunk[n:]
		if text {
			m.sec = section(m.c, &m.fetch.Text)
		}
	}
	return nil
}

// SectionReader reads the octets of a section from the connection. One that
// breaks off is an error that wraps io.ErrUnexpectedEOF, never io.EOF. It is
// valid until the next call of Next.
type SectionReader struct {
	Section imap.Section
	Size    int64 // octets announced
	IsNil   bool  // NIL: there is no such part
	Binary  bool  // sent as literal8: it may hold NUL

	body  imapconn.Body
	ready bool // Next has not given it out yet
	taken bool // Next has given it out
}

func section(c *Client, v *imapresp.SectionValue) SectionReader {
	return SectionReader{
		Section: v.Section, Size: v.Size, IsNil: v.IsNil, Binary: v.Binary, body: c.conn.Body(v.Here, v.Behind, v.Size), ready: true,
	}
}

// Read implements io.Reader.
func (r *SectionReader) Read(p []byte) (int, error) { return r.body.Read(p) }

// WriteTo implements io.WriterTo: octets go from the buffer of the connection to
// w.
func (r *SectionReader) WriteTo(w io.Writer) (written int64, err error) { return r.body.WriteTo(w) }
