package imapconn

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/mailstead/mailstead/internal/imapresp"
	"github.com/mailstead/mailstead/internal/imapwire"
)

const (
	inputSize = 32 << 10 // of the buffer at rest
	pumpSize  = 1 << 20  // that is read ahead while this side writes
	keepSize  = 256 << 10
)

// input cuts what a server sends into responses. A response lies in buf as one
// piece, with its literals in their place; the text of a message does not. An
// interrupted read (os.ErrDeadlineExceeded) loses nothing: next goes on where
// it was.
type input struct {
	src   io.Reader
	ready func() error // before each read: sets the deadline

	buf  []byte // octets r..w are not yet used
	r, w int
	err  error // of src, behind what is in buf

	// The response that begins at r: its current line begins at line, and is known
	// to hold no line end before scan; both are relative to r.
	line, scan int
	fetch      bool // it is a FETCH response: sections are left out
	url        bool // it is a URLFETCH response: so is what the URL gives

	max        int   // octets of a response
	maxLiteral int64 // octets of a literal within
	trace      func(line []byte)
}

// buffered reports whether octets wait.
func (in *input) buffered() bool { return in.r < in.w }

// next returns the next response with its line end; behind a section the rest
// of the same response, where rest is set. With section the chunk ends with the
// announcement of a literal that is the text of a message, whose octets come
// next. The chunk is valid until the next read.
func (in *input) next(rest bool) (chunk []byte, section bool, err error) {
	in.fetch = in.fetch || rest
	for {
		if from := in.r + in.scan; from < in.w {
			if i := bytes.IndexByte(in.buf[from:in.w], '\n'); i >= 0 {
				end := in.scan + i + 1
				done, section, err := in.lineEnds(end)
				if err != nil {
					return nil, false, err
				}
				if done {
					chunk := in.buf[in.r : in.r+end : in.r+end]
					in.take(end)
					return chunk, section, nil
				}
				continue
			}
			in.scan = in.w - in.r
		}
		if in.w-in.r >= in.max {
			return nil, false, fmt.Errorf("%w: a response of more than %d octets", ErrLimit, in.max)
		}
		if err := in.fill(in.max + inputSize); err != nil {
			return nil, false, err
		}
	}
}

// take moves behind a response, or behind a part of it.
func (in *input) take(n int) {
	in.r += n
	in.line, in.scan, in.fetch, in.url = 0, 0, false, false
}

// lineEnds judges the line that ends in front of end: the response is done,
// unless a literal follows that belongs into it.
func (in *input) lineEnds(end int) (done, section bool, err error) {
	if end > in.max {
		return false, false, fmt.Errorf("%w: a response of more than %d octets", ErrLimit, in.max)
	}
	line := in.buf[in.r+in.line : in.r+end]
	if in.trace != nil {
		in.trace(line)
	}
	lit, before, ok := literalTail(line)
	if !ok {
		return true, false, nil
	}
	if in.line == 0 && !in.fetch {
		in.fetch, in.url = isFetch(line), hasName(line, "URLFETCH")
	}
	if in.fetch && isSectionName(line[:before]) || in.url && isURLText(line[:before], in.line == 0) {
		return true, true, nil
	}
	switch {
	case lit.Size > in.maxLiteral:
		return false, false, fmt.Errorf("%w: a literal of %d octets", ErrLimit, lit.Size)
	case int64(end)+lit.Size >= int64(in.max):
		return false, false, fmt.Errorf("%w: a response of more than %d octets", ErrLimit, in.max)
	}
	in.line = end + int(lit.Size)
	in.scan = in.line
	return false, false, nil
}

// literalTail reads the announcement of a literal at the end of a line; before
// is where it begins.
func literalTail(line []byte) (lit imapwire.Literal, before int, ok bool) {
	n := len(line)
	if n < 5 || line[n-2] != '\r' || line[n-3] != '}' {
		return lit, 0, false
	}
	before = bytes.LastIndexByte(line[max(0, n-26):], '{')
	if before < 0 {
		return lit, 0, false
	}
	before += max(0, n-26)
	if before > 0 && line[before-1] == '~' {
		before--
	}
	lit, m, err := imapwire.ConsumeLiteralHeader(line[before:])
	return lit, before, err == nil && before+m == n
}

// isFetch reports whether a response is "* n FETCH (" or "* n UIDFETCH (".
func isFetch(line []byte) bool {
	if len(line) < 2 || line[0] != '*' || line[1] != ' ' {
		return false
	}
	b := bytes.TrimLeft(line[2:], "0123456789")
	for _, word := range []string{" FETCH ", " UIDFETCH "} {
		if len(b) > len(word) && bytes.EqualFold(b[:len(word)], []byte(word)) {
			return true
		}
	}
	return false
}

// hasName reports whether a response is "* NAME ".
func hasName(line []byte, name string) bool {
	n := len("* ") + len(name)
	return len(line) > n && line[0] == '*' && line[1] == ' ' && line[n] == ' ' && bytes.EqualFold(line[2:n], []byte(name))
}

