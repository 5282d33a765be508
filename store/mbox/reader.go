package mbox

import (
	"bytes"
	"errors"
	"io"
	"time"
)

// Options of a Reader. The zero value reads MboxRD and makes CRLF.
type Options struct {
	Format Format

	// KeepLineEnds returns lines as they stand in the file. Otherwise every
	// line of a message ends in CRLF, as messages are kept and sent.
	KeepLineEnds bool
}

// Reader reads the messages of an mbox file one after the other. It is used by
// one goroutine. Make one with NewReader.
type Reader struct {
	o    Options
	in   *lines
	next *separator // the line that ended the last message
	msg  *Message
	buf  []byte // lent to msg
	err  error  // sticky
}

// Message is one message of a Reader. It is read until io.EOF, or left unread;
// the next call of Next ends it.
type Message struct {
	Sender string    // of the separator; "" = none, or MAILER-DAEMON
	Date   time.Time // of the separator; UTC where it has no zone

	// Offset is where the separator stands in the file, from where the Reader began.
	Offset int64

	// LengthIgnored says, once the header was read, that the Content-Length
	// of a MboxCL or MboxCL2 message is wrong or missing.
	LengthIgnored bool

	r      *Reader
	part   part
	length int64  // octets of body that Content-Length promises; -1 = scan
	blank  []byte // a held empty line: text, or the one before a separator; nil = none
	out    []byte // from off on not yet returned
	off    int
	err    error
	inLine bool  // the last piece had no line end
	first  bool  // nothing was seen yet
	clen   int64 // of the header; -1 = none

	blankBuf [2]byte
}

type part uint8

const (
	inHeader part = iota
	inBody
)

// NewReader reads from r. Of MboxCL and MboxCL2 a Content-Length beyond 64 KiB
// can be checked only where r is an io.ReaderAt and io.Seeker, as *os.File is;
// elsewhere it is ignored.
func NewReader(r io.Reader, o Options) *Reader {
	return &Reader{o: o, in: newLines(r)}
}

// Next returns the next message, or io.EOF. ErrFormat: the file does not begin
// with a separator. An error of reading ends the Reader.
func (r *Reader) Next() (*Message, error) {
	if r.err != nil {
		return nil, r.err
	}
	if r.msg != nil {
		if _, err := io.Copy(io.Discard, r.msg); err != nil {
			r.err = err
			return nil, err
		}
		r.buf, r.msg.out, r.msg.off = r.msg.out, nil, 0
	} else if r.err = r.begin(); r.err != nil {
		return nil, r.err
	}
	if r.next == nil {
		r.err = io.EOF
		return nil, io.EOF
	}
	r.msg = &Message{Sender: r.next.sender, Date: r.next.date, Offset: r.next.offset, r: r, length: -1, clen: -1, first: true, out: r.buf[:0]}
	if r.msg.Sender == "MAILER-DAEMON" {
		r.msg.Sender = ""
	}
	r.next = nil
	return r.msg, nil
}

// begin reads the first separator; empty lines before it do not count.
func (r *Reader) begin() error {
	for {
		line, whole, err := r.in.read()
		if err != nil {
			return err // io.EOF: an empty file has no messages
		}
		if s, ok := parseSeparator(line); whole && ok {
			r.found(s, line)
			return nil
		}
		if !whole || len(bytes.TrimRight(line, "\r\n")) > 0 {
			return ErrFormat
		}
	}
}

// found keeps the separator that was just read.
func (r *Reader) found(s separator, line []byte) {
	s.offset = r.in.count - int64(len(line))
	r.next = &s
}

// fillTo is how much of a message is gathered before it is passed on.
const fillTo = 16 << 10

// fill makes sure that there is something to return, or an error.
func (m *Message) fill() {
	if m.off < len(m.out) {
		return
	}
	m.out, m.off = m.out[:0], 0
	for m.err == nil && len(m.out) < fillTo {
		m.err = m.step()
	}
}

