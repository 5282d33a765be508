package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

type pop3Conn struct {
	net.Conn
	r *bufio.Reader
}

func (c *pop3Conn) line() (string, error) {
	s, err := c.r.ReadString('\n')
	if err != nil {
		return "", err
	}
	if !strings.HasPrefix(s, "+OK") {
		return "", fmt.Errorf("reply %q", strings.TrimSpace(s))
	}
	return strings.TrimSpace(s[3:]), nil
}

func (c *pop3Conn) command(cmd string) (string, error) {
	if _, err := io.WriteString(c.Conn, cmd+"\r\n"); err != nil {
		return "", err
	}
	return c.line()
}

const pop3Help = `usage: mailload pop3 [flags] WORKLOAD
workloads:
  stat   login, STAT, QUIT (-repeat times)
  uidl   login, UIDL, QUIT (-repeat times); checks that identifiers are unique
  retr   RETR of every message; checks size and CRC of every message
  dele   DELE of every message and QUIT
`

// pop3Load is the configuration of the pop3 command and what its sessions counted.
type pop3Load struct {
	srv                    server
	addr, user, pass, work string
	expect, repeat, window int
	messages               int
	bytes                  int64
}

func cmdPOP3(args []string) error {
	l := &pop3Load{}
	fs := flag.NewFlagSet("pop3", flag.ExitOnError)
	fs.Usage = func() { fmt.Fprint(os.Stderr, pop3Help); fs.PrintDefaults() }
	l.srv.flags(fs)
	fs.StringVar(&l.addr, "addr", "127.0.0.1:1110", "server address")
	fs.StringVar(&l.user, "user", "user", "user name")
	fs.StringVar(&l.pass, "pass", "pass", "password")
	fs.IntVar(&l.expect, "expect", -1, "expected number of messages")
	fs.IntVar(&l.repeat, "repeat", 1, "sessions of stat and uidl")
	fs.IntVar(&l.window, "pipelining", 1, "RETR or DELE commands in flight")
	fs.Parse(args)
	l.work = fs.Arg(0)
	if fs.NArg() != 1 {
		fs.Usage()
		os.Exit(2)
	}
	r := newResult("pop3-" + l.work)
	var lat []time.Duration
	var ops int64
	m := l.srv.start()
	for range l.repeat {
		t := time.Now()
		n, err := l.session()
		if err != nil {
			return err
		}
		lat = append(lat, time.Since(t))
		ops += int64(n)
	}
	r.set("messages", l.messages)
	m.stop(r, ops)
	if l.bytes > 0 {
		r.set("MB_per_s", float64(l.bytes)/1e6/time.Since(m.t0).Seconds())
	}
	r.setLatency(lat)
	r.print(l.srv.json)
	return nil
}

// login opens a session and returns the number of messages.
func (l *pop3Load) login() (*pop3Conn, int, error) {
	nc, err := net.Dial("tcp", l.addr)
	if err != nil {
		return nil, 0, err
	}
	nc.SetDeadline(time.Now().Add(10 * time.Minute))
	c := &pop3Conn{nc, bufio.NewReaderSize(nc, 64<<10)}
	_, err = c.line()
	if err == nil {
		_, err = c.command("USER " + l.user)
	}
	if err == nil {
		_, err = c.command("PASS " + l.pass)
	}
	var stat string
	if err == nil {
		stat, err = c.command("STAT")
	}
	var count int
	if err == nil {
		first, _, _ := strings.Cut(stat, " ")
		count, err = strconv.Atoi(first)
	}
	if err == nil && l.expect >= 0 && count != l.expect {
		err = fmt.Errorf("STAT %d, want %d", count, l.expect)
	}
	if err != nil {
		nc.Close()
		return nil, 0, err
	}
	return c, count, nil
}

// session runs the workload once and returns its number of operations.
func (l *pop3Load) session() (ops int, err error) {
	c, count, err := l.login()
	if err != nil {
		return 0, err
	}
	defer c.Close()
	l.messages, ops = count, count
	switch l.work {
	case "stat":
		ops = 1
	case "uidl":
		err = c.uidl(count)
	case "retr":
		var total int64
		total, err = c.window("RETR", count, l.window, true)
		l.bytes += total
	case "dele":
		_, err = c.window("DELE", count, l.window, false)
	default:
		err = fmt.Errorf("unknown workload %q", l.work)
	}
	if err != nil {
		return 0, err
	}
	_, err = c.command("QUIT")
	return ops, err
}

func (c *pop3Conn) uidl(count int) error {
	if _, err := c.command("UIDL"); err != nil {
		return err
	}
	text, err := readDotted(c.r, nil)
	if err != nil {
		return err
	}
	seen := make(map[string]bool, count)
	for l := range strings.Lines(string(text)) {
		_, id, _ := strings.Cut(strings.TrimSpace(l), " ")
		seen[id] = true
	}
	if len(seen) != count || seen[""] {
		return fmt.Errorf("%d identifiers for %d messages", len(seen), count)
	}
	return nil
}

// window runs a command for every message with up to w commands in flight.
func (c *pop3Conn) window(cmd string, count, w int, text bool) (total int64, err error) {
	var buf []byte
	sent := 0
	for got := 0; got < count; got++ {
		if sent-got < max(1, w/2) { // refill the window in one write
			var out []byte
			for sent < count && sent-got < w {
				sent++
				out = fmt.Appendf(out, "%s %d\r\n", cmd, sent)
			}
			if _, err := c.Write(out); err != nil {
				return total, err
			}
		}
		if _, err := c.line(); err != nil {
			return total, fmt.Errorf("%s %d: %w", cmd, got+1, err)
		}
		if !text {
			continue
		}
		if buf, err = readDotted(c.r, buf[:0]); err != nil {
			return total, err
		}
		if err := checkMessage(buf); err != nil {
			return total, fmt.Errorf("%s %d: %w", cmd, got+1, err)
		}
		total += int64(len(buf))
	}
	return total, nil
}
