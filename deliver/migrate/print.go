package migrate

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"io"
	"time"
)

// Print recognises a message where IDs do not help: a hash of the values of
// Message-ID, Date, From and Subject, of the size with CRLF, and of INTERNALDATE.
// Zero = not known.
type Print uint64

// PrintFields are the header fields that a Print is made of.
func PrintFields() []string { return []string{"MESSAGE-ID", "DATE", "FROM", "SUBJECT"} }

// maxPrintHeader is how much of a header is looked at for a Print.
const maxPrintHeader = 64 << 10

// MakePrint computes the Print of a message. header holds its header, or at least
// the fields of PrintFields in any order, with any line ends; size is that with
// CRLF, received its INTERNALDATE, of which only the second counts.
func MakePrint(header []byte, size int64, received time.Time) Print {
	h := sha256.New()
	values := printValues(header)
	for _, v := range values {
		h.Write(v)
		h.Write([]byte{0})
	}
	var tail [16]byte
	binary.BigEndian.PutUint64(tail[:], uint64(size))
	if !received.IsZero() {
		binary.BigEndian.PutUint64(tail[8:], uint64(received.Unix()))
	}
	h.Write(tail[:])
	sum := h.Sum(nil)
	return max(1, Print(binary.BigEndian.Uint64(sum)))
}

// printValues are the values of the first field of each name, without the white
// space that folding may change.
func printValues(header []byte) (values [4][]byte) {
	header = header[:min(len(header), maxPrintHeader)]
	for at := -1; len(header) > 0; {
		line, rest, _ := bytes.Cut(header, []byte("\n"))
		header = rest
		line = bytes.TrimRight(line, "\r")
		switch {
		case len(line) == 0:
			return values
		case line[0] == ' ' || line[0] == '\t':
			if at >= 0 {
				values[at] = appendPrintable(values[at], line)
			}
			continue
		}
		at = -1
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			continue
		}
		name = bytes.TrimRight(name, " \t")
		for i, want := range PrintFields() {
			if bytes.EqualFold(name, []byte(want)) && values[i] == nil {
				values[i], at = appendPrintable([]byte{}, value), i
			}
		}
	}
	return values
}

func appendPrintable(dst, src []byte) []byte {
	for _, c := range src {
		if c > ' ' {
			dst = append(dst, c)
		}
	}
	return dst
}

// Digest is the first half of the SHA-256 of a message, with line ends made alike:
// CRs before an LF and line ends at the end of the message do not count, as
// formats of files change them.
type Digest [16]byte

// tap reads a body on its way and learns its Print, Digest and size.
type tap struct {
	r    io.Reader
	err  error // of r
	sum  hash.Hash
	head []byte
	wire int64 // octets with CRLF
	raw  int64 // octets as they are
	crs  int   // CRs held
	lfs  int64 // line ends held
	last byte
	buf  []byte // canonical octets on their way into sum
}

// reset prepares t for another message; the buffers stay.
func (t *tap) reset(r io.Reader) {
	if t.sum == nil {
		t.sum, t.buf = sha256.New(), make([]byte, 0, 8<<10)
	}
	t.sum.Reset()
	*t = tap{r: r, sum: t.sum, head: t.head[:0], buf: t.buf[:0]}
}

// Read implements io.Reader.
func (t *tap) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	t.take(p[:n])
	if err != nil && err != io.EOF {
		t.err = err
	}
	return n, err
}

func (t *tap) take(p []byte) {
	t.raw += int64(len(p))
	if k := min(len(p), maxPrintHeader-len(t.head)); k > 0 {
		t.head = append(t.head, p[:k]...)
	}
	for len(p) > 0 {
		if i := bytes.IndexAny(p, "\r\n"); i != 0 {
			if i < 0 {
				i = len(p)
			}
			t.text(p[:i])
			p = p[i:]
			continue
		}
		t.lineEnd(p[0])
		p = p[1:]
	}
}

// text takes octets that are no part of a line end.
func (t *tap) text(p []byte) {
	t.release()
	t.wire += int64(len(p))
	t.last = p[len(p)-1]
	if len(t.buf)+len(p) > cap(t.buf) {
		t.sum.Write(t.buf)
		t.buf = t.buf[:0]
	}
	if len(p) > cap(t.buf) {
		t.sum.Write(p)
		return
	}
	t.buf = append(t.buf, p...)
}

func (t *tap) lineEnd(c byte) {
	t.wire++
	if c == '\r' {
		t.crs++
		t.last = c
		return
	}
	if t.last != '\r' {
		t.wire++
	}
	t.crs = 0
	t.lfs++
	t.last = c
}

// release lets go what was held, as text follows it.
func (t *tap) release() {
	for ; t.lfs > 0; t.lfs-- {
		t.put('\n')
	}
	for ; t.crs > 0; t.crs-- {
		t.put('\r')
	}
}

func (t *tap) put(c byte) {
	if len(t.buf) == cap(t.buf) {
		t.sum.Write(t.buf)
		t.buf = t.buf[:0]
	}
	t.buf = append(t.buf, c)
}

// digest is that of what was read; the tap is at its end.
func (t *tap) digest() (d Digest) {
	t.lfs = 0
	t.release()
	t.sum.Write(t.buf)
	t.buf = t.buf[:0]
	var out [sha256.Size]byte
	copy(d[:], t.sum.Sum(out[:0]))
	return d
}

// print is that of what was read.
func (t *tap) print(received time.Time) Print { return MakePrint(t.head, t.wire, received) }

// drain reads to the end.
func (t *tap) drain() error {
	var buf [16 << 10]byte
	for {
		_, err := t.Read(buf[:])
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// Examined is what Examine finds.
type Examined struct {
	Digest Digest
	Print  Print
	Size   int64 // with CRLF
}

// An Examiner reads messages that a format does not describe. The zero value is
// ready; it is used by one goroutine, and keeps its buffers.
type Examiner struct{ tap tap }

// Examine reads a message to its end. received is its INTERNALDATE.
func (x *Examiner) Examine(r io.Reader, received time.Time) (Examined, error) {
	x.tap.reset(r)
	if err := x.tap.drain(); err != nil {
		return Examined{}, err
	}
	return Examined{x.tap.digest(), x.tap.print(received), x.tap.wire}, nil
}
