package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/mailstead/mailstead/store"
)

// writable says what to do about a directory that cannot be written.
func writable(err error, dir string) error {
	switch {
	case err == nil, errors.Is(err, store.ErrReadOnly):
		return err
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: the file system of %s is mounted read-only; mount it for writing: %w", store.ErrReadOnly, dir, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: uid %d may not write in %s; give that user the directory and all in it: %w", store.ErrReadOnly, os.Geteuid(), dir, err)
	case code(err) == codeReadOnly:
		return fmt.Errorf("%w: the database in %s cannot be written; uid %d needs to own the files and the directory: %w", store.ErrReadOnly, dir, os.Geteuid(), err)
	}
	return err
}
