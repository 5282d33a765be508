package segment

import (
	"errors"
	"math/rand/v2"
	"os"

	"github.com/mailstead/mailstead/internal/vfs"
)

// spoolBody is where the body lies in a spool: behind the headers that make
// the file a segment of one record.
const spoolBody = fileHeaderSize + recHeaderSize

// spool is a body in a file that is not part of the store yet.
type spool struct {
	s    *Store
	path string
	file vfs.File
	off  int64
}

func (s *Store) newSpool() (*spool, error) {
	path := s.tmpPath()
	f, err := s.fs.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return &spool{s: s, path: path, file: f, off: spoolBody}, nil
}

func (p *spool) write(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	n, err := p.file.WriteAt(b, p.off)
	p.off += int64(n)
	return err
}

// remove gives the file up. One that cannot be removed now is removed by the
// next Open.
func (p *spool) remove() {
	p.file.Close()
	if err := p.s.fs.Remove(p.path); err != nil {
		p.s.log.Warn("segment store: a spool stays behind", "file", p.path, "error", err)
	}
}

// finishSingle makes a spool a segment of its own, under its final name. The
// content is durable when it returns; the name is with the next sync of the
// directory. After an error the spool still belongs to the caller.
func (s *Store) finishSingle(p *spool, size int64, sum uint32) (*segment, error) {
	number, err := s.newNumber()
	if err != nil {
		return nil, err
	}
	g := &segment{kind: single, number: number}
	h := fileHeader{kind: single, number: number, created: now()}
	h.setSalt(rand.Uint64())
	rec := recHeader{size: size, origin: fileHeaderSize, created: now(), sum: sum}
	head := h.append(make([]byte, 0, spoolBody))[:spoolBody]
	rec.put(head[fileHeaderSize:], h.seed)
	end := fileHeaderSize + recordLen(size)
	if _, err := p.file.WriteAt(head, 0); err != nil {
		return nil, err
	}
	if err := p.file.Truncate(end); err != nil { // the padding
		return nil, err
	}
	if err := p.file.Sync(); err != nil {
		return nil, s.fail(err)
	}
	s.stats.syncs.Add(1)
	if err := s.fs.Rename(p.path, s.path(g.name())); err != nil {
		return nil, err
	}
	p.file.Close()
	g.end.Store(end)
	return g, nil
}

// discard removes a single that was not committed after all.
func (p *pending) discard(s *Store) {
	if p.single == nil {
		return
	}
	err := s.fs.Remove(s.path(p.single.name()))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		s.log.Warn("segment store: an uncommitted blob stays behind", "file", p.single.name(), "error", err)
	}
}
