package encrypt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

func create(t testing.TB) *KeyFile {
	t.Helper()
	f, err := CreateKeyFile(filepath.Join(t.TempDir(), "keys"))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestKeyFile(t *testing.T) {
	ctx := t.Context()
	f := create(t)
	first, _ := f.Current(ctx)
	index, _ := f.Index(ctx)
	before, err := f.Derive(ctx, first, "label")
	if err != nil {
		t.Fatal(err)
	}
	second, err := f.Add()
	if now, _ := f.Current(ctx); err != nil || now != first {
		t.Errorf("current is %q after Add, %v", now, err)
	}
	if err := f.Use(second); err != nil {
		t.Error(err)
	}
	third, err := f.Rotate()
	if err != nil {
		t.Error(err)
	}
	// What another process reads is the same.
	g, err := OpenKeyFile(f.path)
	if err != nil {
		t.Fatal(err)
	}
	if now, _ := g.Current(ctx); now != third || !slices.Equal(g.Keys(), []KeyID{first, second, third}) {
		t.Errorf("current %q of %q", now, g.Keys())
	}
	after, err := g.Derive(ctx, first, "label")
	other, _ := g.Derive(ctx, second, "label")
	if err != nil || after != before || other == before {
		t.Errorf("Derive differs, or does not: %v", err)
	}
	for id, want := range map[KeyID]bool{first: true, third: false, index: false, "none": false} {
		if err := f.Remove(id); (err == nil) != want {
			t.Errorf("Remove(%q): %v", id, err)
		}
	}
	if _, err := f.Derive(ctx, first, "label"); !errors.Is(err, ErrNoKey) {
		t.Errorf("Derive of a key that was removed: %v", err)
	}
	if err := errors.Join(g.Use(second), g.Reload()); err != nil {
		t.Error(err)
	}
	if !slices.Equal(g.Keys(), []KeyID{second, third}) {
		t.Errorf("a change of one process is undone by another: %q", g.Keys())
	}
	if err := g.Use(first); !errors.Is(err, ErrNoKey) {
		t.Errorf("Use of a key that was removed: %v", err)
	}
	info, err := os.Stat(f.path)
	list, _ := os.ReadDir(filepath.Dir(f.path))
	if err != nil || info.Mode().Perm() != 0o600 || len(list) != 1 {
		t.Errorf("the file has mode %v, among %v; %v", info.Mode(), list, err)
	}
	text, _ := os.ReadFile(f.path)
	for _, said := range []string{fmt.Sprint(f), fmt.Sprintf("%+v %#v", f, f), f.LogValue().String()} {
		for _, secret := range strings.Fields(string(text)) {
			if len(secret) > 40 && strings.Contains(said, secret[:8]) || len(said) > 400 {
				t.Errorf("a key is in %s", said)
			}
		}
	}
}

func TestKeyFileRefuses(t *testing.T) {
	f := create(t)
	if _, err := CreateKeyFile(f.path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("CreateKeyFile over a file: %v", err)
	}
	if _, err := OpenKeyFile(f.path); err != nil {
		t.Errorf("the file that is there: %v", err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o644} {
		if err := os.Chmod(f.path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenKeyFile(f.path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %v: %v", mode, err)
		}
	}
	if _, err := OpenKeyFile(t.TempDir()); err == nil {
		t.Error("a directory is a key file")
	}
	if _, err := OpenKeyFile(f.path + "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	sound := string(f.ring.encode())
	lines := strings.SplitAfter(sound, "\n")
	for what, text := range map[string]string{
		"nothing":         "",
		"another file":    "Subject: x\r\n",
		"a newer version": strings.Replace(sound, "keys 1", "keys 2", 1),
		"no index":        strings.Replace(sound, lines[2], "", 1),
		"two indexes":     sound + lines[2],
		"no key":          strings.Replace(sound, lines[3], "", 1),
		"a key twice":     sound + lines[3],
		"no current":      strings.Replace(sound, lines[4], "", 1),
		"another current": strings.Replace(sound, "current ", "current x", 1),
		"two currents":    sound + lines[4],
		"a short key":     sound + "key x AAAA\n",
		"no base64":       sound + "key x " + strings.Repeat("?", 44) + "\n",
		"a long id":       sound + "key " + strings.Repeat("x", 33) + strings.TrimPrefix(lines[3], "key "+string(f.ring.current)),
		"another word":    sound + "secret" + lines[3],
		"a long file":     sound + strings.Repeat("#\n", maxFileSize),
	} {
		if _, err := parseRing([]byte(text)); err == nil {
			t.Errorf("%s is a key file", what)
		}
	}
	if r, err := parseRing([]byte(strings.ReplaceAll(sound, "\n", " # remark\r\n\n"))); err != nil || r.current != f.ring.current {
		t.Errorf("with remarks: %v", err)
	}
}

// TestKeyFileFails: a change that cannot be written is none.
func TestKeyFileFails(t *testing.T) {
	f := create(t)
	was, _ := f.Current(t.Context())
	dir := filepath.Dir(f.path)
	gone := dir + "-gone"
	if err := os.Rename(dir, gone); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Rotate(); err == nil {
		t.Error("Rotate without the file")
	}
	if err := os.Rename(gone, dir); err != nil {
		t.Fatal(err)
	}
	if now, _ := f.Current(t.Context()); now != was || len(f.Keys()) != 1 {
		t.Errorf("current %q of %q, want %q", now, f.Keys(), was)
	}
	place := func(string, string) error { return errors.New("disk full") }
	if err := writeFile(f.path, []byte("x"), place); err == nil {
		t.Error("writeFile without the rename")
	}
	if list, _ := os.ReadDir(dir); len(list) != 1 {
		t.Errorf("left behind: %v", list)
	}
	if _, err := OpenKeyFile(f.path); err != nil {
		t.Error(err)
	}
}

func FuzzKeyFile(f *testing.F) {
	f.Add(create(f).ring.encode())
	f.Add([]byte(fileHeader + "\nindex a \nkey\ncurrent a\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := parseRing(text)
		if err != nil {
			return
		}
		again, err := parseRing(r.encode())
		if err != nil || again.current != r.current || !slices.Equal(again.keys, r.keys) {
			t.Errorf("%q is %+v, then %+v, %v", text, r, again, err)
		}
	})
}

// FuzzKey reads anything as a wrapped key.
func FuzzKey(f *testing.F) {
	ks := &keys{ring: create(f)}
	ref := blob.Ref("m1")
	for _, scope := range []string{"", "alice"} {
		w, err := ks.wrapper(f.Context(), scope)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(w.wrap(dataKey{1}, ref, 0))
		f.Add(append(w.wrap(dataKey{1}, ref, isPlain), 1, 2, 3))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		w, err := consumeKey(b)
		if err != nil {
			if !errors.Is(err, blob.ErrCorrupt) && !errors.Is(err, blob.ErrVersion) {
				t.Errorf("error %v", err)
			}
			return
		}
		if w.size > len(b) || len(w.head)+keyTail != w.size {
			t.Fatalf("%d octets of %d", w.size, len(b))
		}
		if key, err := ks.unwrap(context.Background(), &w, ref); err == nil && key != (dataKey{1}) {
			t.Errorf("a key that nobody wrapped: %x", key)
		}
	})
}

// FuzzEntry reads anything as the value of an entry.
func FuzzEntry(f *testing.F) {
	ks := &keys{ring: create(f)}
	at := entryOf{"alice", store.MailboxID{1}, "key"}
	for _, value := range []string{"", "value"} {
		b, err := ks.sealEntry(f.Context(), at, []byte(value))
		if err != nil {
			f.Fatal(err)
		}
		if over := len(b) - len(value); over > entryOverhead || entryOverhead > store.MaxEntryOverhead {
			f.Fatalf("%d octets more, at most %d of %d", over, entryOverhead, store.MaxEntryOverhead)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		value, err := ks.openEntry(context.Background(), at, b)
		switch {
		case err == nil && string(value) != "" && string(value) != "value":
			t.Errorf("a value that nobody wrote: %q", value)
		case err != nil && !errors.Is(err, blob.ErrCorrupt) && !errors.Is(err, blob.ErrVersion) && !errors.Is(err, ErrNoKey) && !errors.Is(err, ErrPlain):
			t.Errorf("error %v", err)
		}
	})
}

// TestDeriveOnce: a ring is asked once for each account and version, and what
// is kept of its answers is bounded.
func TestDeriveOnce(t *testing.T) {
	ring := &counting{KeyFile: create(t)}
	ks := &keys{ring: ring}
	for range 10 {
		if _, err := ks.wrapper(t.Context(), "alice"); err != nil {
			t.Fatal(err)
		}
	}
	if ring.asked != 1 {
		t.Errorf("asked %d times", ring.asked)
	}
	for i := range maxKnown + 10 {
		if _, err := ks.wrapper(t.Context(), fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if len(ks.known) > maxKnown {
		t.Errorf("%d answers are kept", len(ks.known))
	}
}

type counting struct {
	*KeyFile
	asked int
}

func (c *counting) Derive(ctx context.Context, id KeyID, label string) ([32]byte, error) {
	c.asked++
	return c.KeyFile.Derive(ctx, id, label)
}
