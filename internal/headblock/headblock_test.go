package headblock_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/mailstead/mailstead/internal/headblock"
)

func TestRead(t *testing.T) {
	for _, test := range []struct{ text, head, rest string }{
		{"", "", ""},
		{"A: b", "A: b", ""},
		{"A: b\r\n\r\nbody\r\n\r\n", "A: b\r\n", "\r\nbody\r\n\r\n"},
		{"A: b\n\nbody", "A: b\n", "\nbody"},
		{"\r\nbody", "", "\r\nbody"},
		{"\nbody", "", "\nbody"},
		{"A: b\r\n \r\n\r\n", "A: b\r\n \r\n", "\r\n"},
		{"A: b\r\r\n\n", "A: b\r\r\n", "\n"},
		{strings.Repeat("A: b\r\n", 1000) + "\r\n", strings.Repeat("A: b\r\n", 1000), "\r\n"},
	} {
		for _, r := range []io.Reader{strings.NewReader(test.text), iotest.OneByteReader(strings.NewReader(test.text)), iotest.DataErrReader(strings.NewReader(test.text))} {
			head, rest, err := headblock.Read([]byte("Trace"), r, 1<<20)
			more, _ := io.ReadAll(r)
			if string(head) != "Trace"+test.head || string(rest)+string(more) != test.rest || err != nil {
				t.Errorf("%.20q: %.40q, %.40q, %v", test.text, head, rest, err)
			}
		}
	}
}

// A header beyond the limit is cut there; nothing behind it is lost.
func TestLimit(t *testing.T) {
	r := strings.NewReader("A: b\r\nC: d\r\n\r\n")
	head, rest, err := headblock.Read(nil, r, 8)
	if more, _ := io.ReadAll(r); string(head) != "A: b\r\nC:" || len(rest) != 0 || string(more) != " d\r\n\r\n" || err != nil {
		t.Errorf("%q, %q, %v", head, rest, err)
	}
}

// A reader that fails gives no header, also together with its end.
func TestError(t *testing.T) {
	bad := errors.New("bad")
	for _, text := range []string{"A: b", "A: b\r\n\r\nbody"} {
		r := iotest.OneByteReader(io.MultiReader(strings.NewReader(text[:4]), iotest.ErrReader(bad)))
		if head, rest, err := headblock.Read(nil, r, 100); head != nil || rest != nil || !errors.Is(err, bad) {
			t.Errorf("%q, %q, %v", head, rest, err)
		}
	}
}

// FuzzRead: whatever the pieces, the same header; head and rest are the text.
func FuzzRead(f *testing.F) {
	f.Add([]byte("A: b\r\n\r\nbody"), uint8(3))
	f.Add([]byte("A: b\n\n"), uint8(1))
	f.Fuzz(func(t *testing.T, text []byte, piece uint8) {
		want := text
		for i := range text {
			line := i == 0 || text[i-1] == '\n'
			if line && (text[i] == '\n' || bytes.HasPrefix(text[i:], []byte("\r\n"))) {
				want = text[:i]
				break
			}
		}
		r := &pieces{bytes.NewReader(text), 1 + int(piece)}
		head, rest, err := headblock.Read(nil, r, 1<<20)
		more, _ := io.ReadAll(r)
		if err != nil || !bytes.Equal(head, want) || !bytes.Equal(append(append(append([]byte{}, head...), rest...), more...), text) {
			t.Errorf("%q: %q, %q, %q, %v", text, head, rest, more, err)
		}
	})
}

// pieces reads at most n octets at a time.
type pieces struct {
	io.Reader
	n int
}

func (p *pieces) Read(b []byte) (int, error) { return p.Reader.Read(b[:min(len(b), p.n)]) }
