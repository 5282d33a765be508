package format

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
	c, err := NewCodec()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	bomb := zeros(t, 1<<30)
	for _, x := range []struct {
		name string
		body []byte
		size int64
		want error
	}{
		{"small", bomb, 10, ErrDamaged},
		{"streamed", bomb, 2 << 20, ErrDamaged},
		{"huge", bomb, 1 << 40, ErrLimit},
		{"of another hash", zeros(t, 10), 10, ErrDamaged},
		{"of another hash, streamed", zeros(t, 2<<20), 2 << 20, ErrDamaged},
	} {
		t.Run(x.name, func(t *testing.T) {
			d := NewDir(t.TempDir())
			w, err := NewPackWriter(ctx, d, "packs/x/1.pack", c)
			if err != nil {
				t.Fatal(err)
			}
			w.Entries = []PackEntry{{Hash: Hash{1}, Offset: w.off, Stored: int64(len(x.body)), Size: x.size}}
			if _, err := w.Write(x.body); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Commit(ctx); err != nil {
				t.Fatal(err)
			}
			b := &Bodies{t: d, c: c, limits: Limits{}.WithDefaults()}
			defer b.Close()
			if err := b.Load(ctx, "packs/x/1.pack"); err != nil {
				t.Fatal(err)
			}
			n := allocated(func() {
				if _, err := b.Copy(ctx, io.Discard, Hash{1}); !errors.Is(err, x.want) {
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
	c, err := NewCodec()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
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
	limits := Limits{}.WithDefaults()
	write("logs/a", magicLog, []byte("x"), 1<<40)
	many := binary.AppendUvarint(binary.AppendUvarint(appendString(nil, `{"account":"a","modseq":1,"chain":1}`), 1), 1<<62)
	write("logs/b", magicLog, c.enc.EncodeAll(many, nil), len(many))
	write("logs/c", magicLog, zeros(t, 1<<30), 100)
	n := allocated(func() {
		for name, want := range map[string]error{"logs/a": ErrLimit, "logs/b": ErrDamaged, "logs/c": ErrDamaged} {
			if _, err := OpenLog(ctx, d, name, c, limits.Index); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", name, err, want)
			}
		}
	})
	if n > 40<<20 {
		t.Errorf("%d octets allocated", n)
	}
	id := "00000001-20260101t000000z"
	if err := WriteHeaded(ctx, d, ManifestName(id), &Manifest{ID: id, Packs: make([]Object, 100)}); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadManifest(ctx, d, id, Limits{Manifest: 1000}); !errors.Is(err, ErrLimit) {
		t.Errorf("a large manifest: %v", err)
	}
}

// TestBlockChecksum: a block whose octets are sound for zstd and are not those
// that the index names is refused.
func TestBlockChecksum(t *testing.T) {
	ctx := context.Background()
	c, err := NewCodec()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	d := NewDir(t.TempDir())
	w, err := NewLogWriter(ctx, d, "logs/a", c)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.NextPart(); err != nil {
		t.Fatal(err)
	}
	if err := w.Put(StreamEntries, func(b []byte) []byte { return append(b, seedRows()[4]...) }); err != nil {
		t.Fatal(err)
	}
	if err := w.flushAll(); err != nil {
		t.Fatal(err)
	}
	w.blocks[0].sum[0]++
	if _, err := w.Commit(ctx, &LogMeta{Account: "a", ModSeq: 1, Chain: 1}); err != nil {
		t.Fatal(err)
	}
	r, err := OpenLog(ctx, d, "logs/a", c, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.block(0, nil); !errors.Is(err, ErrDamaged) {
		t.Errorf("%v", err)
	}
}
