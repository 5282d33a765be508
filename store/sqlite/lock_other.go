//go:build !unix || solaris || aix

package sqlite

import (
	"errors"
	"fmt"
	"io"
)

// lockFile refuses: without flock two processes could own one directory.
func lockFile(path string) (io.Closer, error) {
	return nil, fmt.Errorf("sqlite: lock %s: %w", path, errors.ErrUnsupported)
}
