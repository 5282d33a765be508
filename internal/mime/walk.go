package mime

import (
	"bytes"
	"io"
)

// Walk reads a message of size octets once and returns its structure. The
// error is one of r, or io.ErrUnexpectedEOF when r is shorter than size; a
// message is never an error. The tree is valid until it is dropped.
func Walk(r io.ReaderAt, size int64, limits Limits) (*Part, error) {
	root, _, err := walk(r, size, limits)
	return root, err
}

func walk(r io.ReaderAt, size int64, limits Limits) (*Part, int64, error) {
	w := walker{limits: limits.withDefaults()}
	w.in = input{r: r, size: max(size, 0), buf: windows.Get().(*[windowSize]byte)}
	defer windows.Put(w.in.buf)
	w.block = blocks.Get().(*[]byte)
	defer func() {
		if cap(*w.block) <= maxPooledBlock {
			*w.block = (*w.block)[:0]
			blocks.Put(w.block)
		}
	}()
	root := &Part{}
	w.push(root)
	for m := mode((*walker).header); m != nil && w.in.err == nil; {
		m = m(&w)
	}
	if w.in.err != nil {
		return nil, w.in.work, w.in.err
	}
	w.closeTo(0, w.in.offset(), w.in.lines)
	return root, w.in.work, nil
}

// mode is a state of the walker: it consumes input and returns the next state,
// nil at the end of the message.
type mode func(*walker) mode

// open is a part whose end was not met yet.
type open struct {
	part     *Part
	lines    int64  // LFs consumed at the start of the body
	boundary []byte // of a multipart, until its close delimiter
	digest   bool   // multipart/digest
}

type walker struct {
	in     input
	limits Limits
	stack  []open
	active int // entries of stack with a boundary
	parts  int
	kept   int
	block  *[]byte // the header being read
}

func (w *walker) push(p *Part) {
	at := w.in.offset()
	p.Header, p.Body = Span{at, at}, Span{at, at}
	w.parts++
	w.stack = append(w.stack, open{part: p, lines: w.in.lines})
}

func (w *walker) top() *open { return &w.stack[len(w.stack)-1] }

// closeTo ends every part above the first n of the stack: their bodies end at
// end, in front of which lines LFs were seen. A part without a body may have
// its header run up to the boundary; then those around it end there too.
func (w *walker) closeTo(n int, end, lines int64) {
	for len(w.stack) > n {
		o := w.top()
		p := o.part
		if end < p.Body.Start {
			end, lines = p.Body.Start, o.lines
		}
		p.Body.End = end
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
		if room := w.limits.MaxHeader - len(*w.block); room > 0 {
			*w.block = append(*w.block, b[:min(n, room)]...)
		}
		w.in.consume(n)
	}
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
	p := o.part
	at := w.in.offset()
	p.Header.End = at
	p.Body = Span{at, at}
	o.lines = w.in.lines
	block := *w.block
	over := p.Header.Len()-int64(len(block)) > 2
	if over { // the last line is not whole
		block = block[:bytes.LastIndexByte(block, '\n')+1]
	}
	over = !w.readFields(p, block) || over

	multipart := equalFold(p.Type, "multipart")
	message := isMessageType(p)
	if !multipart && !message {
		return (*walker).body
	}
	if over || len(w.stack) > w.limits.MaxDepth || w.parts >= w.limits.MaxParts {
		p.Opaque = true
		return (*walker).body
	}
	if multipart {
		w.openMultipart(o)
		return (*walker).body
	}
	p.Message = &Part{}
	w.push(p.Message)
	return (*walker).header
}

func isMessageType(p *Part) bool {
	return equalFold(p.Type, "message") &&
		(equalFold(p.Subtype, "rfc822") || equalFold(p.Subtype, "global"))
}

func (w *walker) openMultipart(o *open) {
	b := bytes.TrimRight(o.part.Param("boundary"), " \t")
	if len(b) > 0 && len(b) <= maxBoundary {
		o.boundary = b
		w.active++
	}
	o.digest = equalFold(o.part.Subtype, "digest")
}

// body moves over the body of a leaf, a preamble or an epilogue, up to a
// boundary of any open multipart or the end.
func (w *walker) body() mode {
	if w.in.offset() == w.top().part.Body.Start {
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
