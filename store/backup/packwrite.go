package backup

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

// packEntry is a body in a pack. Its index is sorted by hash.
//
//	0 hash[32]  32 offset u64  40 octets in the pack u64  48 size u64
type packEntry struct {
	hash              Hash
	off, stored, size int64
}

const packEntrySize = 56

func (e *packEntry) append(b []byte) []byte {
	b = append(b, e.hash[:]...)
	for _, v := range [...]int64{e.off, e.stored, e.size} {
		b = binary.LittleEndian.AppendUint64(b, uint64(v))
	}
	return b
}

func parsePackEntry(b []byte) (e packEntry) {
	copy(e.hash[:], b)
	e.off = int64(binary.LittleEndian.Uint64(b[32:]))
	e.stored = int64(binary.LittleEndian.Uint64(b[40:]))
	e.size = int64(binary.LittleEndian.Uint64(b[48:]))
	return e
}

// check reports what no entry of a pack whose frames end at end may say.
func (e *packEntry) check(end int64) bool {
	return e.off >= headerSize && e.stored > 0 && e.size >= 0 && e.off <= end && e.stored <= end-e.off
}

// packWriter writes a pack.
type packWriter struct {
	*sink
	c       *codec
	entries []packEntry
	frame   []byte
}

func newPackWriter(ctx context.Context, t Target, name string, c *codec) (*packWriter, error) {
	s, err := newSink(ctx, t, name, magicPack)
	if err != nil {
		return nil, err
	}
	return &packWriter{sink: s, c: c}, nil
}

// add puts in a body that lies in memory.
func (w *packWriter) add(h Hash, body []byte) error {
	w.frame = w.c.enc.EncodeAll(body, w.frame[:0])
	e := packEntry{hash: h, off: w.off, stored: int64(len(w.frame)), size: int64(len(body))}
	if _, err := w.Write(w.frame); err != nil {
		return err
	}
	w.entries = append(w.entries, e)
	return nil
}

// stream puts in a body of size octets that r has. What it wrote of a body that
// turns out to be another one stays, and is named by nobody.
func (w *packWriter) stream(h Hash, size int64, r io.Reader) error {
	e := packEntry{hash: h, off: w.off, size: size}
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
	e.stored = w.off - e.off
	w.entries = append(w.entries, e)
	return nil
}

// commit ends the pack.
func (w *packWriter) commit(ctx context.Context) (Object, error) {
	slices.SortFunc(w.entries, func(x, y packEntry) int { return bytes.Compare(x.hash[:], y.hash[:]) })
	index := make([]byte, 0, len(w.entries)*packEntrySize)
	for i := range w.entries {
		index = w.entries[i].append(index)
	}
	return w.finish(ctx, index, len(index))
}

// raw copies a body out of another pack. It is unpacked on the way, so that no
// damage is copied.
func (w *packWriter) raw(ctx context.Context, from *bodies, e packEntry, pack int) error {
	if err := from.unpack(ctx, io.Discard, e, pack); err != nil {
		return err
	}
	r, err := from.reader(ctx, pack)
	if err != nil {
		return err
	}
	to := e
	to.off = w.off
	if _, err := io.Copy(w, io.NewSectionReader(r, e.off, e.stored)); err != nil {
		return err
	}
	w.entries = append(w.entries, to)
	return nil
}
