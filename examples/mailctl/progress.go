package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/mailstead/mailstead/store/backup"
)

// plainEvery is the time between two lines of progress where there is no
// terminal.
const plainEvery = 5 * time.Second

// meter shows progress: a bar on a terminal, else a line from time to time.
type meter struct {
	out  io.Writer
	what string

	mu   sync.Mutex
	p    *mpb.Progress // nil: lines
	bar  *mpb.Bar
	last backup.Progress
	next time.Time
}

func (a *app) meter(what string) *meter {
	m := &meter{out: a.err, what: what, next: time.Now().Add(plainEvery)}
	if !isTerminal(a.err) {
		return m
	}
	m.p = mpb.New(mpb.WithOutput(a.err), mpb.WithWidth(60))
	m.bar = m.p.AddBar(0,
		mpb.PrependDecorators(decor.Name(what+" "), decor.CountersNoUnit("%d / %d")),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return m.state() })))
	return m
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}

// state is what stands beside the bar.
func (m *meter) state() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return describe(m.last)
}

func describe(p backup.Progress) string {
	s := fmt.Sprintf("%d messages, %d bodies, %s", p.Messages, p.Bodies, size(p.Bytes))
	if p.Account != "" {
		s += " " + string(p.Account)
	}
	return s
}

// size writes octets as people do.
func size(n int64) string {
	const units = "kMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	f, i := float64(n)/1000, 0
	for f >= 999.95 && i < len(units)-1 {
		f, i = f/1000, i+1
	}
	return fmt.Sprintf("%.1f %cB", f, units[i])
}

// show takes what a backup, restore or verify says.
func (m *meter) show(p backup.Progress) {
	m.mu.Lock()
	m.last = p
	due := m.p == nil && time.Now().After(m.next)
	if due {
		m.next = time.Now().Add(plainEvery)
	}
	m.mu.Unlock()
	switch {
	case m.bar != nil:
		m.bar.SetTotal(int64(p.Total), false)
		m.bar.SetCurrent(int64(p.Done))
	case due:
		fmt.Fprintf(m.out, "%s: %d of %d, %s\n", m.what, p.Done, p.Total, describe(p))
	}
}

// end takes the bar away, and waits for whoever draws it.
func (m *meter) end() {
	if m.p == nil {
		return
	}
	m.bar.Abort(true)
	m.p.Wait()
}
