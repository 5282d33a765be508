package compress_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/blobtest"
	"github.com/mailstead/mailstead/store/blob/compress"
	"github.com/mailstead/mailstead/store/blob/memblob"
	"github.com/mailstead/mailstead/store/blob/segment"
)

func over(t testing.TB, below, old blob.Blobs) *compress.Blobs {
	t.Helper()
	z, err := compress.New(compress.Config{Blobs: below, Old: old})
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestBlobs(t *testing.T) {
	blobtest.Run(t, blobtest.Config{StoredSize: true, New: func(t *testing.T) blob.Blobs { return over(t, memblob.New(), nil) }})
}

// onSegments is compression over the engine of one machine.
type onSegments struct {
	*compress.Blobs
	engine *segment.Store
	dir    string
}

func TestSegments(t *testing.T) {
	open := func(t *testing.T, dir string) blob.Blobs {
		s, err := segment.Open(t.Context(), dir, segment.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return &onSegments{over(t, s, nil), s, dir}
	}
	blobtest.Run(t, blobtest.Config{
		StoredSize: true,
		New:        func(t *testing.T) blob.Blobs { return open(t, t.TempDir()) },
		Reopen: func(t *testing.T, b blob.Blobs) blob.Blobs {
			o := b.(*onSegments)
			if err := o.engine.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, o.dir)
		},
	})
}

func put(t testing.TB, b blob.Blobs, data []byte, size int64) blob.Ref {
	t.Helper()
	w, err := b.Create(t.Context(), size)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	ref, err := w.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func get(ctx context.Context, b blob.Blobs, ref blob.Ref) ([]byte, error) {
	o, err := b.Open(ctx, ref)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.NewSectionReader(o, 0, o.Size()))
	return data, errors.Join(err, o.Close())
}

// text is what mail is like; noise does not become smaller.
func text(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "Line %d of a message, with words that come again and again.\r\n", i*i)
	}
	return b.Bytes()[:n]
}

func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func TestStored(t *testing.T) {
	for _, c := range []struct {
		name string
		data []byte
		most float64 // of the content
	}{
		{"nothing", nil, 0},
		{"text", text(300_000), 0.4},
		{"noise", noise(300_000), 1},
		{"text, then noise, then text", append(append(text(200_000), noise(200_000)...), text(50_000)...), 0.7},
	} {
		below := memblob.New()
		z := over(t, below, nil)
		ref := put(t, z, c.data, -1)
		got, err := get(t.Context(), z, ref)
		if err != nil || !bytes.Equal(got, c.data) {
			t.Errorf("%s: %d octets are read, %v", c.name, len(got), err)
		}
		stored, err := blob.Stat(t.Context(), below, ref[1:])
		if limit := int64(float64(len(c.data))*c.most) + 100; err != nil || stored > limit {
			t.Errorf("%s: %d octets take %d, want at most %d; %v", c.name, len(c.data), stored, limit, err)
		}
		if n, err := blob.Stat(t.Context(), z, ref); n != -1 || err != nil {
			t.Errorf("%s: Stat = %d, %v", c.name, n, err)
		}
	}
}

// sized refuses blobs of a length that nobody announced.
type sized struct {
	*memblob.Blobs
	got []int64
}

func (s *sized) Create(ctx context.Context, size int64) (blob.Writer, error) {
	s.got = append(s.got, size)
	return s.Blobs.Create(ctx, size)
}

