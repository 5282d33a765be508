package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/deliver/migrate/emltree"
	"github.com/mailstead/mailstead/deliver/migrate/maildirtree"
	"github.com/mailstead/mailstead/deliver/migrate/mboxtree"
	"github.com/mailstead/mailstead/deliver/migrate/storeaccount"
	"github.com/mailstead/mailstead/store"
)

// No name of a source leads out of a tree of files, or into what is the
// migration's own.
func TestNamesOnDisk(t *testing.T) {
	names := []string{
		"../../x", "..", ".", "/etc/x", "a/../../x", `..\..\x`, "x\x00/../y", "mailstead-migrate", "mailstead-migrate/redo/x", "cur", "new", "tmp", "~/x",
		"a.mbox", "CON", strings.Repeat("d/", 200) + "x", strings.Repeat("n", 5000), "../" + strings.Repeat("é", 300),
	}
	for tree, open := range map[string]func(dir string) migrate.Target{
		"maildir": func(dir string) migrate.Target { return maildirtree.New(dir, maildirtree.Options{}) },
		"mbox":    func(dir string) migrate.Target { return mboxtree.New(dir, mboxtree.Options{}) },
		"eml":     func(dir string) migrate.Target { return emltree.New(dir, emltree.Options{}) },
	} {
		t.Run(tree, func(t *testing.T) {
			f := &fake{}
			for i, name := range names {
				b := box(name, 10*i, 2)
				b.Key = fmt.Sprint("key", i)
				f.boxes = append(f.boxes, b)
			}
			parent := t.TempDir()
			dir := filepath.Join(parent, "a", "b", "root")
			must(t, os.MkdirAll(dir, 0o700))
			for range 2 {
				mustRun(t, f, open(dir), migrate.Options{Verify: migrate.VerifyBodies})
			}
			total := 0
			for _, list := range dump(t, open(dir)) {
				total += len(list)
			}
			if total != 2*len(names) {
				t.Errorf("%d messages, want %d", total, 2*len(names))
			}
			must(t, filepath.WalkDir(parent, func(path string, d fs.DirEntry, err error) error {
				if err == nil && !d.IsDir() && !strings.HasPrefix(path, dir+string(filepath.Separator)) {
					t.Errorf("%s was written", path)
				}
				return err
			}))
		})
	}
}

// A source that lies about sizes, in either direction, loses nothing.
func TestWrongSizes(t *testing.T) {
	b := box("x", 1, 6)
	for i, size := range []int64{0, 1, 1 << 40, -1, -1 << 40, 99} {
		b.list[i].Size = size
	}
	src := &fake{boxes: []*fakeBox{b}}
	dst, _, _ := newAccount(t, storeaccount.Options{})
	if r := mustRun(t, src, dst, migrate.Options{BatchMessages: 2, Verify: migrate.VerifyBodies}); r.Copied != 6 || r.Verified != 6 {
		t.Errorf("%+v", r.Totals)
	}
}

// A source that repeats IDs, or lists them in no order, ends with an error and nothing
// doubled; the other mailboxes are copied.
func TestRepeatedIDs(t *testing.T) {
	for name, ids := range map[string][]store.UID{"repeated": {1, 2, 2, 3}, "backwards": {3, 2, 1}} {
		b := box("x", 1, len(ids))
		for i, uid := range ids {
			b.list[i].ID = migrate.UIDString(uid)
		}
		dst, _, _ := newAccount(t, storeaccount.Options{})
		src := &fake{boxes: []*fakeBox{b, box("y", 50, 3)}}
		for range 2 {
			r, err := migrate.Run(t.Context(), src, dst, migrate.Options{BatchMessages: 1, Attempts: -1})
			if !errors.Is(err, migrate.ErrLoss) || r.Boxes[0].Err == nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if got := dump(t, dst); len(got["y"]) != 3 || len(got["x"]) > 2 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// refusing is a target that takes only some characters in names, and does not say which.
type refusing struct{ migrate.Target }

func (r *refusing) Put(ctx context.Context, m migrate.Mailbox) (migrate.Mailbox, error) {
	if strings.ContainsAny(strings.Join(m.Path, ""), "<&>") {
		return m, fmt.Errorf("%w: invalid mailbox name", migrate.ErrRefused)
	}
	return r.Target.Put(ctx, m)
}

// A name that is refused is made plainer, the same at every pass and one mailbox each.
func TestRefusedName(t *testing.T) {
	src := &fake{boxes: []*fakeBox{box("a<b", 1, 2), box("a>b", 11, 2), box("a_b", 21, 2)}}
	inner, _, _ := newAccount(t, storeaccount.Options{})
	dst := &refusing{inner}
	if r := mustRun(t, src, dst, migrate.Options{Parallel: 1}); r.Copied != 6 {
		t.Errorf("%+v", r.Totals)
	}
	if r := mustRun(t, src, dst, migrate.Options{Verify: migrate.VerifyBodies}); r.Copied != 0 || r.Totals.Mailboxes != 0 || r.Verified != 6 {
		t.Errorf("again: %+v", r.Totals)
	}
	if got := dump(t, inner); len(got["a_b"]) != 2 || len(got["a_b-2"]) != 2 || len(got["a_b-3"]) != 2 {
		t.Errorf("%v", got)
	}
}
