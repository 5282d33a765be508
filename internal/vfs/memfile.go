package vfs

import (
	"io"
	"io/fs"
	"os"
	"time"
)

// memFile is a handle on a node; the node outlives its names.
type memFile struct {
	fs     *Mem
	node   *node
	path   string
	flag   int
	pos    int64 // guarded by fs.mu
	closed bool  // guarded by fs.mu
}

func (n *node) truncate(size int64) {
	n.data = resize(n.data, size)
	n.pending = append(n.pending, fileOp{off: size})
	n.mtime = time.Now()
}

func (n *node) write(p []byte, off int64) {
	n.data = overwrite(n.data, p, off)
	n.pending = append(n.pending, fileOp{off: off, data: append([]byte{}, p...)})
	n.mtime = time.Now()
}

func resize(b []byte, size int64) []byte {
	if size <= int64(len(b)) {
		return b[:size:size] // what lay behind never comes back
	}
	return append(b, make([]byte, size-int64(len(b)))...)
}

func overwrite(b, p []byte, off int64) []byte {
	if end := off + int64(len(p)); end > int64(len(b)) {
		b = resize(b, end)
	}
	copy(b[off:], p)
	return b
}

// replay applies one step to the durable content.
func replay(b []byte, op fileOp) []byte {
	if op.data == nil {
		return resize(b, op.off)
	}
	return overwrite(b, op.data, op.off)
}

func (f *memFile) usableLocked(op string, writing bool) error {
	switch {
	case f.closed:
		return pathError(op, f.path, fs.ErrClosed)
	case writing && f.flag&(os.O_WRONLY|os.O_RDWR) == 0:
		return pathError(op, f.path, fs.ErrPermission)
	}
	return nil
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return f.readAtLocked(p, off)
}

func (f *memFile) readAtLocked(p []byte, off int64) (int, error) {
	if err := f.usableLocked("read", false); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, &fs.PathError{Op: "readat", Path: f.path, Err: fs.ErrInvalid}
	}
	if off >= int64(len(f.node.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.node.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) Read(p []byte) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	n, err := f.readAtLocked(p, f.pos)
	f.pos += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.usableLocked("write", true); err != nil {
		return 0, err
	}
	f.node.write(p, off)
	return len(p), nil
}

func (f *memFile) Write(p []byte) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.usableLocked("write", true); err != nil {
		return 0, err
	}
	if f.flag&os.O_APPEND != 0 {
		f.pos = int64(len(f.node.data))
	}
	f.node.write(p, f.pos)
	f.pos += int64(len(p))
	return len(p), nil
}

func (f *memFile) Truncate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.usableLocked("truncate", true); err != nil {
		return err
	}
	f.node.truncate(size)
	return nil
}

func (f *memFile) Sync() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.usableLocked("sync", false); err != nil {
		return err
	}
	for _, op := range f.node.pending {
		f.node.durable = replay(f.node.durable, op)
	}
	f.node.pending = nil
	return nil
}

// loseUnsynced is what a Sync that fails does: the kernel has dropped what it
// could not write, yet reads still find it, and the next Sync succeeds.
func (f *memFile) loseUnsynced() {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.node.pending = nil
}

func (f *memFile) Stat() (fs.FileInfo, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.usableLocked("stat", false); err != nil {
		return nil, err
	}
	return f.node.infoLocked(f.node.name), nil
}

func (f *memFile) Close() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.closed {
		return pathError("close", f.path, fs.ErrClosed)
	}
	f.closed = true
	return nil
}

// memInfo is what Stat and ReadDir return.
type memInfo struct {
	name  string
	size  int64
	dir   bool
	mtime time.Time
}

func (n *node) infoLocked(name string) memInfo {
	return memInfo{name: name, size: int64(len(n.data)), dir: n.dir, mtime: n.mtime}
}

func (i memInfo) Name() string       { return i.name }
func (i memInfo) Size() int64        { return i.size }
func (i memInfo) ModTime() time.Time { return i.mtime }
func (i memInfo) IsDir() bool        { return i.dir }
func (i memInfo) Sys() any           { return nil }
func (i memInfo) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o700
	}
	return 0o600
}