// TestCollectorBelow: a Collector over the engine, which does not know the Refs
// that rows have, deletes nothing.
func TestCollectorBelow(t *testing.T) {
	s, err := segment.Open(t.Context(), t.TempDir(), segment.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	z := over(t, s, nil)
	row := holder{put(t, z, text(1000), -1): true}
	log := slog.New(slog.DiscardHandler)
	below := blob.Collector{Blobs: s, Holders: []blob.Holder{row}, MinAge: -1, Logger: log}
	if st, err := below.Collect(t.Context()); !errors.Is(err, blob.ErrWrapped) || st.Deleted != 0 {
		t.Errorf("over the engine: %+v, %v", st, err)
	}
	put(t, z, text(1000), -1)
	above := blob.Collector{Blobs: z, Holders: []blob.Holder{row}, MinAge: -1, Logger: log}
	if st, err := above.Collect(t.Context()); err != nil || st.Deleted != 1 || st.Held != 1 {
		t.Errorf("over the wrapper: %+v, %v", st, err)
	}
}

// holder is the rows that refer to blobs.
type holder map[blob.Ref]bool

func (h holder) Holds(_ context.Context, refs []blob.Ref) (held []blob.Ref, err error) {
	for _, ref := range refs {
		if h[ref] {
			held = append(held, ref)
		}
	}
	return held, nil
}

// TestSmallHasSize: what fits into one frame is announced with its length.
func TestSmallHasSize(t *testing.T) {
	s := &sized{Blobs: memblob.New()}
	z := over(t, s, nil)
	for _, n := range []int{0, 1, 4096, 65536} {
		put(t, z, text(n), -1)
	}
	put(t, z, text(65537), 65537)
	for i, size := range s.got {
		if (size < 0) != (i == 4) {
			t.Errorf("blob %d was announced with %d octets", i, size)
		}
	}
}

// TestOld: blobs from before are read, listed and deleted, and none is taken
// for what it is not, whatever it contains.
func TestOld(t *testing.T) {
	ctx := t.Context()
	old, below := memblob.New(), memblob.New()
	plain := put(t, old, text(1000), -1)
	// A body that is, octet by octet, what this package stores.
	donor := memblob.New()
	forged, err := get(ctx, donor, put(t, over(t, donor, nil), []byte("not what was sent"), -1)[1:])
	if err != nil {
		t.Fatal(err)
	}
	trap := put(t, old, forged, -1)
	z := over(t, below, old)
	fresh := put(t, z, text(500), -1)
	for ref, want := range map[blob.Ref][]byte{plain: text(1000), trap: forged, fresh: text(500)} {
		if got, err := get(ctx, z, ref); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d octets, %v", ref, len(got), err)
		}
	}
	if n, err := blob.Stat(ctx, z, plain); n != 1000 || err != nil {
		t.Errorf("Stat of an old blob = %d, %v", n, err)
	}
	refs := func() (list []blob.Ref) {
		for info, err := range z.List(ctx, "") {
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, info.Ref)
		}
		return list
	}
	if got := fmt.Sprint(refs()); got != fmt.Sprint([]blob.Ref{plain, trap, fresh}) {
		t.Errorf("listed are %s", got)
	}
	if err := z.Delete(ctx, plain, fresh); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(refs()); got != fmt.Sprint([]blob.Ref{trap}) {
		t.Errorf("left are %s", got)
	}
	if _, err := compress.New(compress.Config{Blobs: below, Old: below}); err == nil {
		t.Error("Old may be the store of the compressed blobs")
	}
	if _, err := below.Open(ctx, fresh); !errors.Is(err, blob.ErrNoBlob) {
		t.Errorf("without this package: %v, want ErrNoBlob", err)
	}
}

// TestDamage flips every octet of stored blobs: what is read is what was
// written, or an error.
func TestDamage(t *testing.T) {
	donor := memblob.New()
	z := over(t, donor, nil)
	for _, content := range [][]byte{nil, text(100), text(3000), noise(100), append(text(70_000), noise(300)...)} {
		stored, err := get(t.Context(), donor, put(t, z, content, -1)[1:])
		if err != nil {
			t.Fatal(err)
		}
		step := 1
		if testing.Short() {
			step += len(stored) / 200
		}
		for i := 0; i < len(stored); i += step {
			bad := bytes.Clone(stored)
			bad[i] ^= 1 << (i % 8)
			mustFail(t, fmt.Sprintf("octet %d of %d flipped", i, len(stored)), bad)
			if i/step%97 == 0 {
				mustFail(t, fmt.Sprintf("cut after %d of %d", i, len(stored)), stored[:i])
				mustFail(t, "octets in front", append(make([]byte, i+1), stored...))
			}
		}
	}
}

func mustFail(t *testing.T, what string, stored []byte) {
	t.Helper()
	if got, err := open(t, stored); !errors.Is(err, blob.ErrCorrupt) && !errors.Is(err, blob.ErrVersion) {
		t.Errorf("%s: %d octets are read, %v", what, len(got), err)
	}
}

// open reads what is stored, whoever wrote it.
func open(t testing.TB, stored []byte) ([]byte, error) {
	below := memblob.New()
	ref := put(t, below, stored, -1)
	return get(t.Context(), over(t, below, nil), "~"+ref)
}

// build makes a stored blob of one frame, with right checksums.
func build(packed []byte, size uint64, frames uint32) []byte {
	table := crc32.MakeTable(crc32.Castagnoli)
	b := bytes.Clone(packed)
	at := len(b)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(packed)))
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(packed, table))
	b = binary.LittleEndian.AppendUint64(b, size)
	b = binary.LittleEndian.AppendUint32(b, frames)
	sum := crc32.Checksum(b[at:], table)
	rest := []byte{16, 0, 0, 1, 'm', 's', 'z', 'b'}
	b = binary.LittleEndian.AppendUint32(b, crc32.Update(sum, table, rest))
	return append(b, rest...)
}

