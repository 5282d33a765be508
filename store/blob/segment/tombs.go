package segment

import (
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"

	"github.com/mailstead/mailstead/internal/vfs"
)

// A tombstone file stands beside a segment and is only ever appended to. Its
// end may be torn: a tombstone that was not acknowledged may be missing, and
// the next one is written over its remains.

// loadTombs reads the tombstones of g, whose mu the caller holds.
func (s *Store) loadTombs(g *segment) error {
	g.dead, g.deadSize, g.tombEnd = nil, 0, 0
	if !g.hasTombs.Load() {
		return nil
	}
	f, err := s.fs.OpenFile(s.path(g.tombName()), os.O_RDONLY, 0)
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	h, err := parseFileHeader(b)
	if isIO(err) {
		return err
	}
	if err != nil { // never acknowledged, or damaged: what was dead is collected again
		if len(b) > fileHeaderSize {
			s.log.Warn("segment store: unreadable tombstones", "file", g.tombName(), "error", err)
		}
		return nil
	}
	g.tombSeed, g.tombEnd = h.seed, fileHeaderSize
	for i := fileHeaderSize; i+tombSize <= len(b); i += tombSize {
		t, err := parseTombstone(b[i:], h.seed)
		if err != nil {
			continue
		}
		g.tombEnd = int64(i + tombSize)
		g.dead = append(g.dead, t)
	}
	g.sortDeadLocked()
	return nil
}

// sortDeadLocked sorts, drops repetitions, and sums up.
func (g *segment) sortDeadLocked() {
	slices.SortStableFunc(g.dead, func(a, b tombstone) int { return cmp.Compare(a.origin, b.origin) })
	g.dead = slices.CompactFunc(g.dead, func(a, b tombstone) bool { return a.origin == b.origin })
	g.deadSize = 0
	for _, t := range g.dead {
		g.deadSize += t.size
	}
}

// bury writes and syncs tombstones of g, and makes them effective. The caller
// holds maint (or is recovery) and a reference to g, and syncs the directory
// where the tombstone file is new.
func (s *Store) bury(g *segment, ts []tombstone) (isNew bool, err error) {
	f, err := s.fs.OpenFile(s.path(g.tombName()), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return false, err
	}
	defer f.Close()
	seed, end := g.tombSeed, g.tombEnd
	if end == 0 {
		if seed, end, err = s.startTombs(f, g); err != nil {
			return false, err
		}
	}
	b := make([]byte, 0, len(ts)*tombSize)
	for _, t := range ts {
		b = t.append(b, seed)
	}
	if _, err := f.WriteAt(b, end); err != nil {
		return false, err
	}
	if err := f.Sync(); err != nil {
		return false, s.fail(err)
	}
	isNew = !g.hasTombs.Swap(true)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tombSeed, g.tombEnd = seed, end+int64(len(b))
	g.dead = append(slices.Clone(g.dead), ts...) // readers may hold the old slice
	g.sortDeadLocked()
	return isNew, nil
}

// startTombs begins a tombstone file and returns the seed of its checksums and
// where its entries go. What
// an unreadable one holds is moved out of the way first.
func (s *Store) startTombs(f vfs.File, g *segment) (seed uint32, end int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	if info.Size() > fileHeaderSize {
		if err := s.setAside(f, g.tombName(), 0, info.Size()); err != nil {
			return 0, 0, err
		}
	}
	if info.Size() > 0 {
		if err := f.Truncate(0); err != nil {
			return 0, 0, err
		}
	}
	h := fileHeader{kind: tombs, number: g.number, generation: g.generation, created: now()}
	h.setSalt(rand.Uint64())
	if _, err := f.WriteAt(h.append(nil), 0); err != nil {
		return 0, 0, fmt.Errorf("tombstones: %w", err)
	}
	return h.seed, fileHeaderSize, nil
}
