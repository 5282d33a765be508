package segment

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"

	"github.com/mailstead/mailstead/internal/vfs"
)

// maxGroup bounds the octets behind one sync, and so the time that the first
// of a group waits for the last.
const maxGroup = 16 << 20

// commitLoop is the group committer, the only goroutine that appends. It
// takes all that waits, appends it, syncs once and wakes them; while it syncs,
// the next group gathers. It never waits for more to come.
func (s *Store) commitLoop() {
	defer close(s.done)
	c := &committer{s: s, chunk: make([]byte, 0, chunkFor(s.opts.SegmentSize))}
	var batch []*pending
	for {
		if batch = s.queue.take(batch); batch == nil {
			return
		}
		c.commit(batch)
		clear(batch)
	}
}

// committer is the state of the commit loop.
type committer struct {
	s     *Store
	group []*pending // appended to the active segment, not synced
	names []*pending // singles whose names are not synced
	off   int64      // where the next record goes
	chunk []byte     // the end of what was appended, not written yet
	zeros [recAlign]byte
}

func (c *committer) commit(batch []*pending) {
	for _, p := range batch {
		if p.single != nil {
			c.names = append(c.names, p)
			continue
		}
		if err := c.place(p); err != nil {
			p.settle(err)
			continue
		}
		c.group = append(c.group, p)
		if err := c.append(p); err != nil {
			c.undo(err)
		} else if c.off-c.s.active.end.Load() >= maxGroup {
			c.flush()
		}
	}
	c.flush()
	c.syncNames()
}

// place makes sure that the active segment has room for p.
func (c *committer) place(p *pending) error {
	s := c.s
	if err := s.poisoned(); err != nil {
		return err
	}
	if s.active != nil && c.off == 0 {
		c.off = s.active.end.Load()
	}
	if s.active != nil && c.off+recordLen(p.size) <= s.opts.SegmentSize {
		return nil
	}
	c.flush() // a segment is durable as a whole before the next one begins
	if err := s.poisoned(); err != nil {
		return err
	}
	g, err := s.newShared()
	if err != nil {
		return err
	}
	if s.active != nil {
		s.release(s.active)
	}
	s.active = g
	c.off = fileHeaderSize
	return nil
}

// append gives p its Ref and writes its record, in part into the chunk.
func (c *committer) append(p *pending) error {
	g := c.s.active
	p.ref = ref{number: g.number, origin: c.off, size: p.size, sum: p.sum}
	h := recHeader{size: p.size, origin: c.off, created: now(), sum: p.sum}
	if p.spool != nil {
		return c.appendSpool(p, &h)
	}
	h.put(p.buf, g.header.seed)
	if err := c.write(p.buf); err != nil {
		return err
	}
	return c.pad(p.size)
}

func (c *committer) appendSpool(p *pending, h *recHeader) error {
	head := make([]byte, recHeaderSize)
	h.put(head, c.s.active.header.seed)
	if err := c.write(head); err != nil {
		return err
	}
	for done := int64(0); done < p.size; {
		if len(c.chunk) == cap(c.chunk) {
			if err := c.drain(); err != nil {
				return err
			}
		}
		free := c.chunk[len(c.chunk):cap(c.chunk)]
		free = free[:min(int64(len(free)), p.size-done)]
		n, err := p.spool.file.ReadAt(free, spoolBody+done)
		if n < len(free) {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("read spool: %w", err)
		}
		c.chunk = c.chunk[:len(c.chunk)+n]
		c.off += int64(n)
		done += int64(n)
	}
	return c.pad(p.size)
}

func (c *committer) pad(size int64) error {
	return c.write(c.zeros[:recordLen(size)-recHeaderSize-size])
}

// write appends b at c.off.
func (c *committer) write(b []byte) error {
	if len(c.chunk)+len(b) > cap(c.chunk) {
		if err := c.drain(); err != nil {
			return err
		}
	}
	if len(b) > cap(c.chunk) {
		if _, err := c.s.active.file.WriteAt(b, c.off); err != nil {
			return err
		}
	} else {
		c.chunk = append(c.chunk, b...)
	}
	c.off += int64(len(b))
	return nil
}

// drain writes the chunk, which ends at c.off.
func (c *committer) drain() error {
	if len(c.chunk) == 0 {
		return nil
	}
	_, err := c.s.active.file.WriteAt(c.chunk, c.off-int64(len(c.chunk)))
	c.chunk = c.chunk[:0]
	return err
}

// flush writes and syncs the group, makes it visible and answers it.
func (c *committer) flush() {
	if len(c.group) == 0 {
		return
	}
	if err := c.drain(); err != nil {
		c.undo(err)
		return
	}
	g := c.s.active
	if err := g.file.Sync(); err != nil {
		c.answer(c.s.fail(err))
		return
	}
	c.s.stats.syncs.Add(1)
	g.end.Store(c.off)
	c.answer(nil)
}

// undo gives up the group after a write that failed, for want of space as a
// rule, and cuts the segment back to its last good end. Where that fails as
// well nobody knows what the file holds.
func (c *committer) undo(cause error) {
	g := c.s.active
	end := g.end.Load()
	c.chunk = c.chunk[:0]
	c.off = end
	c.s.log.Warn("segment store: a group was not written", "file", g.name(), "blobs", len(c.group), "error", cause)
	if err := g.file.Truncate(end); err != nil {
		cause = c.s.fail(fmt.Errorf("%w, after %w", err, cause))
	}
	c.answer(cause)
}

func (c *committer) answer(err error) {
	for _, p := range c.group {
		p.settle(err)
	}
	clear(c.group)
	c.group = c.group[:0]
}

// syncNames makes the names of finished singles durable, with one sync for
// all, and publishes them.
func (c *committer) syncNames() {
	if len(c.names) == 0 {
		return
	}
	err := c.s.poisoned()
	if err == nil {
		if err = c.s.fs.SyncDir(c.s.dir); err != nil {
			err = c.s.fail(err)
		}
		c.s.stats.syncs.Add(1)
	}
	for _, p := range c.names {
		if err == nil {
			c.s.publish(p.single)
		}
		p.settle(err)
	}
	clear(c.names)
	c.names = c.names[:0]
}

// newShared begins a shared segment. Its header and its name are durable
// before anything is written into it.
func (s *Store) newShared() (*segment, error) {
	number, err := s.newNumber()
	if err != nil {
		return nil, err
	}
	tmp := s.tmpPath()
	f, err := s.fs.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	g := &segment{kind: shared, number: number, file: f, refs: 1}
	g.header = fileHeader{kind: shared, number: number, created: now()}
	g.header.setSalt(rand.Uint64())
	g.end.Store(fileHeaderSize)
	if err := s.nameShared(g, f, tmp); err != nil {
		f.Close()
		if rerr := s.fs.Remove(tmp); rerr != nil {
			s.log.Warn("segment store: a new segment stays behind", "file", tmp, "error", rerr)
		}
		return nil, err
	}
	s.cache.mu.Lock()
	s.cache.open++
	s.cache.mu.Unlock()
	s.publish(g)
	return g, nil
}

func (s *Store) nameShared(g *segment, f vfs.File, tmp string) error {
	if _, err := f.WriteAt(g.header.append(nil), 0); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return s.fail(err)
	}
	if err := s.fs.Rename(tmp, s.path(g.name())); err != nil {
		return err
	}
	if err := s.fs.SyncDir(s.dir); err != nil {
		return s.fail(err)
	}
	s.stats.syncs.Add(2)
	return nil
}
