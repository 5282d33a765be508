package backup

import "github.com/mailstead/mailstead/store/backup/format"

// What an archive consists of, and where it lies. Package format reads and
// writes it.
type (
	Target   = format.Target
	Writer   = format.Writer
	Reader   = format.Reader
	Info     = format.Info
	Dir      = format.Dir
	Limits   = format.Limits
	Manifest = format.Manifest
	Entry    = format.Entry
	Hold     = format.Hold
	Log      = format.Log
	Object   = format.Object
	Hash     = format.Hash
	Problem  = format.Problem
)

// NewDir returns the Target in the directory path, which is made when it is
// needed.
func NewDir(path string) *Dir { return format.NewDir(path) }

// CheckName says whether a Target has to take a name: ErrName if not.
func CheckName(name string) error { return format.CheckName(name) }
