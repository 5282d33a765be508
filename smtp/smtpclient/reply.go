package smtpclient

import (
	"bytes"
	"fmt"
	"io"
	"sync"

	"github.com/mailstead/mailstead/smtp"
)

// answer is one reply, or why there is none.
type answer struct {
	reply smtp.Reply
	err   error
}

// lookahead reads replies in a goroutine of its own while commands or a body
// are being written. So neither side ever waits for the other to read, however
// small the buffers between them are (RFC 2920 §3.1), and a refusal is seen
// before the whole body has left. The zero value is at rest.
type lookahead struct {
	pending int // replies that were asked for and not taken yet
	want    chan int
	answers chan answer
	work    sync.WaitGroup
}

// maxExpected bounds how often expect is called before next.
const maxExpected = 16

// expect has n more replies read.
func (l *lookahead) expect(n int, read func() (smtp.Reply, error)) {
	if l.want == nil {
		l.want = make(chan int, maxExpected)
		if cap(l.answers) < n {
			l.answers = make(chan answer, max(n, maxExpected))
		}
		want, answers := l.want, l.answers
		l.work.Go(func() { readAhead(want, answers, read) })
	}
	l.pending += n
	l.want <- n
}

// readAhead ends when want is closed, or with the first error. It never blocks
// on answers, which has room for all that is wanted.
func readAhead(want <-chan int, answers chan<- answer, read func() (smtp.Reply, error)) {
	for n := range want {
		for range n {
			r, err := read()
			answers <- answer{r, err}
			if err != nil || r.Code == 421 {
				return
			}
		}
	}
}

// next takes a reply that was asked for.
func (l *lookahead) next() answer {
	a := <-l.answers
	l.pending--
	if a.err != nil || a.reply.Code == 421 {
		l.pending = 0
		l.end()
	}
	return a
}

// early reports whether a reply is there.
func (l *lookahead) early() bool { return l.pending > 0 && len(l.answers) > 0 }

// end waits for the goroutine. Where replies are pending, the connection is
// closed first.
func (l *lookahead) end() {
	if l.want == nil {
		return
	}
	close(l.want)
	l.work.Wait()
	l.want, l.pending = nil, 0
	for len(l.answers) > 0 {
		<-l.answers
	}
}

// replyReader reads replies, bounded in lines and octets.
type replyReader struct {
	buf      []byte // octets r..w are not yet used
	r, w     int
	maxLines int
	maxLine  int // the longest line, in octets with its end
}

// buffered reports whether octets wait behind the last reply.
func (rr *replyReader) buffered() bool { return rr.r < rr.w }

func (rr *replyReader) read(conn io.Reader) (smtp.Reply, error) {
	var reply smtp.Reply
	for range rr.maxLines {
		line, err := rr.line(conn)
		if err != nil {
			return smtp.Reply{}, err
		}
		last, err := reply.AddLine(line)
		if err != nil {
			return smtp.Reply{}, fmt.Errorf("%w: %w", ErrBadReply, err)
		}
		if last {
			return reply, nil
		}
	}
	return smtp.Reply{}, ErrReplyTooLong
}

// line returns the next line without its end, valid until the next call. A
// bare LF ends a line too: some servers send it, and nothing hangs on it here.
func (rr *replyReader) line(conn io.Reader) ([]byte, error) {
	for scanned := 0; ; {
		if i := bytes.IndexByte(rr.buf[rr.r+scanned:rr.w], '\n'); i >= 0 {
			line := rr.buf[rr.r : rr.r+scanned+i]
			rr.r += scanned + i + 1
			if len(line)+1 > rr.maxLine {
				return nil, ErrReplyTooLong
			}
			return bytes.TrimSuffix(line, []byte{'\r'}), nil
		}
		scanned = rr.w - rr.r
		if scanned >= rr.maxLine {
			return nil, ErrReplyTooLong
		}
		rr.room(scanned)
		n, err := conn.Read(rr.buf[rr.w:])
		rr.w += n
		if n == 0 && err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

// room makes space behind the octets that are not yet used.
func (rr *replyReader) room(unused int) {
	if rr.r > 0 {
		copy(rr.buf, rr.buf[rr.r:rr.w])
		rr.r, rr.w = 0, unused
	}
	if rr.w == len(rr.buf) {
		rr.buf = append(rr.buf, make([]byte, max(512, len(rr.buf)))...)
	}
}
