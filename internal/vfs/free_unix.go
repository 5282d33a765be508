//go:build linux || darwin || freebsd

package vfs

import (
	"io/fs"
	"syscall"
)

func freeSpace(name string) (uint64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(name, &st); err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: name, Err: err}
	}
	if int64(st.Bavail) < 0 { // FreeBSD: the reserve is in use
		return 0, nil
	}
	return uint64(st.Bavail) * uint64(st.Bsize), nil
}
