package backup

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

// smallBody is the greatest body that is held in memory whole.
const smallBody = 1 << 20

// bodies knows in which pack each body lies. It takes 16 octets of memory a
// body, and looks at the pack's own index to be sure.
type bodies struct {
	t      Target
	c      *codec
	limits Limits
	packs  []pack
	table  []bodyKey // by prefix

	mu   sync.Mutex
	open []openPack // the one used last is the last
}

type pack struct {
	name    string
	frames  int64 // where the index begins
	entries int
}

type bodyKey struct {
	prefix      uint64 // the first octets of the hash
	pack, entry uint32
}

type openPack struct {
	pack int
	r    Reader
}

func prefixOf(h *Hash) uint64 { return binary.BigEndian.Uint64(h[:]) }

// load puts the bodies of a pack into the table; order is called at the end.
func (b *bodies) load(ctx context.Context, name string) error {
	s, err := openSource(ctx, b.t, name, magicPack, b.limits.Index)
	if err != nil {
		return err
	}
	defer s.close()
	return b.parse(s)
}

// parse puts an index into the table.
func (b *bodies) parse(s *source) error {
	name := s.name
	p := pack{name: name, frames: s.frames, entries: len(s.index) / packEntrySize}
	if s.raw != int64(len(s.index)) || len(s.index)%packEntrySize != 0 || uint64(len(b.packs)) >= 1<<32-1 {
		return damage(name, "its index makes no sense")
	}
	keys := make([]bodyKey, 0, p.entries)
	var last Hash
	for i := range p.entries {
		e := parsePackEntry(s.index[i*packEntrySize:])
		if !e.check(s.frames) || i > 0 && bytes.Compare(e.hash[:], last[:]) <= 0 {
			return damage(name, "its index makes no sense")
		}
		last = e.hash
		keys = append(keys, bodyKey{prefixOf(&e.hash), uint32(len(b.packs)), uint32(i)})
	}
	b.packs = append(b.packs, p)
	b.table = append(b.table, keys...)
	return nil
}

// order makes the table ready for find.
func (b *bodies) order() {
	slices.SortFunc(b.table, func(x, y bodyKey) int {
		return cmp.Or(cmp.Compare(x.prefix, y.prefix), cmp.Compare(x.pack, y.pack))
	})
}

// find returns where a body lies: its entry, and the pack.
func (b *bodies) find(ctx context.Context, h Hash) (packEntry, int, bool, error) {
	e, i, ok, err := b.lookup(ctx, h)
	if !ok {
		return e, 0, false, err
	}
	return e, int(b.table[i].pack), true, nil
}

// lookup returns the entry of a body and its place in the table. The error is
// of an index that cannot be read, where the body may be named.
func (b *bodies) lookup(ctx context.Context, h Hash) (packEntry, int, bool, error) {
	prefix := prefixOf(&h)
	i, _ := slices.BinarySearchFunc(b.table, prefix, func(k bodyKey, p uint64) int { return cmp.Compare(k.prefix, p) })
	var last error
	for ; i < len(b.table) && b.table[i].prefix == prefix; i++ {
		k := b.table[i]
		e, err := b.entry(ctx, int(k.pack), int(k.entry))
		if err != nil {
			last = err
			continue
		}
		if e.hash == h {
			return e, i, true, nil
		}
	}
	return packEntry{}, 0, false, last
}

func (b *bodies) entry(ctx context.Context, pack, i int) (packEntry, error) {
	p := &b.packs[pack]
	raw := make([]byte, packEntrySize)
	if err := b.read(ctx, pack, raw, p.frames+int64(i)*packEntrySize); err != nil {
		return packEntry{}, err
	}
	e := parsePackEntry(raw)
	if !e.check(p.frames) {
		return e, damage(p.name, "its index makes no sense")
	}
	return e, nil
}

// read fills p from a pack.
func (b *bodies) read(ctx context.Context, pack int, p []byte, off int64) error {
	r, err := b.reader(ctx, pack)
	if err != nil {
		return err
	}
	n, err := r.ReadAt(p, off)
	switch {
	case n == len(p):
		return nil
	case err == nil, errors.Is(err, io.EOF):
		return damage(b.packs[pack].name, "it ends early")
	}
	return &Problem{Object: b.packs[pack].name, Err: err}
}

// reader returns an open pack. It is closed by close, and not while it may be
// in use: packs that were read since stay open, too.
func (b *bodies) reader(ctx context.Context, pack int) (Reader, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.IndexFunc(b.open, func(o openPack) bool { return o.pack == pack })
	if i < 0 {
		r, err := b.t.Open(ctx, b.packs[pack].name)
		if err != nil {
			return nil, &Problem{Object: b.packs[pack].name, Err: err}
		}
		b.open = append(b.open, openPack{pack, r})
		i = len(b.open) - 1
	}
	o := b.open[i]
	b.open = append(slices.Delete(b.open, i, i+1), o)
	return o.r, nil
}

// trim closes packs that were not used lately. Nobody reads meanwhile.
func (b *bodies) trim() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.open) > openPacks {
		b.open[0].r.Close()
		b.open = slices.Delete(b.open, 0, 1)
	}
}

func (b *bodies) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, o := range b.open {
		o.r.Close()
	}
	b.open = nil
}

// copy writes a body to w. Whatever was written before an error is not to be
// used: the hash is known at the end only.
func (b *bodies) copy(ctx context.Context, w io.Writer, h Hash) (int64, error) {
	e, pack, ok, err := b.find(ctx, h)
	if err != nil {
		return 0, err
	}
	if !ok {
		return 0, fmt.Errorf("%w: body %s is in no pack", ErrDamaged, h)
	}
	return e.size, b.unpack(ctx, w, e, pack)
}

// unpack writes the body of an entry to w.
func (b *bodies) unpack(ctx context.Context, w io.Writer, e packEntry, pack int) error {
	name := b.packs[pack].name
	if e.size > b.limits.Body {
		return &Problem{Object: name, Err: fmt.Errorf("%w: a body of %d octets", ErrLimit, e.size)}
	}
	if e.size <= smallBody && e.stored <= 2*smallBody {
		return b.unpackSmall(ctx, w, e, pack)
	}
	r, err := b.reader(ctx, pack)
	if err != nil {
		return err
	}
	src := &observed{r: io.NewSectionReader(r, e.off, e.stored)}
	dec, err := zstd.NewReader(src, zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return err
	}
	defer dec.Close()
	in := &observed{r: io.LimitReader(dec, e.size+1)}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, sum), in)
	if src.err != nil {
		return &Problem{Object: name, Err: src.err}
	}
	if in.err != nil {
		return damage(name, "body %s: %v", e.hash, in.err)
	}
	if err != nil {
		return err
	}
	if n != e.size || Hash(sum.Sum(nil)) != e.hash {
		return damage(name, "body %s has another checksum", e.hash)
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

func (b *bodies) unpackSmall(ctx context.Context, w io.Writer, e packEntry, pack int) error {
	frame := make([]byte, e.stored)
	if err := b.read(ctx, pack, frame, e.off); err != nil {
		return err
	}
	body, err := b.c.unpack(nil, frame, e.size)
	if err != nil {
		return damage(b.packs[pack].name, "body %s: %v", e.hash, err)
	}
	if Hash(sha256.Sum256(body)) != e.hash {
		return damage(b.packs[pack].name, "body %s has another checksum", e.hash)
	}
	_, err = w.Write(body)
	return err
}
