package imapwire

import (
	"bytes"
	"io"
)

// Stream takes a literal and gives its octets as a reader, without collecting
// them. Config.OnLiteral decides about it first; for a synchronizing literal
// the continuation request is sent when it agrees. The reader ends with io.EOF
// exactly behind the literal and must be read to its end, or Discard called,
// before the next token. A literal may hold NUL even where it is not Binary.
func (d *Decoder) Stream() (Literal, io.Reader, error) {
	l, err := d.announced()
	if err != nil {
		return l, nil, err
	}
	if d.cfg.OnLiteral == nil {
		return l, nil, &TooBigError{Size: l.Size}
	}
	if err := d.cfg.OnLiteral(l, true); err != nil {
		return l, nil, err
	}
	if err := d.accept(l); err != nil {
		return l, nil, err
	}
	d.streams++
	return l, &literalReader{d: d, stream: d.streams}, nil
}

// announced parses the announcement of a literal at the end of the line. It
// moves nothing: when the literal is refused, Discard meets it again.
func (d *Decoder) announced() (Literal, error) {
	if err := d.ready(); err != nil {
		return Literal{}, err
	}
	rest := d.rest()
	l, n, err := consumeLiteralCount(rest)
	if err == nil && d.lineEnd(rest[n:]) == 0 {
		err = syntax(n, "CRLF expected after literal size")
	}
	return l, d.located(err)
}

// accept moves behind the announcement and asks the peer for the octets.
func (d *Decoder) accept(l Literal) error {
	d.nextLine()
	d.literal = l.Size
	if l.NonSync || d.cfg.Continue == nil {
		return nil
	}
	if err := d.cfg.Continue(); err != nil {
		return d.fail(err)
	}
	return nil
}

// nextLine drops the loaded line.
func (d *Decoder) nextLine() {
	d.used += d.line - d.from
	d.pos, d.line = d.line, 0
}

// collect takes a literal into memory.
func (d *Decoder) collect() ([]byte, error) {
	l, err := d.announced()
	if err != nil {
		return nil, err
	}
	limit := orDefault(d.cfg.MaxMemory, DefaultMaxMemory)
	if l.Size > limit-d.memory {
		return nil, &TooBigError{Size: l.Size, Limit: limit - d.memory}
	}
	if d.cfg.OnLiteral != nil {
		if err := d.cfg.OnLiteral(l, false); err != nil {
			return nil, err
		}
	}
	if err := d.accept(l); err != nil {
		return nil, err
	}
	d.memory += l.Size
	b, err := d.readAll()
	if err == nil && !l.Binary && bytes.IndexByte(b, 0) >= 0 {
		return nil, d.syntax("NUL in literal")
	}
	return b, err
}

// readAll reads the accepted literal. The result grows with what has arrived,
// not with what was announced (I2).
func (d *Decoder) readAll() ([]byte, error) {
	const step = 4 << 10
	b := make([]byte, 0, min(d.literal, step))
	for d.literal > 0 {
		if len(b) == cap(b) {
			more := min(d.literal, int64(max(step, len(b))))
			b = append(make([]byte, 0, int64(len(b))+more), b...)
		}
		n, err := d.readLiteral(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}

// readLiteral reads octets of the accepted literal, never beyond it.
func (d *Decoder) readLiteral(p []byte) (int, error) {
	if d.err != nil {
		return 0, d.err
	}
	if int64(len(p)) > d.literal {
		p = p[:d.literal]
	}
	if d.pos == d.end && len(p) < bufferSize/8 {
		d.acquire()
		if err := d.fill(); err != nil {
			return 0, err
		}
	}
	if d.pos < d.end {
		n := copy(p, d.buf[d.pos:d.end])
		d.pos += n
		d.literal -= int64(n)
		return n, nil
	}
	n, err := d.r.Read(p)
	d.literal -= int64(n)
	if err != nil && (n == 0 || err != io.EOF) {
		return n, d.fail(err)
	}
	return n, nil
}

// literalReader is the reader that Stream returns.
type literalReader struct {
	d      *Decoder
	stream int
}

func (r *literalReader) Read(p []byte) (int, error) {
	if r.stream != r.d.streams || !r.d.open || r.d.literal == 0 {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	return r.d.readLiteral(p)
}
