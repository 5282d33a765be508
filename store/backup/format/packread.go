package format

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// openPacks is how many packs stay open for reading.
const openPacks = 16

// SmallBody is the greatest body that is held in memory whole.
const SmallBody = 1 << 20

// Bodies knows in which pack each body lies. It takes 16 octets of memory a
// body, and looks at the pack's own index to be sure.
type Bodies struct {
	t      Target
	c      *Codec
	limits Limits
	Packs  []Pack
	Table  []BodyKey // by prefix

	mu   sync.Mutex
	open []openPack // the one used last is the last
}

// Pack is a pack whose bodies are in the table.
type Pack struct {
	Name    string
	frames  int64 // where the index begins
	Entries int
}

// BodyKey says where a body lies.
type BodyKey struct {
	prefix      uint64 // the first octets of the hash
	Pack, Entry uint32
}

type openPack struct {
	pack int
	r    Reader
}

// NewBodies knows no pack yet.
func NewBodies(t Target, c *Codec, l Limits) *Bodies {
	return &Bodies{t: t, c: c, limits: l.WithDefaults()}
}

func prefixOf(h *Hash) uint64 { return binary.BigEndian.Uint64(h[:]) }

// Load puts the bodies of a pack into the table; order is called at the end.
func (b *Bodies) Load(ctx context.Context, name string) error {
	s, err := OpenSource(ctx, b.t, name, MagicPack, b.limits.Index)
	if err != nil {
		return err
	}
	defer s.Close()
	return b.parse(s)
}

// parse puts an index into the table.
func (b *Bodies) parse(s *Source) error {
	name := s.name
	p := Pack{Name: name, frames: s.frames, Entries: len(s.index) / packEntrySize}
	if s.raw != int64(len(s.index)) || len(s.index)%packEntrySize != 0 || uint64(len(b.Packs)) >= 1<<32-1 {
		return Damage(name, "its index makes no sense")
	}
	keys := make([]BodyKey, 0, p.Entries)
	var last Hash
	for i := range p.Entries {
		e := parsePackEntry(s.index[i*packEntrySize:])
		if !e.check(s.frames) || i > 0 && bytes.Compare(e.Hash[:], last[:]) <= 0 {
			return Damage(name, "its index makes no sense")
		}
		last = e.Hash
		keys = append(keys, BodyKey{prefixOf(&e.Hash), uint32(len(b.Packs)), uint32(i)})
	}
	b.Packs = append(b.Packs, p)
	b.Table = append(b.Table, keys...)
	return nil
}

// Order makes the table ready for find.
func (b *Bodies) Order() {
	slices.SortFunc(b.Table, func(x, y BodyKey) int {
		return cmp.Or(cmp.Compare(x.prefix, y.prefix), cmp.Compare(x.Pack, y.Pack))
	})
}

// Find returns where a body lies: its entry, and the pack.
func (b *Bodies) Find(ctx context.Context, h Hash) (PackEntry, int, bool, error) {
	e, i, ok, err := b.Lookup(ctx, h)
	if !ok {
		return e, 0, false, err
	}
	return e, int(b.Table[i].Pack), true, nil
}

// Lookup returns the entry of a body and its place in the table. The error is
// of an index that cannot be read, where the body may be named.
func (b *Bodies) Lookup(ctx context.Context, h Hash) (PackEntry, int, bool, error) {
	prefix := prefixOf(&h)
	i, _ := slices.BinarySearchFunc(b.Table, prefix, func(k BodyKey, p uint64) int { return cmp.Compare(k.prefix, p) })
	var last error
	for ; i < len(b.Table) && b.Table[i].prefix == prefix; i++ {
		k := b.Table[i]
		e, err := b.Entry(ctx, int(k.Pack), int(k.Entry))
		if err != nil {
			last = err
			continue
		}
		if e.Hash == h {
			return e, i, true, nil
		}
	}
	return PackEntry{}, 0, false, last
}

// Entry reads what the index of a pack says of its i-th body.
func (b *Bodies) Entry(ctx context.Context, pack, i int) (PackEntry, error) {
	p := &b.Packs[pack]
	raw := make([]byte, packEntrySize)
	if err := b.read(ctx, pack, raw, p.frames+int64(i)*packEntrySize); err != nil {
		return PackEntry{}, err
	}
	e := parsePackEntry(raw)
	if !e.check(p.frames) {
		return e, Damage(p.Name, "its index makes no sense")
	}
	return e, nil
}

