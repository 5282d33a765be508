package imapconn

import (
	"io"

	"github.com/klauspost/compress/flate"

	"github.com/mailstead/mailstead/internal/inflate"
)

// Compressed reports whether the connection is.
func (c *Conn) Compressed() bool { return c.deflate != nil }

// inflater reads what a server compressed (RFC 4978). An interrupted read loses
// nothing.
type inflater struct {
	src io.Reader
	in  inflate.Decoder
	raw []byte
	buf [8 << 10]byte
}

func (f *inflater) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		n, taken, err := f.in.Decode(p, f.raw)
		f.raw = f.raw[taken:]
		if n > 0 || err != nil {
			return n, err
		}
		if len(f.raw) > 0 && taken > 0 {
			continue
		}
		kept := copy(f.buf[:], f.raw)
		m, err := f.src.Read(f.buf[kept:])
		f.raw = f.buf[:kept+m]
		if m == 0 && err != nil {
			return 0, err
		}
	}
}

// Compress puts the layers of compression around the connection. ahead is what
// came behind the server's OK.
func (c *Conn) Compress() error {
	w, err := flate.NewWriter(&c.packed, flate.DefaultCompression)
	if err != nil {
		return err
	}
	f := &inflater{src: c.conn}
	if c.in.buffered() {
		f.raw = append([]byte(nil), c.in.buf[c.in.r:c.in.w]...)
		c.in.r = c.in.w
	}
	c.in.src, c.deflate = f, w
	return nil
}
