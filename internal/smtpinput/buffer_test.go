package smtpinput_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/internal/smtpinput"
)

// fill reads as much of s as fits at once.
func fill(t *testing.T, b *smtpinput.Buffer, s string) (rest string) {
	t.Helper()
	space, err := b.Room()
	if err != nil {
		t.Fatal(err)
	}
	n := copy(space, s)
	b.Filled(n)
	return s[n:]
}

// Lines of any length come out as they went in, from reads of any size, and the
// large buffer is held only while something is in it.
func TestLines(t *testing.T) {
	var pool smtpinput.Pool
	for _, size := range []int{1, 3, 500, 1 << 20} {
		var b smtpinput.Buffer
		b.Init(&pool)
		text, want := "", []string{"", "NOOP\r", strings.Repeat("x", 600), strings.Repeat("y", smtpinput.Size-1), "z"}
		for _, line := range want {
			text += line + "\n"
		}
		for _, line := range want {
			n := b.NextLine(0)
			for seen := 0; n == 0; n = b.NextLine(seen) {
				seen = len(b.Buffered())
				part := text[:min(size, len(text))]
				text = fill(t, &b, part) + text[len(part):]
			}
			if got := b.Buffered()[:n]; string(got) != line+"\n" {
				t.Fatalf("reads of %d: %d octets, want %d", size, len(got), len(line)+1)
			}
			b.Take(n)
			b.Unread()
			if b.Empty() || !bytes.HasPrefix(b.Buffered(), []byte(line+"\n")) {
				t.Fatal("not taken back")
			}
			b.Skip(n)
		}
		if !b.Empty() || pool.Lent() != 1 {
			t.Errorf("empty: %v, %d lent", b.Empty(), pool.Lent())
		}
		b.Release()
		if pool.Lent() != 0 {
			t.Errorf("%d lent", pool.Lent())
		}
	}
}

func TestFull(t *testing.T) {
	var pool smtpinput.Pool
	var b smtpinput.Buffer
	b.Init(&pool)
	for range 100 {
		space, err := b.Room()
		if err != nil {
			if !errors.Is(err, smtpinput.ErrFull) || len(b.Buffered()) != smtpinput.Size {
				t.Errorf("%v with %d octets", err, len(b.Buffered()))
			}
			b.Release() // not empty: stays
			if pool.Lent() != 1 {
				t.Error("given back with octets in it")
			}
			return
		}
		b.Filled(len(space))
	}
	t.Error("it never fills")
}
