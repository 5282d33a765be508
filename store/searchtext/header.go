package searchtext

import (
	"bytes"
	"io"
	"iter"
	"sync"
	"unicode/utf8"

	"github.com/mailstead/mailstead/internal/mime"
	"github.com/mailstead/mailstead/internal/mimetext"
)

// MaxHeader is how much of a header is read, in octets.
const MaxHeader = 1 << 20

// Field is one field of a header. It is valid until the next one.
type Field struct {
	h     *headerReader
	name  []byte
	value []byte // as it stands in the header; of a long field nothing
	long  bool   // it is read when it is written
	from  int64  // where the value of a long field starts
}

// Is reports whether the field has this name, which is in lower case.
func (f Field) Is(name string) bool { return mime.Field{Name: f.name}.Is(name) }

// WriteValue writes the value, unfolded, its encoded words decoded (RFC 2047). The
// error is that of the header.
func (f Field) WriteValue(to Sink) error {
	if f.long {
		return f.h.stream(f.from, to)
	}
	h := f.h
	h.text = mime.AppendUnfolded(h.text[:0], f.value)
	h.write(to, h.text)
	return nil
}

// WriteText writes the field as the text that it is: "Name: value". The error is
// that of the header.
func (f Field) WriteText(to Sink) error {
	h := f.h
	h.text = append(append(h.text[:0], f.name...), ": "...)
	if f.long {
		_, _ = to.Write(h.text)
		return h.stream(f.from, to)
	}
	n := len(h.text)
	h.text = mime.AppendUnfolded(h.text, f.value)
	if isPlainText(h.text[n:]) {
		_, _ = to.Write(h.text)
		return nil
	}
	_, _ = to.Write(h.text[:n])
	h.write(to, h.text[n:])
	return nil
}

// AppendDecoded adds a value with its encoded words decoded (RFC 2047).
func AppendDecoded(dst, value []byte) []byte {
	if isPlainText(value) {
		return append(dst, value...)
	}
	return mimetext.AppendWords(dst, value)
}

// isPlainText reports whether nothing of a value has to be decoded.
func isPlainText(value []byte) bool { return isASCII(value) && !bytes.Contains(value, []byte("=?")) }

