package objects_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/mailstead/mailstead/store/blob/objects"
	"github.com/mailstead/mailstead/store/blob/objects/objecttest"
)

const kib = 1 << 10

// TestSums: each chunk is verified alone, a changed octet is found, and a body
// has 256 chunks at most.
func TestSums(t *testing.T) {
	for _, c := range []struct {
		size, chunk int64
		chunks      int
	}{
		{0, 256 * kib, 0},
		{1, 256 * kib, 1},
		{256 * kib, 256 * kib, 1},
		{256*kib + 1, 256 * kib, 2},
		{255 * 256 * kib, 256 * kib, 255},
		{256 * 256 * kib, 512 * kib, 128},
		{256*256*kib + 1, 512 * kib, 129},
		{130<<20 + 12345, 1024 * kib, 131},
	} {
		p := objecttest.Octets(1, int(c.size))
		s := objects.SumsOf(p)
		if s.Chunk() != c.chunk || s.Chunks() != c.chunks || !s.Fits(c.size) {
			t.Errorf("%d octets: %d chunks of %d, want %d of %d", c.size, s.Chunks(), s.Chunk(), c.chunks, c.chunk)
		}
		if s.Fits(c.size+c.chunk) || c.size > 0 && !s.Verify(0, p) {
			t.Errorf("%d octets do not match their own sums", c.size)
		}
		for i := range c.chunks {
			part := slices.Clone(p[int64(i)*c.chunk : min(c.size, int64(i+1)*c.chunk)])
			if !s.Verify(i, part) {
				t.Errorf("%d octets: chunk %d does not match", c.size, i)
			}
			part[len(part)/2] ^= 4
			if s.Verify(i, part) {
				t.Errorf("%d octets: damage in chunk %d goes unnoticed", c.size, i)
			}
			part[len(part)/2] ^= 4
			if len(part) > 1 && s.Verify(i, part[:len(part)-1]) {
				t.Errorf("%d octets: a shorter chunk %d goes unnoticed", c.size, i)
			}
		}
		back, err := objects.ParseSums(s.String())
		if err != nil || back.String() != s.String() || len(s.String()) > 1500 {
			t.Errorf("%d octets: %d characters come back as %v, %v", c.size, len(s.String()), back, err)
		}
	}
}

func TestParseSumsRefuses(t *testing.T) {
	sums := objects.SumsOf(objecttest.Octets(1, 100))
	b, _ := sums.AppendBinary(nil)
	version, level := slices.Clone(b), slices.Clone(b)
	version[0], level[1] = 2, 60
	for _, bad := range [][]byte{nil, b[:5], b[:7], version, level, append(slices.Clone(b), make([]byte, 4*300)...)} {
		var s objects.Sums
		if err := s.UnmarshalBinary(bad); !errors.Is(err, objects.ErrSums) {
			t.Errorf("%d octets: %v, want ErrSums", len(bad), err)
		}
	}
	if _, err := objects.ParseSums("not base64!"); !errors.Is(err, objects.ErrSums) {
		t.Errorf("%v, want ErrSums", err)
	}
}

// FuzzSums: what is decoded is encoded to the same text, and fits costs nothing.
func FuzzSums(f *testing.F) {
	sums := objects.SumsOf(objecttest.Octets(1, 600*kib))
	f.Add(sums.String())
	f.Fuzz(func(t *testing.T, text string) {
		s, err := objects.ParseSums(text)
		if err != nil {
			if !errors.Is(err, objects.ErrSums) {
				t.Errorf("%v, want ErrSums", err)
			}
			return
		}
		again, err := objects.ParseSums(s.String())
		if err != nil || again.String() != s.String() {
			t.Errorf("%q comes back as %q, %v", text, again.String(), err)
		}
		s.Fits(1 << 40)
	})
}
