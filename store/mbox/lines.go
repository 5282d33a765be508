package mbox

import (
	"bufio"
	"io"
)

// readerBuffer is also the greatest length of what is looked at as one line;
// longer lines pass in pieces.
const readerBuffer = 64 << 10

// lines reads a file line by line, knows where it stands, and can look ahead.
type lines struct {
	r      *bufio.Reader
	at     io.ReaderAt // nil: cannot look far ahead
	pos    int64       // of the next octet, in at
	count  int64       // octets that were read
	lastCR bool        // the piece before the last one ended in CR
	curCR  bool
	last   []byte // what read returned
	back   []byte // put back by unread
}

func newLines(r io.Reader) *lines {
	l := &lines{r: bufio.NewReaderSize(r, readerBuffer)}
	seeker, seeks := r.(io.Seeker)
	if at, ok := r.(io.ReaderAt); ok && seeks {
		if pos, err := seeker.Seek(0, io.SeekCurrent); err == nil {
			l.at, l.pos = at, pos
		}
	}
	return l
}

// read returns the next line with its line end, or a piece of a long one;
// whole says that it is not cut off by the buffer. It is valid until the next
// call and never empty without an error.
func (l *lines) read() (line []byte, whole bool, err error) {
	if len(l.back) > 0 {
		line, l.back = l.back, nil
	} else if line, err = l.r.ReadSlice('\n'); len(line) == 0 {
		return nil, false, err
	}
	if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
		return nil, false, err
	}
	l.pos += int64(len(line))
	l.count += int64(len(line))
	l.last = line
	l.lastCR, l.curCR = l.curCR, line[len(line)-1] == '\r'
	return line, err != bufio.ErrBufferFull, nil
}

// unread puts the last n octets of the last line back.
func (l *lines) unread(n int) {
	if n > 0 {
		l.pos -= int64(n)
		l.count -= int64(n)
		l.back = l.last[len(l.last)-n:]
	}
}
