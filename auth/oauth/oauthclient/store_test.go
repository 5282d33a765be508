package oauthclient

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/auth/login"
)

func TestFileStore(t *testing.T) {
	dir := t.TempDir()
	s := &FileStore{Path: filepath.Join(dir, "token")}
	if _, err := s.Load(t.Context()); !errors.Is(err, ErrNoToken) {
		t.Error(err)
	}
	for _, token := range []string{"first", strings.Repeat("x", maxToken)} {
		if err := s.Save(t.Context(), login.NewPassword(token)); err != nil {
			t.Fatal(err)
		}
		got, err := s.Load(t.Context())
		if err != nil || got.Reveal() != token {
			t.Errorf("%d octets, %v", len(got.Reveal()), err)
		}
	}
	info, err := os.Stat(s.Path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
	if err := s.Save(t.Context(), login.NewPassword("a\nb")); err == nil {
		t.Error("a token of two lines")
	}
	if err := os.Chmod(s.Path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(t.Context()); !errors.Is(err, ErrOpenToOthers) {
		t.Error(err)
	}
}

func TestFileStoreByHand(t *testing.T) {
	for text, want := range map[string]string{
		"token": "token", "token\r\n": "token", " \n token \n": "token", "": "", "\n": "", "two words": "!", "a\nb": "!",
		strings.Repeat("x", maxToken+1): "!",
	} {
		s := &FileStore{Path: filepath.Join(t.TempDir(), "token")}
		if err := os.WriteFile(s.Path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := s.Load(t.Context())
		switch {
		case want == "!" && (err == nil || errors.Is(err, ErrNoToken)), want == "" && !errors.Is(err, ErrNoToken),
			want != "!" && got.Reveal() != want:
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

func TestFileStoreFollowsALink(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	if err := os.WriteFile(real, []byte("old\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, link); err != nil {
		t.Skip(err)
	}
	if err := (&FileStore{Path: link}).Save(t.Context(), login.NewPassword("new")); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(real)
	info, statErr := os.Lstat(link)
	if err != nil || statErr != nil || string(got) != "new\n" || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("%q, %v, %v", got, err, statErr)
	}
}

// TestSaveOrder is the golden order of what makes a token durable, and fails
// each step once: Load then has the old token or the new one, and no other file
// stays.
func TestSaveOrder(t *testing.T) {
	steps := []string{"create", "write", "sync", "rename", "syncDir"}
	broken := errors.New("broken")
	for failAt := -1; failAt < len(steps); failAt++ {
		dir := t.TempDir()
		s := &FileStore{Path: filepath.Join(dir, "token")}
		if err := s.Save(t.Context(), login.NewPassword("old")); err != nil {
			t.Fatal(err)
		}
		var done []string
		s.disk = failing(&done, failAt, broken)
		err := s.Save(t.Context(), login.NewPassword("new"))
		if failAt < 0 && (err != nil || !slices.Equal(done, steps)) {
			t.Errorf("%v, %v", done, err)
		}
		if failAt >= 0 && !errors.Is(err, broken) {
			t.Errorf("%s failed, yet: %v", steps[failAt], err)
		}
		got, err := s.Load(t.Context())
		if err != nil || got.Reveal() != "old" && got.Reveal() != "new" || err == nil && failAt < 0 && got.Reveal() != "new" {
			t.Errorf("failed at %d: %q, %v", failAt, got.Reveal(), err)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
			t.Errorf("failed at %d: %v, %v", failAt, entries, err)
		}
	}
}

// failing is the real disk, whose n-th step fails.
func failing(done *[]string, n int, broken error) *disk {
	real := realDisk()
	step := func(name string) error {
		*done = append(*done, name)
		if len(*done) == n+1 {
			return broken
		}
		return nil
	}
	return &disk{
		create: func(dir, pattern string) (*os.File, error) {
			if err := step("create"); err != nil {
				return nil, err
			}
			return real.create(dir, pattern)
		},
		write: func(f *os.File, data []byte) error {
			if err := step("write"); err != nil {
				return errors.Join(err, real.write(f, data[:1]))
			}
			return real.write(f, data)
		},
		sync: func(f *os.File) error { return errors.Join(step("sync"), real.sync(f)) },
		rename: func(from, to string) error {
			if err := step("rename"); err != nil {
				return err
			}
			return real.rename(from, to)
		},
		syncDir: func(dir string) error { return errors.Join(step("syncDir"), real.syncDir(dir)) },
	}
}
