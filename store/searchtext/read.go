package searchtext

import (
	"bytes"
	"io"
	"iter"
	"strings"
	"sync"

	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset" // every charset that it knows

	"github.com/mailstead/mailstead/internal/mime"
	"github.com/mailstead/mailstead/internal/mimetext"
	"github.com/mailstead/mailstead/store"
)

// MaxHeader is how much of a header is read, in octets.
const MaxHeader = 1 << 20

// Field is one field of a header. It is valid until the next one.
type Field struct{ f mime.Field }

// Is reports whether the field has this name, which is in lower case.
func (f Field) Is(name string) bool { return f.f.Is(name) }

// AppendValue adds the value, unfolded, its encoded words decoded.
func (f Field) AppendValue(dst []byte) []byte {
	n := len(dst)
	dst = mime.AppendUnfolded(dst, f.f.Value)
	if isPlainText(dst[n:]) {
		return dst
	}
	return append(dst[:n], mimetext.DecodeWords(dst[n:])...)
}

// AppendText adds the field as the text that it is: "Name: value".
func (f Field) AppendText(dst []byte) []byte {
	return f.AppendValue(append(append(dst, f.f.Name...), ": "...))
}

// AppendDecoded adds a value with its encoded words decoded (RFC 2047).
func AppendDecoded(dst, value []byte) []byte {
	if isPlainText(value) {
		return append(dst, value...)
	}
	return append(dst, mimetext.DecodeWords(value)...)
}

// isPlainText reports whether nothing of a value has to be decoded.
func isPlainText(value []byte) bool { return isASCII(value) && !bytes.Contains(value, []byte("=?")) }

func isASCII(s []byte) bool {
	for _, c := range s {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// Header yields the fields of the header of size octets at the start of r. For
// a message that is its Prefix and Meta.HeaderSize. An error is that of r, and
// ends it.
func Header(r io.ReaderAt, size int64) iter.Seq2[Field, error] {
	return func(yield func(Field, error) bool) {
		block, err := HeaderBlock(r, size, nil)
		if err != nil {
			yield(Field{}, err)
			return
		}
		for f := range mime.Fields(block) {
			if !yield(Field{f}, nil) {
				return
			}
		}
	}
}

// HeaderBlock reads what Header yields the fields of, into buf where there is
// room.
func HeaderBlock(r io.ReaderAt, size int64, buf []byte) ([]byte, error) {
	size = min(size, MaxHeader)
	if int64(cap(buf)) < size {
		buf = make([]byte, size)
	}
	buf = buf[:size]
	n, err := r.ReadAt(buf, 0)
	switch {
	case int64(n) == size:
		return buf, nil
	case err == io.EOF:
		return nil, io.ErrUnexpectedEOF
	}
	return nil, err
}

// Fields yields the fields of a header block.
func Fields(block []byte) iter.Seq[Field] {
	return func(yield func(Field) bool) {
		for f := range mime.Fields(block) {
			if !yield(Field{f}) {
				return
			}
		}
	}
}

// A Sink takes texts.
type Sink interface {
	// Write takes the next piece of a text, which need not end with a whole
	// character. It never fails, and does not keep the piece.
	io.Writer

	// End ends the text.
	End()

	// Done reports that nothing more is wanted.
	Done() bool
}

// Body hands on the texts behind the header of a message: the fields of its
// parts, and what their bodies hold once their encoding is taken off. r is the
// blob alone, size its length. The error is that of r.
func Body(r io.ReaderAt, size int64, meta *store.Meta, to Sink) error {
	root, err := walk(r, size, meta)
	if err != nil {
		return err
	}
	root.All(func(p *mime.Part) bool {
		if p != root && p.Header.Len() > 0 {
			err = partFields(r, p, to)
		}
		if err == nil && !p.IsMultipart() && !p.IsMessage() && (p.IsText() || p.Opaque) {
			err = partText(r, p, to)
		}
		return err == nil && !to.Done()
	})
	return err
}

// walk finds the parts. Where Meta knows that there is only one, the header is
// all that has to be read for it.
func walk(r io.ReaderAt, size int64, meta *store.Meta) (*mime.Part, error) {
	if len(meta.Parts) != 1 || meta.HeaderSize > size {
		return mime.Walk(r, size, mime.Limits{})
	}
	root, err := mime.Walk(r, meta.HeaderSize, mime.Limits{})
	if err == nil {
		root.Body = mime.Span{Start: meta.HeaderSize, End: size}
	}
	return root, err
}

// partFields hands on the header of a part.
func partFields(r io.ReaderAt, p *mime.Part, to Sink) error {
	var text []byte
	for f, err := range Header(io.NewSectionReader(r, p.Header.Start, p.Header.Len()), p.Header.Len()) {
		if err != nil {
			return err
		}
		text = f.AppendText(text[:0])
		_, _ = to.Write(text)
		to.End()
	}
	return nil
}

var pieces = sync.Pool{New: func() any { b := make([]byte, 16<<10); return &b }}

// partText hands on the body of a part. What cannot be decoded counts as it
// stands as far as it goes.
func partText(r io.ReaderAt, p *mime.Part, to Sink) error {
	src := &failing{r: io.NewSectionReader(r, p.Body.Start, p.Body.Len())}
	var text io.Reader = src
	if !isPlain(p) {
		var head message.Header
		head.SetContentType("text/plain", map[string]string{"charset": string(p.Param("charset"))})
		head.Set("Content-Transfer-Encoding", string(p.Encoding))
		if e, _ := message.New(head, src); e != nil {
			text = e.Body
		}
	}
	piece := pieces.Get().(*[]byte)
	defer pieces.Put(piece)
	for !to.Done() {
		n, err := text.Read(*piece)
		_, _ = to.Write((*piece)[:n])
		if err != nil {
			break
		}
	}
	to.End()
	return src.err
}

// isPlain reports whether a part's octets are its text.
func isPlain(p *mime.Part) bool {
	switch strings.ToLower(string(p.Param("charset"))) {
	case "", "us-ascii", "utf-8":
	default:
		return false
	}
	switch strings.ToLower(string(p.Encoding)) {
	case "", "7bit", "8bit", "binary":
		return true
	}
	return false
}

// failing remembers why its reader failed, which decoders may hide.
type failing struct {
	r   io.Reader
	err error
}

func (f *failing) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err != nil && err != io.EOF {
		f.err = err
	}
	return n, err
}
