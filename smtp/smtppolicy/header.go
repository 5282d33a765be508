package smtppolicy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/mailstead/mailstead/smtp"
)

// Header is the header block of one message on its way in. It is valid during
// the Edit it is given to.
type Header struct {
	fields  [][]byte // whole fields with their line ends, in order
	changed bool
}

// Edit looks at a header and may change it. An error refuses the message; an
// *smtp.Error chooses the reply.
type Edit func(ctx context.Context, m *smtp.Mail, h *Header) error

// Count is the number of fields with this name, in any case.
func (h *Header) Count(name string) int {
	n := 0
	for _, f := range h.fields {
		if fieldName(f) == strings.ToLower(name) {
			n++
		}
	}
	return n
}

// Value is the unfolded value of the first field with this name; "" = none.
func (h *Header) Value(name string) string {
	for _, f := range h.fields {
		if fieldName(f) == strings.ToLower(name) {
			return fieldValue(f)
		}
	}
	return ""
}

// Remove removes the fields for which match holds and returns how many. name
// is in lower case, value unfolded.
func (h *Header) Remove(match func(name, value string) bool) int {
	kept := h.fields[:0:len(h.fields)]
	for _, f := range h.fields {
		if !match(fieldName(f), fieldValue(f)) {
			kept = append(kept, f)
		}
	}
	n := len(h.fields) - len(kept)
	h.fields = kept
	h.changed = h.changed || n > 0
	return n
}

// Add puts a whole field (with its final CRLF) behind the others.
func (h *Header) Add(field string) {
	if n := len(h.fields); n > 0 && !bytes.HasSuffix(h.fields[n-1], []byte("\n")) {
		h.fields[n-1] = append(h.fields[n-1], "\r\n"...)
	}
	h.fields = append(h.fields, []byte(field))
	h.changed = true
}

func fieldName(f []byte) string {
	name, _, _ := bytes.Cut(f, []byte(":"))
	return strings.ToLower(string(bytes.TrimRight(name, " \t")))
}

func fieldValue(f []byte) string {
	_, v, _ := bytes.Cut(f, []byte(":"))
	return strings.TrimSpace(strings.NewReplacer("\r\n", "", "\n", "").Replace(string(v)))
}

// Limits of a header block. Zero means the default, negative none.
type Limits struct {
	Bytes  int // octets; default 256 KiB
	Fields int // default 2000
}

// EditHeader returns a middleware that runs edits, in order, over the header
// of each message. A header beyond the limits is refused with 552 5.3.4.
// Without a header, or where a first line is no field, the edits see an empty
// one.
func EditHeader(limits Limits, edits ...Edit) smtp.Middleware {
	if limits.Bytes == 0 {
		limits.Bytes = 256 << 10
	}
	if limits.Fields == 0 {
		limits.Fields = 2000
	}
	return WrapData(func(ctx context.Context, m *smtp.Mail, b *smtp.Body) error {
		b.Wrap(func(r io.Reader) io.Reader {
			return &headerReader{ctx: ctx, mail: m, src: r, limits: limits, edits: edits}
		})
		return nil
	})
}

// headerReader buffers the header block, lets the edits change it, and passes
// on the rest of its source.
type headerReader struct {
	ctx    context.Context
	mail   *smtp.Mail
	src    io.Reader
	limits Limits
	edits  []Edit
	out    []byte // to be read before src
	done   bool   // the header was edited
	err    error  // sticky
}

func (r *headerReader) Read(p []byte) (int, error) {
	if !r.done && r.err == nil {
		r.err = r.prepare()
		r.done = r.err == nil
	}
	if r.err != nil && !r.done {
		return 0, r.err
	}
	if len(r.out) > 0 {
		n := copy(p, r.out)
		r.out = r.out[n:]
		return n, nil
	}
	if r.err != nil {
		return 0, r.err
	}
	return r.src.Read(p)
}

// WriteTo writes the header, then lets the source write itself.
func (r *headerReader) WriteTo(w io.Writer) (int64, error) {
	if !r.done && r.err == nil {
		r.err = r.prepare()
		r.done = r.err == nil
	}
	if r.err != nil {
		return 0, r.err
	}
	n, err := w.Write(r.out)
	r.out = r.out[n:]
	if err != nil {
		return int64(n), err
	}
	m, err := io.Copy(w, r.src)
	return int64(n) + m, err
}

