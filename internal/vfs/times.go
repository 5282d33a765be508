package vfs

import (
	"errors"
	"io/fs"
	"os"
	"time"
)

// SetTime sets when a file was last changed, as Stat tells it. Nothing is promised
// of what a crash leaves of it. errors.ErrUnsupported: f cannot.
func SetTime(f FS, name string, t time.Time) error {
	switch f := f.(type) {
	case OS:
		return os.Chtimes(name, t, t)
	case *Mem:
		return f.setTime(name, t)
	case *Fault:
		return SetTime(f.fs, name, t)
	}
	return errors.ErrUnsupported
}

func (m *Mem) setTime(name string, t time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.lookupLocked(name)
	if n == nil {
		return pathError("chtimes", name, fs.ErrNotExist)
	}
	n.mtime = t
	return nil
}
