package segment

import (
	"errors"
	"io/fs"

	"github.com/mailstead/mailstead/store/blob"
)

// isIO reports whether err comes from the file system, so that it may go away
// and says nothing about the octets.
func isIO(err error) bool {
	var e ioError
	return errors.As(err, &e) || errors.Is(err, blob.ErrVersion)
}

// gone reports whether a file was removed between looking its name up and
// opening it, as a compaction does.
func gone(err error) bool { return errors.Is(err, fs.ErrNotExist) }
