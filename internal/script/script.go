// Package script replays dialogues of line protocols that are written down as
// text, one rule or quirk in each file, in several ways: as written, octet by
// octet, pipelined.
//
//	# what the dialogue shows
//	# key: value, for the test that plays it
//	S: 220
//	C: EHLO client.example
//	S: 250
//	L: PIPELINING
//	R: "BDAT 3\r\nabc"
//	S: 250 2.0.0
//	X:
//
// C sends a line with CRLF, R a Go string as it is, M a Go string many times
// (M: 3000 "x"); neighbours leave in one write. S reads a whole reply of SMTP,
// whose last line has to start with the text, L asks for a line of that reply
// that starts with the text, A for the absence of one, T starts TLS, and X
// wants the connection to be closed.
package script

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Step is one line of a script.
type Step struct {
	Line int
	Op   byte // 'C', 'R', 'S', 'L', 'A', 'T' or 'X'; M becomes R
	Text string
}

// Script is a dialogue.
type Script struct {
	Name   string
	Header map[string]string // the lines "# key: value"
	Steps  []Step
}

// Mode is a way of sending.
type Mode uint8

// The modes.
const (
	Whole     Mode = iota // as written
	Bytes                 // each octet in its own write
	Pipelined             // expectations wait until the end of a group
)

// String is the name of the mode.
func (m Mode) String() string { return [...]string{"whole", "bytes", "pipelined"}[m] }

// Load reads the scripts that match pattern.
func Load(tb testing.TB, pattern string) []*Script {
	tb.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		tb.Fatalf("no scripts match %s: %v", pattern, err)
	}
	var all []*Script
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			tb.Fatal(err)
		}
		s, err := Parse(filepath.Base(name), string(data))
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

// Parse reads a script.
func Parse(name, text string) (*Script, error) {
	s := &Script{Name: strings.TrimSuffix(name, ".txt"), Header: map[string]string{}}
	n := 0
	for line := range strings.SplitSeq(text, "\n") {
		n++
		if rest, ok := strings.CutPrefix(line, "#"); ok {
			if key, value, ok := strings.Cut(rest, ":"); ok {
				s.Header[strings.TrimSpace(key)] = strings.TrimSpace(value)
			}
			continue
		}
		if line == "" {
			continue
		}
		if len(line) < 2 || line[1] != ':' || !strings.Contains("CRMSLATX", line[:1]) {
			return nil, fmt.Errorf("%s:%d: bad step %q", name, n, line)
		}
		step := Step{Line: n, Op: line[0], Text: strings.TrimPrefix(line[2:], " ")}
		if step.Op == 'R' || step.Op == 'M' {
			if err := step.unquote(); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", name, n, err)
			}
		}
		s.Steps = append(s.Steps, step)
	}
	return s, nil
}

// unquote makes octets of the text of R and M.
func (st *Step) unquote() error {
	times, text := "1", st.Text
	if st.Op == 'M' {
		times, text, _ = strings.Cut(text, " ")
	}
	n, err := strconv.Atoi(times)
	if err != nil {
		return err
	}
	raw, err := strconv.Unquote(text)
	if err != nil {
		return err
	}
	st.Op, st.Text = 'R', strings.Repeat(raw, max(n, 0))
	return nil
}

// Player replays scripts on a connection.
type Player struct {
	Conn net.Conn
	Mode Mode

	// EndsGroup reports a line behind which a pipelining client waits.
	EndsGroup func(line string) bool

	// Lines makes S read one line, which has to be the text, or to begin with
	// it where the text ends in "...": for protocols whose answers do not say
	// how many lines they have. There is no L and no A then.
	Lines bool

	// StartTLS serves the step T.
	StartTLS func(net.Conn) (net.Conn, error)

	r *bufio.Reader
}

// Play replays s; the error names the line that did not come true.
func (p *Player) Play(s *Script) error {
	p.r = bufio.NewReader(p.Conn)
	var out strings.Builder
	var waiting []Step
	settle := func() error {
		p.send(out.String())
		out.Reset()
		err := p.expect(s, waiting)
		waiting = nil
		return err
	}
	for i, st := range s.Steps {
		var err error
		switch st.Op {
		case 'C', 'R':
			if len(waiting) > 0 && p.Mode != Pipelined {
				err = settle()
			}
			if st.Op == 'C' {
				st.Text += "\r\n"
			}
			out.WriteString(st.Text)
		case 'T':
			if err = settle(); err == nil {
				p.Conn, err = p.StartTLS(p.Conn)
				p.r = bufio.NewReader(p.Conn)
			}
		default:
			waiting = append(waiting, st)
			if more := i+1 < len(s.Steps) && strings.IndexByte("SLAX", s.Steps[i+1].Op) >= 0; !more && p.Mode == Pipelined && p.groupEnds(s.Steps[:i]) {
				err = settle()
			}
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", s.Name, st.Line, err)
		}
	}
	return settle()
}

// groupEnds looks at the last line sent.
func (p *Player) groupEnds(steps []Step) bool {
	for i := len(steps) - 1; i >= 0; i-- {
		if steps[i].Op == 'C' || steps[i].Op == 'R' {
			return p.EndsGroup == nil || p.EndsGroup(steps[i].Text)
		}
	}
	return true
}

// send writes text. A peer that closed meanwhile is judged by what it said.
func (p *Player) send(text string) {
	if p.Mode != Bytes {
		io.WriteString(p.Conn, text)
		return
	}
	for i := range len(text) {
		if _, err := io.WriteString(p.Conn, text[i:i+1]); err != nil {
			return
		}
	}
}

func (p *Player) expect(s *Script, steps []Step) error {
	var reply []string
	for _, st := range steps {
		var err error
		switch st.Op {
		case 'S':
			if reply, err = p.reply(); err == nil && !p.is(reply[len(reply)-1], st.Text) {
				err = fmt.Errorf("got %q, want %q", reply, st.Text)
			}
		case 'L':
			if !hasLine(reply, st.Text) {
				err = fmt.Errorf("got %q, want a line %q", reply, st.Text)
			}
		case 'A':
			if hasLine(reply, st.Text) {
				err = fmt.Errorf("got %q, want no line %q", reply, st.Text)
			}
		case 'X':
			var line string
			if line, err = p.r.ReadString('\n'); err == nil {
				err = fmt.Errorf("got %q, want the end of the connection", line)
			} else if !os.IsTimeout(err) {
				err = nil
			}
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", s.Name, st.Line, err)
		}
	}
	return nil
}

// is compares what S read with its text.
func (p *Player) is(line, want string) bool {
	if !p.Lines {
		return strings.HasPrefix(line, want)
	}
	start, open := strings.CutSuffix(want, "...")
	return line == want || open && want != "..." && strings.HasPrefix(line, start)
}

func hasLine(reply []string, text string) bool {
	for _, l := range reply {
		if len(l) >= 4 && strings.HasPrefix(l[4:], text) {
			return true
		}
	}
	return false
}

// reply reads the lines of one reply.
func (p *Player) reply() ([]string, error) {
	var lines []string
	for {
		line, err := p.r.ReadString('\n')
		if err != nil {
			return lines, fmt.Errorf("after %q: %w", lines, err)
		}
		if !strings.HasSuffix(line, "\r\n") {
			return nil, fmt.Errorf("reply line %q does not end in CRLF", line)
		}
		line = strings.TrimSuffix(line, "\r\n")
		lines = append(lines, line)
		if p.Lines || len(line) < 4 || line[3] != '-' {
			return lines, nil
		}
	}
}
