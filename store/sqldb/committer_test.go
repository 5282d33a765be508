package sqldb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

var errBad = errors.New("bad")

// together hands all Work over while the committer is held in a first COMMIT,
// so that it is taken as one line; it returns their outcomes.
func together(t *testing.T, f *fake, db *DB, works ...Work) []error {
	t.Helper()
	f.gate = make(chan struct{})
	errs := make([]error, len(works)+1)
	done := make(chan int)
	start := func(i int, w Work) {
		go func() { errs[i] = db.Commit(context.Background(), w); done <- i }()
		synctest.Wait()
	}
	start(len(works), Work{Key: "first", Do: put("first")})
	for i, w := range works {
		start(i, w)
	}
	close(f.gate)
	for range errs {
		<-done
	}
	if errs[len(works)] != nil {
		t.Fatalf("first: %v", errs[len(works)])
	}
	return errs[:len(works)]
}

func TestCommitGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		db := newFake(t, f, Dialect{})
		var works []Work
		for i := range 50 {
			works = append(works, Work{Key: fmt.Sprint(i), Do: put(fmt.Sprint(i))})
		}
		for i, err := range together(t, f, db, works...) {
			if err != nil {
				t.Errorf("work %d: %v", i, err)
			}
		}
		if s := db.Stats(); s.Commits != 2 || s.Works != 51 {
			t.Errorf("stats %+v, want 2 commits of 51 works", s)
		}
		db.Close()
	})
}

func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		db := newFake(t, f, Dialect{})
		var works []Work
		for i := range 3 {
			works = append(works, Work{Key: "busy", Do: put(fmt.Sprint("busy", i))})
		}
		works = append(works, Work{Key: "other", Do: put("other")})
		together(t, f, db, works...)
		want := []string{"first", "busy0", "other", "busy1", "busy2"}
		if !slices.Equal(f.rows, want) {
			t.Errorf("rows %v, want %v", f.rows, want)
		}
		db.Close()
	})
}

// TestLargeAlone: a large Work is a batch of its own, and what is not large
// comes between two of them.
func TestLargeAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		db := newFake(t, f, Dialect{})
		together(t, f, db,
			Work{Key: "a", Cost: Large + 1, Do: put("a")},
			Work{Key: "b", Cost: Large + 1, Do: put("b")},
			Work{Key: "a", Do: put("behind a")},
			Work{Key: "c", Do: put("c")},
			Work{Key: "d", Do: put("d")},
			Work{Key: "d", Cost: Large + 1, Do: put("bulk d")})
		log := strings.Join(f.log[3:], " ") // behind the first batch
		want := "BEGIN put a COMMIT BEGIN put c put d put behind a COMMIT BEGIN put b COMMIT BEGIN put bulk d COMMIT"
		if log != want {
			t.Errorf("ran %q, want %q", log, want)
		}
		db.Close()
	})
}

func TestRefusalCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		db := newFake(t, f, Dialect{})
		errs := together(t, f, db,
			Work{Key: "a", Do: put("a")},
			Work{Key: "b", Do: func(*Tx) error { return errBad }},
			Work{Key: "c", Do: put("c")})
		if errs[0] != nil || !errors.Is(errs[1], errBad) || errs[2] != nil {
			t.Errorf("outcomes %v", errs)
		}
		if slices.Contains(f.log, "ROLLBACK") || db.Stats().Reruns != 0 {
			t.Errorf("a refusal undid the batch: %v", f.log)
		}
		db.Close()
	})
}

func TestFailureAfterWrite(t *testing.T) {
	for _, how := range []string{"error", "panic", "hook"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testFailureAfterWrite(t, how) })
		})
	}
}

func testFailureAfterWrite(t *testing.T, how string) {
	f := &fake{}
	db := newFake(t, f, Dialect{})
	var dropped, hooks []string
	good := func(row string) Work {
		return Work{Key: row, Do: func(tx *Tx) error {
			tx.OnRollback(func() { dropped = append(dropped, row) })
			tx.AfterCommit(func() { hooks = append(hooks, row) })
			return put(row)(tx)
		}}
	}
	bad := Work{Key: "bad", Do: func(tx *Tx) error {
		tx.OnRollback(func() { dropped = append(dropped, "bad") })
		put("bad")(tx)
		switch how {
		case "panic":
			panic("no")
		case "hook":
			tx.BeforeCommit(func(*Tx) error { return errBad })
			return nil
		}
		return errBad
	}}
	errs := together(t, f, db, good("a"), bad, good("c"))
	if errs[0] != nil || errs[1] == nil || errs[2] != nil {
		t.Errorf("outcomes %v", errs)
	}
	if how != "panic" && !errors.Is(errs[1], errBad) {
		t.Errorf("got %v, want the Do's own error", errs[1])
	}
	if want := []string{"first", "a", "c"}; !slices.Equal(f.rows, want) {
		t.Errorf("rows %v, want %v", f.rows, want)
	}
	if want := []string{"a", "c"}; !slices.Equal(hooks, want) {
		t.Errorf("after-commit hooks %v, want %v", hooks, want)
	}
	if len(dropped) < 2 || dropped[len(dropped)-1] != "a" {
		t.Errorf("rollback hooks %v, want reverse order ending in a", dropped)
	}
	db.Close()
}

