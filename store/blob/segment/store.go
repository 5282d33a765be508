package segment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mailstead/mailstead/internal/vfs"
	"github.com/mailstead/mailstead/store/blob"
)

// Options of a Store. The zero value is the recommended one.
type Options struct {
	// SegmentSize is the size in octets at which a shared segment is full.
	// Zero means 128 MiB; at least twice MaxShared, at most 2^39.
	SegmentSize int64

	// MaxShared is the largest body in octets that shares a segment with
	// others. A larger one is streamed to a file of its own. Zero means
	// 1 MiB; at most 16 MiB.
	MaxShared int

	// MaxBuffered bounds the memory in octets for bodies that are written
	// and not yet durable. Beyond it they are buffered in files. Zero means
	// 64 MiB.
	MaxBuffered int64

	// MaxOpenFiles bounds the file handles that are kept open for reading;
	// blobs that are open count beyond it. Zero means 256.
	MaxOpenFiles int

	// Logger hears of damage, repairs and failures. Nil means slog.Default().
	Logger *slog.Logger

	// FS is the file system; nil means that of the machine. For the tests of
	// this module.
	FS vfs.FS
}

func (o *Options) setDefaults() error {
	if o.SegmentSize == 0 {
		o.SegmentSize = 128 << 20
	}
	if o.MaxShared == 0 {
		o.MaxShared = 1 << 20
	}
	if o.MaxBuffered == 0 {
		o.MaxBuffered = 64 << 20
	}
	if o.MaxOpenFiles == 0 {
		o.MaxOpenFiles = 256
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.FS == nil {
		o.FS = vfs.OS{}
	}
	switch {
	case o.MaxShared < 0 || o.MaxShared > 16<<20:
		return fmt.Errorf("segment: MaxShared %d is not within 1..%d", o.MaxShared, 16<<20)
	case o.SegmentSize < 2*int64(o.MaxShared) || o.SegmentSize > 1<<39:
		return fmt.Errorf("segment: SegmentSize %d is not within %d..2^39", o.SegmentSize, 2*o.MaxShared)
	case o.MaxBuffered < 0 || o.MaxOpenFiles < 0:
		return errors.New("segment: negative limit")
	}
	return nil
}

// Store is a blob.Blobs in a directory. All methods may be called from any
// number of goroutines. Make one with Open.
type Store struct {
	dir  string
	fs   vfs.FS
	opts Options

	wrapped atomic.Bool // see Wrapped
	log     *slog.Logger
	lock    io.Closer
	report  Report
	pool    pool
	cache   cache
	queue   queue
	tmpSeq  atomic.Uint64
	stats   counters

	buffers [maxClassRead]sync.Pool // for reading; index 0 is 4 KiB

	maint  chan struct{} // capacity 1: held by Delete and by Compact
	active *segment      // owned by the committer; pinned; nil until the first commit
	done   chan struct{} // closed when the committer has ended

	closed atomic.Bool
	poison atomic.Pointer[error]

	mu       sync.RWMutex        // also guards report once Open has returned
	segments map[uint64]*segment // the newest generation of each number
	next     uint64              // number of the next segment
	highest  uint64              // of the segments; this one is never removed (I1)

	newestShared uint64 // the committer appends to this one, or to none
}

var _ blob.Blobs = (*Store)(nil)

// Open opens or makes the store in dir. It takes the lock of the directory
// for its life (blob.ErrInUse), brings the end of the last segment into
// order, and removes what an interrupted commit or compaction left; Recovery
// tells what it found. blob.ErrVersion: a newer version wrote here.
// ctx bounds Open only.
func Open(ctx context.Context, dir string, o Options) (*Store, error) {
	if err := o.setDefaults(); err != nil {
		return nil, err
	}
	s := &Store{
		dir: dir, fs: o.FS, opts: o, log: o.Logger,
		maint:    make(chan struct{}, 1),
		done:     make(chan struct{}),
		segments: make(map[uint64]*segment),
	}
	s.pool.free.Store(o.MaxBuffered)
	s.cache.max = o.MaxOpenFiles
	s.queue.init()
	if err := s.fs.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("segment: %w", err)
	}
	lock, err := s.fs.Lock(s.path(lockName))
	if err != nil {
		if errors.Is(err, vfs.ErrLocked) {
			return nil, fmt.Errorf("%w: %w", blob.ErrInUse, err)
		}
		return nil, fmt.Errorf("segment: %w", err)
	}
	s.lock = lock
	if err := s.recover(ctx); err != nil {
		s.cache.closeAll(s.list())
		lock.Close()
		return nil, fmt.Errorf("segment: open %s: %w", dir, err)
	}
	go s.commitLoop()
	return s, nil
}

