package mime

import (
	"bytes"
	"cmp"
	"io"
)

// FieldFilter is HEADER.FIELDS or, with Not set, HEADER.FIELDS.NOT (RFC 9051
// §6.4.5.1). Names are compared without regard to the case of US-ASCII letters.
// The fields are followed by an empty line; with Not only where the block has
// one. With Not, lines that are no field stay.
type FieldFilter struct {
	Names []string
	Not   bool
}

// Keep reports whether a field of this name passes.
func (f FieldFilter) Keep(name []byte) bool {
	for _, n := range f.Names {
		if len(name) > 0 && bytes.EqualFold(name, []byte(n)) {
			return !f.Not
		}
	}
	return f.Not
}

// Append adds the fields of a header block that pass, and an empty line.
func (f FieldFilter) Append(dst, block []byte) []byte {
	for field := range Fields(block) {
		block = block[len(field.Raw):]
		if !f.Keep(field.Name) {
			continue
		}
		dst = append(dst, field.Raw...)
		if !f.Not && field.Raw[len(field.Raw)-1] != '\n' {
			dst = append(dst, "\r\n"...)
		}
	}
	if f.Not && len(block) == 0 {
		return dst
	}
	return append(dst, "\r\n"...)
}

// Copy does what Append does, for the header block [span.Start, span.End) of r,
// without holding more than a window of it, and returns the octets written. A
// first call with io.Discard gives the size of the literal.
func (f FieldFilter) Copy(w io.Writer, r io.ReaderAt, span Span) (int64, error) {
	in := input{r: r, size: span.End, next: span.Start, buf: windows.Get().(*[windowSize]byte)}
	defer windows.Put(in.buf)
	c := copier{w: w}
	keep, lineStart, end := f.Not, true, !f.Not
	for {
		b := in.window(maxFieldName + 2)
		if len(b) == 0 {
			break
		}
		if lineStart && emptyLine(b) > 0 {
			end = true
			break
		}
		n := bytes.IndexByte(b, '\n') + 1
		if lineStart && b[0] != ' ' && b[0] != '\t' {
			field := splitField(b[:min(cmp.Or(n, len(b)), maxFieldName)])
			keep = f.Keep(field.Name)
		}
		lineStart = n > 0
		n = cmp.Or(n, len(b))
		if keep {
			c.write(b[:n])
		}
		in.consume(n)
	}
	if !lineStart && keep && !f.Not {
		c.write([]byte("\r\n"))
	}
	if end {
		c.write([]byte("\r\n"))
	}
	if in.err != nil {
		return c.n, in.err
	}
	return c.n, c.err
}

// copier counts and keeps the first error.
type copier struct {
	w   io.Writer
	n   int64
	err error
}

func (c *copier) write(p []byte) {
	if c.err == nil {
		var n int
		n, c.err = c.w.Write(p)
		c.n += int64(n)
	}
}
