package pop3server

import "bytes"

// dotWriter makes a multi-line response (RFC 1939 §3) of a message, in place:
// a dot before each line that begins with one, and for TOP an end behind so
// many lines of the body. A bare LF counts as the end of a line here, since
// there are clients that split at it; the octets are not changed.
type dotWriter struct {
	header headerScanner
	lines  int64   // of the body still to send; negative = all
	mask   bool    // octets of the header beyond ASCII become "?"
	last   [2]byte // the last octets of what was sent
	any    bool    // something was sent
}

// full reports whether TOP has enough.
func (d *dotWriter) full() bool { return d.lines == 0 && d.header.done }

// add makes the form of n more octets, which lie behind len(b), and returns b
// with them. There is room for half as many more, and one.
func (d *dotWriter) add(b []byte, n int) []byte {
	p := b[len(b) : len(b)+n]
	if !d.header.done && (d.lines >= 0 || d.mask) {
		h := d.header.consume(p)
		if d.mask {
			maskHeader(p[:h])
		}
		if d.lines >= 0 {
			n = h + d.cut(p[h:])
		}
	} else if d.lines >= 0 {
		n = d.cut(p)
	}
	if n == 0 {
		return b
	}
	p = p[:n]
	starts := !d.any || d.last[1] == '\n'
	d.any = true
	if n > 1 {
		d.last[0] = p[n-2]
	} else {
		d.last[0] = d.last[1]
	}
	d.last[1] = p[n-1]
	return stuff(b, n, starts)
}

// cut returns how many octets of the body TOP still sends.
func (d *dotWriter) cut(p []byte) int {
	n := 0
	for d.lines > 0 && n < len(p) {
		i := bytes.IndexByte(p[n:], '\n')
		if i < 0 {
			return len(p)
		}
		n += i + 1
		d.lines--
	}
	return n
}

// end is what completes the response: CRLF "." CRLF, whatever the message ends
// in.
func (d *dotWriter) end() string {
	switch {
	case !d.any, d.last == [2]byte{'\r', '\n'}:
		return ".\r\n"
	case d.last[1] == '\r':
		return "\n.\r\n"
	}
	return "\r\n.\r\n"
}

// nextDot returns the place in p, from the octet at on, of the first dot that
// begins a line; −1 = there is none. p[at-1] is not looked at. Dots are looked
// for, not ends of lines: encoded text has none.
func nextDot(p []byte, at int) int {
	for from := at; ; {
		i := bytes.IndexByte(p[from:], '.')
		if i < 0 {
			return -1
		}
		if from += i; from > at && p[from-1] == '\n' {
			return from
		}
		from++
	}
}

// stuff extends b by the n octets behind it, with a dot before each line that
// begins with one; starts says that a line begins with the first octet.
func stuff(b []byte, n int, starts bool) []byte {
	p := b[len(b) : len(b)+n]
	first := 0
	if !starts || p[0] != '.' {
		first = nextDot(p, 0)
	}
	k := 0
	for i := first; i >= 0; i = nextDot(p, i) {
		k++
	}
	if k == 0 {
		return b[:len(b)+n]
	}
	// What lies behind the first dot is moved to the end and comes back piece
	// by piece.
	to := b[len(b) : len(b)+n+k]
	rest := to[first+k:]
	copy(rest, p[first:])
	for at := first; ; {
		to[at] = '.'
		at++
		if k--; k == 0 {
			return b[:len(b)+len(to)]
		}
		i := nextDot(rest, 0)
		at += copy(to[at:], rest[:i])
		rest = rest[i:]
	}
}

// headerScanner finds the empty line behind the header of a message.
type headerScanner struct {
	done bool
	line uint8 // what the current line holds: 0 nothing, 1 a CR, 2 more
}

// consume returns how many octets of p belong to the header, with the empty
// line.
func (h *headerScanner) consume(p []byte) (n int) {
	for n < len(p) && !h.done {
		i := bytes.IndexByte(p[n:], '\n')
		if i < 0 {
			if h.line == 0 && string(p[n:]) == "\r" {
				h.line = 1
			} else {
				h.line = 2
			}
			return len(p)
		}
		content := p[n : n+i]
		h.done = len(content) == 0 && h.line < 2 || h.line == 0 && string(content) == "\r"
		h.line = 0
		n += i + 1
	}
	return n
}

// maskHeader puts "?" for every octet beyond ASCII.
func maskHeader(p []byte) {
	for i, c := range p {
		if c >= 0x80 {
			p[i] = '?'
		}
	}
}

// ascii reports whether p holds nothing but ASCII.
func ascii(p []byte) bool {
	for _, c := range p {
		if c >= 0x80 {
			return false
		}
	}
	return true
}
