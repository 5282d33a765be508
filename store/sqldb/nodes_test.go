package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var errLost = errors.New("connection lost")

// remote is the dialect of a database that others change too.
func remote(f *fake) Dialect {
	return Dialect{
		Reconnects: true,
		Lost:       func(err error) bool { return errors.Is(err, errLost) },
		Aborted:    func(*sql.Conn) bool { return f.isAborted() },
	}
}

// isAborted reports whether a statement failed since the last BEGIN.
func (f *fake) isAborted() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.aborted
}

// locks is a Locker that logs what it locked.
type locks struct{ name string }

func (l *locks) Lock(tx *Tx, keys []string) error {
	_, err := tx.ExecOnce("lock " + l.name + " " + strings.Join(keys, ","))
	tx.writes--
	return err
}

func TestLockOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		db := newFake(t, f, Dialect{})
		x, y := &locks{"x"}, &locks{"y"}
		together(t, f, db,
			Work{Key: "x2", Locker: x, Do: put("x2")},
			Work{Key: "none", Do: put("none")},
			Work{Key: "y1", Locker: y, Do: put("y1")},
			Work{Key: "x1", Locker: x, Do: func(tx *Tx) error {
				if !tx.Locked("x1") || !tx.Locked("y1") || tx.Locked("none") {
					t.Error("Locked does not say what is locked")
				}
				return put("x1")(tx)
			}},
			Work{Key: "x2", Locker: x, Do: put("again")})
		log := strings.Join(f.log[3:], " ") // behind the first batch
		if want := "BEGIN lock x x1,x2 lock y y1 put x2 put none put y1 put x1 put again COMMIT"; log != want {
			t.Errorf("ran  %q\nwant %q", log, want)
		}
		db.Close()
	})
}

func TestLockFails(t *testing.T) {
	f := &fake{fail: map[string]error{"lock x a": errBad}}
	db := newFake(t, f, Dialect{})
	err := db.Commit(t.Context(), Work{Key: "a", Locker: &locks{"x"}, Do: put("a")})
	if !errors.Is(err, ErrSystemic) || !errors.Is(err, errBad) {
		t.Errorf("got %v, want ErrSystemic", err)
	}
	if want := "BEGIN lock x a ROLLBACK"; strings.Join(f.log, " ") != want {
		t.Errorf("ran %q, want %q", f.log, want)
	}
}

// TestAborted: a Do whose statement failed has no effect and does not take the
// others with it, whatever it says, and whether it wrote or not.
func TestAborted(t *testing.T) {
	for _, says := range []error{nil, errBad} {
		t.Run(fmt.Sprint(says), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{fail: map[string]error{"put b": errBad}}
				db := newFake(t, f, remote(f))
				errs := together(t, f, db,
					Work{Key: "a", Do: put("a")},
					Work{Key: "b", Do: func(tx *Tx) error { put("b")(tx); tx.writes = 0; return says }},
					Work{Key: "c", Do: put("c")})
				want := says
				if says == nil {
					want = ErrAborted
				}
				if errs[0] != nil || !errors.Is(errs[1], want) || errs[2] != nil {
					t.Errorf("outcomes %v", errs)
				}
				if want := []string{"first", "a", "c"}; !slices.Equal(f.rows, want) {
					t.Errorf("rows %v, want %v", f.rows, want)
				}
				db.Close()
			})
		})
	}
}

// TestLostConnection: before COMMIT the batch runs again; after it the outcome
// is unknown, state is dropped, and the DB goes on.
func TestLostConnection(t *testing.T) {
	for _, c := range []struct {
		statement string
		want      error
		rows      int
	}{
		{"BEGIN", nil, 2}, {"put a", nil, 2}, {"lock x a", nil, 2}, {"COMMIT", ErrUnknown, 1},
	} {
		t.Run(c.statement, func(t *testing.T) {
			f := &fake{}
			db := newFake(t, f, remote(f))
			if err := db.Commit(t.Context(), Work{Do: put("before")}); err != nil {
				t.Fatal(err)
			}
			f.fail[c.statement] = errLost
			dropped := 0
			w := Work{Key: "a", Locker: &locks{"x"}, Do: func(tx *Tx) error {
				tx.OnRollback(func() { dropped++ })
				return put("a")(tx)
			}}
			if err := db.Commit(t.Context(), w); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if c.want != nil && dropped != 1 {
				t.Errorf("state was dropped %d times, want once", dropped)
			}
			if len(f.rows) != c.rows {
				t.Errorf("rows %v, want %d", f.rows, c.rows)
			}
			if err := db.Commit(t.Context(), Work{Do: put("after")}); err != nil {
				t.Errorf("the next: %v", err)
			}
		})
	}
}

func TestOneKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.fail = map[string]error{}
		db, err := New(Options{Write: sql.OpenDB(f), OneKey: true, MaxBatch: 3})
		if err != nil {
			t.Fatal(err)
		}
		var works []Work
		for i := range 4 {
			works = append(works, Work{Key: "a", Do: put(fmt.Sprint("a", i))})
		}
		works = append(works, Work{Key: "b", Do: put("b")}, Work{Key: "b", Cost: Large + 1, Do: put("bulk")})
		together(t, f, db, works...)
		log := strings.Join(f.log[3:], " ")
		if want := "BEGIN put a0 put a1 put a2 COMMIT BEGIN put b COMMIT BEGIN put a3 COMMIT BEGIN put bulk COMMIT"; log != want {
			t.Errorf("ran  %q\nwant %q", log, want)
		}
		db.Close()
	})
}

// TestCommitters: transactions run at once, but those of one key in order.
func TestCommitters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{fail: map[string]error{}}
		db, err := New(Options{Write: sql.OpenDB(f), Committers: 4})
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		running, most := 0, 0
		last := map[string]int{}
		var wg sync.WaitGroup
		for i := range 20 {
			for k := range 5 {
				key := fmt.Sprint("key", k)
				w := Work{Key: key, Locker: &locks{"x"}, Do: func(tx *Tx) error {
					mu.Lock()
					running++
					most = max(most, running)
					if last[key] != i {
						t.Errorf("%s: %d runs after %d", key, i, last[key])
					}
					last[key]++
					mu.Unlock()
					time.Sleep(time.Second)
					mu.Lock()
					running--
					mu.Unlock()
					return put(key)(tx)
				}}
				wg.Go(func() {
					if err := db.Commit(context.Background(), w); err != nil {
						t.Error(err)
					}
				})
			}
			synctest.Wait()
		}
		wg.Wait()
		if most < 2 || most > 4 {
			t.Errorf("%d transactions at once, want 2 to 4", most)
		}
		db.Close()
	})
}

func TestNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		db := newFake(t, f, Dialect{})
		err := db.Commit(t.Context(), Work{Do: func(tx *Tx) error {
			now, err := tx.Now()
			if !now.Equal(time.Now()) {
				t.Errorf("now is %v", now)
			}
			return err
		}})
		if err != nil {
			t.Error(err)
		}
		db.Close()
	})
}