// TestBomb: a frame that decompresses to a gigabyte costs no more than one
// that does not.
func TestBomb(t *testing.T) {
	enc, err := zstd.NewWriter(nil, zstd.WithWindowSize(64<<10))
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	w, err := zstd.NewWriter(&packed, zstd.WithWindowSize(64<<10))
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range 64 {
		w.Write(zeros)
	}
	w.Close()
	small := enc.EncodeAll(zeros[:1000], nil)
	if got, err := open(t, build(small, 1000, 1)); err != nil || len(got) != 1000 {
		t.Fatalf("a sound blob: %d octets, %v", len(got), err)
	}
	for _, c := range []struct {
		name   string
		stored []byte
	}{
		{"64 MiB in a frame that says 64 KiB", build(packed.Bytes(), 65536, 1)},
		{"64 MiB with its length in front", build(enc.EncodeAll(bytes.Repeat(zeros, 64), nil), 65536, 1)},
		{"one octet more than it says", build(small, 999, 1)},
		{"one octet less than it says", build(small, 1001, 1)},
		{"a frame of a terabyte", build(small, 1<<40, 1)},
		{"an index of 2^32 frames", build(small, 1<<47, 1<<32-1)},
		{"no frame", build(nil, 0, 0)},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got, err := open(t, c.stored)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, blob.ErrCorrupt) {
			t.Errorf("%s: %d octets, %v", c.name, len(got), err)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 8<<20 {
			t.Errorf("%s takes %d octets of memory", c.name, used)
		}
	}
}

func TestVersion(t *testing.T) {
	donor := memblob.New()
	stored, err := get(t.Context(), donor, put(t, over(t, donor, nil), text(10), -1)[1:])
	if err != nil {
		t.Fatal(err)
	}
	stored[len(stored)-5]++
	if _, err := open(t, stored); !errors.Is(err, blob.ErrVersion) {
		t.Errorf("a newer format: %v, want ErrVersion", err)
	}
}

func TestReadAtEverywhere(t *testing.T) {
	z := over(t, memblob.New(), nil)
	data := append(text(100_000), noise(100_000)...)
	data = append(data, text(70_000)...)
	o, err := z.Open(t.Context(), put(t, z, data, -1))
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		off, n := rnd.IntN(len(data)), rnd.IntN(150_000)
		p := make([]byte, n)
		got, err := o.ReadAt(p, int64(off))
		want := data[off:min(len(data), off+n)]
		if !bytes.Equal(p[:got], want) || (got < n) != (err == io.EOF) {
			t.Fatalf("ReadAt(%d, %d) = %d, %v", n, off, got, err)
		}
	}
}

// FuzzOpen reads anything as a stored blob.
func FuzzOpen(f *testing.F) {
	donor := memblob.New()
	z := over(f, donor, nil)
	for _, content := range [][]byte{nil, text(1000), noise(100), text(70_000)} {
		stored, err := get(f.Context(), donor, put(f, z, content, -1)[1:])
		if err != nil {
			f.Fatal(err)
		}
		f.Add(stored)
	}
	f.Fuzz(func(t *testing.T, stored []byte) {
		got, err := open(t, stored)
		if err != nil && !errors.Is(err, blob.ErrCorrupt) && !errors.Is(err, blob.ErrVersion) {
			t.Errorf("error %v", err)
		}
		if err == nil && len(got) > 1<<16*(len(stored)/8+1) {
			t.Errorf("%d octets out of %d", len(got), len(stored))
		}
		// The same frame, with right checksums.
		if got, err := open(t, build(stored, 5000, 1)); err == nil && len(got) != 5000 {
			t.Errorf("%d octets of 5000", len(got))
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	for _, n := range []int{4 << 10, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dK", n>>10), func(b *testing.B) {
			data := text(n)
			z := over(b, discard{}, nil)
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				put(b, z, data, int64(n))
			}
		})
	}
}

// discard keeps nothing.
type discard struct{ blob.Blobs }

func (discard) Create(context.Context, int64) (blob.Writer, error) { return discard{}, nil }
func (discard) Write(p []byte) (int, error)                        { return len(p), nil }
func (discard) Commit(context.Context) (blob.Ref, error)           { return "x", nil }
func (discard) Abort()                                             {}

func BenchmarkRead(b *testing.B) {
	for _, n := range []int{4 << 10, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dK", n>>10), func(b *testing.B) {
			z := over(b, memblob.New(), nil)
			ref := put(b, z, text(n), int64(n))
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				o, err := z.Open(b.Context(), ref)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, io.NewSectionReader(o, 0, o.Size())); err != nil {
					b.Fatal(err)
				}
				o.Close()
			}
		})
	}
}

// TestMessages: names of errors are of no use to a peer, and say what is wrong.
func TestMessages(t *testing.T) {
	_, err := open(t, []byte("Subject: this is no blob of ours\r\n\r\n"))
	if err == nil || !strings.Contains(err.Error(), "no trailer") {
		t.Errorf("error %v", err)
	}
}
