//go:build unix

package nfs

import (
	"errors"
	"syscall"
)

// alive reports whether there is such a process.
func alive(pid int) bool {
	return pid > 0 && !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}
