package mbox

import "github.com/mailstead/mailstead/internal/vfs"

// SetFS puts t on another file system.
func (t *Target) SetFS(f vfs.FS) { t.files = f }
