package downgrade

import (
	"bytes"
	"errors"
	"io"
)

// What a message may need that the server does not take, and that cannot be
// converted away.
var (
	// ErrHeader: a header field holds an octet beyond ASCII.
	ErrHeader = errors.New("downgrade: header field is not ASCII")

	// ErrSigned: a part below multipart/signed or multipart/encrypted would
	// have to be changed.
	ErrSigned = errors.New("downgrade: signed part would have to be converted")

	// ErrStructure: 8-bit content stands where no encoding is allowed (in a
	// message/partial, say), or deeper or behind a longer header than is looked
	// into.
	ErrStructure = errors.New("downgrade: content cannot be converted")
)

// Options say what the server does not take. The zero value converts nothing.
type Options struct {
	No8Bit      bool // octets beyond ASCII in bodies (RFC 6152)
	NoBinary    bool // parts declared binary (RFC 3030 §3)
	ASCIIHeader bool // octets beyond ASCII in header fields are ErrHeader (RFC 6532)
}

const (
	maxFragment = 1024      // octets of a line that are looked at together
	maxHeader   = 256 << 10 // octets of one header block
	maxHeld     = 64 << 10  // octets of a body that are held back
	maxDepth    = 100       // entities around a part
	maxBoundary = 998       // octets of a boundary, as a line may have
)

// Writer converts the message that is written to it. Close ends the message.
// The first error is kept and returned from then on.
type Writer struct {
	w    io.Writer
	opts Options
	err  error

	frag  []byte // the start of a line, until it is whole or long
	mid   bool   // what comes next is no start of a line
	state func(w *Writer, frag []byte) error

	stack  []entity // those around the current part, outermost first
	header []byte   // of the current part
	held   []byte   // of its body, while undecided
	part   part
	quoted quoted
	coded  coded
}

// entity is a multipart or a message around the current part.
type entity struct {
	boundary []byte // of a multipart, until its close delimiter
	frozen   bool   // nothing below may be changed
	digest   bool   // parts are messages unless they say otherwise
	message  bool   // a message/rfc822
}

// NewWriter returns a Writer that writes to w.
func NewWriter(w io.Writer, opts Options) *Writer {
	c := &Writer{w: w, opts: opts, quoted: quoted{w: w}, coded: coded{w: w}}
	c.state = (*Writer).inHeader
	return c
}

// Write implements io.Writer.
func (w *Writer) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 && w.err == nil {
		room := p[:min(len(p), maxFragment-len(w.frag))] // not all of p: that would be quadratic
		n := bytes.IndexByte(room, '\n') + 1
		if n == 0 {
			n = len(room)
		}
		w.frag = append(w.frag, p[:n]...)
		p = p[n:]
		if len(w.frag) == maxFragment || w.frag[len(w.frag)-1] == '\n' {
			w.fragment()
		}
	}
	if w.err != nil {
		return 0, w.err
	}
	return total, nil
}

// Close writes what is still held.
func (w *Writer) Close() error {
	if len(w.frag) > 0 {
		w.fragment()
	}
	if w.err == nil && w.inHeaderBlock() {
		w.err = w.put(w.header)
		w.header = w.header[:0]
	} else if w.err == nil {
		w.err = w.endPart(false)
	}
	return w.err
}

func (w *Writer) fragment() {
	frag, whole := w.frag, w.frag[len(w.frag)-1] == '\n'
	if w.err == nil {
		w.err = w.line(frag, !w.mid)
	}
	w.mid = !whole
	w.frag = w.frag[:0]
}

// line takes a fragment; start: it begins a line.
func (w *Writer) line(frag []byte, start bool) error {
	if start {
		if level, n := w.delimiter(frag); n > 0 {
			return w.boundary(frag, level, n)
		}
	}
	return w.state(w, frag)
}

// delimiter reports which multipart the boundary line belongs to. RFC 2046
// §5.1.1: it is enough that the boundary stands in its entirety behind the
// "--", whatever follows. Of those that match the longest wins, then the
// innermost. n is the length with the "--" in front; 0 = none.
func (w *Writer) delimiter(line []byte) (level, n int) {
	if len(line) < 3 || line[0] != '-' || line[1] != '-' {
		return 0, 0
	}
	for i := len(w.stack) - 1; i >= 0; i-- {
		b := w.stack[i].boundary
		if len(b) > 0 && 2+len(b) > n && bytes.HasPrefix(line[2:], b) {
			level, n = i, 2+len(b)
		}
	}
	return level, n
}

// boundary ends the current part and starts the next, or the epilogue. The
// delimiter is the first n octets of the line.
func (w *Writer) boundary(line []byte, level, n int) error {
	var err error
	if w.inHeaderBlock() { // a part without a body
		err = w.put(w.header)
		w.header = w.header[:0]
	} else {
		err = w.endPart(true)
	}
	if err != nil {
		return err
	}
	w.stack = w.stack[:level+1]
	if bytes.HasPrefix(line[n:], []byte("--")) {
		w.stack[level].boundary = nil
		w.state = (*Writer).between
	} else {
		w.state = (*Writer).inHeader
	}
	if err := w.put(line[:n]); err != nil {
		return err
	}
	return w.between(line[n:])
}

func (w *Writer) put(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	_, err := w.w.Write(p)
	return err
}

// frozen reports whether the current part may not be changed.
func (w *Writer) frozen() bool { return len(w.stack) > 0 && w.stack[len(w.stack)-1].frozen }

// isMessage reports whether the header being read is that of a message.
func (w *Writer) isMessage() bool {
	return len(w.stack) == 0 || w.stack[len(w.stack)-1].message
}

// between passes preambles and epilogues on, and what stands behind a boundary.
func (w *Writer) between(frag []byte) error {
	if w.opts.No8Bit && !ascii(frag) {
		if w.frozen() {
			return ErrSigned
		}
		frag = bytes.Map(func(r rune) rune {
			if r >= 0x80 {
				return '?'
			}
			return r
		}, frag)
	}
	return w.put(frag)
}

func ascii(p []byte) bool {
	for _, c := range p {
		if c >= 0x80 {
			return false
		}
	}
	return true
}
