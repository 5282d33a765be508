package smtpserver

import (
	"errors"
	"fmt"
	"io"

	"github.com/mailstead/mailstead/internal/smtpscan"
	"github.com/mailstead/mailstead/smtp"
)

// bodyReader is the body of a transaction as the Receiver reads it, on the
// connection's own goroutine and out of its buffer: dot-stuffing and the
// chunks of BDAT are undone, limits and the newline policy are kept. It is the
// reader and the io.WriterTo under smtp.Body.
type bodyReader struct {
	s    *session
	scan smtpscan.Scanner
	rest []byte // content that Read has not yet returned

	left    int64 // octets of content still allowed
	refused error // *smtp.Error: the Receiver gets no more; the wire is read on
	ended   bool  // the end mark, or the end of the last chunk, was met
	lost    error // why the end will not be met

	chunked bool  // BDAT
	chunk   int64 // octets of the current chunk not yet read
	size    int64 // of the current chunk
	last    bool  // it is the last one
}

var (
	// errTooMuch: a refused body goes on and on.
	errTooMuch = errors.New("smtpserver: too much behind a refused body")

	// errGivenUp: the peer gave up a body between two chunks.
	errGivenUp = fmt.Errorf("smtpserver: body given up: %w", smtp.ErrTruncated)
)

func newDataReader(s *session) bodyReader {
	return bodyReader{s: s, scan: smtpscan.New(true, smtpscan.Policy(s.cfg.Newlines)), left: s.cfg.Limits.Message}
}

func newChunkReader(s *session) bodyReader {
	policy := s.cfg.Newlines
	if s.tx.mail.Params.Body == smtp.BodyBinaryMIME {
		policy = PreserveNewlines
	}
	return bodyReader{s: s, scan: smtpscan.New(false, smtpscan.Policy(policy)), left: s.cfg.Limits.Message, chunked: true}
}

// Read implements io.Reader.
func (r *bodyReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if len(p) == 0 {
			return 0, nil
		}
		var err error
		if r.rest, err = r.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// WriteTo implements io.WriterTo: w gets slices of the connection's buffer.
func (r *bodyReader) WriteTo(w io.Writer) (total int64, err error) {
	for {
		seg := r.rest
		if len(seg) == 0 {
			if seg, err = r.next(); err == io.EOF {
				return total, nil
			} else if err != nil {
				return total, err
			}
		}
		r.rest = nil
		n, err := w.Write(seg)
		total += int64(n)
		if err == nil && n < len(seg) {
			err = io.ErrShortWrite
		}
		if err != nil {
			return total, err
		}
	}
}

// next returns the next piece of content, valid until the following call;
// io.EOF only after a clean end.
func (r *bodyReader) next() ([]byte, error) {
	if r.refused != nil {
		return nil, r.refused
	}
	seg, err := r.advance()
	if r.refused != nil {
		return nil, r.refused
	}
	return seg, err
}

// advance moves on the wire by one piece, and judges it.
func (r *bodyReader) advance() ([]byte, error) {
	for {
		switch {
		case r.lost != nil:
			return nil, truncated(r.lost)
		case r.ended:
			return nil, io.EOF
		}
		seg, err := r.piece()
		if err != nil {
			if r.lost == nil {
				r.lost = err
			}
			continue
		}
		if r.scan.Fault && r.refused == nil {
			r.refused = smtp.Errorf(550, smtp.EnhancedCode{Class: 5, Subject: 6}, "Message holds a bare CR or LF, or NUL")
		}
		if r.left -= int64(len(seg)); r.left < 0 && r.refused == nil {
			r.refused = &smtp.Error{Reply: tooBig()}
		}
		if len(seg) > 0 || r.refused != nil {
			return seg, nil
		}
	}
}

// truncated marks any loss of the connection as what it is for a Receiver.
func truncated(err error) error {
	if errors.Is(err, smtp.ErrTruncated) {
		return err
	}
	return fmt.Errorf("%w: %w", smtp.ErrTruncated, err)
}

// piece takes one piece off the wire. No content and no error: look again.
func (r *bodyReader) piece() ([]byte, error) {
	in := &r.s.in
	if r.chunked && r.chunk == 0 {
		return r.endChunk()
	}
	b := in.Buffered()
	if len(b) == 0 {
		return nil, r.s.fillBody()
	}
	if r.chunked && int64(len(b)) > r.chunk {
		b = b[:r.chunk]
	}
	p := r.scan.Next(b)
	n := p.Run + p.Drop
	if n == 0 && p.Insert == "" {
		return nil, r.s.fillBody()
	}
	in.Skip(n)
	r.chunk -= int64(n)
	r.ended = p.End
	if p.Insert == "" {
		return b[:p.Run], nil
	}
	return r.withInsert(b[:p.Run], p.Insert), nil
}

// withInsert is the rare piece whose line end was mended.
func (r *bodyReader) withInsert(run []byte, insert string) []byte {
	return append(append(make([]byte, 0, len(run)+len(insert)), run...), insert...)
}

// minDrain is the least bound of what is read behind a refused body, so that a
// small limit does not cost the connection.
const minDrain = 1 << 20

// drain reads what the Receiver left, to the true end: of the body, or of the
// current chunk. It is bounded by the size limit once more; a chunk that is
// announced to be longer is not read at all. A Receiver that kept the body
// gets nothing more: the octets behind are commands.
func (r *bodyReader) drain() {
	r.rest = nil
	r.left = max(r.s.cfg.Limits.Message, minDrain)
	if r.refused == nil && !r.ended {
		r.refused = errNotRead
	}
	if r.chunked && r.chunk > r.left && r.lost == nil {
		r.lost = errTooMuch
	}
	for !r.ended && r.lost == nil && !(r.chunked && r.chunk == 0) {
		if r.advance(); r.left < 0 {
			r.lost = errTooMuch
		}
	}
}
