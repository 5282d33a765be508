package segment

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"slices"

	"github.com/mailstead/mailstead/internal/vfs"
	"github.com/mailstead/mailstead/store/blob"
)

// CompactStats tells what one Compact did.
type CompactStats struct {
	Rewritten int   // segments
	Removed   int   // segments without a living record
	Freed     int64 // octets on disk
}

// Compact rewrites every full segment of which more than half is dead, and
// removes those that are dead as a whole. Refs keep their meaning, open blobs
// stay readable, and Delete waits while a segment is being rewritten; nobody
// else does. A segment with damage is left as it is and reported. A cancelled
// ctx ends it between segments. The error joins what went wrong with single
// segments.
func (s *Store) Compact(ctx context.Context) (CompactStats, error) {
	var st CompactStats
	var errs []error
	for _, number := range s.numbers(0) {
		if err := s.lockMaint(ctx); err != nil {
			return st, errors.Join(append(errs, err)...)
		}
		err := s.compactOne(number, &st)
		s.unlockMaint()
		if err != nil {
			errs = append(errs, fmt.Errorf("segment: compact %d: %w", number, err))
		}
	}
	return st, errors.Join(errs...)
}

// compactOne judges one segment. The caller holds maint, so its tombstones
// stay as they are.
func (s *Store) compactOne(number uint64, st *CompactStats) error {
	g := s.lookup(number)
	if g == nil || !g.hasTombs.Load() && g.generation == 0 || s.isActive(g) {
		return nil
	}
	if err := s.acquire(g); err != nil {
		return err
	}
	defer s.release(g)
	if g.damage != nil {
		return fmt.Errorf("%w: %w", blob.ErrCorrupt, g.damage)
	}
	live := g.end.Load() - fileHeaderSize - g.deadSize
	switch {
	case live <= 0 && s.removable(g):
		st.Removed++
		st.Freed += g.end.Load()
		return s.removeSegment(g)
	case g.kind == single || live >= g.deadSize:
		return nil
	}
	next, err := s.rewrite(g)
	if err != nil {
		return err
	}
	st.Rewritten++
	st.Freed += g.end.Load() - next.end.Load()
	return s.replace(g, next)
}

// isActive reports whether the committer may still append to g. Shared
// segments before the newest one are full.
func (s *Store) isActive(g *segment) bool {
	if g.kind != shared || g.generation > 0 {
		return false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return g.number >= s.newestShared
}

// removable reports whether another segment has a higher number, so that the
// number of g is not given out again after a restart (I1).
func (s *Store) removable(g *segment) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return g.number < s.highest
}

// removeSegment removes a segment without a living record.
func (s *Store) removeSegment(g *segment) error {
	if err := s.removeFiles(g); err != nil {
		return err // an earlier generation is still there: it would come back
	}
	s.mu.Lock()
	delete(s.segments, g.number)
	s.mu.Unlock()
	s.cache.retire(g)
	g.leftover = []string{g.name(), g.tombName()}
	return s.removeFiles(g)
}

// removeFiles removes the leftovers of g. Of each generation the tombstones
// go last: without them the dead would come back.
func (s *Store) removeFiles(g *segment) error {
	for len(g.leftover) > 0 {
		if err := s.fs.Remove(s.path(g.leftover[0])); err != nil && !gone(err) {
			return err
		}
		g.leftover = g.leftover[1:]
		if err := s.fs.SyncDir(s.dir); err != nil {
			return s.fail(err)
		}
	}
	return nil
}

// rewrite copies the living records of g into the next generation. The file
// is durable when it returns, and still has a temporary name.
func (s *Store) rewrite(g *segment) (*segment, error) {
	tmp := s.tmpPath()
	f, err := s.fs.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	next := &segment{kind: g.kind, number: g.number, generation: g.generation + 1}
	next.header = fileHeader{
		kind: g.kind, number: g.number, generation: next.generation,
		created: now(),
	}
	next.header.setSalt(rand.Uint64())
	rw := rewriter{g: g, out: f, next: next, off: fileHeaderSize, buf: make([]byte, chunkFor(g.end.Load()))}
	err = rw.run()
	if err == nil {
		if err = f.Sync(); err != nil {
			err = s.fail(err)
		}
	}
	f.Close()
	if err == nil {
		err = s.fs.Rename(tmp, s.path(next.name()))
	}
	if err != nil {
		if rerr := s.fs.Remove(tmp); rerr != nil {
			s.log.Warn("segment store: a compaction stays behind", "file", tmp, "error", rerr)
		}
		return nil, err
	}
	return next, nil
}

// replace puts the next generation into the place of g. From the sync of the
// directory on both are there, and Open takes the later one; only then the
// old one goes.
func (s *Store) replace(g, next *segment) error {
	if err := s.fs.SyncDir(s.dir); err != nil {
		return s.fail(err)
	}
	s.publish(next)
	s.cache.retire(g)
	next.leftover = append(g.leftover, g.name(), g.tombName())
	return s.removeFiles(next)
}

// rewriter copies records.
type rewriter struct {
	g, next *segment
	out     vfs.File
	off     int64
	buf     []byte
	table   []tableEntry
}

func (rw *rewriter) run() error {
	sc := &scanner{f: rw.g.file, g: rw.g, off: fileHeaderSize, end: rw.g.end.Load()}
	for {
		st, ok, err := sc.next()
		if err != nil {
			return err
		}
		if !ok {
			return rw.finish()
		}
		if st.damaged && rw.g.isAside(st) {
			continue
		}
		if st.damaged {
			return fmt.Errorf("%w at %d", blob.ErrCorrupt, st.off)
		}
		if _, gone := slices.BinarySearchFunc(rw.g.dead, st.rec.origin, byOrigin); gone {
			continue
		}
		if err := rw.copy(st); err != nil {
			return err
		}
	}
}

// copy writes one record to the next generation, and checks the body as it
// passes.
func (rw *rewriter) copy(st step) error {
	rw.table = append(rw.table, tableEntry{st.rec.origin, rw.off})
	var head [recHeaderSize]byte
	st.rec.put(head[:], rw.next.header.seed)
	n := copy(rw.buf, head[:])
	var sum uint32
	for from, left := st.off+recHeaderSize, st.rec.size; ; {
		part := rw.buf[n:min(int64(len(rw.buf)), int64(n)+left)]
		if m, err := rw.g.file.ReadAt(part, from); m < len(part) {
			if err == io.EOF {
				return blob.ErrCorrupt
			}
			return err
		}
		sum = crc32.Update(sum, castagnoli, part)
		if _, err := rw.out.WriteAt(rw.buf[:n+len(part)], rw.off); err != nil {
			return err
		}
		rw.off += int64(n + len(part))
		from += int64(len(part))
		left -= int64(len(part))
		n = 0
		if left == 0 {
			break
		}
	}
	if sum != st.rec.sum {
		return fmt.Errorf("%w at %d", blob.ErrCorrupt, st.off)
	}
	rw.off = rw.table[len(rw.table)-1].offset + recordLen(st.rec.size)
	return nil
}

// finish writes the table and the header.
func (rw *rewriter) finish() error {
	h := &rw.next.header
	h.tableOff, h.tableLen = uint64(rw.off), uint64(len(rw.table))
	b := appendTable(nil, rw.table)
	h.tableSum = crc32.Checksum(b, castagnoli)
	if _, err := rw.out.WriteAt(b, rw.off); err != nil {
		return err
	}
	if err := rw.out.Truncate(rw.off + int64(len(b))); err != nil {
		return err
	}
	_, err := rw.out.WriteAt(h.append(nil), 0)
	rw.next.end.Store(rw.off)
	return err
}
