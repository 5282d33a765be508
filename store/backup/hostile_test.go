package backup

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// zeros is a frame of n zero octets.
func zeros(t *testing.T, n int64) []byte {
	t.Helper()
	var b bytes.Buffer
	enc, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(enc, endless{}, n); err != nil {
		t.Fatal(err)
	}
	if err := enc.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// allocated is how many octets f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestBombs: a body that unpacks to more than its entry says, or that says too
// much, costs neither memory nor time.
func TestBombs(t *testing.T) {
	ctx := context.Background()
	c, err := newCodec()
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	bomb := zeros(t, 1<<30)
	for _, x := range []struct {
		name string
		size int64
		want error
	}{
		{"small", 10, ErrDamaged},
		{"streamed", 2 << 20, ErrDamaged},
		{"huge", 1 << 40, ErrLimit},
	} {
		t.Run(x.name, func(t *testing.T) {
			d := NewDir(t.TempDir())
			w, err := newPackWriter(ctx, d, "packs/x/1.pack", c)
			if err != nil {
				t.Fatal(err)
			}
			w.entries = []packEntry{{hash: Hash{1}, off: w.off, stored: int64(len(bomb)), size: x.size}}
			if _, err := w.Write(bomb); err != nil {
				t.Fatal(err)
			}
			if _, err := w.commit(ctx); err != nil {
				t.Fatal(err)
			}
			b := &bodies{t: d, c: c, limits: Limits{}.withDefaults()}
			defer b.close()
			if err := b.load(ctx, "packs/x/1.pack"); err != nil {
				t.Fatal(err)
			}
			n := allocated(func() {
				if _, err := b.copy(ctx, io.Discard, Hash{1}); !errors.Is(err, x.want) {
					t.Errorf("%v, want %v", err, x.want)
				}
			})
			if n > 40<<20 {
				t.Errorf("%d octets allocated", n)
			}
		})
	}
}

// TestAbsurdCounts: sizes and counts that an object claims are held against
// limits before memory is taken.
func TestAbsurdCounts(t *testing.T) {
	ctx := context.Background()
	c, err := newCodec()
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	d := NewDir(t.TempDir())
	write := func(name string, magic [8]byte, index []byte, raw int) {
		s, err := newSink(ctx, d, name, magic)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.finish(ctx, index, raw); err != nil {
			t.Fatal(err)
		}
	}
	limits := Limits{}.withDefaults()
	write("logs/a", magicLog, []byte("x"), 1<<40)
	many := binary.AppendUvarint(binary.AppendUvarint(appendString(nil, `{"account":"a","modseq":1,"chain":1}`), 1), 1<<62)
	write("logs/b", magicLog, c.enc.EncodeAll(many, nil), len(many))
	write("logs/c", magicLog, zeros(t, 1<<30), 100)
	n := allocated(func() {
		for name, want := range map[string]error{"logs/a": ErrLimit, "logs/b": ErrDamaged, "logs/c": ErrDamaged} {
			if _, err := openLog(ctx, d, name, c, limits.Index); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", name, err, want)
			}
		}
	})
	if n > 40<<20 {
		t.Errorf("%d octets allocated", n)
	}
	a := &Archive{Target: d, Limits: Limits{Manifest: 1000}}
	id := "00000001-20260101t000000z"
	if err := writeHeaded(ctx, d, manifestName(id), &Manifest{ID: id, Packs: make([]Object, 100)}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Manifest(ctx, id); !errors.Is(err, ErrLimit) {
		t.Errorf("a large manifest: %v", err)
	}
}
