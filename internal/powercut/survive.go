//go:build linux

package main

import (
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// survivors writes into the empty directory path what the power cut leaves.
// Without rng, only what was synced survives (model strict). With rng, a random
// prefix of every directory's un-synced operations survives as well, and about
// half of the files keep their new length and a random half of their dirty
// pages (model random). The same rng state gives the same result.
func (v *volume) survivors(path string, rng *rand.Rand) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := &image{rng: rng, limits: map[*node]uint64{}, placed: map[*node]string{}}
	if rng != nil {
		for _, d := range v.dirs {
			if k := rng.IntN(len(d.log) + 1); k > 0 {
				reach(s.limits, d, d.log[k-1].seq)
			}
		}
	}
	return s.dir(v.root(), path)
}

// An image is a state after a cut, while it is being written out.
type image struct {
	rng    *rand.Rand       // nil: model strict
	limits map[*node]uint64 // last surviving operation of every directory
	placed map[*node]string // files written so far, for hard links
}

func (s *image) coin() bool { return s.rng.IntN(2) == 0 }

func (s *image) dir(n *node, path string) error {
	ents := n.entriesAt(s.limits[n])
	for _, name := range slices.Sorted(maps.Keys(ents)) {
		c, p := ents[name], filepath.Join(path, name)
		var err error
		switch {
		case s.placed[c] != "":
			err = os.Link(s.placed[c], p)
		case c.kind == syscall.S_IFLNK:
			err = os.Symlink(string(c.data), p)
		case c.kind == syscall.S_IFSOCK, c.kind == syscall.S_IFIFO: // nobody listens any more
			err = syscall.Mknod(p, c.kind|0o600, 0)
		case c.kind == syscall.S_IFDIR:
			if err = os.Mkdir(p, 0o700); err == nil {
				err = s.dir(c, p)
			}
		default:
			err = s.file(c, p)
		}
		if err != nil {
			return err
		}
	}
	return s.meta(path, n.durMeta)
}

func (s *image) file(n *node, path string) error {
	data, meta := n.durData, n.durMeta
	if s.rng != nil && s.coin() {
		data, meta = n.merge(slices.Clone(n.durData), s.coin), n.meta
	}
	s.placed[n] = path
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return err
	}
	return s.meta(path, meta)
}

func (s *image) meta(path string, m attrs) error {
	if err := os.Lchown(path, int(m.uid), int(m.gid)); err != nil {
		return err
	}
	if err := syscall.Chmod(path, m.mode); err != nil {
		return err
	}
	return os.Chtimes(path, m.mtime, m.mtime)
}
