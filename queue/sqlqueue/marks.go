package sqlqueue

import (
	"context"
	"encoding/binary"
	"hash/crc32"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"

	"github.com/mailstead/mailstead/internal/vfs"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/store/sqldb"
)

// marks is a file with the jobs that are leased, beside the database of one
// process. It is written before a lease is given out and when it ends, and
// never synced: what is written outlives the process, and a power cut is no
// job's fault. So a lease costs no sync, and who opens the queue after a crash
// learns what was under way. A job that is named and not there any more means
// nothing.
type marks struct {
	log *slog.Logger

	mu    sync.Mutex
	file  vfs.File       // nil = writing failed
	slots map[string]int // job → its place in the file
	free  []int
	image []byte // what the file holds, or may as well
}

// A place of the file: the length of an ID, the ID, and at the end the CRC-32C
// of both. Free places are zero.
const (
	markSize  = 64
	markID    = markSize - 1 - 4 // the longest ID that is noted
	maxMarks  = 1 << 16          // bounds the file
	marksName = "-attempts"      // behind the name of the database
)

// openMarks notes in the jobs of the file that their attempt crashed, and
// begins a new one. Where the file cannot be read or emptied, crashes are not
// counted: no mail waits for that.
func (s *Storage) openMarks(ctx context.Context) error {
	path := s.db.Dialect().Path
	if path == "" {
		return nil
	}
	f, jobs, err := beginMarks(path + marksName)
	if err != nil {
		s.log.ErrorContext(ctx, "sqlqueue: cannot note attempts; crashes are not counted until the next start", "error", err)
		return nil
	}
	if err := s.crashed(ctx, jobs); err != nil {
		f.Close()
		return err
	}
	m := &marks{log: s.log, file: f, slots: make(map[string]int)}
	s.leases.marks = m
	s.db.OnClose(m.close)
	return nil
}

// beginMarks opens the file and empties it, after it has read the jobs in it: a
// crash from here on is none of theirs.
func beginMarks(path string) (f vfs.File, jobs []string, err error) {
	f, err = vfs.OS{}.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, err
	}
	if jobs, err = readMarks(f); err == nil {
		err = f.Truncate(0)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, jobs, nil
}

// readMarks are the jobs of a file.
func readMarks(f vfs.File) (jobs []string, err error) {
	data, err := io.ReadAll(io.NewSectionReader(f, 0, maxMarks*markSize))
	for p := range slices.Chunk(data, markSize) {
		n := int(p[0])
		if len(p) == markSize && 0 < n && n <= markID && crc32.Checksum(p[:1+n], castagnoli) == binary.LittleEndian.Uint32(p[markSize-4:]) {
			jobs = append(jobs, string(p[1:1+n]))
		}
	}
	return jobs, err
}

// crashed notes in jobs that are still there that their process died. A page
// has more than the attempts of a Runner.
func (s *Storage) crashed(ctx context.Context, jobs []string) error {
	for page := range slices.Chunk(jobs, editPage) {
		var held []*queue.Job
		err := s.commit(ctx, page[0], len(page), func(tx *sqldb.Tx) error {
			b := s.batch(tx)
			var rows []columns
			var crashed []*queue.Job
			for _, id := range page {
				was, ok, err := b.load(id)
				if err != nil {
					return err
				}
				if j, damage := s.job(&was); ok && damage == nil {
					rows, crashed = append(rows, was), append(crashed, j)
				}
			}
			held = queue.Crashed(crashed...)
			for i, j := range crashed {
				if err := b.replace(&rows[i], j); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		s.complainCrashed(ctx, held)
	}
	return nil
}

// complainCrashed logs that jobs are held for their crashes.
func (s *Storage) complainCrashed(ctx context.Context, jobs []*queue.Job) {
	for _, j := range jobs {
		s.log.ErrorContext(ctx, "sqlqueue: the process crashed whenever it delivered a job; it is held", "job", j.ID)
	}
}

// set notes jobs, all with one write.
func (m *marks) set(jobs ...string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	first, last := maxMarks, -1
	for _, job := range jobs {
		if at, ok := m.placeLocked(job); ok {
			p := m.image[at*markSize:][:markSize]
			p[0] = byte(len(job))
			n := 1 + copy(p[1:], job)
			binary.LittleEndian.PutUint32(p[markSize-4:], crc32.Checksum(p[:n], castagnoli))
			first, last = min(first, at), max(last, at)
		}
	}
	m.writeLocked(first, last)
}

// placeLocked gives a job an empty place, unless it has one or cannot have one.
func (m *marks) placeLocked(job string) (at int, ok bool) {
	if _, has := m.slots[job]; has || len(job) > markID || job == "" {
		return 0, false
	}
	switch n := len(m.free); {
	case n > 0:
		at, m.free = m.free[n-1], m.free[:n-1]
	case len(m.image) == maxMarks*markSize:
		return 0, false
	default:
		at = len(m.image) / markSize
		m.image = append(m.image, make([]byte, markSize)...)
	}
	m.slots[job] = at
	return at, true
}

// clear forgets a job. One that is gone needs no write: what comes next to its
// place is written there.
func (m *marks) clear(job string, gone bool) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	at, ok := m.slots[job]
	if !ok {
		return
	}
	delete(m.slots, job)
	m.free = append(m.free, at)
	clear(m.image[at*markSize:][:markSize])
	if !gone {
		m.writeLocked(at, at)
	}
}

// writeLocked writes the places from first to last. Where that fails, crashes are
// not counted until the next start: no mail waits for it.
func (m *marks) writeLocked(first, last int) {
	if m.file == nil || first > last {
		return
	}
	if _, err := m.file.WriteAt(m.image[first*markSize:(last+1)*markSize], int64(first)*markSize); err != nil {
		m.log.Error("sqlqueue: cannot note attempts; crashes are not counted until the next start", "error", err)
		m.file.Truncate(0)
		m.file.Close()
		m.file = nil
	}
}

func (m *marks) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.file == nil {
		return nil
	}
	err := m.file.Close()
	m.file = nil
	return err
}
