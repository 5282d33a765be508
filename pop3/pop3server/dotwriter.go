package pop3server

import (
	"bufio"
	"bytes"
)

// bodyWriter writes a message in the form of a multi-line response (RFC 1939
// §3): a dot before each line that begins with one. A bare LF counts as the
// end of a line here, since clients split at it; the octets of the message
// are not changed.
type bodyWriter struct {
	w     *bufio.Writer
	lines int64 // of the body still to send
	mid   bool  // inside a line
	cr    bool  // the last octet was a CR
	body  bool  // behind the header
	blank bool  // the line so far holds nothing, or a CR
}

// full reports whether TOP has enough.
func (b *bodyWriter) full() bool { return b.body && b.lines <= 0 && !b.mid }

func (b *bodyWriter) write(p []byte) error {
	for len(p) > 0 && !b.full() {
		i := bytes.IndexByte(p, '\n')
		line := p
		if i >= 0 {
			line = p[:i+1]
		}
		p = p[len(line):]
		if err := b.piece(line, i >= 0); err != nil {
			return err
		}
	}
	return nil
}

// piece writes a line or a part of one.
func (b *bodyWriter) piece(line []byte, ends bool) error {
	if !b.mid {
		b.blank = true
		if line[0] == '.' {
			if err := b.w.WriteByte('.'); err != nil {
				return err
			}
		}
	}
	b.mid = !ends
	b.cr = line[len(line)-1] == '\r'
	b.blank = b.blank && (len(line) == 1 || len(line) == 2 && line[0] == '\r') && (line[0] == '\n' || line[0] == '\r')
	if ends {
		switch {
		case b.body:
			b.lines--
		case b.blank:
			b.body = true
		}
	}
	_, err := b.w.Write(line)
	return err
}

// end completes the last line and writes the end mark.
func (b *bodyWriter) end() error {
	mark := ".\r\n"
	switch {
	case b.mid && b.cr:
		mark = "\n.\r\n"
	case b.mid:
		mark = "\r\n.\r\n"
	}
	_, err := b.w.WriteString(mark)
	return err
}
