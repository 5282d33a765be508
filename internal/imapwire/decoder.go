package imapwire

import (
	"errors"
	"io"
)

// Decoder reads the commands of one connection. It is used by one goroutine,
// apart from what the underlying reader allows (a deadline may be set by
// another one).
//
// A command is Begin, tokens, End. The tokens of one line are parsed from
// memory; a line is read when it is needed. After an error of any method,
// Discard finds the next command. Errors of the underlying reader are sticky.
type Decoder struct {
	r   io.Reader
	cfg Config

	buf   []byte            // nil while parked
	pool  *[bufferSize]byte // what buf was taken from, or nil for a grown one
	pos   int               // first octet not parsed yet
	from  int               // first octet of the loaded line
	line  int               // behind the line end of the loaded line; 0 = no line loaded
	end   int               // behind the last octet read
	small [256]byte         // what ends a park: most commands come whole in one read
	kept  int               // octets of small that are not in buf yet

	open    bool  // inside of a command
	used    int   // octets of earlier lines of this command
	depth   int   // open parentheses
	memory  int64 // octets of collected literals of this command
	literal int64 // octets of the accepted literal not read yet
	streams int   // number of the streamed literal, so that a stale reader is told
	midline bool  // a line is too long and its end was not found yet
	err     error // sticky error of r
}

// NewDecoder returns a Decoder on r. No buffer is held until input arrives.
func NewDecoder(r io.Reader, cfg Config) *Decoder {
	return &Decoder{r: r, cfg: cfg}
}

// SetMaxLine changes Config.MaxLine, for instance after login.
func (d *Decoder) SetMaxLine(n int) { d.cfg.MaxLine = n }

// Reset continues on another reader (STARTTLS, COMPRESS) between commands.
// Input that was read from the old one is dropped; see Buffered.
func (d *Decoder) Reset(r io.Reader) {
	d.release()
	*d = Decoder{r: r, cfg: d.cfg}
}

// Buffered returns a copy of the input that was read and not parsed. After
// STARTTLS it must be empty (RFC 9051 §6.2.1: nothing may be pipelined behind
// it); after COMPRESS it is the start of the compressed stream.
func (d *Decoder) Buffered() []byte {
	var b []byte
	b = append(b, d.buf[d.pos:d.end]...)
	return append(b, d.small[:d.kept]...)
}

// Wait blocks until the next octet of input is there or the reader fails. It
// gives the buffer back first, so an idle connection holds none (I4). Its
// timeouts are not sticky: a read deadline may be used to wake the goroutine.
func (d *Decoder) Wait() error {
	if d.err != nil {
		return d.err
	}
	if d.kept > 0 || d.pos < d.end {
		return nil
	}
	d.release()
	for {
		n, err := d.r.Read(d.small[:])
		if n > 0 {
			d.kept = n
			return nil
		}
		if err != nil {
			if t, ok := err.(interface{ Timeout() bool }); !ok || !t.Timeout() {
				d.err = err
			}
			return err
		}
	}
}

func (d *Decoder) release() {
	if d.pool != nil {
		buffers.Put(d.pool)
	}
	d.buf, d.pool, d.pos, d.line, d.end = nil, nil, 0, 0, 0
}

// acquire makes sure that there is a buffer and that what ended a park is in it.
func (d *Decoder) acquire() {
	if d.buf == nil {
		d.pool = buffers.Get().(*[bufferSize]byte)
		d.buf = d.pool[:]
	}
	d.end += copy(d.buf[d.end:], d.small[:d.kept]) // parked: the buffer is empty
	d.kept = 0
}

// Begin waits for the next command and reads its first line. io.EOF means that
// the peer closed the connection between two commands.
//
// A command that was not ended is discarded first.
func (d *Decoder) Begin() error {
	if err := d.Discard(); err != nil {
		return err
	}
	if err := d.Wait(); err != nil {
		return err
	}
	d.open, d.used, d.depth, d.memory, d.line = true, 0, 0, 0, 0
	return d.load()
}

// End takes the line end of the command.
func (d *Decoder) End() error {
	if err := d.ready(); err != nil {
		return err
	}
	if d.depth > 0 {
		return d.syntax("missing )")
	}
	if d.lineEnd(d.rest()) == 0 {
		return d.syntax("end of command expected")
	}
	d.finish()
	return nil
}

func (d *Decoder) finish() {
	if d.line > 0 {
		d.pos = d.line
	}
	d.open, d.line = false, 0
}

// AtEnd reports whether the tokens of the command are used up.
func (d *Decoder) AtEnd() bool {
	return d.ready() == nil && d.lineEnd(d.rest()) > 0
}

// lineEnd returns the length of the line end that b starts with; 0 = none.
func (d *Decoder) lineEnd(b []byte) int {
	switch {
	case len(b) > 1 && b[0] == '\r' && b[1] == '\n':
		return 2
	case len(b) > 0 && b[0] == '\n' && d.cfg.Quirks&QuirkBareLF != 0:
		return 1
	}
	return 0
}

// rest returns the unparsed part of the loaded line with its line end.
func (d *Decoder) rest() []byte { return d.buf[d.pos:d.line] }

// ready makes sure that a line is loaded.
func (d *Decoder) ready() error {
	switch {
	case d.literal > 0:
		return d.syntax("literal was not read")
	case d.line > 0:
		return nil
	case !d.open:
		return errNotOpen
	}
	return d.load()
}

var errNotOpen = errors.New("imapwire: token read outside of a command")

func (d *Decoder) syntax(reason string) error {
	pos := int64(d.used)
	if d.line > 0 {
		pos += int64(d.pos - d.from)
	}
	return &SyntaxError{Pos: pos, Reason: reason}
}
