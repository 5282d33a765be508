//go:build linux

package main

import (
	"context"
	"maps"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// pageSize is the unit in which un-synced file content survives or not.
const pageSize = 4096

// A volume is one file system. Every node holds a volatile state, which
// programs see, and a durable state, which a power cut leaves behind.
type volume struct {
	mu     sync.Mutex // orders all operations and the freeze
	frozen bool       // the power is gone: every operation fails with EIO
	seq    uint64     // number of the latest directory operation
	dirs   []*node    // every directory ever made, the root first
	fault  fault      // what fails although the power is there
}

func newVolume() *volume {
	v := &volume{fault: fault{room: unlimited}}
	v.newNode(context.Background(), syscall.S_IFDIR, 0o755)
	return v
}

func (v *volume) root() *node { return v.dirs[0] }

// do carries out one operation, unless the power is gone.
func (v *volume) do(op func() syscall.Errno) syscall.Errno {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.frozen {
		return syscall.EIO
	}
	return op()
}

// change carries out one operation that changes something.
func (v *volume) change(op func() syscall.Errno) syscall.Errno {
	return v.do(func() syscall.Errno {
		if v.fault.readOnly {
			return syscall.EROFS
		}
		return op()
	})
}

// attrs is the metadata that fsync makes durable.
type attrs struct {
	mode, uid, gid uint32
	mtime          time.Time
}

// A node is a file, a directory, a symbolic link, a socket or a pipe.
type node struct {
	fs.Inode
	vol           *volume
	kind          uint32 // S_IFREG, S_IFDIR, S_IFLNK, S_IFSOCK or S_IFIFO
	nlink         uint32
	meta, durMeta attrs
	data, durData []byte             // content of a file; the target of a link (never un-synced)
	dirty         map[int64]struct{} // pages written since the last fsync
	shrunk        int64              // smallest length since the last fsync, -1: never shortened
	unreadable    bool               // see fault.go
	ents, durEnts map[string]*node   // a directory's entries
	log           []change           // a directory's un-synced operations, oldest first
}

// A change is one operation on a directory: remove a name, add one, or both.
type change struct {
	seq      uint64
	del, add string // names, "" for none
	node     *node  // what add names
	peer     *node  // other directory of a rename, durable up to seq before this change is
}

// A handle is an open file; sync is set by O_SYNC and O_DSYNC.
type handle struct{ sync bool }

func newHandle(flags uint32) handle { return handle{flags&syscall.O_DSYNC != 0} }

func (v *volume) newNode(ctx context.Context, kind, mode uint32) *node {
	n := &node{vol: v, kind: kind, nlink: 1, shrunk: -1, dirty: map[int64]struct{}{}}
	n.meta = attrs{mode: mode & 0o7777, mtime: time.Now()}
	if c, ok := fuse.FromContext(ctx); ok {
		n.meta.uid, n.meta.gid = c.Uid, c.Gid
	}
	n.durMeta = n.meta
	if kind == syscall.S_IFDIR {
		n.nlink, n.ents, n.durEnts = 2, map[string]*node{}, map[string]*node{}
		v.dirs = append(v.dirs, n)
	}
	return n
}

func (n *node) fill(o *fuse.Attr) syscall.Errno {
	o.Mode, o.Nlink, o.Blksize = n.kind|n.meta.mode, n.nlink, pageSize
	o.Uid, o.Gid = n.meta.uid, n.meta.gid
	o.Size = uint64(len(n.data))
	o.Blocks = (o.Size + 511) / 512
	o.SetTimes(&n.meta.mtime, &n.meta.mtime, &n.meta.mtime)
	return 0
}

// record applies a change to the volatile directory and remembers it as un-synced.
func (n *node) record(c change) {
	c.apply(n.ents)
	n.log = append(n.log, c)
	n.meta.mtime = time.Now()
}

func (c change) apply(ents map[string]*node) {
	if c.del != "" {
		delete(ents, c.del)
	}
	if c.add != "" {
		ents[c.add] = c.node
	}
}

// reach raises limits so that n is durable up to operation seq, together with
// the other halves of the renames this covers.
func reach(limits map[*node]uint64, n *node, seq uint64) {
	old := limits[n]
	if seq <= old {
		return
	}
	limits[n] = seq
	for _, c := range n.log {
		if c.seq > old && c.seq <= seq && c.peer != nil {
			reach(limits, c.peer, c.seq)
		}
	}
}

// entriesAt returns what a directory holds once it is durable up to seq.
func (n *node) entriesAt(seq uint64) map[string]*node {
	m := maps.Clone(n.durEnts)
	for _, c := range n.log {
		if c.seq <= seq {
			c.apply(m)
		}
	}
	return m
}

func (n *node) syncDir() {
	limits := map[*node]uint64{}
	reach(limits, n, n.vol.seq)
	for d, seq := range limits {
		for len(d.log) > 0 && d.log[0].seq <= seq {
			d.log[0].apply(d.durEnts)
			d.log = d.log[1:]
		}
	}
}

func (n *node) resize(size int64) {
	if old := int64(len(n.data)); size < old {
		n.data = n.data[:size]
		if n.shrunk < 0 || size < n.shrunk {
			n.shrunk = size
		}
	} else {
		n.data = append(n.data, make([]byte, size-old)...)
	}
	n.meta.mtime = time.Now()
}

// merge brings dst, a durable content, up to date with the new length and with
// those dirty pages that keep chooses (nil: all). It may change dst in place.
func (n *node) merge(dst []byte, keep func() bool) []byte {
	if n.shrunk >= 0 && n.shrunk < int64(len(dst)) {
		dst = dst[:n.shrunk]
	}
	if d := len(n.data) - len(dst); d > 0 {
		dst = append(dst, make([]byte, d)...)
	}
	for _, p := range slices.Sorted(maps.Keys(n.dirty)) {
		if from := p * pageSize; from < int64(len(dst)) && (keep == nil || keep()) {
			copy(dst[from:min(from+pageSize, int64(len(dst)))], n.data[from:])
		}
	}
	return dst
}

func (n *node) syncData() {
	n.durData = n.merge(n.durData, nil)
	n.shrunk = -1
	clear(n.dirty)
}

// Fsync serves fsync and fdatasync, on files and on directories.
func (n *node) Fsync(ctx context.Context, f fs.FileHandle, flags uint32) syscall.Errno {
	return n.vol.do(func() syscall.Errno {
		if n.vol.fault.syncs {
			n.loseUnsynced()
			return syscall.EIO
		}
		if n.kind == syscall.S_IFDIR {
			n.syncDir()
		} else {
			n.syncData()
		}
		if flags&1 == 0 { // not fdatasync
			n.durMeta = n.meta
		}
		return 0
	})
}

func (n *node) Getattr(ctx context.Context, f fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	return n.vol.do(func() syscall.Errno { return n.fill(&out.Attr) })
}

func (n *node) Setattr(ctx context.Context, f fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	return n.vol.change(func() syscall.Errno {
		if size, ok := in.GetSize(); ok {
			if !n.take(int64(size)) {
				return syscall.ENOSPC
			}
			n.resize(int64(size))
		}
		if mode, ok := in.GetMode(); ok {
			n.meta.mode = mode & 0o7777
		}
		if uid, ok := in.GetUID(); ok {
			n.meta.uid = uid
		}
		if gid, ok := in.GetGID(); ok {
			n.meta.gid = gid
		}
		if t, ok := in.GetMTime(); ok {
			n.meta.mtime = t
		}
		return n.fill(&out.Attr)
	})
}

func (n *node) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (child *fs.Inode, errno syscall.Errno) {
	errno = n.vol.do(func() syscall.Errno {
		c := n.ents[name]
		if c == nil {
			return syscall.ENOENT
		}
		child = c.EmbeddedInode()
		return c.fill(&out.Attr)
	})
	return child, errno
}

func (n *node) Readdir(ctx context.Context) (fs.DirStream, syscall.Errno) {
	var list []fuse.DirEntry
	errno := n.vol.do(func() syscall.Errno {
		for _, name := range slices.Sorted(maps.Keys(n.ents)) {
			c := n.ents[name]
			list = append(list, fuse.DirEntry{Name: name, Mode: c.kind, Ino: c.StableAttr().Ino})
		}
		return 0
	})
	return fs.NewListDirStream(list), errno
}

// make adds a new node to a directory; target is the content of a symbolic link.
func (n *node) make(ctx context.Context, name string, kind, mode uint32, target string, out *fuse.EntryOut) (child *fs.Inode, errno syscall.Errno) {
	errno = n.vol.change(func() syscall.Errno {
		if n.ents[name] != nil {
			return syscall.EEXIST
		}
		c := n.vol.newNode(ctx, kind, mode)
		c.data = []byte(target)
		child = n.NewPersistentInode(ctx, c, fs.StableAttr{Mode: kind})
		n.vol.seq++
		n.record(change{seq: n.vol.seq, add: name, node: c})
		if kind == syscall.S_IFDIR {
			n.nlink++
		}
		return c.fill(&out.Attr)
	})
	return child, errno
}

func (n *node) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	child, errno := n.make(ctx, name, syscall.S_IFREG, mode, "", out)
	return child, newHandle(flags), 0, errno
}

