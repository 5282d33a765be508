package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/cwriter"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/mailstead/mailstead/store/backup"
)

// The times between two words of progress, where there is no terminal.
const (
	plainEvery = 5 * time.Second
	eventEvery = time.Second
)

// step is how far a command is.
type step struct {
	Phase      string `json:"phase,omitempty"`
	Account    string `json:"account,omitempty"`
	Mailbox    string `json:"mailbox,omitempty"`
	Done       int64  `json:"done"`
	Total      int64  `json:"total,omitempty"` // 0 = not known
	Unit       string `json:"unit,omitempty"`  // of Done and Total
	Messages   int64  `json:"messages"`
	Bodies     int64  `json:"bodies,omitempty"`
	Bytes      int64  `json:"bytes"`
	TotalBytes int64  `json:"total_bytes,omitempty"`
}

// String is what stands beside a bar.
func (s *step) String() string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if s.Phase != "" {
		add("%s", s.Phase)
	}
	if s.Unit != "messages" && s.Messages > 0 {
		add("%d messages", s.Messages)
	}
	if s.Bodies > 0 {
		add("%d bodies", s.Bodies)
	}
	switch {
	case s.TotalBytes > 0:
		add("%s of %s", size(s.Bytes), size(s.TotalBytes))
	case s.Bytes > 0:
		add("%s", size(s.Bytes))
	}
	line := strings.Join(parts, ", ")
	if where := strings.TrimSpace(s.Account + " " + s.Mailbox); where != "" {
		line += " " + where
	}
	return strings.TrimSpace(line)
}

// meter shows progress: a bar on a terminal, events with --json, else a line from
// time to time. Its methods may be called by several goroutines.
type meter struct {
	a    *app
	what string

	mu   sync.Mutex
	bars *mpb.Progress // nil: no terminal
	bar  *mpb.Bar
	last step
	told step
	next time.Time
}

// meter begins to show the progress of a command; the caller ends it.
func (a *app) meter(what string) *meter {
	a.resumable = true
	m := &meter{a: a, what: what, next: time.Now().Add(plainEvery)}
	switch {
	case a.json:
		m.next = time.Time{}
	case a.screen.terminal():
		m.bars = mpb.New(mpb.WithOutput(a.screen.to), mpb.WithWidth(40))
		m.bar = m.bars.AddBar(0,
			mpb.PrependDecorators(decor.Name(what+" "), decor.CountersNoUnit("%d / %d")),
			mpb.AppendDecorators(decor.Percentage(), decor.Any(func(decor.Statistics) string { return m.state() })))
		a.screen.behind(m.bars)
	}
	return m
}

// state is what stands beside the bar.
func (m *meter) state() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return " " + m.last.String()
}

// show takes how far the command is.
func (m *meter) show(s step) {
	m.mu.Lock()
	m.last = s
	now := time.Now()
	due := m.bars == nil && now.After(m.next)
	if due {
		m.told = s
		m.next = now.Add(plainEvery)
		if m.a.json {
			m.next = now.Add(eventEvery)
		}
	}
	m.mu.Unlock()
	switch {
	case m.bar != nil:
		m.bar.SetTotal(s.Total, false)
		m.bar.SetCurrent(s.Done)
	case due:
		m.tell(s)
	}
}

func (m *meter) tell(s step) {
	if m.a.json {
		m.a.emit(event{Event: "progress", Command: m.what, Progress: &s})
		return
	}
	count := fmt.Sprint(s.Done)
	if s.Total > 0 {
		count = fmt.Sprintf("%d of %d", s.Done, s.Total)
	}
	line := strings.TrimSpace(count + " " + s.Unit)
	if text := s.String(); text != "" {
		line += ", " + text
	}
	fmt.Fprintf(m.a.err, "%s: %s\n", m.what, line)
}

// copied takes what a backup, restore or verify says.
func (m *meter) copied(p backup.Progress) {
	m.show(step{
		Account: string(p.Account), Done: int64(p.Done), Total: int64(p.Total), Messages: p.Messages, Bodies: p.Bodies, Bytes: p.Bytes,
	})
}

// end takes the bar away, and waits for whoever draws it. With --json it tells
// where the command stands.
func (m *meter) end() {
	if m.bars != nil {
		m.bar.Abort(true)
		m.bars.Wait()
		m.a.screen.behind(nil)
		return
	}
	m.mu.Lock()
	last, told := m.last, m.told
	m.mu.Unlock()
	if m.a.json && last != told {
		m.tell(last)
	}
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

// screen is the standard error: lines go above the bars that stand there.
type screen struct {
	to io.Writer

	mu   sync.Mutex
	bars io.Writer // nil = none
}

// Write implements io.Writer.
func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bars != nil {
		return s.bars.Write(p)
	}
	return s.to.Write(p)
}

func (s *screen) behind(bars *mpb.Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bars = nil
	if bars != nil {
		s.bars = bars
	}
}

// terminal reports whether somebody looks.
func (s *screen) terminal() bool {
	f, ok := s.to.(*os.File)
	return ok && os.Getenv("TERM") != "dumb" && cwriter.IsTerminal(int(f.Fd()))
}
