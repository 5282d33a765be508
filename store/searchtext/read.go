package searchtext

import (
	"io"
	"sync"

	"github.com/mailstead/mailstead/internal/mime"
	"github.com/mailstead/mailstead/store"
)

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
	t, err := walk(r, size, meta)
	if err != nil {
		return err
	}
	return Texts(r, size, t, to)
}

// Texts is Body of a message whose parts are known.
func Texts(r io.ReaderAt, size int64, t *mime.Tree, to Sink) error {
	h := t.Headers(r)
	defer h.Close()
	fields := headerReaders.Get().(*headerReader)
	defer fields.close()
	fields.words.Reset()
	d := decoders.Get().(*decoder)
	d.charsets.Reset()
	defer d.release()
	for i := 0; i < t.Len() && !to.Done(); i++ {
		p := t.Part(i)
		if i > 0 && p.Header().Len() > 0 {
			fields.reset(r, p.Header())
			if err := fields.all(to); err != nil {
				return err
			}
		}
		if p.Kind() != mime.Leaf || !p.IsText() && !p.Opaque() {
			continue
		}
		e, err := h.Entity(i)
		if err != nil {
			return err
		}
		body := p.Body()
		if i == 0 {
			body.End = size // perhaps only the header was walked through
		}
		d.src = spanReader{r: r, at: body}
		if err := d.write(e, to); err != nil {
			return err
		}
	}
	return nil
}

// walk finds the parts. Where Meta knows that there is only one, the header is
// all that has to be read for it.
func walk(r io.ReaderAt, size int64, meta *store.Meta) (*mime.Tree, error) {
	if len(meta.Parts) != 1 || meta.HeaderSize > size {
		return mime.Walk(r, size, mime.Limits{})
	}
	return mime.Walk(r, meta.HeaderSize, mime.Limits{})
}

var decoders = sync.Pool{New: func() any { return new(decoder) }}

// write hands on the text of a part, whose octets are those of d.src. What cannot
// be decoded counts as it stands as far as it goes.
func (d *decoder) write(e *mime.Entity, to Sink) error {
	text := d.reader(e, &d.src)
	for !to.Done() {
		n, err := text.Read(d.piece[:])
		_, _ = to.Write(d.piece[:n])
		if err != nil {
			break
		}
	}
	to.End()
	return d.src.err
}

// spanReader reads a span, and remembers why it failed, which decoders may hide.
type spanReader struct {
	r   io.ReaderAt
	at  mime.Span
	err error
}

func (s *spanReader) Read(p []byte) (int, error) {
	if s.at.Len() == 0 {
		return 0, io.EOF
	}
	n, err := s.r.ReadAt(p[:min(int64(len(p)), s.at.Len())], s.at.Start)
	s.at.Start += int64(n)
	switch {
	case err == io.EOF && s.at.Len() > 0:
		err = io.ErrUnexpectedEOF
	case err == io.EOF && n > 0:
		err = nil
	}
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}
