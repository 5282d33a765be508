package mbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/mailstead/mailstead/store"
)

// lockPause is the time between two tries for a lock.
const lockPause = 50 * time.Millisecond

// defaultStale is the age of a lock file that nobody can still need.
const defaultStale = 15 * time.Minute

// poll tries until it is done, or ctx ends.
func poll(ctx context.Context, try func() (done bool, err error)) error {
	for {
		if done, err := try(); done || err != nil {
			return err
		}
		select {
		case <-time.After(lockPause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// dotLock makes FILE.lock: a file of a unique name is linked to it, which one
// program alone can do, also on NFS. The result takes it away.
func (t *Target) dotLock(ctx context.Context) (unlock func() error, err error) {
	if t.NoDotLock {
		return func() error { return nil }, nil
	}
	own, lock := fmt.Sprintf("%s.%d.%s", t.Path, os.Getpid(), store.NewEmailID()), t.Path+".lock"
	f, err := t.fs().OpenFile(own, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(f, "%d\n", os.Getpid()) // for whoever finds it
	if err = errors.Join(err, f.Close()); err == nil {
		err = poll(ctx, func() (bool, error) {
			err := t.fs().Link(own, lock)
			if errors.Is(err, fs.ErrExist) {
				if err := t.removeStale(lock, own+".stale"); err != nil {
					return false, err
				}
				if err = t.fs().Link(own, lock); errors.Is(err, fs.ErrExist) {
					return false, nil
				}
			}
			return err == nil, err
		})
	}
	if err != nil {
		return nil, errors.Join(err, t.fs().Remove(own))
	}
	unlock = func() error { return t.fs().Remove(lock) }
	if err := t.fs().Remove(own); err != nil {
		return nil, errors.Join(err, unlock())
	}
	return unlock, nil
}

// removeStale takes away a lock that is too old. It is moved aside first: what
// was moved may be a fresh lock that another program made meanwhile, and goes
// back then.
func (t *Target) removeStale(lock, aside string) error {
	if old, err := t.isStale(lock); err != nil || !old {
		return err
	}
	if err := t.fs().Rename(lock, aside); err != nil {
		return ignoreMissing(err)
	}
	old, err := t.isStale(aside)
	if err == nil && !old {
		err = t.fs().Link(aside, lock)
	}
	return errors.Join(err, t.fs().Remove(aside))
}

func (t *Target) isStale(name string) (bool, error) {
	age := t.StaleLock
	if age == 0 {
		age = defaultStale
	}
	info, err := t.fs().Stat(name)
	if err != nil || age < 0 {
		return false, ignoreMissing(err)
	}
	return time.Since(info.ModTime()) > age, nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
