package mbox

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"time"
)

// Writer writes messages in MboxRD. It is used by one goroutine. Make one with
// NewWriter.
type Writer struct {
	out  *bufio.Writer
	body *quoter
}

// NewWriter returns a Writer behind w, which must stand at the start of a file
// or behind an empty line.
func NewWriter(w io.Writer) *Writer { return &Writer{out: bufio.NewWriterSize(w, 32<<10)} }

// Create begins a message, which the returned writer takes until the next
// Create or Close. sender is the reverse-path without brackets, "" = null.
// CRLF becomes LF, so that one CR more before it is lost when the file is read
// with CRLF line ends; a message that does not end with a line end gets one.
// ErrSender: the sender cannot be written.
func (w *Writer) Create(sender string, date time.Time) (io.Writer, error) {
	if err := w.end(); err != nil {
		return nil, err
	}
	line, err := appendSeparator(nil, sender, date)
	if err != nil {
		return nil, err
	}
	if _, err := w.out.Write(line); err != nil {
		return nil, err
	}
	w.body = &quoter{w: w.out, atStart: true, text: false}
	return w.body, nil
}

// Close ends the last message and flushes; the file itself stays open.
func (w *Writer) Close() error {
	if err := w.end(); err != nil {
		return err
	}
	return w.out.Flush()
}

func (w *Writer) end() error {
	if w.body == nil {
		return nil
	}
	err := w.body.end()
	w.body = nil
	return err
}

var errEnded = errors.New("mbox: write to a message that was ended")

// quoter turns CRLF into LF and puts ">" in front of "From " where it follows
// the line start and any number of ">". As those all look alike, they pass at
// once; only a CR and the beginning of "From " are ever held.
type quoter struct {
	w       *bufio.Writer
	atStart bool // nothing but ">" was seen of this line
	cr      bool // a CR is held
	matched int  // octets of "From " that are held
	text    bool // the line is not empty
	ended   bool
}

// Write implements io.Writer.
func (q *quoter) Write(p []byte) (int, error) {
	if q.ended {
		return 0, errEnded
	}
	for rest := p; len(rest) > 0; {
		if !q.atStart && !q.cr {
			rest = q.middle(rest)
			continue
		}
		q.octet(rest[0])
		rest = rest[1:]
	}
	if _, err := q.w.Write(nil); err != nil { // bufio.Writer remembers its first error
		return 0, err
	}
	return len(p), nil
}

// middle passes on all up to the next octet that could matter.
func (q *quoter) middle(p []byte) []byte {
	i := bytes.IndexAny(p, "\r\n")
	if i < 0 {
		i = len(p)
	}
	_, _ = q.w.Write(p[:i])
	if i < len(p) {
		q.octet(p[i])
		i++
	}
	return p[i:]
}

func (q *quoter) octet(c byte) {
	if q.cr {
		q.cr = false
		if c != '\n' {
			q.release()
			_ = q.w.WriteByte('\r')
			q.atStart, q.text = false, true
		}
	}
	switch {
	case c == '\r':
		q.release()
		q.cr = true
	case c == '\n':
		q.release()
		_ = q.w.WriteByte('\n')
		q.atStart, q.text = true, false
	case q.atStart && c == '>' && q.matched == 0:
		_ = q.w.WriteByte(c)
		q.text = true
	case q.atStart && c == fromWord[q.matched]:
		q.text = true
		if q.matched++; q.matched == len(fromWord) {
			_ = q.w.WriteByte('>')
			q.release()
			q.atStart = false
		}
	default:
		q.release()
		_ = q.w.WriteByte(c)
		q.atStart, q.text = false, true
	}
}

// release writes what was held of "From ".
func (q *quoter) release() {
	_, _ = q.w.WriteString(fromWord[:q.matched])
	if q.matched > 0 && q.matched < len(fromWord) {
		q.atStart = false
	}
	q.matched = 0
}

// end writes what is held, the line end that may be missing and the empty line.
func (q *quoter) end() error {
	q.ended = true
	if q.cr {
		q.release()
		_ = q.w.WriteByte('\r')
		q.text = true
	}
	q.release()
	if q.text {
		_ = q.w.WriteByte('\n')
	}
	return q.w.WriteByte('\n')
}
