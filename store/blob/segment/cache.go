package segment

import (
	"container/list"
	"fmt"
	"io"
	"os"
	"slices"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/mailstead/mailstead/internal/vfs"
)

// segment is one generation of one segment. What stands in its file is loaded
// when it is first used and dropped when the cache needs the handle.
type segment struct {
	kind       kind
	number     uint64
	generation uint32

	end      atomic.Int64 // durable end of the records; set by load but for the active one
	hasTombs atomic.Bool  // a tombstone file exists

	// Files of earlier generations that are still to be removed; used by who
	// holds maint.
	leftover []string

	// Guarded by cache.mu.
	refs    int
	idle    *list.Element
	retired bool // replaced or removed; closed with the last reference

	// mu guards what follows. Who holds a reference and mu for reading may
	// use it; the file itself needs a reference only.
	mu       sync.RWMutex
	file     vfs.File
	header   fileHeader
	damage   error // the header or the table is unreadable
	table    []tableEntry
	dead     []tombstone // sorted by origin
	deadSize int64
	tombEnd  int64 // where the next tombstone goes
	tombSeed uint32
	verified bool // of a single: the body matched its checksum
}

func (g *segment) name() string     { return fileName(g.kind, g.number, g.generation) }
func (g *segment) tombName() string { return fileName(tombs, g.number, g.generation) }

// cache bounds the open handles: the least recently used one that nobody
// refers to is closed.
type cache struct {
	max int

	mu   sync.Mutex
	open int        // handles with a file
	lru  *list.List // of *segment without references, the oldest first
}

// acquire pins a segment and loads it. The caller releases it.
func (s *Store) acquire(g *segment) error {
	c := &s.cache
	c.mu.Lock()
	g.refs++
	if g.idle != nil {
		c.lru.Remove(g.idle)
		g.idle = nil
	}
	c.mu.Unlock()
	g.mu.RLock()
	loaded := g.file != nil
	g.mu.RUnlock()
	if loaded {
		return nil
	}
	if err := s.load(g); err != nil {
		s.release(g)
		return err
	}
	return nil
}

// release gives a reference back.
func (s *Store) release(g *segment) {
	c := &s.cache
	c.mu.Lock()
	defer c.mu.Unlock()
	if g.refs--; g.refs > 0 || g.file == nil {
		return
	}
	if g.retired || s.closed.Load() {
		c.dropLocked(g)
		return
	}
	if c.lru == nil {
		c.lru = list.New()
	}
	g.idle = c.lru.PushBack(g)
	for c.open > c.max && c.lru.Len() > 0 {
		c.dropLocked(c.lru.Front().Value.(*segment))
	}
}

// dropLocked closes a segment without references. Nobody else uses it: who
// would has to take a reference first.
func (c *cache) dropLocked(g *segment) {
	if g.idle != nil {
		c.lru.Remove(g.idle)
		g.idle = nil
	}
	g.file.Close() // opened for reading, or synced: nothing can be lost
	g.file, g.table, g.dead, g.verified = nil, nil, nil, false
	c.open--
}

// retire closes a segment with its last reference.
func (c *cache) retire(g *segment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g.retired = true
	if g.refs == 0 && g.file != nil {
		c.dropLocked(g)
	}
}

func (c *cache) closeAll(all []*segment) {
	for _, g := range all {
		c.retire(g)
	}
}

// load opens the file of g and reads its header, table and tombstones. A
// damaged header or table is remembered, not returned: bodies of generation 0
// are found and checked by their Ref alone.
func (s *Store) load(g *segment) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.file != nil {
		return nil
	}
	f, err := s.fs.OpenFile(s.path(g.name()), os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		err = s.loadLocked(g, f, info.Size())
	}
	if err != nil {
		f.Close()
		return err
	}
	g.file = f
	s.cache.mu.Lock()
	s.cache.open++
	s.cache.mu.Unlock()
	return nil
}

func (s *Store) loadLocked(g *segment, f vfs.File, size int64) error {
	g.header, g.table, g.damage = fileHeader{}, nil, nil
	h, err := readFileHeader(f, g)
	switch {
	case isIO(err):
		return err
	case err != nil:
		g.damage = err
		g.end.CompareAndSwap(0, size)
	default:
		g.header = h
		end := size
		if g.generation > 0 {
			end = int64(h.tableOff)
			if g.table, err = readTable(f, &h, size); isIO(err) {
				return err
			}
			g.damage = err
		}
		g.end.CompareAndSwap(0, end) // the active one has its own
	}
	return s.loadTombs(g)
}

// readFileHeader reads and judges the header of g's file.
func readFileHeader(f io.ReaderAt, g *segment) (fileHeader, error) {
	var b [fileHeaderSize]byte
	n, err := f.ReadAt(b[:], 0)
	if err != nil && err != io.EOF {
		return fileHeader{}, ioError{err}
	}
	h, err := parseFileHeader(b[:n])
	if err == nil && (h.kind != g.kind || h.number != g.number || h.generation != g.generation) {
		err = fmt.Errorf("%w: the header is of %s", errFormat, fileName(h.kind, h.number, h.generation))
	}
	return h, err
}

func readTable(f io.ReaderAt, h *fileHeader, size int64) ([]tableEntry, error) {
	if h.tableOff > uint64(size) || h.tableLen != (uint64(size)-h.tableOff)/tableEntrySize {
		return nil, fmt.Errorf("%w: table out of range", errFormat)
	}
	b := make([]byte, h.tableLen*tableEntrySize)
	if _, err := f.ReadAt(b, int64(h.tableOff)); err != nil && err != io.EOF {
		return nil, ioError{err}
	}
	return parseTable(b, h)
}

// locate returns where the record of an origin lies.
func (g *segment) locate(origin int64) (off int64, ok bool) {
	if g.generation == 0 {
		return origin, origin >= fileHeaderSize
	}
	i := sort.Search(len(g.table), func(i int) bool { return g.table[i].origin >= origin })
	if i < len(g.table) && g.table[i].origin == origin {
		return g.table[i].offset, true
	}
	return 0, false
}

// tombLocked returns the tombstone of an origin, or nil.
func (g *segment) tombLocked(origin int64) *tombstone {
	i, ok := slices.BinarySearchFunc(g.dead, origin, byOrigin)
	if !ok {
		return nil
	}
	return &g.dead[i]
}

func byOrigin(t tombstone, origin int64) int {
	switch {
	case t.origin < origin:
		return -1
	case t.origin > origin:
		return 1
	}
	return 0
}

// ioError marks an error of the file system, as opposed to octets that make
// no sense.
type ioError struct{ error }

func (e ioError) Unwrap() error { return e.error }
