package searchtext

import (
	"bufio"
	"encoding/base64"
	"io"
	"mime/quotedprintable"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/transform"

	"github.com/mailstead/mailstead/internal/mime"
	"github.com/mailstead/mailstead/internal/mimetext"
)

// A decoder takes transfer encoding and charset off the texts of one message
// after the other. What it needs for that is kept for the next part, so that a
// message of ten thousand parts costs little more than one of a few.
type decoder struct {
	src   spanReader
	piece [16 << 10]byte

	buffered *bufio.Reader // in front of quoted, which takes it as it is
	quoted   quotedprintable.Reader
	base64   base64Reader

	charsets mimetext.Charsets
	convert  converter
}

// reader returns the text of a part, whose octets are those of src. It is valid
// until the next call. An encoding or a charset that is not known is left on.
func (d *decoder) reader(e *mime.Entity, src io.Reader) io.Reader {
	text := src
	switch {
	case is(e.Encoding, "quoted-printable"):
		if d.buffered == nil {
			d.buffered = bufio.NewReader(nil)
		}
		d.buffered.Reset(src)
		d.quoted = *quotedprintable.NewReader(d.buffered)
		text = &d.quoted
	case is(e.Encoding, "base64"):
		d.base64.reset(src)
		text = &d.base64
	}
	name := e.Param("charset")
	if len(name) == 0 || is(name, "us-ascii") || is(name, "utf-8") {
		return text
	}
	if dec := d.charsets.Find(name); dec != nil {
		d.convert.reset(dec, text)
		return &d.convert
	}
	if r, ok := d.charsets.Registered(name, text); ok {
		return r
	}
	return text
}

func is(b []byte, word string) bool { return len(b) == len(word) && strings.EqualFold(string(b), word) }

// release gives the decoder back, without what was read last.
func (d *decoder) release() {
	if d.buffered != nil {
		d.buffered.Reset(nil)
	}
	d.src, d.base64.src, d.convert.src = spanReader{}, nil, nil
	decoders.Put(d)
}

// base64Reader decodes base64 up to the first thing that is none. White space
// does not count.
type base64Reader struct {
	src   io.Reader
	in    [1 << 10]byte
	n     int // octets of in
	out   [3 << 8]byte
	ready []byte // of out
	err   error
}

func (r *base64Reader) reset(src io.Reader) { r.src, r.n, r.ready, r.err = src, 0, nil, nil }

// Read implements io.Reader.
func (r *base64Reader) Read(p []byte) (int, error) {
	for len(r.ready) == 0 && r.err == nil {
		r.fill()
	}
	if len(r.ready) == 0 {
		return 0, r.err
	}
	n := copy(p, r.ready)
	r.ready = r.ready[n:]
	return n, nil
}

func (r *base64Reader) fill() {
	n, err := r.src.Read(r.in[r.n:])
	end := r.n
	for _, c := range r.in[r.n : r.n+n] {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			r.in[end] = c
			end++
		}
	}
	whole := end &^ 3
	got, bad := base64.StdEncoding.Decode(r.out[:], r.in[:whole])
	r.ready = r.out[:got]
	r.n = copy(r.in[:], r.in[whole:end])
	if r.err = err; bad != nil {
		r.err = bad
	}
}

// converter makes UTF-8 of a charset.
type converter struct {
	to    transform.Transformer
	src   io.Reader
	in    [4 << 10]byte
	at, n int // of in: not converted yet
	end   error
	short bool // what is left of in is no whole character
}

func (c *converter) reset(d *encoding.Decoder, src io.Reader) {
	d.Reset()
	c.to, c.src, c.at, c.n, c.end, c.short = d, src, 0, 0, nil, true
}

// Read converts into p, which has room for some characters.
func (c *converter) Read(p []byte) (int, error) {
	for {
		if c.short && c.end == nil {
			c.n = copy(c.in[:], c.in[c.at:c.n])
			c.at = 0
			var n int
			n, c.end = c.src.Read(c.in[c.n:])
			c.n += n
		}
		out, taken, err := c.to.Transform(p, c.in[c.at:c.n], c.end != nil)
		c.at += taken
		c.short = err != transform.ErrShortDst
		switch {
		case out > 0:
			return out, nil
		case err != nil && err != transform.ErrShortSrc:
			return 0, err
		case c.short && c.end != nil:
			return 0, c.end
		case err == transform.ErrShortSrc && c.at == 0 && c.n == len(c.in):
			return 0, err
		}
	}
}
