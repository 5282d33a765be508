package dkim

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/internal/vfs"
)

func TestFileKeys(t *testing.T) {
	dir := t.TempDir()
	s := NewFileKeys(dir)
	ctx := t.Context()
	key, err := GenerateEd25519()
	if err != nil {
		t.Fatal(err)
	}
	if keys, err := s.Keys(ctx, "example.org"); err != nil || len(keys) != 0 {
		t.Fatal(keys, err)
	}
	add := func(selector string, state State) error {
		return s.Add(ctx, StoredKey{Key{"Example.org", selector, key}, state})
	}
	for _, err := range []error{add("b.c", Published), add("a", Active)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	rsaKey, err := GenerateRSA(1024)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Add(ctx, StoredKey{Key{"example.org", "r", rsaKey}, Active}); err != nil {
		t.Fatal(err)
	}
	for what, test := range map[string][2]error{
		"twice":       {add("a", Retired), ErrKeyExists},
		"no state":    {add("d", "x"), ErrState},
		"path":        {add("../d", Active), ErrKey},
		"no key":      {s.Add(ctx, StoredKey{Key{Domain: "example.org", Selector: "e"}, Active}), ErrKey},
		"missing":     {s.SetState(ctx, "example.org", "z", Active), ErrNoKey},
		"remove none": {s.Remove(ctx, "example.net", "a"), ErrNoKey},
		"retire":      {s.SetState(ctx, "example.org", "a", Retired), nil},
		"come back":   {s.SetState(ctx, "example.org", "b.c", "x"), ErrState},
		"activate":    {s.SetState(ctx, "example.org", "b.c", Active), nil},
	} {
		if !errors.Is(test[0], test[1]) {
			t.Errorf("%s: %v, want %v", what, test[0], test[1])
		}
	}
	if err := s.SetState(ctx, "example.org", "a", Active); !errors.Is(err, ErrState) {
		t.Errorf("a retired key came back: %v", err)
	}
	if err := os.WriteFile(dir+"/example.org/README", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	active, err := ActiveKeys(ctx, NewFileKeys(dir), "example.ORG")
	if err != nil || len(active) != 2 || active[0].Selector != "b.c" || active[1].Selector != "r" {
		t.Fatalf("%v, %v", active, err)
	}
	if _, err := (&Signer{Keys: active}).Sign(strings.NewReader("From: a@example.org\r\n\r\n")); err != nil {
		t.Error(err)
	}
	if err := s.Remove(ctx, "example.org", "a"); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(dir+"/example.org/broken.active.pem", []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Keys(ctx, "example.org"); !errors.Is(err, ErrKey) || strings.Contains(err.Error(), "secret") {
		t.Errorf("a broken file: %v", err)
	}
}

// rotating changes the state of a key before each of the first files is opened.
type rotating struct {
	vfs.FS
	steps []func() error
}

func (r *rotating) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	if len(r.steps) > 0 && flag == os.O_RDONLY {
		step := r.steps[0]
		r.steps = r.steps[1:]
		if err := step(); err != nil {
			return nil, err
		}
	}
	return r.FS.OpenFile(name, flag, perm)
}

// A message is signed also while keys are rotated.
func TestFileKeysDuringRotation(t *testing.T) {
	key, err := GenerateEd25519()
	if err != nil {
		t.Fatal(err)
	}
	s := &FileKeys{dir: "/keys", fs: vfs.NewMem()}
	if err := s.Add(t.Context(), StoredKey{Key{"a.example", "s", key}, Published}); err != nil {
		t.Fatal(err)
	}
	to := func(state State) func() error {
		return func() error { return s.SetState(t.Context(), "a.example", "s", state) }
	}
	reader := &FileKeys{dir: "/keys", fs: &rotating{s.fs, []func() error{to(Active), to(Retired)}}}
	keys, err := reader.Keys(t.Context(), "a.example")
	if err != nil || len(keys) != 1 || keys[0].State != Retired {
		t.Errorf("%v, %v", keys, err)
	}
	gone := make([]func() error, 100)
	for i := range gone {
		gone[i] = func() error { return fs.ErrNotExist }
	}
	endless := &rotating{s.fs, gone}
	if _, err := (&FileKeys{dir: "/keys", fs: endless}).Keys(t.Context(), "a.example"); !errors.Is(err, fs.ErrNotExist) || len(endless.steps) != 96 {
		t.Errorf("%v after %d times", err, 100-len(endless.steps))
	}
}

// TestFileKeysCrash cuts the power at every operation: what was acknowledged
// is there, and what was not is as before or as after.
func TestFileKeysCrash(t *testing.T) {
	key, err := GenerateEd25519()
	if err != nil {
		t.Fatal(err)
	}
	for k := 0; ; k++ {
		disk := vfs.NewMem()
		fault := vfs.NewFault(disk, vfs.CrashAt(k))
		s := &FileKeys{dir: "/keys", fs: fault}
		acked := 0
		steps := []func() error{
			func() error { return s.Add(t.Context(), StoredKey{Key{"a.example", "s", key}, Published}) },
			func() error { return s.SetState(t.Context(), "a.example", "s", Active) },
			func() error { return s.SetState(t.Context(), "a.example", "s", Retired) },
			func() error { return s.Remove(t.Context(), "a.example", "s") },
		}
		for _, step := range steps {
			if step() != nil {
				break
			}
			acked++
		}
		for seed := range uint64(4) {
			after := &FileKeys{dir: "/keys", fs: disk.Crash(rand.New(rand.NewPCG(seed, 1)))}
			got := "none"
			keys, err := after.Keys(t.Context(), "a.example")
			if err != nil {
				t.Fatalf("crash at %d: %v", k, err)
			}
			if len(keys) > 0 {
				got = string(keys[0].State)
			}
			want := []string{"none", "published", "active", "retired", "none"}
			if got != want[acked] && (acked == len(steps) || got != want[acked+1]) {
				t.Errorf("crash at %d, %d steps acknowledged: %s", k, acked, got)
			}
		}
		if acked == len(steps) {
			return
		}
	}
}
