package nfs

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/mailstead/mailstead/internal/vfs"
)

// defaultStale is the age at which the lock of an owner that does not renew
// it any more may be taken.
const defaultStale = 2 * time.Minute

// Lock says that one process owns something: a file made by link(2), which
// also holds on NFS, with the owner's name, written again while it lives.
type Lock struct {
	fs   vfs.FS
	path string
	text string
	stop chan struct{}
	wg   sync.WaitGroup
}

// TakeLock takes the lock. stale: 0 = default.
func TakeLock(f vfs.FS, path string, stale time.Duration) (*Lock, error) {
	if stale == 0 {
		stale = defaultStale
	}
	host, _ := os.Hostname()
	token := rand.Text()
	l := &Lock{fs: f, path: path, text: fmt.Sprintf("%s %d %s\n", host, os.Getpid(), token), stop: make(chan struct{})}
	own := path + "." + token
	if err := WriteFile(f, own, l.text); err != nil {
		return nil, err
	}
	err := f.Link(own, path)
	if errors.Is(err, fs.ErrExist) {
		if err = l.takeOver(host, stale); err == nil {
			err = f.Link(own, path)
		}
	}
	if err = errors.Join(err, f.Remove(own)); err != nil {
		return nil, err
	}
	l.wg.Go(func() { l.renew(stale / 4) })
	return l, nil
}

// takeOver removes the lock of an owner that is dead. vfs.ErrLocked.
func (l *Lock) takeOver(host string, stale time.Duration) error {
	info, err := l.fs.Stat(l.path)
	if err != nil {
		return IgnoreMissing(err)
	}
	text, err := ReadFile(l.fs, l.path)
	if err != nil {
		return IgnoreMissing(err)
	}
	var owner string
	var pid int
	_, _ = fmt.Sscan(string(text), &owner, &pid)
	dead := owner == host && pid != os.Getpid() && !alive(pid)
	if !dead && time.Since(info.ModTime()) < stale {
		return fmt.Errorf("%w: process %d on %s", vfs.ErrLocked, pid, owner)
	}
	aside := l.path + ".stale." + rand.Text()
	if err := l.fs.Rename(l.path, aside); err != nil {
		return IgnoreMissing(err)
	}
	moved, err := ReadFile(l.fs, aside)
	if err == nil && string(moved) != string(text) { // another one took it meanwhile
		err = errors.Join(vfs.ErrLocked, l.fs.Link(aside, l.path))
	}
	return errors.Join(err, l.fs.Remove(aside))
}

// renew writes the file again, which moves its time of change.
func (l *Lock) renew(every time.Duration) {
	tick := time.NewTicker(max(every, time.Second))
	defer tick.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-tick.C:
			if f, err := l.fs.OpenFile(l.path, os.O_WRONLY, 0); err == nil {
				_, _ = f.WriteAt([]byte(l.text), 0) // the next tick tries again
				_ = f.Close()
			}
		}
	}
}

// Release ends the ownership.
func (l *Lock) Release() error {
	close(l.stop)
	l.wg.Wait()
	text, err := ReadFile(l.fs, l.path)
	if err != nil || !strings.Contains(l.text, strings.TrimSpace(string(text))) {
		return IgnoreMissing(err)
	}
	return l.fs.Remove(l.path)
}
