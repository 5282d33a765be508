//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package mbox

import (
	"context"

	"github.com/mailstead/mailstead/internal/vfs"
)

// lockFile does nothing: FILE.lock alone holds on this system.
func lockFile(context.Context, vfs.File) error { return nil }
