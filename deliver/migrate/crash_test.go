package migrate_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/deliver/migrate/emltree"
	"github.com/mailstead/mailstead/deliver/migrate/maildirtree"
	"github.com/mailstead/mailstead/deliver/migrate/mboxtree"
	"github.com/mailstead/mailstead/internal/vfs"
)

func treesOf() map[string]func(vfs.FS) migrate.Target {
	return map[string]func(vfs.FS) migrate.Target{
		"maildir": func(f vfs.FS) migrate.Target { return maildirtree.New("/m", maildirtree.Options{FS: f}) },
		"eml":     func(f vfs.FS) migrate.Target { return emltree.New("/m", emltree.Options{FS: f}) },
		"mbox":    func(f vfs.FS) migrate.Target { return mboxtree.New("/m", mboxtree.Options{FS: f}) },
	}
}

// A disk that fails for a while: the same process tries again, and doubles nothing.
func TestDiskFaults(t *testing.T) {
	errDisk := errors.New("disk")
	for name, open := range treesOf() {
		for seed := range seeds(40) {
			t.Run(fmt.Sprint(name, seed), func(t *testing.T) {
				rng := random(seed)
				f := &fake{boxes: []*fakeBox{box("INBOX", 0, 9), box("x/y", 50, 7)}}
				mem := vfs.NewMem()
				at, n := rng.IntN(100), 0
				fault := vfs.NewFault(mem, func(op vfs.Op) error {
					if !op.Kind.Mutates() || op.Kind == vfs.OpLock {
						return nil
					}
					if n++; n > at && n%17 < 2 && n < at+60 {
						return errDisk
					}
					return nil
				})
				dst := open(fault)
				_, err := migrate.Run(t.Context(), f, dst, migrate.Options{BatchMessages: 3, Attempts: 20, Backoff: 1, Parallel: 2})
				if err != nil && !errors.Is(err, errDisk) && !errors.Is(err, migrate.ErrLoss) {
					t.Fatal(err)
				}
				mustRun(t, f, open(mem), migrate.Options{Verify: migrate.VerifyBodies})
				same(t, dump(t, open(mem)), dump(t, f))
			})
		}
	}
}

// Power cuts at any operation of the file system, and ends of the process: the next
// runs end with every message there once.
func TestPowerCuts(t *testing.T) {
	for name, open := range treesOf() {
		for seed := range seeds(60) {
			t.Run(fmt.Sprint(name, seed), func(t *testing.T) {
				rng := random(seed)
				f := &fake{boxes: []*fakeBox{box("INBOX", 0, 9), box("x/y", 50, 7)}}
				mem := vfs.NewMem()
				for n := 1; ; n++ {
					fault := vfs.NewFault(mem, vfs.CrashAt(1+rng.IntN(100*n)))
					o := migrate.Options{BatchMessages: 1 + rng.IntN(5), Attempts: -1, Parallel: 1 + rng.IntN(2)}
					_, err := migrate.Run(t.Context(), f, open(fault), o)
					if err == nil {
						break
					}
					if n > 100 {
						t.Fatal(err)
					}
					switch rng.IntN(3) {
					case 0:
						mem = mem.AfterKill()
					case 1:
						mem = mem.Crash(nil)
					default:
						mem = mem.Crash(rng)
					}
				}
				same(t, dump(t, open(mem)), dump(t, f))
				if r := mustRun(t, f, open(mem), migrate.Options{Verify: migrate.VerifyBodies}); r.Copied != 0 {
					t.Errorf("%+v", r.Totals)
				}
			})
		}
	}
}
