package imaptest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Step is one line of a script.
type Step struct {
	Line int    // in its file
	Conn byte   // '1'..'9'
	Op   string // "C", "R", "S", "S~", "T" or "X"
	Text string
	re   *regexp.Regexp // of S~
}

// Script is a dialogue.
type Script struct {
	Name   string
	Header map[string]string // the lines "# key: value"
	Steps  []Step
}

// Load reads the scripts whose file names match pattern. It fails when there
// is none.
func Load(pattern string) ([]*Script, error) {
	names, err := filepath.Glob(pattern)
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("imaptest: no script matches %s", pattern)
	}
	var all []*Script
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		s, err := Parse(filepath.Base(name), string(data))
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, err
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
		step, err := parseStep(line)
		if err != nil {
			return nil, fmt.Errorf("imaptest: %s:%d: %w", name, n, err)
		}
		step.Line = n
		s.Steps = append(s.Steps, step)
	}
	return s, nil
}

func parseStep(line string) (st Step, err error) {
	st.Conn = '1'
	if '1' <= line[0] && line[0] <= '9' {
		st.Conn, line = line[0], line[1:]
	}
	for _, op := range []string{"C:", "R:", "S:", "S~", "T:", "X:"} {
		if rest, ok := strings.CutPrefix(line, op); ok {
			st.Op, st.Text = strings.TrimSuffix(op, ":"), strings.TrimPrefix(rest, " ")
		}
	}
	switch st.Op {
	case "":
		return st, fmt.Errorf("bad step %q", line)
	case "R":
		st.Text, err = strconv.Unquote(st.Text)
	case "S~":
		st.re, err = regexp.Compile("^(?:" + st.Text + ")$")
	}
	return st, err
}

// Player replays scripts.
type Player struct {
	// Dial opens a connection.
	Dial func() (net.Conn, error)
	// StartTLS serves the step T; nil = scripts may not have it.
	StartTLS func(net.Conn) (net.Conn, error)
	// Bytes sends each octet in a write of its own.
	Bytes bool

	conns map[byte]*peer
	vars  []string // "${name}", its value, and so on
}

type peer struct {
	net.Conn
	r *bufio.Reader
}

// Play replays s and closes the connections; the error names the line that did
// not come true.
func (p *Player) Play(s *Script) error {
	p.conns, p.vars = make(map[byte]*peer), nil
	defer func() {
		for _, c := range p.conns {
			c.Close()
		}
	}()
	for _, st := range s.Steps {
		c := p.conns[st.Conn]
		if c == nil {
			nc, err := p.Dial()
			if err != nil {
				return err
			}
			c = &peer{nc, bufio.NewReader(nc)}
			p.conns[st.Conn] = c
		}
		if err := p.step(c, st); err != nil {
			return fmt.Errorf("%s:%d: %w", s.Name, st.Line, err)
		}
	}
	return nil
}

func (p *Player) step(c *peer, st Step) (err error) {
	if st.re == nil {
		st.Text = strings.NewReplacer(p.vars...).Replace(st.Text)
	}
	switch st.Op {
	case "C":
		p.send(c, st.Text+"\r\n")
	case "R":
		p.send(c, st.Text)
	case "T":
		if p.StartTLS == nil {
			return errors.New("no TLS")
		}
		if c.Conn, err = p.StartTLS(c.Conn); err == nil {
			c.r.Reset(c.Conn)
		}
	case "X":
		line, err := c.r.ReadString('\n')
		if err == nil {
			return fmt.Errorf("got %q, want the end of the connection", line)
		}
	default:
		return p.expect(c, st)
	}
	return err
}

// send writes text. A peer that closed meanwhile is judged by what it said.
func (p *Player) send(c *peer, text string) {
	if !p.Bytes {
		_, _ = io.WriteString(c, text)
		return
	}
	for i := range len(text) {
		if _, err := io.WriteString(c, text[i:i+1]); err != nil {
			return
		}
	}
}

func (p *Player) expect(c *peer, st Step) error {
	line, err := c.r.ReadString('\n')
	if err != nil {
		return fmt.Errorf("after %q: %w; want %q", line, err, st.Text)
	}
	text, ok := strings.CutSuffix(line, "\r\n")
	if !ok {
		return fmt.Errorf("got %q, want CRLF at its end", line)
	}
	if st.re != nil && !st.re.MatchString(text) || st.re == nil && text != st.Text {
		return fmt.Errorf("got %q, want %q", text, st.Text)
	}
	if st.re != nil {
		p.keep(st.re, text)
	}
	return nil
}

// keep remembers the named groups of a line that matched.
func (p *Player) keep(re *regexp.Regexp, text string) {
	m := re.FindStringSubmatch(text)
	for i, name := range re.SubexpNames() {
		if name != "" {
			p.vars = append([]string{"${" + name + "}", m[i]}, p.vars...)
		}
	}
}
