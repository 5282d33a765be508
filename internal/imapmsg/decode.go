package imapmsg

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime/quotedprintable"
	"strings"
	"sync"

	"github.com/mailstead/mailstead/internal/mime"
)

// ErrEncoding says that the transfer encoding of a part is not known, or that
// its octets are none of that encoding: NO with UNKNOWN-CTE (RFC 3516 §4.3).
var ErrEncoding = errors.New("imapmsg: transfer encoding cannot be decoded")

// Decoded is a part without its transfer encoding (RFC 3516). It is valid until
// the Message is closed.
type Decoded struct {
	Size int64 // octets
	NUL  bool  // one of them is NUL

	source  *io.SectionReader
	encoded func(io.Reader) io.Reader // nil = the octets stand for themselves
}

// Decode finds the part that path names, the message itself where path is
// empty, and reads it once. ok is false where the message has no such part. A
// multipart and a message have no encoding of their own (RFC 2045 §6.4), and
// their octets stand for themselves. ErrEncoding, and errors of Content and
// Meta.
func (m *Message) Decode(ctx context.Context, path []uint32) (d Decoded, ok bool, err error) {
	content, err := m.Content(ctx)
	if err != nil {
		return d, false, err
	}
	if len(path) == 0 {
		d.source = io.NewSectionReader(content, 0, content.Size())
		return d, true, d.measure()
	}
	if _, err := m.Meta(ctx); err != nil {
		return d, false, err
	}
	parts := m.Parts()
	at, ok := mime.Find(parts, path)
	if !ok {
		return d, false, nil
	}
	part := parts.At(at)
	d.source = io.NewSectionReader(content, m.Prefix()+part.Body.Start, part.Body.Len())
	if part.Kind == mime.Leaf {
		if d.encoded, err = m.encoding(part.Header); err != nil {
			return d, true, err
		}
	}
	return d, true, d.measure()
}

// encoding reads the header of a part for its transfer encoding.
func (m *Message) encoding(at mime.Span) (func(io.Reader) io.Reader, error) {
	header := io.NewSectionReader(m.content, m.Prefix()+at.Start, at.Len())
	part, err := mime.Walk(header, header.Size(), mime.Limits{MaxDepth: 1, MaxParts: 1})
	if err != nil {
		return nil, err
	}
	switch strings.ToLower(string(part.Root().Encoding)) {
	case "", "7bit", "8bit", "binary":
		return nil, nil
	case "base64":
		return func(r io.Reader) io.Reader { return base64.NewDecoder(base64.RawStdEncoding, &base64Text{r: r}) }, nil
	case "quoted-printable":
		return func(r io.Reader) io.Reader { return quotedprintable.NewReader(r) }, nil
	}
	return nil, ErrEncoding
}

var scratch = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// measure reads all octets once.
func (d *Decoded) measure() error {
	buf := scratch.Get().(*[32 << 10]byte)
	defer scratch.Put(buf)
	for r := d.Reader(); ; {
		n, err := r.Read(buf[:])
		d.Size += int64(n)
		d.NUL = d.NUL || bytes.IndexByte(buf[:n], 0) >= 0
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// Reader reads the octets from the start.
func (d *Decoded) Reader() io.Reader {
	src := &sourceReader{r: io.NewSectionReader(d.source, 0, d.source.Size())}
	if d.encoded == nil {
		return src
	}
	return &decodingReader{src: src, r: d.encoded(src)}
}

// sourceReader remembers a failure of the storage, and turns an early end into
// one.
type sourceReader struct {
	r   *io.SectionReader
	err error
}

func (s *sourceReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err == io.EOF {
		if at, _ := s.r.Seek(0, io.SeekCurrent); at < s.r.Size() {
			err = io.ErrUnexpectedEOF
		}
	}
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// decodingReader tells what cannot be decoded from what cannot be read.
type decodingReader struct {
	src *sourceReader
	r   io.Reader
}

func (d *decodingReader) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	switch {
	case err == nil || err == io.EOF:
	case d.src.err != nil:
		err = d.src.err
	default:
		err = fmt.Errorf("%w: %w", ErrEncoding, err)
	}
	return n, err
}

// base64Text leaves of a text the characters of base64, up to its padding (RFC
// 2045 §6.8: what is not of the alphabet is ignored).
type base64Text struct {
	r    io.Reader
	done bool
}

func (t *base64Text) Read(p []byte) (int, error) {
	for !t.done {
		n, err := t.r.Read(p)
		out := 0
		for _, c := range p[:n] {
			if c == '=' {
				t.done = true
				break
			}
			if isBase64(c) {
				p[out] = c
				out++
			}
		}
		if out > 0 || err != nil {
			return out, err
		}
	}
	return 0, io.EOF
}

func isBase64(c byte) bool {
	return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '+' || c == '/'
}
