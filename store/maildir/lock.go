package maildir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/mailstead/mailstead/internal/vfs"
	"github.com/mailstead/mailstead/store"
)

// defaultStale is the age at which the lock of an owner that does not renew
// it any more may be taken.
const defaultStale = 2 * time.Minute

// ownerLock says that one process owns the store: a file made by link(2), which
// also holds on NFS, with the owner's name, written again while it lives.
type ownerLock struct {
	fs   vfs.FS
	path string
	text string
	stop chan struct{}
	wg   sync.WaitGroup
}

// lockOwner takes the lock. stale: 0 = default.
func lockOwner(f vfs.FS, path string, stale time.Duration) (*ownerLock, error) {
	if stale == 0 {
		stale = defaultStale
	}
	host, _ := os.Hostname()
	token := store.NewMailboxID().String()
	l := &ownerLock{fs: f, path: path, text: fmt.Sprintf("%s %d %s\n", host, os.Getpid(), token), stop: make(chan struct{})}
	own := path + "." + token
	if err := writeFile(f, own, l.text); err != nil {
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

// takeOver removes the lock of an owner that is dead. ErrInUse.
func (l *ownerLock) takeOver(host string, stale time.Duration) error {
	info, err := l.fs.Stat(l.path)
	if err != nil {
		return ignoreMissing(err)
	}
	text, err := readFile(l.fs, l.path)
	if err != nil {
		return ignoreMissing(err)
	}
	var owner string
	var pid int
	_, _ = fmt.Sscan(string(text), &owner, &pid)
	dead := owner == host && pid != os.Getpid() && !alive(pid)
	if !dead && time.Since(info.ModTime()) < stale {
		return fmt.Errorf("%w: process %d on %s", store.ErrInUse, pid, owner)
	}
	aside := l.path + ".stale." + store.NewMailboxID().String()
	if err := l.fs.Rename(l.path, aside); err != nil {
		return ignoreMissing(err)
	}
	moved, err := readFile(l.fs, aside)
	if err == nil && string(moved) != string(text) { // another one took it meanwhile
		err = errors.Join(store.ErrInUse, l.fs.Link(aside, l.path))
	}
	return errors.Join(err, l.fs.Remove(aside))
}

// renew writes the file again, which moves its time of change.
func (l *ownerLock) renew(every time.Duration) {
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

// release ends the ownership.
func (l *ownerLock) release() error {
	close(l.stop)
	l.wg.Wait()
	text, err := readFile(l.fs, l.path)
	if err != nil || !strings.Contains(l.text, strings.TrimSpace(string(text))) {
		return ignoreMissing(err)
	}
	return l.fs.Remove(l.path)
}
