package imapwire

import (
	"bytes"
	"io"
)

// load reads the next line of the command into the buffer.
func (d *Decoder) load() error {
	if d.err != nil {
		return d.err
	}
	d.acquire()
	limit := d.cfg.maxLine() - d.used
	for seen := 0; ; { // octets of this line known to hold no LF
		i := bytes.IndexByte(d.buf[d.pos+seen:d.end], '\n')
		if n := seen + i + 1; i >= 0 && n <= limit {
			d.from, d.line = d.pos, d.pos+n
			if d.cfg.OnLine != nil {
				d.cfg.OnLine(d.buf[d.pos:d.line], d.used == 0)
			}
			return nil
		}
		seen = d.end - d.pos
		if i >= 0 || seen >= limit {
			d.midline = true
			return &SyntaxError{Pos: int64(d.used + limit), Reason: "line too long", Err: ErrLineTooLong}
		}
		if err := d.fill(); err != nil {
			return err
		}
	}
}

// fill reads once into the free part of the buffer, making room first.
func (d *Decoder) fill() error {
	switch {
	case d.pos == d.end:
		d.pos, d.end = 0, 0
	case d.end == len(d.buf) && d.pos > 0:
		d.end = copy(d.buf, d.buf[d.pos:d.end])
		d.pos = 0
	case d.end == len(d.buf):
		d.grow()
	}
	for {
		n, err := d.r.Read(d.buf[d.end:])
		d.end += n
		if n > 0 {
			return nil
		}
		if err != nil {
			return d.fail(err)
		}
	}
}

// grow doubles the buffer. load bounds it by the line limit.
func (d *Decoder) grow() {
	bigger := make([]byte, 2*len(d.buf))
	copy(bigger, d.buf[d.pos:d.end])
	if d.pool != nil {
		buffers.Put(d.pool)
		d.pool = nil
	}
	d.buf = bigger
}

// fail keeps an error of the reader; inside of a command an end is not clean.
func (d *Decoder) fail(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	d.err = err
	return err
}

// ReadLine reads one line outside of a command: the answer to a continuation
// request of AUTHENTICATE, or the DONE of IDLE. The line end is taken off. The
// result is valid until the next call.
func (d *Decoder) ReadLine() ([]byte, error) {
	if d.open {
		return nil, d.syntax("line read inside of a command")
	}
	if err := d.Begin(); err != nil {
		return nil, err
	}
	line := d.rest()
	n := len(line) - 1
	if n > 0 && line[n-1] == '\r' {
		n--
	}
	if d.lineEnd(line[n:]) == 0 {
		return nil, d.syntax("bare LF")
	}
	d.finish()
	return line[:n], nil
}
