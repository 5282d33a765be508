package mboxtree_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/deliver/migrate/mboxtree"
)

// One file as a target takes one mailbox, whatever its name, again at each run.
func TestOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "backup.mbox")
	for range 2 {
		tree := mboxtree.New(path, mboxtree.Options{})
		m, err := tree.Put(t.Context(), migrate.Mailbox{Path: []string{"INBOX"}})
		if err != nil || m.Key != "backup.mbox" || m.Name() != "INBOX" {
			t.Errorf("%+v, %v", m, err)
		}
		if _, err := tree.Put(t.Context(), migrate.Mailbox{Path: []string{"Sent"}}); !errors.Is(err, migrate.ErrName) {
			t.Errorf("a second mailbox: %v", err)
		}
	}
	tree := mboxtree.New(path, mboxtree.Options{Mailbox: "Sent"})
	if _, err := tree.Put(t.Context(), migrate.Mailbox{Path: []string{"INBOX"}}); !errors.Is(err, migrate.ErrName) {
		t.Errorf("another mailbox than that of the options: %v", err)
	}
}
