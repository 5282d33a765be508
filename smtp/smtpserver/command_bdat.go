package smtpserver

import (
	"strconv"

	"github.com/mailstead/mailstead/internal/smtpscan"
	"github.com/mailstead/mailstead/smtp"
)

// bdat: BDAT SP chunk-size [SP "LAST"] CRLF (RFC 3030 §2), the first of a
// body. The Receiver's reader takes the following ones; see endChunk.
func (s *session) bdat(arg []byte) {
	size, last, fault := smtpscan.ParseBDAT(arg)
	switch {
	case fault == smtpscan.BadSize:
		s.unreadableBDAT()
		return
	case fault == smtpscan.BadTail:
		s.discardThen(size, 501, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 4}, "Syntax: BDAT size [LAST]")
		return
	case s.offered()&CHUNKING == 0:
		s.discardThen(size, 502, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 1}, "CHUNKING is not offered")
		return
	case s.tx.accepted == 0:
		s.discardThen(size, 503, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 1}, "No valid recipients")
		return
	}
	s.state = chunking
	s.tx.reader = newChunkReader(s)
	s.tx.reader.startChunk(size, last)
	s.receive()
}

// startChunk sets the reader on a chunk.
func (r *bodyReader) startChunk(size int64, last bool) {
	r.chunk, r.size, r.last = size, size, last
	if size > 0 {
		r.s.in.Grow()
	}
	if size > r.left && r.refused == nil {
		r.refused = &smtp.Error{Reply: tooBig()}
	}
}

// endChunk ends the body, or answers the chunk and waits for the next one.
func (r *bodyReader) endChunk() ([]byte, error) {
	if r.last {
		r.ended = true
		return []byte(r.scan.Finish()), nil
	}
	s := r.s
	s.say(250, smtp.EnhancedCode{Class: 2}, strconv.FormatInt(r.size, 10)+" octets received")
	return nil, r.nextChunk()
}

// nextChunk runs commands until the next BDAT. One that gives up the
// transaction is left for the command loop.
func (r *bodyReader) nextChunk() error {
	s := r.s
	for {
		line, err := s.readLine()
		if err != nil {
			return err
		}
		name, arg := smtpscan.SplitVerb(line)
		v := s.lookup(name)
		switch {
		case v != nil && v.flags&endsChunks != 0:
			s.in.Unread()
			return errGivenUp
		case v != nil && v.flags&hasPayload != 0:
			size, last, fault := smtpscan.ParseBDAT(arg)
			if fault == smtpscan.BadSize {
				s.unreadableBDAT()
				return errGivenUp
			}
			if s.cfg.Trace != nil {
				s.traceCommand(line)
			}
			r.startChunk(size, last)
			if fault == smtpscan.BadTail {
				r.refused = smtp.Errorf(501, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 4}, "Syntax: BDAT size [LAST]")
			}
			return nil
		}
		s.dispatch(line)
		if s.closing {
			return errGivenUp
		}
	}
}

// unreadableBDAT: where the payload ends is unknown, so nothing behind the
// line can be told apart from it.
func (s *session) unreadableBDAT() {
	s.say(501, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 4}, "Unreadable chunk size, closing")
	s.closing = true
}

// discardThen skips a payload and then refuses the command.
func (s *session) discardThen(size int64, code int, enhanced smtp.EnhancedCode, text string) {
	if s.discard(size) {
		s.refuse(code, enhanced, text)
	}
}

// discardPayload skips the payload of a BDAT that is refused unheard; false:
// the session is over.
func (s *session) discardPayload(arg []byte) bool {
	size, _, fault := smtpscan.ParseBDAT(arg)
	if fault == smtpscan.BadSize {
		s.unreadableBDAT()
		return false
	}
	return s.discard(size)
}

// discard skips size octets, bounded by the size limit.
func (s *session) discard(size int64) bool {
	if size > max(s.cfg.Limits.Message, minDrain) {
		s.sayReply(tooBig())
		s.closing = true
		return false
	}
	if s.tx == nil {
		s.body = s.newProgress()
	}
	for size > 0 {
		n := min(size, int64(len(s.in.Buffered())))
		s.in.Skip(int(n))
		if size -= n; size > 0 {
			if err := s.fillBody(); err != nil {
				s.end(err)
				return false
			}
		}
	}
	return true
}
