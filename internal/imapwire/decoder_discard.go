package imapwire

import "bytes"

// tailSize is how much of the end of a too long line is kept, to see a literal
// that it announces.
const tailSize = 32

// Discard drops what is left of the command, so that Begin meets the next one.
// Outside of a command it does nothing.
//
// The rest of a streamed literal is read. Where the line in hand ends with the
// announcement of a synchronizing literal, the command is over: the peer waits
// for a continuation and, after a tagged answer, sends none of its octets (RFC
// 9051 §2.2.1). The octets of a non-synchronizing literal are on their way and
// are read (RFC 7888 §4), and with them the line behind them. ErrDesync: that
// is more than Config.MaxDiscard, so the connection must be closed.
func (d *Decoder) Discard() error {
	budget := orDefault(d.cfg.MaxDiscard, DefaultMaxDiscard)
	for d.open {
		if d.err != nil {
			return d.err
		}
		if err := d.skipLiteral(&budget); err != nil {
			return err
		}
		line, err := d.skipLine(&budget)
		if err != nil {
			return err
		}
		l, known := trailingLiteral(line)
		if !known || l.NonSync && l.Size > budget {
			return d.fail(ErrDesync)
		}
		if !l.NonSync {
			d.open = false
		}
		d.literal = 0
		if l.NonSync {
			d.literal = l.Size
		}
	}
	return nil
}

// skipLiteral reads the rest of the accepted literal.
func (d *Decoder) skipLiteral(budget *int64) error {
	if d.literal > *budget {
		return d.fail(ErrDesync)
	}
	*budget -= d.literal
	for d.literal > 0 {
		if d.pos == d.end {
			d.acquire()
			if err := d.fill(); err != nil {
				return err
			}
		}
		n := min(int64(d.end-d.pos), d.literal)
		d.pos += int(n)
		d.literal -= n
	}
	return nil
}

// skipLine drops the loaded line, or else the next one, and returns its end.
func (d *Decoder) skipLine(budget *int64) ([]byte, error) {
	var tail []byte
	d.midline = false
	if d.line > 0 {
		tail = lastOctets(nil, d.rest())
		d.pos, d.line = d.line, 0
		return tail, nil
	}
	d.acquire()
	for {
		if d.pos == d.end {
			if err := d.fill(); err != nil {
				return nil, err
			}
		}
		chunk := d.buf[d.pos:d.end]
		i := bytes.IndexByte(chunk, '\n')
		if i >= 0 {
			chunk = chunk[:i+1]
		}
		tail = lastOctets(tail, chunk)
		d.pos += len(chunk)
		if *budget -= int64(len(chunk)); *budget < 0 {
			return nil, d.fail(ErrDesync)
		}
		if i >= 0 {
			return tail, nil
		}
	}
}

// lastOctets adds b to tail and keeps the last tailSize octets.
func lastOctets(tail, b []byte) []byte {
	if len(b) >= tailSize {
		return append(tail[:0], b[len(b)-tailSize:]...)
	}
	tail = append(tail, b...)
	if over := len(tail) - tailSize; over > 0 {
		tail = append(tail[:0], tail[over:]...)
	}
	return tail
}

// trailingLiteral finds the literal that the end of a line announces. The zero
// Literal stands for none. known is false where a non-synchronizing literal of
// unreadable size is announced: nobody knows how much follows.
func trailingLiteral(line []byte) (l Literal, known bool) {
	line = bytes.TrimSuffix(line, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	digits, nonSync := bytes.CutSuffix(line, []byte("+}"))
	if !nonSync {
		return Literal{}, true
	}
	i := len(digits)
	for i > 0 && isDigit(digits[i-1]) {
		i--
	}
	switch {
	case i == len(digits) || i > 0 && digits[i-1] != '{':
		return Literal{}, true
	case i == 0:
		return Literal{}, len(line) < tailSize-2
	}
	l, n, err := consumeLiteralCount(line[i-1:])
	return l, err == nil && n == len(line)-i+1
}