func (n *node) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	return n.make(ctx, name, syscall.S_IFDIR, mode, "", out)
}

// Mknod makes Unix sockets and named pipes; device files are refused.
func (n *node) Mknod(ctx context.Context, name string, mode, dev uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	switch kind := mode & syscall.S_IFMT; kind {
	case syscall.S_IFSOCK, syscall.S_IFIFO, syscall.S_IFREG:
		return n.make(ctx, name, kind, mode, "", out)
	}
	return nil, syscall.EOPNOTSUPP
}

func (n *node) Symlink(ctx context.Context, target, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	return n.make(ctx, name, syscall.S_IFLNK, 0o777, target, out)
}

func (n *node) Readlink(ctx context.Context) ([]byte, syscall.Errno) { return n.data, 0 }

func (n *node) Link(ctx context.Context, target fs.InodeEmbedder, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	c := target.(*node)
	errno := n.vol.change(func() syscall.Errno {
		if n.ents[name] != nil {
			return syscall.EEXIST
		}
		n.vol.seq++
		n.record(change{seq: n.vol.seq, add: name, node: c})
		c.nlink++
		return c.fill(&out.Attr)
	})
	return c.EmbeddedInode(), errno
}

func (n *node) Unlink(ctx context.Context, name string) syscall.Errno {
	return n.vol.change(func() syscall.Errno {
		c := n.ents[name]
		if c == nil {
			return syscall.ENOENT
		}
		if len(c.ents) > 0 {
			return syscall.ENOTEMPTY
		}
		n.vol.seq++
		n.record(change{seq: n.vol.seq, del: name})
		n.dropped(c)
		return 0
	})
}

