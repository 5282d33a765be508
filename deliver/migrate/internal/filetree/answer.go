package filetree

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/mailstead/mailstead/deliver/migrate"
)

// Answer adds migrate's error to one of the file system.
func Answer(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: %w", migrate.ErrQuota, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w", migrate.ErrPermission, err)
	case errors.Is(err, syscall.ENAMETOOLONG):
		return fmt.Errorf("%w: %w", migrate.ErrName, err)
	}
	return err
}
