package smtppolicy

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/smtp"
)

// Header is the header block of one message on its way in: everything up to the
// first empty line, as readers take it, also lines that are no fields. It is
// valid during the Edit it is given to.
type Header struct {
	fields    [][]byte // whole fields, and lines that are none, with their line ends
	malformed int      // the first that is none; len(fields) = no such line
	changed   bool
}

// none reports a text that begins with no field: it has no header to add to.
func (h *Header) none() bool { return h.malformed == 0 }

// Malformed reports lines that are no fields: the text may have no header, or no
// end of it.
func (h *Header) Malformed() bool { return h.malformed < len(h.fields) }

// Edit looks at a header and may change it. An error refuses the message; an
// *smtp.Error chooses the reply.
type Edit func(ctx context.Context, m *smtp.Mail, h *Header) error

// Count is the number of fields with this name, in any case. A text that does
// not begin with a field has none.
func (h *Header) Count(name string) int {
	n := 0
	if h.none() {
		return 0
	}
	for _, f := range h.fields {
		if isNamed(f, name) {
			n++
		}
	}
	return n
}

// Value is the unfolded value of the first field with this name; "" = none.
func (h *Header) Value(name string) string {
	for _, f := range h.fields {
		if isNamed(f, name) && !h.none() {
			return fieldValue(f)
		}
	}
	return ""
}

// Remove removes the fields for which match holds and returns how many. name
// is in lower case, value unfolded. It sees everything that a reader may take
// for a field, also behind lines that are none.
func (h *Header) Remove(match func(name, value string) bool) int {
	kept, malformed := h.fields[:0:len(h.fields)], h.malformed
	for i, f := range h.fields {
		if name := fieldName(f); name == "" || !match(name, fieldValue(f)) {
			kept = append(kept, f)
		} else if i < h.malformed {
			malformed--
		}
	}
	n := len(h.fields) - len(kept)
	h.fields, h.malformed = kept, malformed
	h.changed = h.changed || n > 0
	return n
}

// Rewrite shows f every field as it stands in the message, with its line ends,
// and puts in its place what f returns: the field itself, another one, or nothing
// (nil). name is in lower case. It sees what Remove sees, and returns how many
// fields were changed. f does not keep or change what it is given.
func (h *Header) Rewrite(f func(name string, field []byte) []byte) int {
	kept, malformed, n := make([][]byte, 0, len(h.fields)), h.malformed, 0
	for i, old := range h.fields {
		field := old
		if name := fieldName(old); name != "" {
			field = f(name, old)
		}
		if !bytes.Equal(field, old) {
			n++
		}
		if field != nil {
			kept = append(kept, field)
		} else if i < h.malformed {
			malformed--
		}
	}
	if n > 0 {
		h.fields, h.malformed, h.changed = kept, malformed, true
	}
	return n
}

// Add puts a whole field (with its final CRLF) behind the others. In front of a
// text without a header it begins one.
func (h *Header) Add(field string) {
	if h.none() && len(h.fields) > 0 {
		h.fields = slices.Insert(h.fields, 0, []byte("\r\n"))
	}
	at := h.malformed
	if at > 0 && !bytes.HasSuffix(h.fields[at-1], []byte("\n")) {
		h.fields[at-1] = append(h.fields[at-1], "\r\n"...)
	}
	h.fields = slices.Insert(h.fields, at, []byte(field))
	h.malformed++
	h.changed = true
}

// isNamed reports a field with this name, in any case; it allocates nothing.
func isNamed(f []byte, name string) bool {
	own := rawName(f)
	return len(own) == len(name) && strings.EqualFold(string(own), name)
}

func fieldName(f []byte) string { return strings.ToLower(string(rawName(f))) }

// rawName is the name of a field as it stands; empty = the line is none.
func rawName(f []byte) []byte {
	name, _, ok := bytes.Cut(f, []byte(":"))
	if !ok {
		return nil
	}
	return bytes.TrimRight(name, " \t")
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
// of each message. A header beyond the limits is refused with 552 5.3.4. One
// with lines that are no fields may be a text that has no header, or no end of
// it: beyond the limits it is passed on, and the edits see what was before.
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
			h := &Header{fields: scan.fields(buf, end), malformed: scan.wellFormed()}
			return r.edit(h, buf, end)
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
	rest := buf[end:]
	if end == 0 && len(rest) > 0 && rest[0] != '\r' && rest[0] != '\n' && h.malformed > 0 {
		out = append(out, "\r\n"...) // the text begins with a line beyond the limit
	}
	r.out = append(out, rest...)
	return nil
}
