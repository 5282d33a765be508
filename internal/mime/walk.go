package mime

import (
	"bytes"
	"io"
	"slices"
)

// Walk reads a message of size octets once and returns its structure. The
// error is one of r, or io.ErrUnexpectedEOF when r is shorter than size; a
// message is never an error.
func Walk(r io.ReaderAt, size int64, limits Limits) (*Tree, error) {
	t, _, err := walk(r, size, limits)
	return t, err
}

func walk(r io.ReaderAt, size int64, limits Limits) (*Tree, int64, error) {
	t := &Tree{limits: limits.withDefaults()}
	w := walker{t: t, headers: t.Headers(nil)}
	defer w.headers.Close()
	w.in = input{r: r, size: max(size, 0), buf: windows.Get().(*[windowSize]byte)}
	defer windows.Put(w.in.buf)
	w.block = blocks.Get().(*[]byte)
	defer func() {
		if cap(*w.block) <= maxPooledBlock {
			*w.block = (*w.block)[:0]
			blocks.Put(w.block)
		}
	}()
	w.push(isMessage)
	for m := mode((*walker).header); m != nil && w.in.err == nil; {
		m = m(&w)
	}
	if w.in.err != nil {
		return nil, w.in.work, w.in.err
	}
	w.closeTo(0, w.in.offset(), w.in.lines)
	return t, w.in.work, nil
}

// mode is a state of the walker: it consumes input and returns the next state,
// nil at the end of the message.
type mode func(*walker) mode

// open is a part whose end was not met yet.
type open struct {
	part     int
	lines    int64  // LFs consumed at the start of the body
	boundary []byte // of a multipart, until its close delimiter
	digest   bool   // multipart/digest
}

type walker struct {
	in      input
	t       *Tree
	stack   []open
	active  int      // entries of stack with a boundary
	block   *[]byte  // the header being read
	headers *Headers // what it says
}

// push begins a part below the one on top.
func (w *walker) push(is traits) {
	if len(w.stack) > 0 {
		w.t.Part(w.top().part).below++
	}
	i := w.t.add(w.in.offset(), is)
	w.stack = append(w.stack, open{part: i, lines: w.in.lines})
}

func (w *walker) top() *open { return &w.stack[len(w.stack)-1] }

// closeTo ends every part above the first n of the stack: their bodies end at
// end, in front of which lines LFs were seen. A part without a body may have
// its header run up to the boundary; then those around it end there too.
func (w *walker) closeTo(n int, end, lines int64) {
	for len(w.stack) > n {
		o := w.top()
		p := w.t.Part(o.part)
		if end < p.body {
			end, lines = p.body, o.lines
		}
		p.end = end
		p.Lines = lines - o.lines
		if o.boundary != nil {
			w.active--
		}
		w.stack = w.stack[:len(w.stack)-1]
	}
}

// header reads a header block up to its empty line, a boundary, or the end.
func (w *walker) header() mode {
	*w.block = (*w.block)[:0]
	for lineStart := true; ; {
		b := w.in.window(windowSize / 2)
		if len(b) == 0 {
			return w.endHeader()
		}
		if lineStart {
			if n := emptyLine(b); n > 0 {
				w.in.consume(n)
				return w.endHeader()
			}
			if _, ok := w.match(b); ok {
				return w.endHeader()
			}
		}
		n := bytes.IndexByte(b, '\n') + 1
		lineStart = n > 0
		if n == 0 {
			n = len(b)
		}
		w.keep(b[:n])
		w.in.consume(n)
	}
}

// keep adds octets to the block. A long one grows once, to the most that is
// looked at.
func (w *walker) keep(b []byte) {
	block, most := *w.block, w.t.limits.MaxHeader
	b = b[:min(len(b), max(0, most-len(block)))]
	if len(block)+len(b) > cap(block) && len(block) >= windowSize {
		block = slices.Grow(block, int(min(w.in.size-w.in.offset(), int64(most-len(block)))))
	}
	*w.block = append(block, b...)
}

func emptyLine(b []byte) int {
	switch {
	case b[0] == '\n':
		return 1
	case len(b) > 1 && b[0] == '\r' && b[1] == '\n':
		return 2
	}
	return 0
}

// endHeader takes the fields of the block and decides what the body is.
func (w *walker) endHeader() mode {
	o := w.top()
	p := w.t.Part(o.part)
	at := w.in.offset()
	p.body, p.end = at, at
	o.lines = w.in.lines
	block := *w.block
	over := p.Header().Len()-int64(len(block)) > 2
	if over { // the last line is not whole
		block = block[:bytes.LastIndexByte(block, '\n')+1]
	}
	e := w.readFields(o.part, block)
	p.is |= traitsOf(e)

	if p.is&(isMultipart|holdsMessage) == 0 {
		return (*walker).body
	}
	if over || len(w.stack) > w.t.limits.MaxDepth || w.t.Len() >= w.t.limits.MaxParts {
		p.is |= isOpaque
		return (*walker).body
	}
	if p.is&isMultipart != 0 {
		w.openMultipart(o, e)
		return (*walker).body
	}
	w.push(isMessage)
	return (*walker).header
}

func (w *walker) readFields(part int, block []byte) *Entity {
	w.in.work += int64(len(block))
	f := &w.headers.fields
	if part == 0 {
		f = &w.t.root
	}
	return f.read(block, w.t.Part(part).is)
}

func traitsOf(e *Entity) (is traits) {
	switch {
	case equalFold(e.Type, "multipart"):
		is = isMultipart
	case equalFold(e.Type, "text"):
		is = isText
	case equalFold(e.Type, "message") && (equalFold(e.Subtype, "rfc822") || equalFold(e.Subtype, "global")):
		is = holdsMessage
	}
	if equalFold(e.Disposition, "attachment") {
		is |= isAttachment
	}
	return is
}

func (w *walker) openMultipart(o *open, e *Entity) {
	b := bytes.TrimRight(e.Param("boundary"), " \t")
	if len(b) > 0 && len(b) <= maxBoundary {
		o.boundary = bytes.Clone(b)
		w.active++
	}
	o.digest = equalFold(e.Subtype, "digest")
}

// body moves over the body of a leaf, a preamble or an epilogue, up to a
// boundary of any open multipart or the end.
func (w *walker) body() mode {
	if w.in.offset() == w.t.Part(w.top().part).body {
		if hit, ok := w.match(w.in.window(maxBoundary + 8)); ok {
			return w.boundary(hit)
		}
	}
	for {
		b := w.in.window(windowSize / 2)
		if len(b) == 0 {
			return nil
		}
		i := -1
		if w.active > 0 {
			i = bytes.Index(b, []byte("\n--"))
		}
		switch {
		case i >= 0:
			w.in.consume(i + 1)
			if hit, ok := w.match(w.in.window(maxBoundary + 8)); ok {
				return w.boundary(hit)
			}
			w.in.consume(2)
		case w.active > 0 && w.in.next < w.in.size && len(b) > 2:
			w.in.consume(len(b) - 2)
		default:
			w.in.consume(len(b))
		}
	}
}
