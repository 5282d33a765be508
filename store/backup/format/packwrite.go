package format

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/zstd"

	"github.com/mailstead/mailstead/store"
)

// PackEntry is a body in a pack. Its index is sorted by hash.
//
//	0 hash[32]  32 offset u64  40 octets in the pack u64  48 size u64
type PackEntry struct {
	Hash                 Hash
	Offset, Stored, Size int64
}

const packEntrySize = 56

func (e *PackEntry) append(b []byte) []byte {
	b = append(b, e.Hash[:]...)
	for _, v := range [...]int64{e.Offset, e.Stored, e.Size} {
		b = binary.LittleEndian.AppendUint64(b, uint64(v))
	}
	return b
}

func parsePackEntry(b []byte) (e PackEntry) {
	copy(e.Hash[:], b)
	e.Offset = int64(binary.LittleEndian.Uint64(b[32:]))
	e.Stored = int64(binary.LittleEndian.Uint64(b[40:]))
	e.Size = int64(binary.LittleEndian.Uint64(b[48:]))
	return e
}

// check reports what no entry of a pack whose frames end at end may say.
func (e *PackEntry) check(end int64) bool {
	return e.Offset >= headerSize && e.Stored > 0 && e.Size >= 0 && e.Offset <= end && e.Stored <= end-e.Offset
}

// PackWriter writes a pack.
type PackWriter struct {
	*sink
	c       *Codec
	Entries []PackEntry
	frame   []byte
}

// NewPackWriter begins a pack. Commit or Abort ends it.
func NewPackWriter(ctx context.Context, t Target, name string, c *Codec) (*PackWriter, error) {
	s, err := newSink(ctx, t, name, MagicPack)
	if err != nil {
		return nil, err
	}
	return &PackWriter{sink: s, c: c}, nil
}

// Add puts in a body that lies in memory.
func (w *PackWriter) Add(h Hash, body []byte) error {
	w.frame = w.c.enc.EncodeAll(body, w.frame[:0])
	e := PackEntry{Hash: h, Offset: w.off, Stored: int64(len(w.frame)), Size: int64(len(body))}
	if _, err := w.Write(w.frame); err != nil {
		return err
	}
	w.Entries = append(w.Entries, e)
	return nil
}

// Stream puts in a body of size octets that r has. What it wrote of a body that
// turns out to be another one stays, and is named by nobody.
func (w *PackWriter) Stream(h Hash, size int64, r io.Reader) error {
	e := PackEntry{Hash: h, Offset: w.off, Size: size}
	enc, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(maxWindow))
	if err != nil {
		return err
	}
	sum := sha256.New()
	n, err := io.Copy(enc, io.TeeReader(r, sum))
	if cerr := enc.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	if Hash(sum.Sum(nil)) != h || n != size {
		return fmt.Errorf("%w: a body changed while it was read", store.ErrCorrupt)
	}
	e.Stored = w.off - e.Offset
	w.Entries = append(w.Entries, e)
	return nil
}

// Commit ends the pack.
func (w *PackWriter) Commit(ctx context.Context) (Object, error) {
	slices.SortFunc(w.Entries, func(x, y PackEntry) int { return bytes.Compare(x.Hash[:], y.Hash[:]) })
	index := make([]byte, 0, len(w.Entries)*packEntrySize)
	for i := range w.Entries {
		index = w.Entries[i].append(index)
	}
	return w.finish(ctx, index, len(index))
}

// Raw copies a body out of another pack. It is unpacked on the way, so that no
// damage is copied.
func (w *PackWriter) Raw(ctx context.Context, from *Bodies, e PackEntry, pack int) error {
	if err := from.Unpack(ctx, io.Discard, e, pack); err != nil {
		return err
	}
	r, err := from.reader(ctx, pack)
	if err != nil {
		return err
	}
	to := e
	to.Offset = w.off
	if _, err := io.Copy(w, io.NewSectionReader(r, e.Offset, e.Stored)); err != nil {
		return err
	}
	w.Entries = append(w.Entries, to)
	return nil
}