// Close commits what was handed over, ends the committer and releases the
// directory. Blobs that are open stay readable. A second Close does nothing.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		<-s.done
		return nil
	}
	s.queue.close()
	<-s.done
	s.maint <- struct{}{} // a running Delete or Compact ends first; none begins after
	if s.active != nil {
		s.release(s.active)
		s.active = nil
	}
	s.cache.closeAll(s.list())
	return s.lock.Close()
}

// usable returns why nothing may be written, or nil.
func (s *Store) usable() error {
	if s.closed.Load() {
		return blob.ErrClosed
	}
	return s.poisoned()
}

func (s *Store) poisoned() error {
	if p := s.poison.Load(); p != nil {
		return *p
	}
	return nil
}

// fail poisons the store: nothing is known about what the failed sync should
// have written, and a later sync that succeeds would not tell.
func (s *Store) fail(cause error) error {
	err := fmt.Errorf("%w: %w", blob.ErrPoisoned, cause)
	if s.poison.CompareAndSwap(nil, &err) {
		s.log.Error("segment store: no further commit until it is opened again", "dir", s.dir, "error", cause)
	}
	return s.poisoned()
}

// lookup returns the current generation of a segment, or nil.
func (s *Store) lookup(number uint64) *segment {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.segments[number]
}

// list returns all segments, in no order.
func (s *Store) list() []*segment {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := make([]*segment, 0, len(s.segments))
	for _, seg := range s.segments {
		all = append(all, seg)
	}
	return all
}

// publish makes a segment, or a later generation of it, visible. Its name and
// content are durable.
func (s *Store) publish(seg *segment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.segments[seg.number] = seg
	s.highest = max(s.highest, seg.number)
	s.next = max(s.next, seg.number+1)
	if seg.kind == shared && seg.generation == 0 {
		s.newestShared = max(s.newestShared, seg.number)
	}
}

// newNumber returns a number that no segment ever had.
func (s *Store) newNumber() (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next > maxNumber {
		return 0, errors.New("segment: numbers used up")
	}
	s.next++
	return s.next - 1, nil
}

// Free returns the octets that may still be written to the file system, for
// refusing mail before it does harm (452 4.3.1, RFC 5321 §4.2.3).
// errors.ErrUnsupported where the system cannot tell.
func (s *Store) Free() (uint64, error) { return s.fs.Free(s.dir) }

// Stats counts since Open.
type Stats struct {
	Commits     int64 // blobs committed
	Bytes       int64 // octets in them
	Syncs       int64 // file and directory syncs on behalf of commits
	Spooled     int64 // bodies that went to a file instead of memory
	Poisoned    bool  // a sync failed; nothing is committed any more
	Segments    int   // files that hold blobs
	BufferBytes int64 // memory that bodies hold now
}

type counters struct {
	commits, bytes, syncs, spooled atomic.Int64
}

// Stats returns the counters.
func (s *Store) Stats() Stats {
	s.mu.RLock()
	n := len(s.segments)
	s.mu.RUnlock()
	return Stats{
		Commits:     s.stats.commits.Load(),
		Bytes:       s.stats.bytes.Load(),
		Syncs:       s.stats.syncs.Load(),
		Spooled:     s.stats.spooled.Load(),
		Poisoned:    s.poisoned() != nil,
		Segments:    n,
		BufferBytes: s.opts.MaxBuffered - s.pool.free.Load(),
	}
}

// now is the time of a commit in Unix seconds, rounded up.
func now() int64 { return time.Now().Add(time.Second - 1).Unix() }
