package encrypt_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/blobtest"
	"github.com/mailstead/mailstead/store/blob/compress"
	"github.com/mailstead/mailstead/store/blob/memblob"
	"github.com/mailstead/mailstead/store/encrypt"
)

func keyFile(t testing.TB) *encrypt.KeyFile {
	t.Helper()
	f, err := encrypt.CreateKeyFile(t.TempDir() + "/keys")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func overBlobs(t testing.TB, b blob.Blobs, ring encrypt.KeyRing, o encrypt.Options) *encrypt.Blobs {
	t.Helper()
	e, err := encrypt.NewBlobs(b, ring, o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// squeezed compresses, then encrypts.
func squeezed(t testing.TB, b blob.Blobs, ring encrypt.KeyRing) *compress.Blobs {
	t.Helper()
	z, err := compress.New(compress.Config{Blobs: overBlobs(t, b, ring, encrypt.Options{})})
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestBlobs(t *testing.T) {
	ring := keyFile(t)
	blobtest.Run(t, blobtest.Config{New: func(t *testing.T) blob.Blobs {
		return overBlobs(t, memblob.New(), ring, encrypt.Options{})
	}})
}

func TestCompressedBlobs(t *testing.T) {
	ring := keyFile(t)
	blobtest.Run(t, blobtest.Config{StoredSize: true, New: func(t *testing.T) blob.Blobs {
		return squeezed(t, memblob.New(), ring)
	}})
}

func put(t testing.TB, b blob.Blobs, data []byte, size int64) (blob.Ref, []byte) {
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
	return ref, blob.KeyOf(w)
}

func get(ctx context.Context, b blob.Blobs, ref blob.Ref, key []byte) ([]byte, error) {
	o, err := blob.OpenKeyed(ctx, b, ref, key)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.NewSectionReader(o, 0, o.Size()))
	return data, errors.Join(err, o.Close())
}

// TestLengths: what is stored has the length that was announced, and the
// listing tells that of the content.
func TestLengths(t *testing.T) {
	below := memblob.New()
	b := overBlobs(t, below, keyFile(t), encrypt.Options{})
	for _, n := range []int64{0, 1, 65535, 65536, 65537, 131072, 1 << 20} {
		ref, key := put(t, b, make([]byte, n), n) // memblob refuses another length
		got, err := blob.StatKeyed(t.Context(), b, ref, key)
		if err != nil || got != n {
			t.Errorf("StatKeyed of %d octets = %d, %v", n, got, err)
		}
	}
}

// TestKeys: a blob opens with its own key, and with no other.
func TestKeys(t *testing.T) {
	ctx := t.Context()
	below, ring := memblob.New(), keyFile(t)
	b := overBlobs(t, below, ring, encrypt.Options{})
	body := []byte("Subject: secret\r\n\r\nthe combination is 12345\r\n")
	one, oneKey := put(t, b, body, -1)
	two, twoKey := put(t, b, body, -1)
	stored, err := get(ctx, below, one, nil)
	if err != nil || bytes.Contains(stored, []byte("secret")) || bytes.Contains(stored, []byte("12345")) {
		t.Errorf("stored is %q, %v", stored, err)
	}
	if got, err := get(ctx, b, one, oneKey); err != nil || !bytes.Equal(got, body) {
		t.Errorf("with its key: %q, %v", got, err)
	}
	for what, c := range map[string]struct {
		ref  blob.Ref
		key  []byte
		want error
	}{
		"no key":                     {one, nil, encrypt.ErrNoKey},
		"the key of another blob":    {one, twoKey, blob.ErrCorrupt},
		"a key and no blob":          {two + "x", twoKey, blob.ErrCorrupt},
		"octets":                     {one, []byte("\x01key"), blob.ErrCorrupt},
		"half a key":                 {one, oneKey[:len(oneKey)/2], blob.ErrCorrupt},
		"a key of a newer version":   {one, append([]byte{2}, oneKey[1:]...), blob.ErrVersion},
		"no blob":                    {"m0", nil, blob.ErrNoBlob},
		"a key that says it is none": {one, append([]byte{1, 1}, oneKey[2:]...), blob.ErrCorrupt},
	} {
		if _, err := get(ctx, b, c.ref, c.key); !errors.Is(err, c.want) {
			t.Errorf("open with %s: %v, want %v", what, err, c.want)
		}
		if _, err := blob.StatKeyed(ctx, b, c.ref, c.key); !errors.Is(err, c.want) && c.want != blob.ErrCorrupt {
			t.Errorf("look with %s: %v, want %v", what, err, c.want)
		}
	}
	if _, err := blob.OpenKeyed(ctx, below, one, oneKey); !errors.Is(err, encrypt.ErrNoKey) {
		t.Errorf("without this package: %v, want ErrNoKey", err)
	}
	elsewhere := overBlobs(t, below, keyFile(t), encrypt.Options{AllowPlain: true})
	if _, err := get(ctx, elsewhere, one, oneKey); !errors.Is(err, encrypt.ErrNoKey) {
		t.Errorf("with another ring: %v, want ErrNoKey", err)
	}
	if _, err := get(ctx, elsewhere, one, nil); !errors.Is(err, encrypt.ErrNoKey) {
		t.Errorf("without a key where plain is allowed: %v, want ErrNoKey", err)
	}
}

// TestDamage flips every octet of bodies and keys.
func TestDamage(t *testing.T) {
	ctx := t.Context()
	below, ring := memblob.New(), keyFile(t)
	b := overBlobs(t, below, ring, encrypt.Options{})
	for _, n := range []int{0, 1, 3000, 70_000} {
		body := bytes.Repeat([]byte("0123456789"), n/10+1)[:n]
		ref, key := put(t, b, body, -1)
		stored, err := get(ctx, below, ref, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range key {
			bad := bytes.Clone(key)
			bad[i] ^= 1 << (i % 8)
			if _, err := get(ctx, b, ref, bad); !named(err) {
				t.Errorf("octet %d of the key of %d octets: %v", i, n, err)
			}
		}
		for i := 0; i < len(stored); i += 1 + len(stored)/400 {
			bad := bytes.Clone(stored)
			bad[i] ^= 1 << (i % 8)
			if got, err := get(ctx, overBlobs(t, same{below, ref, bad}, ring, encrypt.Options{}), ref, key); !errors.Is(err, blob.ErrCorrupt) {
				t.Errorf("octet %d of %d stored: %d octets, %v", i, len(stored), len(got), err)
			}
			if got, err := get(ctx, overBlobs(t, same{below, ref, stored[:i]}, ring, encrypt.Options{}), ref, key); !errors.Is(err, blob.ErrCorrupt) {
				t.Errorf("cut after %d of %d: %d octets, %v", i, len(stored), len(got), err)
			}
		}
	}
}

func named(err error) bool {
	return errors.Is(err, blob.ErrCorrupt) || errors.Is(err, blob.ErrVersion) || errors.Is(err, encrypt.ErrNoKey)
}

// same has other octets under a Ref.
type same struct {
	blob.Blobs
	ref  blob.Ref
	data []byte
}

func (s same) Open(ctx context.Context, ref blob.Ref) (blob.Blob, error) {
	if ref != s.ref {
		return s.Blobs.Open(ctx, ref)
	}
	return octets{bytes.NewReader(s.data)}, nil
}

type octets struct{ *bytes.Reader }

func (octets) Close() error { return nil }

// failing reads fail below.
type failing struct{ octets }

var errDisk = errors.New("disk on fire")

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off > 70_000 {
		return 0, errDisk
	}
	return f.octets.ReadAt(p, off)
}

type broken struct {
	blob.Blobs
	data []byte
}

func (b broken) Open(context.Context, blob.Ref) (blob.Blob, error) {
	return failing{octets{bytes.NewReader(b.data)}}, nil
}

// TestErrorsBelow: an error of the store below is not taken for damage.
func TestErrorsBelow(t *testing.T) {
	below, ring := memblob.New(), keyFile(t)
	b := overBlobs(t, below, ring, encrypt.Options{})
	ref, key := put(t, b, make([]byte, 300_000), -1)
	stored, _ := get(t.Context(), below, ref, nil)
	_, err := get(t.Context(), overBlobs(t, broken{below, stored}, ring, encrypt.Options{}), ref, key)
	if !errors.Is(err, errDisk) || errors.Is(err, blob.ErrCorrupt) {
		t.Errorf("error %v, want that of the disk", err)
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, n := range []int{4 << 10, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dK", n>>10), func(b *testing.B) {
			e := overBlobs(b, discard{}, keyFile(b), encrypt.Options{})
			data := make([]byte, n)
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				put(b, e, data, int64(n))
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
			e := overBlobs(b, memblob.New(), keyFile(b), encrypt.Options{})
			ref, key := put(b, e, make([]byte, n), int64(n))
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				o, err := e.OpenKeyed(b.Context(), ref, key)
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
