package mtasts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

func TestRefresh(t *testing.T) {
	for _, withStore := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			var s Store
			if withStore {
				s = &shelf{entries: map[string]*Entry{}}
			}
			c := w.cache(s)
			expect(t, c, Enforce, true, nil)
			refresh := func(want, fetches int, problem error) {
				t.Helper()
				if n, err := c.RefreshDue(t.Context()); n != want || !errors.Is(err, problem) || w.count() != fetches {
					t.Error(n, err, w.fetches)
				}
			}
			refresh(0, 1, nil)
			w.set(func() { w.texts = nil }) // somebody holds the record back
			for day := range 30 {
				time.Sleep(25 * time.Hour)
				refresh(1, day+2, nil)
				expect(t, c, Enforce, true, ErrNoRecord)
			}
			w.set(func() { w.texts = map[string][]string{"example.org": {"v=STSv1; id=1"}} })
			expect(t, c, Enforce, true, nil)
			refresh(0, 31, nil) // it is still the same policy
			w.set(func() { w.texts, w.webErr = nil, io.ErrUnexpectedEOF })
			time.Sleep(25 * time.Hour)
			refresh(0, 32, ErrFetch)
			expect(t, c, Enforce, true, ErrNoRecord)
			time.Sleep(7 * 24 * time.Hour)
			refresh(0, 32, nil) // dead: not asked for any more
			expect(t, c, None, false, ErrNoRecord)
		})
	}
}

// What the Store has not taken is offered again.
func TestRefreshSaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shelf := &shelf{entries: map[string]*Entry{}}
		w := newWorld(t)
		full := errors.New("disk full")
		saveErr := full
		c := w.cache(saver{shelf, func(ctx context.Context, e *Entry) error {
			if saveErr != nil {
				return saveErr
			}
			return shelf.Save(ctx, e)
		}})
		expect(t, c, Enforce, true, nil)
		if n, err := c.RefreshDue(t.Context()); n != 0 || !errors.Is(err, full) {
			t.Error(n, err)
		}
		saveErr = nil
		if n, err := c.RefreshDue(t.Context()); n != 1 || err != nil || shelf.entries["example.org"] == nil || w.count() != 1 {
			t.Error(n, err, shelf.entries, w.count())
		}
		if n, err := c.RefreshDue(t.Context()); n != 0 || err != nil {
			t.Error("saved again:", n, err)
		}
	})
}

// Domains whose servers are gone keep nobody else from being refreshed.
func TestRefreshPastTheDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), &shelf{entries: map[string]*Entry{}}
		w.delay, w.dead = 50*time.Second, map[string]bool{}
		for i := range refreshBatch + 6 {
			domain := fmt.Sprintf("d%d.example.org", i)
			e := &Entry{Domain: domain, ID: "1", Policy: Policy{Mode: Enforce, MaxAge: 90 * 24 * time.Hour}, Fetched: time.Now().Add(time.Duration(i) * time.Second)}
			s.entries[domain] = e
			w.dead["mta-sts."+domain] = i < refreshBatch
			w.cert.DNSNames = append(w.cert.DNSNames, "mta-sts."+domain)
		}
		c := w.cache(s)
		time.Sleep(25 * time.Hour)
		began := time.Now()
		n, err := c.RefreshDue(t.Context())
		if n != 0 || !errors.Is(err, ErrFetch) || time.Since(began) > 251*time.Minute {
			t.Error(n, time.Since(began))
		}
		if n, err = c.RefreshDue(t.Context()); n != 6 || err != nil {
			t.Error("the others starve:", n, err)
		}
		time.Sleep(6 * time.Hour)
		if n, err = c.RefreshDue(t.Context()); n != 0 || !errors.Is(err, ErrFetch) {
			t.Error("the dead are given up:", n, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		time.Sleep(6 * time.Hour)
		began = time.Now()
		if _, err = c.RefreshDue(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 2*time.Minute {
			t.Error(time.Since(began), err)
		}
	})
}