// isURLText reports whether what a URL gives follows b, and not the URL itself or
// a string of a body structure. first: b begins with the name of the response.
func isURLText(b []byte, first bool) bool {
	n := len(b) - 1
	if n < 0 || b[n] != ' ' {
		return false
	}
	word := b[bytes.LastIndexByte(b[:n], ' ')+1 : n]
	if bytes.EqualFold(word, []byte("(BODY")) || bytes.EqualFold(word, []byte("(BINARY")) {
		return true
	}
	if !first {
		return n == 0 // the URL was a literal
	}
	rest := bytes.TrimLeft(b[len("* URLFETCH "):], " ")
	_, used, err := imapresp.ConsumeAString(rest)
	return err == nil && len(bytes.TrimLeft(rest[used:], " ")) == 0
}

// isSectionName reports whether b ends with the name of an item whose value is
// the text of a message, and a space.
func isSectionName(b []byte) bool {
	n := len(b) - 1
	if n < 1 || b[n] != ' ' {
		return false
	}
	b = b[:n]
	switch b[n-1] {
	case ']':
		return true
	case '>':
		i := bytes.LastIndexByte(b, '<')
		return i > 0 && b[i-1] == ']'
	}
	i := bytes.LastIndexAny(b, " (")
	word := b[i+1:]
	return bytes.EqualFold(word, []byte("RFC822")) || bytes.EqualFold(word, []byte("RFC822.HEADER")) ||
		bytes.EqualFold(word, []byte("RFC822.TEXT"))
}

// fill sees to it that buf holds more, up to limit octets: it reads once, unless
// something came while this side was writing.
func (in *input) fill(limit int) error {
	if in.err != nil {
		return in.err
	}
	before := in.w - in.r
	if err := in.ready(); err != nil {
		return err
	}
	if in.w-in.r > before || in.err != nil { // it came while what was to be sent left
		return nil
	}
	in.room(limit)
	return in.read()
}

// read reads into the room behind w.
func (in *input) read() error {
	n, err := in.src.Read(in.buf[in.w:])
	in.w += n
	if n > 0 || err == nil {
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			in.err = cutOff(err)
		}
		return nil
	}
	err = cutOff(err)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		in.err = err
	}
	return err
}

// cutOff: a server says BYE before it closes.
func cutOff(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// room makes space behind w. What is not used yet moves to the front.
func (in *input) room(limit int) {
	if in.r == in.w {
		in.r, in.w = 0, 0
		if len(in.buf) > keepSize {
			in.buf = nil
		}
	}
	if in.w < len(in.buf) {
		return
	}
	if in.r > 0 {
		copy(in.buf, in.buf[in.r:in.w])
		in.r, in.w = 0, in.w-in.r
		if in.w < len(in.buf)/2 {
			return
		}
	}
	size := max(inputSize, min(2*len(in.buf), limit))
	if size > len(in.buf) {
		buf := make([]byte, size)
		copy(buf, in.buf[:in.w])
		in.buf = buf
	}
}

// pump reads ahead until it is interrupted, or pumpSize octets wait.
func (in *input) pump() {
	for in.err == nil && in.w-in.r < pumpSize {
		in.room(pumpSize + inputSize)
		if in.w == len(in.buf) || in.read() != nil {
			return
		}
	}
}

// copyOut gives octets of a section: what is in buf, else straight from the
// connection where p is large.
func (in *input) copyOut(p []byte) (int, error) {
	if !in.buffered() {
		if len(p) >= inputSize/2 {
			return in.direct(p)
		}
		if err := in.fill(inputSize); err != nil {
			return 0, err
		}
	}
	n := copy(p, in.buf[in.r:in.w])
	in.r += n
	return n, nil
}

// direct reads into p.
func (in *input) direct(p []byte) (int, error) {
	if in.err != nil {
		return 0, in.err
	}
	if err := in.ready(); err != nil {
		return 0, err
	}
	if in.buffered() { // it came while what was to be sent left
		return in.copyOut(p)
	}
	n, err := in.src.Read(p)
	if n > 0 || err == nil {
		return n, nil
	}
	return 0, cutOff(err)
}

// peek gives the octets of a section that are in buf, n at most; used moves
// behind them.
func (in *input) peek(n int64) ([]byte, error) {
	if !in.buffered() {
		if err := in.fill(inputSize); err != nil {
			return nil, err
		}
	}
	b := in.buf[in.r:in.w]
	return b[:min(int64(len(b)), n)], nil
}

// Broken makes ErrLimit of what the parser found too large.
func Broken(err error) error {
	if errors.Is(err, imapresp.ErrTooMany) || errors.Is(err, imapwire.ErrNesting) {
		return fmt.Errorf("%w: %w", ErrLimit, err)
	}
	return fmt.Errorf("%w: %w", ErrProtocol, err)
}
