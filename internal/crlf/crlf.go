// Package crlf reads files whose lines end in LF as mail has them, in CRLF.
package crlf

import (
	"bufio"
	"errors"
	"io"
	"slices"
)

// bareLF reports whether a line of the size octets ends in LF alone.
func bareLF(r io.Reader, size int64) (bool, error) {
	in := bufio.NewReaderSize(r, int(min(size, 32<<10)))
	cr := false
	for {
		p, err := in.ReadSlice('\n')
		if n := len(p); n > 0 && p[n-1] == '\n' {
			if n == 1 && !cr || n > 1 && p[n-2] != '\r' {
				return true, nil
			}
		}
		cr = len(p) > 0 && p[len(p)-1] == '\r'
		if err == io.EOF {
			return false, nil
		}
		if err != nil && err != bufio.ErrBufferFull {
			return false, err
		}
	}
}

// Content is the octets of a message.
type Content interface {
	io.ReaderAt
	Size() int64
}

// Wire is the content of a file with CRLF line ends; lf: the file has
// others.
func Wire(r io.ReaderAt, size int64) (c Content, lf bool, err error) {
	in := io.NewSectionReader(r, 0, size)
	if lf, err = bareLF(in, size); err != nil || !lf {
		return in, false, err
	}
	c, err = NewReader(r, size)
	return c, true, err
}

// blockSize is how much of a file is converted at once.
const blockSize = 32 << 10

// Reader reads a file as if each LF alone were CRLF. It keeps one number
// for each block of the file, so that any place is found without reading from
// the start.
type Reader struct {
	r     io.ReaderAt
	raw   int64
	size  int64
	start []int64 // where the octets of each block begin in what is read
}

// NewReader reads r once.
func NewReader(r io.ReaderAt, size int64) (*Reader, error) {
	c := &Reader{r: r, raw: size}
	var buf [2 * blockSize]byte
	for i := range (size + blockSize - 1) / blockSize {
		c.start = append(c.start, c.size)
		out, err := c.block(i, buf[:0])
		if err != nil {
			return nil, err
		}
		c.size += int64(len(out))
	}
	return c, nil
}

// Size is the number of octets that are read.
func (c *Reader) Size() int64 { return c.size }

// block appends the octets of block i to dst.
func (c *Reader) block(i int64, dst []byte) ([]byte, error) {
	var raw [blockSize + 1]byte
	from := i * blockSize
	n := min(blockSize, c.raw-from)
	last := byte(0)
	p := raw[1:]
	if from > 0 { // the octet before decides about a LF at the start
		from, p = from-1, raw[:]
		n++
	}
	k, err := c.r.ReadAt(p[:n], from)
	if int64(k) < n {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF // another program cut the file
		}
		return nil, err
	}
	p = p[:n]
	if i > 0 {
		last, p = p[0], p[1:]
	}
	for _, b := range p {
		if b == '\n' && last != '\r' {
			dst = append(dst, '\r')
		}
		dst = append(dst, b)
		last = b
	}
	return dst, nil
}

// ReadAt implements io.ReaderAt.
func (c *Reader) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, errors.New("crlf: negative offset")
	}
	buf := make([]byte, 0, 2*blockSize)
	for n < len(p) {
		at := off + int64(n)
		if at >= c.size {
			return n, io.EOF
		}
		i, exact := slices.BinarySearch(c.start, at)
		if !exact {
			i--
		}
		out, err := c.block(int64(i), buf)
		if err != nil {
			return n, err
		}
		n += copy(p[n:], out[at-c.start[i]:])
	}
	return n, nil
}