func TestSystemicErrorIsEveryones(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := errors.New("disk full")
		f := &fake{fail: map[string]error{"put b": full}}
		db := newFake(t, f, Dialect{Systemic: func(err error) bool { return errors.Is(err, full) }})
		for i, err := range together(t, f, db, Work{Key: "a", Do: put("a")}, Work{Key: "b", Do: put("b")}) {
			if !errors.Is(err, full) {
				t.Errorf("work %d: %v", i, err)
			}
		}
		if err := db.Commit(t.Context(), Work{Do: put("later")}); err != nil {
			t.Errorf("after the disk has room: %v", err)
		}
		db.Close()
	})
}

func TestCommitError(t *testing.T) {
	lost, full, busy := errors.New("lost"), errors.New("full"), errors.New("busy")
	d := Dialect{
		NotCommitted: func(err error) bool { return errors.Is(err, full) },
		Retry:        func(err error) bool { return errors.Is(err, busy) },
	}
	for _, c := range []struct {
		err, want, next error
	}{
		{lost, ErrUnknown, ErrPoisoned},
		{full, full, nil},
		{busy, nil, nil},
	} {
		t.Run(c.err.Error(), func(t *testing.T) {
			f := &fake{fail: map[string]error{"COMMIT": c.err}}
			db := newFake(t, f, d)
			if err := db.Commit(t.Context(), Work{Do: put("a")}); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if err := db.Commit(t.Context(), Work{Do: put("b")}); !errors.Is(err, c.next) {
				t.Errorf("the next: got %v, want %v", err, c.next)
			}
		})
	}
}

func TestCommitContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{gate: make(chan struct{})}
		db := newFake(t, f, Dialect{})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- db.Commit(ctx, Work{Do: put("a")}) }()
		synctest.Wait()
		cancel()
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("returned %v before the outcome was known", err)
		default:
		}
		close(f.gate)
		if err := <-done; err != nil {
			t.Errorf("handed over, then cancelled: %v, want the true outcome", err)
		}
		if err := db.Commit(ctx, Work{Do: put("b")}); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled before: %v", err)
		}
		db.Close()
	})
}

func TestCloseFinishesWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{gate: make(chan struct{})}
		db := newFake(t, f, Dialect{})
		errs := make(chan error, 2)
		for _, k := range []string{"a", "b"} {
			go func() { errs <- db.Commit(context.Background(), Work{Key: k, Do: put(k)}) }()
			synctest.Wait()
		}
		closed := make(chan error)
		go func() { closed <- db.Close() }()
		synctest.Wait()
		close(f.gate)
		if err := <-closed; err != nil {
			t.Error(err)
		}
		for range 2 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		if err := db.Commit(t.Context(), Work{Do: put("c")}); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

func TestDialectSQL(t *testing.T) {
	pg := Dialect{Numbered: true, Types: map[string]string{"blob": "BYTEA"}}
	got := pg.SQL(`INSERT INTO t{clustered} (a {blob}, n {int}) VALUES (?, '?{x}', ?)`)
	if want := `INSERT INTO t (a BYTEA, n BIGINT) VALUES ($1, '?{x}', $2)`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestPages(t *testing.T) {
	var got []int
	for n, err := range Pages(func(last *int) ([]int, error) {
		if last == nil {
			return []int{1, 2}, nil
		}
		if *last >= 4 {
			return nil, errBad
		}
		return []int{*last + 1, *last + 2}, nil
	}) {
		if err != nil {
			if !errors.Is(err, errBad) {
				t.Fatal(err)
			}
			break
		}
		got = append(got, n)
	}
	if !slices.Equal(got, []int{1, 2, 3, 4}) {
		t.Error(got)
	}
}
