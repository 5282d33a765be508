package filelogin

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/login"
)

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFileBrokenLines(t *testing.T) {
	h := mustHash(t, "secret")
	path := filepath.Join(t.TempDir(), "passwd")
	write(t, path, strings.Join([]string{
		"# users", "", "alice@example.org:" + h, "no colon", "bob:{MD5}topsecret", "al ice:" + h,
		"ALICE@example.org:" + h, "carol:" + h + ":more:fields\r", "dora:!" + h, "emil:*", "fred:", "gina:!",
		"bomb:$argon2id$v=19$m=4000000000,t=1,p=1$c29tZXNhbHQ$c29tZXNhbHRzb21lc2FsdA", "last:" + h,
	}, "\n")) // no newline at the end
	var log bytes.Buffer
	f := &File{Path: path, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	broken, err := f.Broken()
	if err != nil {
		t.Fatal(err)
	}
	want := map[int]error{4: errNoColon, 5: login.ErrHash, 6: login.ErrUsername, 7: errDuplicate, 13: login.ErrHash}
	for _, b := range broken {
		if !errors.Is(b, want[b.Line]) {
			t.Errorf("%v", b)
		}
		delete(want, b.Line)
	}
	if len(want) > 0 {
		t.Errorf("not reported: %v", want)
	}
	for user, want := range map[string]login.Record{
		"alice@example.org": {Hash: h}, "carol": {Hash: h}, "dora": {Hash: h, Disabled: true}, "last": {Hash: h},
		"emil": {Disabled: true}, "fred": {Disabled: true}, "gina": {Disabled: true},
	} {
		rec, err := f.Lookup(t.Context(), user)
		if err != nil || rec.Account != user || rec.Hash != want.Hash || rec.Disabled != want.Disabled {
			t.Errorf("%s: %+v, %v", user, rec, err)
		}
	}
	if _, err := f.Lookup(t.Context(), "bob"); !errors.Is(err, login.ErrNoUser) {
		t.Errorf("bob: %v", err)
	}
	if got := log.String(); !strings.Contains(got, "line=4") || strings.Contains(got, "topsecret") {
		t.Errorf("log: %s", got)
	}
}

// A change leaves every other line as it is, comments and broken ones too.
func TestFileKeepsOtherLines(t *testing.T) {
	h, h2 := mustHash(t, "one"), mustHash(t, "two")
	path := filepath.Join(t.TempDir(), "passwd")
	write(t, path, "# users\n\nAlice:"+h+":a:b\nbroken\nbob:"+h)
	f := &File{Path: path, Logger: slog.New(slog.DiscardHandler)}
	read := func() string {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for _, step := range []struct {
		name string
		err  error
		want string
	}{
		{"set", f.Set(t.Context(), "alice", h2), "# users\n\nalice:" + h2 + ":a:b\nbroken\nbob:" + h + "\n"},
		{"append", f.Set(t.Context(), "eve", h), ""},
		{"disable", f.Disable(t.Context(), "alice", true), ""},
		{"delete", f.Delete(t.Context(), "bob"), "# users\n\nalice:!" + h2 + ":a:b\nbroken\neve:" + h + "\n"},
	} {
		if step.err != nil {
			t.Errorf("%s: %v", step.name, step.err)
		}
	}
	if got, want := read(), "# users\n\nalice:!"+h2+":a:b\nbroken\neve:"+h+"\n"; got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	left, _ := os.ReadDir(filepath.Dir(path))
	if len(left) != 2 { // the lock stays
		t.Errorf("temporary files stay: %v", left)
	}
}

func TestFileReload(t *testing.T) {
	h, h2 := mustHash(t, "one"), mustHash(t, "two")
	path := filepath.Join(t.TempDir(), "passwd")
	f := &File{Path: path, Logger: slog.New(slog.DiscardHandler)}
	if _, err := f.Lookup(t.Context(), "alice"); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, login.ErrNoUser) {
		t.Errorf("no file: %v", err)
	}
	lookup := func() string {
		rec, err := f.Lookup(t.Context(), "alice")
		if err != nil {
			t.Fatal(err)
		}
		return rec.Hash
	}
	write(t, path, "alice:"+h+"\n")
	if lookup() != h {
		t.Error("not read")
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, "alice:"+h2+"\n") // same file, size and time
	if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if lookup() != h2 {
		t.Error("a change within one step of the clock is missed")
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	lookup()
	before := f.users.value
	if lookup(); f.users.value != before {
		t.Error("an unchanged file is read again")
	}
	other := filepath.Join(filepath.Dir(path), "new")
	write(t, other, "alice:"+h+"\n")
	_ = os.Chtimes(other, old, old)
	if err := os.Rename(other, path); err != nil {
		t.Fatal(err)
	}
	if lookup() != h {
		t.Error("another file of the same size and time is missed")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Lookup(t.Context(), "alice"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("removed: %v", err)
	}
	for _, err := range f.Accounts(t.Context()) {
		if err == nil {
			t.Error("removed: accounts without an error")
		}
	}
}

func TestFileSetRefuses(t *testing.T) {
	h := mustHash(t, "x")
	f := &File{Path: filepath.Join(t.TempDir(), "passwd")}
	for user, hash := range map[string]string{"a:b": h, "#a": h, "a": h + "\n", "b": h + ":x", "c@[IPv6:::1]": h} {
		if err := f.Set(t.Context(), user, hash); err == nil {
			t.Errorf("Set(%q, %q)", user, hash)
		}
	}
	if err := (&File{Path: filepath.Join(f.Path, "no", "dir")}).Set(t.Context(), "a", h); err == nil {
		t.Error("a directory that does not exist")
	}
}

func accounts(t *testing.T, e login.Editor) []string {
	t.Helper()
	var names []string
	for name, err := range e.Accounts(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	return names
}

func TestFileConcurrent(t *testing.T) {
	h := mustHash(t, "x")
	f := &File{Path: filepath.Join(t.TempDir(), "passwd"), Logger: slog.New(slog.DiscardHandler)}
	_ = f.Set(t.Context(), "user", h)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 5 {
				if _, err := f.Lookup(t.Context(), "user"); err != nil {
					t.Error(err)
				}
			}
			if err := f.Set(t.Context(), fmt.Sprint("user", i), h); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := accounts(t, f); len(got) != 9 {
		t.Errorf("%d accounts: a change was lost", len(got))
	}
}

func FuzzPasswdLine(f *testing.F) {
	h := mustHash(f, "x")
	for _, s := range []string{"alice:" + h, "alice:!" + h + ":x", "a:*", "a:", ":", "", "a:!!" + h, "a:{BCRYPT}:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		p, err := parsePasswdLine(line)
		if err != nil {
			return
		}
		if p.hash == "" && !p.disabled || strings.Contains(p.hash, ":") || p.hash != "" && login.CheckHash(p.hash) != nil {
			t.Fatalf("%q: %+v", line, p)
		}
		if again, err := parsePasswdLine(p.String()); err != nil || again != p {
			t.Fatalf("%q: %+v, then %+v, %v", line, p, again, err)
		}
		if _, err := login.Canonical(p.user); err != nil {
			t.Fatalf("%q: user %q", line, p.user)
		}
	})
}