// read fills p from a pack.
func (b *Bodies) read(ctx context.Context, pack int, p []byte, off int64) error {
	r, err := b.reader(ctx, pack)
	if err != nil {
		return err
	}
	n, err := r.ReadAt(p, off)
	switch {
	case n == len(p):
		return nil
	case err == nil, errors.Is(err, io.EOF):
		return Damage(b.Packs[pack].Name, "it ends early")
	}
	return &Problem{Object: b.Packs[pack].Name, Err: err}
}

// reader returns an open pack. It is closed by close, and not while it may be
// in use: packs that were read since stay open, too.
func (b *Bodies) reader(ctx context.Context, pack int) (Reader, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.IndexFunc(b.open, func(o openPack) bool { return o.pack == pack })
	if i < 0 {
		r, err := b.t.Open(ctx, b.Packs[pack].Name)
		if err != nil {
			return nil, &Problem{Object: b.Packs[pack].Name, Err: err}
		}
		b.open = append(b.open, openPack{pack, r})
		i = len(b.open) - 1
	}
	o := b.open[i]
	b.open = append(slices.Delete(b.open, i, i+1), o)
	return o.r, nil
}

// Trim closes packs that were not used lately. Nobody reads meanwhile.
func (b *Bodies) Trim() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.open) > openPacks {
		b.open[0].r.Close()
		b.open = slices.Delete(b.open, 0, 1)
	}
}

// Close closes the packs.
func (b *Bodies) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, o := range b.open {
		o.r.Close()
	}
	b.open = nil
}

// Copy writes a body to w. Whatever was written before an error is not to be
// used: the hash is known at the end only.
func (b *Bodies) Copy(ctx context.Context, w io.Writer, h Hash) (int64, error) {
	e, pack, ok, err := b.Find(ctx, h)
	if err != nil {
		return 0, err
	}
	if !ok {
		return 0, fmt.Errorf("%w: body %s is in no pack", ErrDamaged, h)
	}
	return e.Size, b.Unpack(ctx, w, e, pack)
}

// Unpack writes the body of an entry to w.
func (b *Bodies) Unpack(ctx context.Context, w io.Writer, e PackEntry, pack int) error {
	name := b.Packs[pack].Name
	if e.Size > b.limits.Body {
		return &Problem{Object: name, Err: fmt.Errorf("%w: a body of %d octets", ErrLimit, e.Size)}
	}
	if e.Size <= SmallBody && e.Stored <= 2*SmallBody {
		return b.unpackSmall(ctx, w, e, pack)
	}
	r, err := b.reader(ctx, pack)
	if err != nil {
		return err
	}
	src := &observed{r: io.NewSectionReader(r, e.Offset, e.Stored)}
	dec, err := zstd.NewReader(src, zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return err
	}
	defer dec.Close()
	in := &observed{r: io.LimitReader(dec, e.Size+1)}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, sum), in)
	if src.err != nil {
		return &Problem{Object: name, Err: src.err}
	}
	if in.err != nil {
		return Damage(name, "body %s: %v", e.Hash, in.err)
	}
	if err != nil {
		return err
	}
	if n != e.Size || Hash(sum.Sum(nil)) != e.Hash {
		return Damage(name, "body %s has another checksum", e.Hash)
	}
	return nil
}

// observed tells errors of reading from those of writing.
type observed struct {
	r   io.Reader
	err error
}

// Read implements io.Reader.
func (o *observed) Read(p []byte) (int, error) {
	n, err := o.r.Read(p)
	if err != nil && err != io.EOF {
		o.err = err
	}
	return n, err
}

func (b *Bodies) unpackSmall(ctx context.Context, w io.Writer, e PackEntry, pack int) error {
	frame := make([]byte, e.Stored)
	if err := b.read(ctx, pack, frame, e.Offset); err != nil {
		return err
	}
	body, err := b.c.unpack(nil, frame, e.Size)
	if err != nil {
		return Damage(b.Packs[pack].Name, "body %s: %v", e.Hash, err)
	}
	if Hash(sha256.Sum256(body)) != e.Hash {
		return Damage(b.Packs[pack].Name, "body %s has another checksum", e.Hash)
	}
	_, err = w.Write(body)
	return err
}
