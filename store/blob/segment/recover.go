package segment

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/internal/vfs"
	"github.com/mailstead/mailstead/store/blob"
)

// Report tells what Open found and did.
type Report struct {
	TornBytes int64    // cut from the end of the last segment: a commit that nobody was told of
	SetAside  []string // files that now hold what was damaged; may grow later
	Removed   []string // files that an interrupted commit or compaction left
	Unknown   []string // files that are not ours; untouched
}

// Recovery returns what Open found and did.
func (s *Store) Recovery() Report {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return Report{
		TornBytes: s.report.TornBytes,
		SetAside:  slices.Clone(s.report.SetAside),
		Removed:   slices.Clone(s.report.Removed),
		Unknown:   slices.Clone(s.report.Unknown),
	}
}

// recover reads the directory and brings the last shared segment into order.
// The names that it finds become durable before anything rests on them: the
// process that made them may have died before its own sync.
func (s *Store) recover(ctx context.Context) error {
	entries, err := s.fs.ReadDir(s.dir)
	if err != nil {
		return err
	}
	if err := s.fs.SyncDir(s.dir); err != nil {
		return err
	}
	s.next = 1
	buried := make(map[string]bool) // tombstone files
	var stale []string
	for _, e := range entries {
		name := e.Name()
		k, number, generation, ok := parseFileName(name)
		switch {
		case name == lockName || name == quarantineDir:
		case strings.HasSuffix(name, tmpSuffix):
			stale = append(stale, name)
		case !ok:
			s.report.Unknown = append(s.report.Unknown, name)
		case k == tombs:
			buried[name] = true
			s.next = max(s.next, number+1)
		default:
			stale = append(stale, s.found(k, number, generation)...)
		}
	}
	for _, g := range s.segments {
		g.hasTombs.Store(buried[g.tombName()])
		delete(buried, g.tombName())
	}
	for name := range buried { // of a generation that is gone, or never came
		stale = append(stale, name)
	}
	if err := s.clean(stale); err != nil {
		return err
	}
	return s.recoverLast(ctx)
}

// found notes a segment file and returns those that it supersedes.
func (s *Store) found(k kind, number uint64, generation uint32) (stale []string) {
	g := &segment{kind: k, number: number, generation: generation}
	if old := s.segments[number]; old != nil {
		if old.generation > generation {
			return []string{g.name()}
		}
		stale = []string{old.name()}
	}
	s.publish(g)
	return stale
}

// clean removes what an interrupted commit or compaction left. None of it was
// ever acknowledged, or all of it stands in a later generation.
func (s *Store) clean(stale []string) error {
	slices.Sort(stale)
	for _, name := range stale {
		if err := s.fs.Remove(s.path(name)); err != nil {
			return err
		}
		s.report.Removed = append(s.report.Removed, name)
		s.log.Info("segment store: removed a leftover", "file", name)
	}
	if len(stale) == 0 {
		return nil
	}
	return s.fs.SyncDir(s.dir) // before a later generation can go
}

// recoverLast checks every record of the last shared segment: only there can
// a crash have left something torn, because a segment is synced before the
// next one begins. It becomes the active one where it has room.
func (s *Store) recoverLast(ctx context.Context) error {
	var last *segment
	for _, g := range s.segments {
		if g.kind == shared && (last == nil || g.number > last.number) {
			last = g
		}
	}
	if last == nil || last.generation > 0 {
		return nil
	}
	if err := s.acquire(last); err != nil {
		return err
	}
	if errors.Is(last.damage, blob.ErrVersion) {
		s.release(last)
		return last.damage
	}
	if last.damage != nil {
		s.log.Error("segment store: unreadable segment header", "file", last.name(), "error", last.damage)
		s.release(last)
		return nil // its bodies are still found by their Refs
	}
	f, err := s.fs.OpenFile(s.path(last.name()), os.O_RDWR, 0)
	if err != nil {
		s.release(last)
		return err
	}
	last.mu.Lock()
	last.file, f = f, last.file
	last.mu.Unlock()
	f.Close()
	if err := s.checkRecords(ctx, last); err != nil {
		s.release(last)
		return err
	}
	if last.end.Load()+recordLen(int64(s.opts.MaxShared)) > s.opts.SegmentSize {
		s.release(last)
		return nil
	}
	s.active = last
	return nil
}

