package smtp

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// A body is read again where its octets are stored and nobody looks at them in
// between, or where nothing of it was read.
func TestBodyRewind(t *testing.T) {
	const text = "Subject: x\r\n\r\nbody\r\n"
	stored := func() *Body {
		return NewStoredBody(strings.NewReader(text), int64(len(text)), "ref", []byte("A: b\r\n"))
	}
	read := func(b *Body) string {
		t.Helper()
		got, err := io.ReadAll(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(got)
	}
	b := stored()
	if read(b) != text || !b.Rewind() || read(b) != text || !b.Ended() || b.Size() != int64(len(text)) || string(b.Trace()) != "A: b\r\n" {
		t.Error("a stored body is not read again")
	}
	b = stored()
	io.CopyN(io.Discard, b, 5)
	if !b.Rewind() || read(b) != text {
		t.Error("a stored body is not read again from the middle")
	}
	b = NewBody(strings.NewReader(text), -1)
	if !b.Rewind() || read(b) != text || b.Rewind() {
		t.Error("a stream can be read once")
	}
	b = stored()
	b.Wrap(func(r io.Reader) io.Reader { return r })
	if !b.Rewind() || read(b) != text || b.Rewind() {
		t.Error("a wrapper saw the octets once, and is not asked again")
	}
	b = stored()
	if _, err := b.WriteTo(refusing{}); !errors.Is(err, errRefused) || !errors.Is(b.Err(), errRefused) {
		t.Errorf("nobody took the body: %v, %v", err, b.Err())
	}
	if !b.Rewind() || b.Err() != nil || read(b) != text {
		t.Error("a stored body that one writer did not take is not read again for another")
	}
	b = NewStoredBody(io.NewSectionReader(failing{}, 0, 9), 9, "ref", nil)
	if _, err := b.WriteTo(io.Discard); err == nil || b.Rewind() {
		t.Error("a body that broke on the way to a writer is not read again")
	}
	b = NewStoredBody(io.NewSectionReader(failing{}, 0, 9), 9, "ref", nil)
	if _, err := io.ReadAll(b); err == nil || b.Rewind() {
		t.Error("a body that broke is not read again")
	}
}

// refusing is a writer that takes nothing.
type refusing struct{}

var errRefused = errors.New("refused")

func (refusing) Write([]byte) (int, error) { return 0, errRefused }

type failing struct{}

func (failing) ReadAt([]byte, int64) (int, error) { return 0, errors.New("damaged") }