func isASCII(s []byte) bool {
	for _, c := range s {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// Header yields the fields of the header of size octets at the start of r. For
// a message that is its Prefix and Meta.HeaderSize. An error is that of r, and
// ends it. Whatever the length of the header and of a field, a piece of it is all
// that is held.
func Header(r io.ReaderAt, size int64) iter.Seq2[Field, error] {
	return func(yield func(Field, error) bool) {
		h := headerReaders.Get().(*headerReader)
		defer h.close()
		h.words.Reset()
		h.reset(r, mime.Span{End: size})
		for {
			f, ok, err := h.field()
			if err != nil {
				yield(Field{}, err)
				return
			}
			if !ok || !yield(f, nil) {
				return
			}
			if err := h.skip(f); err != nil {
				yield(Field{}, err)
				return
			}
		}
	}
}

// pieceSize is what is held of a header, and the longest field that is read at
// once.
const pieceSize = 16 << 10

var headerReaders = sync.Pool{New: func() any { return new(headerReader) }}

// headerReader reads a header field by field.
type headerReader struct {
	r    io.ReaderAt
	at   int64 // of ahead
	next int64 // behind ahead
	end  int64

	buf   [pieceSize]byte
	ahead []byte // octets of the header that were read, in buf
	size  int    // of the field at the start of ahead; not known of a long one

	name  []byte // of a long field
	text  []byte // of a field, unfolded
	plain []byte // with its words decoded
	words mimetext.Words
}

// reset turns to another header, of which the first octets count.
func (h *headerReader) reset(r io.ReaderAt, header mime.Span) {
	h.r, h.at, h.next = r, header.Start, header.Start
	h.end = header.Start + min(header.Len(), MaxHeader)
	h.ahead = h.buf[:0]
}

func (h *headerReader) close() {
	h.r = nil
	headerReaders.Put(h)
}

// all writes each field as a text.
func (h *headerReader) all(to Sink) error {
	for {
		f, ok, err := h.field()
		if err != nil || !ok {
			return err
		}
		if err := f.WriteText(to); err != nil {
			return err
		}
		to.End()
		if err := h.skip(f); err != nil {
			return err
		}
	}
}

// fill reads on until the buffer is full, or the header at its end.
func (h *headerReader) fill() error {
	n := copy(h.buf[:], h.ahead)
	more := int(min(int64(pieceSize-n), h.end-h.next))
	got, err := h.r.ReadAt(h.buf[n:n+more], h.next)
	if got < more {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	h.ahead = h.buf[:n+more]
	h.next += int64(more)
	return nil
}

// field finds the next field; false at the end of the header.
func (h *headerReader) field() (Field, bool, error) {
	n, whole := fieldSize(h.ahead)
	if !whole && h.next < h.end {
		if err := h.fill(); err != nil {
			return Field{}, false, err
		}
		n, whole = fieldSize(h.ahead)
	}
	raw := h.ahead[:n]
	for f := range mime.Fields(raw) {
		h.size = n
		if whole || h.next == h.end {
			return Field{h: h, name: f.Name, value: f.Value}, true, nil
		}
		start := 0
		if len(f.Name) > 0 {
			start = bytes.IndexByte(raw, ':') + 1
		}
		h.name = append(h.name[:0], f.Name...)
		return Field{h: h, name: h.name, long: true, from: h.at + int64(start)}, true, nil
	}
	return Field{}, false, nil
}

// fieldSize is the length of the first field of b with its continuation lines.
// whole: what follows is no continuation.
func fieldSize(b []byte) (n int, whole bool) {
	for {
		i := bytes.IndexByte(b[n:], '\n')
		if i < 0 {
			return len(b), false
		}
		n += i + 1
		if n == len(b) {
			return n, false
		}
		if b[n] != ' ' && b[n] != '\t' {
			return n, true
		}
	}
}

// skip goes on behind a field.
func (h *headerReader) skip(f Field) error {
	if f.long {
		return h.stream(f.from, nil)
	}
	h.at += int64(h.size)
	h.ahead = h.ahead[h.size:]
	return nil
}

// stream writes the value at an offset piece by piece, and stands behind it then.
// Pieces end where a word does. nil = nobody wants it.
func (h *headerReader) stream(from int64, to Sink) error {
	h.at, h.next, h.ahead = from, from, h.buf[:0]
	first, afterWord := true, false
	for {
		if err := h.fill(); err != nil {
			return err
		}
		n, last := fieldSize(h.ahead)
		if last = last || h.next == h.end; !last {
			n = pieceEnd(h.ahead)
		}
		if to != nil && !to.Done() {
			piece := h.unfold(h.ahead[:n], first, last)
			if words := bytes.TrimLeft(piece, " \t"); afterWord && bytes.HasPrefix(words, []byte("=?")) {
				piece = words // no space between two encoded words
			}
			if len(piece) > 0 {
				afterWord = bytes.HasSuffix(piece, []byte("?="))
			}
			h.write(to, piece)
		}
		first = false
		h.at += int64(n)
		h.ahead = h.ahead[n:]
		if last {
			return nil
		}
	}
}

// pieceEnd is where a piece of a value ends that goes on: in front of its last
// white space, and between two characters where it has none.
func pieceEnd(b []byte) int {
	n := bytes.LastIndexAny(b, " \t\r\n")
	for n > 0 && isSpace(b[n-1]) {
		n--
	}
	if n > 0 {
		return n
	}
	n = len(b)
	for n > len(b)-utf8.UTFMax && !utf8.RuneStart(b[n-1]) {
		n--
	}
	return n - 1
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// unfold removes the line ends of a piece, and white space at the ends of the
// value.
func (h *headerReader) unfold(piece []byte, first, last bool) []byte {
	if first {
		piece = bytes.TrimLeft(piece, " \t\r\n")
	}
	if last {
		piece = bytes.TrimRight(piece, " \t\r\n")
	}
	h.text = h.text[:0]
	for {
		i := bytes.IndexByte(piece, '\n')
		if i < 0 {
			h.text = append(h.text, piece...)
			return h.text
		}
		h.text = append(h.text, bytes.TrimSuffix(piece[:i], []byte{'\r'})...)
		piece = piece[i+1:]
	}
}

// write writes text with its encoded words decoded.
func (h *headerReader) write(to Sink, text []byte) {
	if !isPlainText(text) {
		h.plain = h.words.Append(h.plain[:0], text)
		text = h.plain
	}
	_, _ = to.Write(text)
}
