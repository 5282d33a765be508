package fetch_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/deliver/fetch"
)

// TestSchedule: at its time, at once where there is more, later and later behind
// failures, and slowly where the password is wrong.
func TestSchedule(t *testing.T) {
	run := func(t *testing.T, r *remote, change func(*fetch.Source), d time.Duration) *fetch.Collector {
		w := newWorld(t)
		c, s := w.collector(r)
		s.Every = time.Minute
		change(s)
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		if err := c.Run(ctx); err != nil {
			t.Error(err)
		}
		return c
	}
	for _, test := range []struct {
		name     string
		err      error
		d        time.Duration
		min, max int
	}{
		{"each minute", nil, time.Hour, 50, 61},
		{"failures", errCut, 24 * time.Hour, 27, 34},
		{"passwords", fmt.Errorf("x: %w", fetch.ErrAuth), 24 * time.Hour, 6, 8},
		{"busy", fetch.ErrBusy, time.Hour, 50, 61},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := &remote{openErr: test.err}
			run(t, r, func(*fetch.Source) {}, test.d)
			if r.opened < test.min || r.opened > test.max {
				t.Errorf("%s: %d times, want %d to %d", test.name, r.opened, test.min, test.max)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) { // a backlog is not waited for
		r := &remote{}
		for i := range 50 {
			r.add(fmt.Sprint(i), letterText(fmt.Sprint(i)))
		}
		run(t, r, func(s *fetch.Source) { s.MaxMessages = 10 }, 59*time.Second)
		wants(t, "server", r.ids())
	})
	synctest.Test(t, func(t *testing.T) { // new mail is seen at once
		r := &remote{news: make(chan struct{}, 1)}
		go func() {
			time.Sleep(30 * time.Minute)
			r.add("1", letterText("one"))
		}()
		c := run(t, r, func(s *fetch.Source) { s.Idle, s.Every = true, time.Hour }, 30*time.Minute+time.Second)
		if st := c.Status()[0]; st.Counts.Fetched != 1 || r.opened != 1 {
			t.Errorf("%+v, %d connections", st, r.opened)
		}
	})
}

// A source that hangs is dropped, holds nobody up, and what it had fetched is not
// lost.
func TestHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		bad, good := &remote{faults: &faults{fail: func(n int, what string) fault {
			if what == "retrieve" {
				return hang
			}
			return none
		}}}, &remote{}
		bad.add("1", letterText("bad"))
		good.add("1", letterText("good"))
		c, s := w.collector(bad)
		other := *s
		other.Name, other.Open = "other", good.Open
		c.Sources = append(c.Sources, &other)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- c.Run(ctx) }()
		time.Sleep(11 * time.Minute)
		wants(t, "INBOX", w.subjects("ann@example.org", "INBOX"), "good")
		if st := c.Status()[0]; st.Err == nil || !strings.Contains(st.Err.Error(), "no progress") || st.Phase != fetch.Waiting {
			t.Errorf("%+v", st)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// Connections to one host are bounded, and those that only wait for mail give way.
func TestPerHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c, s := w.collector(&remote{})
		c.Sources = nil
		var remotes []*remote
		var connections counter
		for i := range 10 {
			r := &remote{news: make(chan struct{}, 1), connections: &connections}
			r.add("1", letterText(fmt.Sprint(i)))
			one := *s
			one.Name, one.Host, one.Open, one.Idle, one.Every = fmt.Sprint("s", i), "host", r.Open, true, time.Hour
			c.Sources, remotes = append(c.Sources, &one), append(remotes, r)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		c.Run(ctx)
		if n := len(w.subjects("ann@example.org", "INBOX")); n != len(remotes) {
			t.Errorf("%d messages of %d", n, len(remotes))
		}
		if connections.most != 2 || connections.n != 0 {
			t.Errorf("%d connections at once, %d at the end", connections.most, connections.n)
		}
	})
}
