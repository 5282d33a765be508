package filetree

import (
	"context"
	"path/filepath"

	"github.com/mailstead/mailstead/deliver/migrate"
)

// Side is what every tree of files is as a migrate.Source and a migrate.Target.
type Side struct {
	Files *Tree
	Kind  string // the scheme of its name
	File  string // below the root, where the tree is one file; "" = a directory
}

// Name is the kind and the absolute path.
func (s *Side) Name() string {
	path, err := filepath.Abs(filepath.Join(s.Files.Root, s.File))
	if err != nil {
		path = s.Files.Root
	}
	return s.Kind + ":" + path
}

// MaxOpen is zero: any number.
func (s *Side) MaxOpen() int { return 0 }

// Close does nothing.
func (s *Side) Close() error { return nil }

// Finish does nothing.
func (s *Side) Finish(context.Context) error { return nil }

// Keeper keeps state in the tree.
func (s *Side) Keeper() migrate.Keeper { return s.Files }
