package mime

import "bytes"

// delimiter is a boundary line that was met.
type delimiter struct {
	level int  // of the multipart in the stack
	close bool // a close delimiter
	n     int  // octets of "--" boundary, and "--" of a close delimiter
}

// match looks for a boundary at the start of a line. RFC 2046 §5.1.1: it is
// enough that the boundary stands in its entirety behind the "--", whatever
// follows. Where one open boundary is the start of another, the longer one
// wins; of equal ones the innermost.
func (w *walker) match(line []byte) (d delimiter, ok bool) {
	if w.active == 0 || len(line) < 2 || line[0] != '-' || line[1] != '-' {
		return d, false
	}
	rest := line[2:]
	best := 0
	for level := len(w.stack) - 1; level >= 0; level-- {
		b := w.stack[level].boundary
		if len(b) <= best || len(b) > len(rest) || b[0] != rest[0] {
			continue
		}
		w.in.work += int64(len(b))
		if bytes.Equal(b, rest[:len(b)]) {
			d.level, best = level, len(b)
		}
	}
	if best == 0 {
		return d, false
	}
	d.n = 2 + best
	if bytes.HasPrefix(rest[best:], []byte("--")) {
		d.close = true
		d.n += 2
	}
	// Beyond the limit of parts a delimiter is text of the last part.
	return d, d.close || w.t.Len() < w.t.limits.MaxParts
}

// boundary ends the parts below the multipart of d and starts its next part.
// The input stands at the start of the line.
func (w *walker) boundary(d delimiter) mode {
	end, lines := w.in.offset(), w.in.lines
	if w.in.last == '\n' {
		end, lines = end-1, lines-1
		if w.in.crlf {
			end--
		}
	}
	w.closeTo(d.level+1, end, lines)
	w.in.consume(d.n)
	w.skipLine()
	o := w.top()
	if d.close {
		o.boundary = nil
		w.active--
		return (*walker).epilogue
	}
	if o.digest {
		w.push(inDigest)
	} else {
		w.push(0)
	}
	return (*walker).header
}

// skipLine moves behind the line end.
func (w *walker) skipLine() {
	for {
		b := w.in.window(1)
		if len(b) == 0 {
			return
		}
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			w.in.consume(i + 1)
			return
		}
		w.in.consume(len(b))
	}
}

// epilogue is the body behind a close delimiter; it starts at a line start,
// where a boundary of an outer multipart may stand.
func (w *walker) epilogue() mode {
	if hit, ok := w.match(w.in.window(maxBoundary + 8)); ok {
		return w.boundary(hit)
	}
	return (*walker).body
}