// prepare reads up to the end of the header block, runs the edits, and leaves
// in out what has been read.
func (r *headerReader) prepare() error {
	buf := make([]byte, 0, 4096)
	var scan blockScanner
	for eof := false; ; {
		end, done, err := scan.scan(buf, eof, r.limits)
		if err != nil {
			return err
		}
		if done {
			return r.edit(&Header{fields: scan.fields(buf)}, buf, end)
		}
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.src.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			eof, r.src = true, eofReader{}
		} else if err != nil {
			return err
		}
	}
}

type eofReader struct{}

func (eofReader) Read([]byte) (int, error) { return 0, io.EOF }

func (r *headerReader) edit(h *Header, buf []byte, end int) error {
	for _, e := range r.edits {
		if err := e(r.ctx, r.mail, h); err != nil {
			return err
		}
	}
	if !h.changed {
		r.out = buf
		return nil
	}
	out := bytes.Join(h.fields, nil)
	if rest := buf[end:]; end == 0 && len(rest) > 0 && len(h.fields) > 0 && rest[0] != '\r' && rest[0] != '\n' {
		out = append(out, "\r\n"...) // there was no header, and what follows is no empty line
	}
	r.out = append(out, buf[end:]...)
	return nil
}

var errHeaderTooLarge = errors.New("smtppolicy: header beyond the limit")

// blockScanner finds the end of a header block in a growing buffer, in linear
// time over all calls.
type blockScanner struct {
	starts []int // of the fields
	next   int   // start of the line not judged yet
	seen   int   // octets searched for its end
}

// scan judges the whole lines in buf. end is where the header ends: at the
// empty line, or at the first line that is neither field nor continuation.
func (s *blockScanner) scan(buf []byte, eof bool, l Limits) (end int, done bool, err error) {
	for {
		i := bytes.IndexByte(buf[max(s.next, s.seen):], '\n')
		if i < 0 {
			s.seen = len(buf)
			tail := buf[s.next:]
			switch {
			case len(tail) > 0 && !s.mayBeField(tail), eof && len(tail) == 0:
				return s.next, true, nil
			case eof:
				s.line(tail)
				return len(buf), true, nil
			case l.Bytes > 0 && len(buf) > l.Bytes:
				return 0, false, tooLarge()
			}
			return 0, false, nil
		}
		line := buf[s.next : max(s.next, s.seen)+i+1]
		if len(line) <= 2 && (line[0] == '\n' || line[0] == '\r') || !s.mayBeField(line) || !hasColon(line) && !folded(line) {
			return s.next, true, nil
		}
		s.line(line)
		s.next += len(line)
		if l.Fields > 0 && len(s.starts) > l.Fields || l.Bytes > 0 && s.next > l.Bytes {
			return 0, false, tooLarge()
		}
	}
}

func tooLarge() error {
	return &smtp.Error{Reply: smtp.NewReply(552, smtp.EnhancedCode{Class: 5, Subject: 3, Detail: 4}, "Message header too large"), Err: errHeaderTooLarge}
}

// line notes the start of a field.
func (s *blockScanner) line(line []byte) {
	if !folded(line) {
		s.starts = append(s.starts, s.next)
	}
}

func folded(line []byte) bool { return line[0] == ' ' || line[0] == '\t' }

func hasColon(line []byte) bool { return bytes.IndexByte(line, ':') > 0 }

// mayBeField reports whether a line, perhaps not whole, can be a field or a
// continuation: ftext up to a colon (RFC 5322 §3.6.8), white space before the
// colon tolerated (§4.5).
func (s *blockScanner) mayBeField(line []byte) bool {
	if folded(line) {
		return len(s.starts) > 0
	}
	space := false
	for i, c := range line[:min(len(line), maxFieldName)] {
		switch {
		case c == ':':
			return i > 0
		case c == ' ', c == '\t', c == '\r', c == '\n':
			space = true
		case space, c < ' ', c >= 0x7f:
			return false
		}
	}
	return len(line) < maxFieldName
}

// maxFieldName is where a line without a colon is taken for no field: no line
// may be longer (RFC 5322 §2.1.1).
const maxFieldName = 998

// fields cuts buf at the starts; the last field ends at s.next or, without a
// line end, with the buffer.
func (s *blockScanner) fields(buf []byte) [][]byte {
	out := make([][]byte, 0, len(s.starts)+2)
	for i, start := range s.starts {
		end := s.next
		if i+1 < len(s.starts) {
			end = s.starts[i+1]
		} else if end <= start {
			end = len(buf)
		}
		out = append(out, buf[start:end:end])
	}
	return out
}