func (n *node) Rmdir(ctx context.Context, name string) syscall.Errno { return n.Unlink(ctx, name) }

// dropped accounts for the loss of an entry of n that named c.
func (n *node) dropped(c *node) {
	c.nlink--
	if c.kind == syscall.S_IFDIR {
		n.nlink--
	}
}

func (n *node) Rename(ctx context.Context, name string, newParent fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	return n.vol.change(func() syscall.Errno {
		to := newParent.(*node)
		switch old := to.ents[newName]; {
		case n.ents[name] == nil:
			return syscall.ENOENT
		case flags&^1 != 0: // all but RENAME_NOREPLACE
			return syscall.EINVAL
		case old != nil && flags&1 != 0:
			return syscall.EEXIST
		case old != nil && len(old.ents) > 0:
			return syscall.ENOTEMPTY
		case old != nil:
			to.dropped(old)
		}
		n.rename(name, to, newName)
		return 0
	})
}

// rename is one change within a directory. Between two it is a pair: the new
// name becomes durable with its directory, the old one goes with its own but
// never before the new one is durable; a directory moves as a whole.
func (n *node) rename(name string, to *node, newName string) {
	n.vol.seq++
	c := n.ents[name]
	if n == to {
		n.record(change{seq: n.vol.seq, del: name, add: newName, node: c})
		return
	}
	add := change{seq: n.vol.seq, add: newName, node: c}
	if c.kind == syscall.S_IFDIR {
		add.peer = n
		n.nlink--
		to.nlink++
	}
	to.record(add)
	n.record(change{seq: n.vol.seq, del: name, peer: to})
}

func (n *node) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return newHandle(flags), 0, n.vol.do(func() syscall.Errno {
		if n.vol.fault.readOnly && flags&syscall.O_ACCMODE != syscall.O_RDONLY {
			return syscall.EROFS
		}
		if flags&syscall.O_TRUNC != 0 {
			n.resize(0)
		}
		return 0
	})
}

func (n *node) Read(ctx context.Context, f fs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	errno := n.vol.do(func() syscall.Errno {
		if n.unreadable {
			return syscall.EIO
		}
		dest = dest[:copy(dest, n.data[min(off, int64(len(n.data))):])]
		return 0
	})
	return fuse.ReadResultData(dest), errno
}

func (n *node) Write(ctx context.Context, f fs.FileHandle, b []byte, off int64) (uint32, syscall.Errno) {
	errno := n.vol.change(func() syscall.Errno {
		end := off + int64(len(b))
		if !n.take(end) {
			room := int64(len(n.data)) + n.vol.fault.room - off
			if room <= 0 {
				return syscall.ENOSPC
			}
			b, end = b[:room], off+room // the next write meets the end
			n.take(end)
		}
		n.resize(max(end, int64(len(n.data))))
		copy(n.data[off:], b)
		for p := off / pageSize; p*pageSize < end; p++ {
			n.dirty[p] = struct{}{}
		}
		if h, ok := f.(handle); ok && h.sync {
			if n.vol.fault.syncs {
				n.loseUnsynced()
				return syscall.EIO
			}
			n.syncData()
		}
		return 0
	})
	return uint32(len(b)), errno
}

// Allocate supports preallocation with and without a change of length.
func (n *node) Allocate(ctx context.Context, f fs.FileHandle, off, size uint64, mode uint32) syscall.Errno {
	return n.vol.change(func() syscall.Errno {
		if mode&^1 != 0 { // all but FALLOC_FL_KEEP_SIZE
			return syscall.EOPNOTSUPP
		}
		if end := int64(off + size); mode == 0 && end > int64(len(n.data)) {
			if !n.take(end) {
				return syscall.ENOSPC
			}
			n.resize(end)
		}
		return 0
	})
}

func (n *node) Statfs(ctx context.Context, out *fuse.StatfsOut) syscall.Errno {
	free := uint64(1 << 24)
	n.vol.mu.Lock()
	if room := n.vol.fault.room; room != unlimited {
		free = uint64(room) / pageSize
	}
	n.vol.mu.Unlock()
	out.Bsize, out.Blocks, out.Bfree, out.Bavail = pageSize, 1<<24, free, free
	out.Files, out.Ffree, out.NameLen = 1<<20, 1<<20, 255
	return 0
}
