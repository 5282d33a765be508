//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package mbox

import (
	"context"
	"errors"
	"io"
	"syscall"

	"github.com/mailstead/mailstead/internal/vfs"
)

// lockFile takes an fcntl lock on the whole file. Closing any descriptor of
// this process on the file ends it.
func lockFile(ctx context.Context, f vfs.File) error {
	file, ok := f.(interface{ Fd() uintptr })
	if !ok {
		return nil // not of the machine
	}
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Whence: io.SeekStart}
	return poll(ctx, func() (bool, error) {
		err := syscall.FcntlFlock(file.Fd(), syscall.F_SETLK, &lock)
		if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EINTR) {
			return false, nil
		}
		return err == nil, err
	})
}
