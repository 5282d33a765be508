package segment_test

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/internal/vfs"
)

// site names the place in the engine that asks for a sync: function and kind.
// A hook runs on the goroutine that asks.
func site(op vfs.Op) string {
	if op.Kind != vfs.OpSync && op.Kind != vfs.OpSyncDir {
		return ""
	}
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for {
		f, more := frames.Next()
		_, name, ok := strings.Cut(f.Function, "store/blob/segment.")
		if ok {
			return fmt.Sprintf("%s in %s", op.Kind, name)
		}
		if !more {
			return ""
		}
	}
}

// TestEverySync leaves out each sync of the engine in turn: some power cut must
// then be noticed, or the sync is not needed, or the tests see nothing.
func TestEverySync(t *testing.T) {
	if testing.Short() {
		t.Skip("half a minute")
	}
	total := operations(t)
	seen := map[string]bool{}
	note := func(next vfs.Hook) vfs.Hook {
		return func(op vfs.Op) error {
			if s := site(op); s != "" {
				seen[s] = true
			}
			return next(op)
		}
	}
	if err := everything(t, note, total, 5); err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		t.Run(name, func(t *testing.T) {
			without := func(next vfs.Hook) vfs.Hook {
				return func(op vfs.Op) error {
					if err := next(op); err != nil {
						return err
					}
					if site(op) == name {
						return vfs.ErrSkipped
					}
					return nil
				}
			}
			err := everything(t, without, total, 1)
			if err == nil {
				t.Errorf("nothing is lost without it")
			}
			t.Log(err)
		})
	}
	if len(seen) < 12 {
		t.Errorf("only %d syncs are known: %v", len(seen), slices.Sorted(maps.Keys(seen)))
	}
}

// everything runs each crash test, at every step-th operation, up to the first
// failure.
func everything(t *testing.T, w wrap, total, step int) error {
	mem, h := threeRecords(t)
	for _, d := range wounds() {
		disk := mem.Crash(nil)
		patch(t, disk, firstSegment, d.off, d.octets)
		if err := h.aside(w, durable(disk), &d); err != nil {
			return fmt.Errorf("damage to %s: %w", d.name, err)
		}
	}
	if err := leftover(w); err != nil {
		return err
	}
	for i := 1; i <= total; i += step {
		if err := crash(w, i); err != nil {
			return err
		}
		if err := kill(w, i); err != nil {
			return err
		}
		if i/step%3 == 0 {
			if err := crashInRecovery(w, i); err != nil {
				return err
			}
		}
	}
	return nil
}