// Read implements io.Reader.
func (m *Message) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if m.fill(); m.off == len(m.out) {
		return 0, m.err
	}
	n := copy(p, m.out[m.off:])
	m.off += n
	return n, nil
}

// WriteTo implements io.WriterTo.
func (m *Message) WriteTo(w io.Writer) (total int64, err error) {
	for m.fill(); m.off < len(m.out); m.fill() {
		n, err := w.Write(m.out[m.off:])
		total += int64(n)
		if m.off += n; err != nil {
			return total, err
		}
	}
	if m.err == io.EOF {
		return total, nil
	}
	return total, m.err
}

// step takes one line of the file. It returns io.EOF where the message ends.
func (m *Message) step() error {
	line, whole, err := m.r.in.read()
	if err != nil {
		return err // io.EOF: the file ends, and the held empty line with it
	}
	if m.length >= 0 {
		return m.counted(line)
	}
	start := !m.inLine
	m.inLine = line[len(line)-1] != '\n'
	if start && whole && (m.blank != nil || m.first) {
		if s, ok := parseSeparator(line); ok {
			m.r.found(s, line)
			return io.EOF
		}
	}
	m.first = false
	m.releaseBlank()
	if start && isBlank(line) {
		m.blank = append(m.blankBuf[:0], line...)
		if m.part == inHeader {
			m.part = inBody
			m.count()
		}
		return nil
	}
	if m.part == inHeader && start && whole && m.r.o.Format.counts() {
		if n, ok := contentLength(line); ok {
			m.clen = n
		}
	}
	if start && (m.part == inBody || m.r.o.Format == MboxRD) {
		line = m.unquote(line)
	}
	m.emit(line)
	return nil
}

func isBlank(line []byte) bool {
	return string(line) == "\n" || string(line) == "\r\n"
}

func (m *Message) releaseBlank() {
	if m.blank != nil {
		m.emit(m.blank)
		m.blank = nil
	}
}

// count decides at the end of the header whether Content-Length counts.
func (m *Message) count() {
	if !m.r.o.Format.counts() {
		return
	}
	if m.clen < 0 || !m.r.in.endsAfter(m.clen) {
		m.LengthIgnored = true
		return
	}
	m.releaseBlank()
	m.length = m.clen
}

// counted takes a line of a body whose length is known to be right.
func (m *Message) counted(line []byte) error {
	if m.length > 0 {
		k := min(int64(len(line)), m.length)
		m.length -= k
		start := !m.inLine
		m.inLine = line[k-1] != '\n'
		if m.length == 0 {
			m.r.in.unread(len(line) - int(k))
		}
		body := line[:k]
		if start && m.r.o.Format == MboxCL {
			body = m.unquote(body)
		}
		m.emit(body)
		return nil
	}
	if isBlank(line) {
		return nil
	}
	s, ok := parseSeparator(line)
	if !ok { // endsAfter has seen one
		return errors.New("mbox: the file changed while it was read")
	}
	m.r.found(s, line)
	return io.EOF
}

// unquote takes a ">" away as the format says.
func (m *Message) unquote(line []byte) []byte {
	if m.r.o.Format == MboxCL2 || line[0] != '>' {
		return line
	}
	rest := bytes.TrimLeft(line, ">")
	if !bytes.HasPrefix(rest, []byte(fromWord)) {
		return line
	}
	if m.r.o.Format != MboxRD && len(line)-len(rest) > 1 {
		return line // MboxO: ">>From " was never quoted
	}
	return line[1:]
}

func (m *Message) emit(line []byte) {
	n := len(line)
	if !m.r.o.KeepLineEnds && n > 0 && line[n-1] == '\n' && (n == 1 && !m.endsInCR() || n > 1 && line[n-2] != '\r') {
		m.out = append(append(m.out, line[:n-1]...), '\r', '\n')
		return
	}
	m.out = append(m.out, line...)
}

// endsInCR: the piece before this one ended in a CR, which belongs to the LF
// that follows.
func (m *Message) endsInCR() bool { return m.r.in.lastCR }
