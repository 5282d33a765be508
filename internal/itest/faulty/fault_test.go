package faulty

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mailstead/mailstead/store"
)

// TestFullDisk lets the disk get full after a few octets more, so that each kind
// of change meets the end in the middle of its work: it is refused with
// ErrTemporary, all that was acknowledged stays, and when there is room again
// the same store goes on.
func TestFullDisk(t *testing.T) {
	for _, room := range []int{0, 100, 3000, 9000, 30_000, 100_000, 1 << 20} {
		t.Run(fmt.Sprint(room), func(t *testing.T) {
			d := newDisk(t)
			l := newLedger(t, open(t, d, filepath.Join(d.dir, "data")))
			l.fill(t)
			d.do(t, fmt.Sprint("nospace ", room))
			refused := 0
			steps := l.steps()
			for range 40 {
				for _, name := range slices.Sorted(maps.Keys(steps)) {
					if err := steps[name](t.Context()); errors.Is(err, store.ErrTemporary) {
						refused++
					} else if err != nil {
						t.Errorf("%s on a full disk: %v, want ErrTemporary", name, err)
					}
				}
			}
			if refused < 40 {
				t.Errorf("%d changes were refused on a full disk", refused)
			}
			l.check(t, false)
			d.do(t, "heal")
			l.fill(t)
			l.check(t, false)
			l.survives(t, d, false)
		})
	}
}

// TestFailedSync fails every fsync for a while: nothing is acknowledged from then
// on, until the store is opened again; then it goes on, and a power cut loses
// nothing, though the kernel has dropped what it could not write.
func TestFailedSync(t *testing.T) {
	for _, first := range []string{"append", "append a large message", "flag", "expunge", "copy", "create"} {
		for _, healed := range []bool{false, true} {
			name := first + ", broken while it closes"
			if healed {
				name = first + ", healed before it closes"
			}
			t.Run(name, func(t *testing.T) { failedSync(t, first, healed) })
		}
	}
}

func failedSync(t *testing.T, first string, healed bool) {
	d := newDisk(t)
	o := open(t, d, filepath.Join(d.dir, "data"))
	l := newLedger(t, o)
	l.fill(t)
	d.do(t, "syncfail")
	for _, name := range []string{first, "append", "flag"} {
		if err := l.steps()[name](t.Context()); !errors.Is(err, store.ErrTemporary) && !errors.Is(err, store.ErrUnknown) {
			t.Errorf("%s while every fsync fails: %v, want ErrTemporary or ErrUnknown", name, err)
		}
	}
	if healed {
		d.do(t, "heal")
		if err := l.append(t.Context(), 100); !errors.Is(err, store.ErrTemporary) {
			t.Errorf("append after a failed fsync: %v, want ErrTemporary", err)
		}
	}
	o.Close()
	d.do(t, "heal")
	l.at(t, open(t, d, o.dir))
	l.check(t, true)
	l.fill(t)
	l.survives(t, d, true)
}

// TestUnreadable fails every read for a while: it is said, with a named error,
// and everything is there afterwards.
func TestUnreadable(t *testing.T) {
	d := newDisk(t)
	l := newLedger(t, open(t, d, filepath.Join(d.dir, "data")))
	l.fill(t)
	d.do(t, "readfail *.seg")
	d.do(t, "readfail *.one")
	failed := 0
	for uid := range l.acked {
		_, err := l.read(t.Context(), uid)
		if err != nil {
			failed++
		}
		var e *store.Error
		if err != nil && (!errors.Is(err, store.ErrTemporary) || !errors.As(err, &e) || e.Account != "alice") {
			t.Errorf("an unreadable message: %v, want ErrTemporary with the account", err)
		}
	}
	if failed == 0 {
		t.Error("every message could be read")
	}
	d.do(t, "heal")
	l.check(t, false)
	l.fill(t)
}

// TestReadOnly makes the file system read-only, as the kernel does after an
// error of the disk: changes are refused with a named error, and everything is
// there when the store is opened again. Until then messages read right or not at
// all: an account whose commit failed is read again by the next commit only.
func TestReadOnly(t *testing.T) {
	d := newDisk(t)
	o := open(t, d, filepath.Join(d.dir, "data"))
	l := newLedger(t, o)
	l.fill(t)
	d.do(t, "readonly")
	for name, step := range l.steps() {
		if err := step(t.Context()); !errors.Is(err, store.ErrTemporary) && !errors.Is(err, store.ErrUnknown) {
			t.Errorf("%s on a read-only file system: %v, want ErrTemporary or ErrUnknown", name, err)
		}
	}
	for uid, want := range l.acked {
		got, err := l.read(t.Context(), uid)
		if err == nil && !bytes.Equal(got, want.body) || err != nil && !errors.Is(err, store.ErrTemporary) {
			t.Errorf("message %d: %d octets, %v", uid, len(got), err)
		}
	}
	o.Close()
	d.do(t, "heal")
	l.at(t, open(t, d, o.dir))
	l.check(t, true)
	l.fill(t)
	l.survives(t, d, true)
}