// checkRecords sets the end of g behind its last good record, and cuts and
// syncs the file there.
func (s *Store) checkRecords(ctx context.Context, g *segment) error {
	size := g.end.Load()
	sc := &scanner{f: g.file, g: g, off: fileHeaderSize, end: size}
	buf := make([]byte, chunkFor(size))
	good := int64(fileHeaderSize) // end of the last good record
	var bad []step                // what came after it
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		st, ok, err := sc.next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if !st.damaged {
			err = checkBody(g.file, st.off, st.rec, buf)
			if isIO(err) {
				return err
			}
		}
		if st.damaged || err != nil {
			bad = append(bad, st)
			continue
		}
		if err := s.keepAside(g, bad); err != nil {
			return err
		}
		bad, good = nil, st.off+st.len
	}
	if err := s.cutTail(g, good, size, bad); err != nil {
		return err
	}
	g.end.Store(good)
	return rewriteTail(g.file, good, buf)
}

// maxTail bounds what one sync may have left unsaved: a group and the record
// that made it full.
const maxTail = maxGroup + fileHeaderSize + recHeaderSize + 16<<20

// rewriteTail makes durable what can be read. A sync alone does not: after one
// that failed the kernel holds octets that it will not write any more, until
// somebody writes them again. Where the process ended then and not the machine,
// nothing but the last group can be so.
func rewriteTail(f vfs.File, end int64, buf []byte) error {
	for off := max(0, end-maxTail); off < end; {
		n, err := f.ReadAt(buf[:min(int64(len(buf)), end-off)], off)
		if n == 0 {
			return fmt.Errorf("read the tail: %w", err)
		}
		if _, err := f.WriteAt(buf[:n], off); err != nil {
			return err
		}
		off += int64(n)
	}
	return f.Sync()
}

// keepAside handles damage in front of a good record: it is copied to the
// quarantine and gets a tombstone, so that it is never listed and not found
// again.
func (s *Store) keepAside(g *segment, bad []step) error {
	var ts []tombstone
	for _, st := range bad {
		if g.isAside(st) || !st.damaged && g.tombLocked(st.off) != nil {
			continue // by an earlier Open, or dead anyway
		}
		s.log.Error("segment store: damage", "file", g.name(), "offset", st.off, "octets", st.len)
		if err := s.setAside(g.file, g.name(), st.off, st.len); err != nil {
			return err
		}
		ts = append(ts, tombstone{origin: st.off, size: st.len, setAside: true})
	}
	if len(ts) == 0 {
		return nil
	}
	if _, err := s.bury(g, ts); err != nil {
		return err
	}
	return s.fs.SyncDir(s.dir)
}

// cutTail cuts what stands behind the last good record. It is torn as a rule,
// and nobody was told of it; but the last record that was acknowledged, when it
// is damaged, looks the same, so all but zeros is set aside first.
func (s *Store) cutTail(g *segment, good, size int64, bad []step) error {
	if good == size {
		return nil
	}
	for _, st := range bad {
		if st.damaged {
			zero, err := isZero(g.file, st.off, st.len)
			if err != nil {
				return err
			}
			if zero {
				continue
			}
		}
		if err := s.setAside(g.file, g.name(), st.off, st.len); err != nil {
			return err
		}
	}
	s.report.TornBytes += size - good
	s.log.Warn("segment store: cut a torn end", "file", g.name(), "offset", good, "octets", size-good)
	return g.file.Truncate(good)
}
