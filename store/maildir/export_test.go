package maildir

import (
	"time"

	"github.com/mailstead/mailstead/internal/vfs"
)

// On puts a store on another file system.
func (o Options) On(f vfs.FS) Options {
	o.files, o.lockStale = f, time.Nanosecond
	return o
}
