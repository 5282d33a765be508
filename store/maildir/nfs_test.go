package maildir_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/mailstead/mailstead/internal/vfs"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob/memblob"
	"github.com/mailstead/mailstead/store/maildir"
)

// TestStale: each operation fails once with ESTALE, as an NFS client says when
// the server has replaced a file or directory; nobody notices.
func TestStale(t *testing.T) {
	mem, blobs := fresh(t)
	met, stale := 0, make(map[string]bool)
	faulty := vfs.NewFault(mem, func(op vfs.Op) error {
		switch op.Kind {
		case vfs.OpWrite, vfs.OpSync, vfs.OpTruncate, vfs.OpClose:
			return nil // on an open file, which a server does not forget
		}
		if op.Kind == vfs.OpRead && !strings.HasSuffix(op.Name, "mailbox") && !strings.HasSuffix(op.Name, "keywords") {
			return nil
		}
		if name := op.String(); !stale[name] {
			stale[name] = true
			met++
			return fmt.Errorf("%s: %w", name, syscall.ESTALE)
		}
		return nil
	})
	s, err := openStore(t, faulty, blobs)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := work(t.Context(), s, len(steps())); err != nil {
		t.Fatal(err)
	}
	want := states(t)
	if got, err := dump(t.Context(), s); err != nil || got != want[len(steps())] {
		t.Errorf("there is %s, %v, want %s", got, err, want[len(steps())])
	}
	if met < 100 {
		t.Errorf("ESTALE was met %d times only", met)
	}
}

// lostReplies makes links and says that it did not.
type lostReplies struct {
	vfs.FS
	links atomic.Int64
}

func (l *lostReplies) Link(from, to string) error {
	err := l.FS.Link(from, to)
	if err != nil {
		return err
	}
	if l.links.Add(1)%2 == 0 {
		return fmt.Errorf("link %s: %w", to, syscall.EEXIST)
	}
	return fmt.Errorf("link %s: %w", to, syscall.EIO)
}

// TestLinkReplyLost: link(2) on NFS may make the link and fail; the file's
// identity tells. It is so with the lock of the owner, too.
func TestLinkReplyLost(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mail")
	files := &lostReplies{FS: vfs.OS{}}
	blobs := memblob.New()
	s, err := maildir.Open(dir, blobs, maildir.Options{ScanInterval: -1}.Files(files))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := maildir.Open(dir, blobs, maildir.Options{}.Files(files)); !errors.Is(err, store.ErrInUse) {
		t.Errorf("a second owner: %v", err)
	}
	if err := s.Create(t.Context(), "alice", store.AccountInfo{}); err != nil {
		t.Fatal(err)
	}
	if _, err := work(t.Context(), s, len(steps())); err != nil {
		t.Fatal(err)
	}
	want := states(t)
	if got, err := dump(t.Context(), s); err != nil || got != want[len(steps())] {
		t.Errorf("there is %s, %v, want %s", got, err, want[len(steps())])
	}
	if files.links.Load() < 10 {
		t.Errorf("%d links", files.links.Load())
	}
}
