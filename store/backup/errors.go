package backup

import (
	"errors"

	"github.com/mailstead/mailstead/store/backup/format"
)

// Errors of an archive, tested with errors.Is. An archive of a newer version
// is store.ErrVersion, one that another process writes to store.ErrInUse.
var (
	ErrDamaged  = format.ErrDamaged
	ErrLimit    = format.ErrLimit
	ErrName     = format.ErrName
	ErrNoBackup = errors.New("backup: no such backup")
	ErrNotEmpty = errors.New("backup: the account holds mail")
)
