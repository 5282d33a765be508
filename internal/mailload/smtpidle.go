package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"net"
	"strings"
	"time"
)

// cmdSMTPIdle opens connections, takes each through what a client does before
// it waits, and reports the server's memory for each.
func cmdSMTPIdle(args []string) error {
	l := smtpLoad{rcpts: 1, perConn: 1}
	var srv server
	fs := flag.NewFlagSet("smtpidle", flag.ExitOnError)
	srv.flags(fs)
	fs.StringVar(&l.addr, "addr", "127.0.0.1:2525", "server address")
	fs.StringVar(&l.from, "from", "sender@example.org", "envelope sender")
	fs.StringVar(&l.to, "to", "user@example.com", "recipient")
	fs.IntVar(&l.size, "size", 0, "send a message of this size first, 0 for none")
	conc := fs.Int("c", 1000, "connections")
	settle := fs.Duration("settle", 3*time.Second, "time to wait before measuring")
	fs.Parse(args)
	if !srv.measured() {
		return errors.New("-cg or -pid is required")
	}
	message := ""
	if l.size > 0 {
		message = fmt.Sprintf("MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n", l.from, l.to)
		l.wire = append(dotStuff(bodyText(max(l.size-330, 64), 1, false)), ".\r\n"...)
	}
	before, _ := srv.memory()
	for i := range *conc {
		c, err := idleSMTP(l.addr, message, l.wire)
		if err != nil {
			return fmt.Errorf("connection %d: %w", i, err)
		}
		defer c.Close()
	}
	time.Sleep(*settle)
	after, _ := srv.memory()
	r := newResult("smtpidle")
	r.set("c", *conc)
	r.set("size", l.size)
	r.set("mem_before_MB", float64(before)/1e6)
	r.set("mem_after_MB", float64(after)/1e6)
	r.set("KiB_per_conn", float64(after-before)/1024/float64(*conc))
	r.print(srv.json)
	return nil
}

// idleSMTP says EHLO, sends a message if there is one, and keeps the
// connection.
func idleSMTP(addr, message string, wire []byte) (net.Conn, error) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	c := smtpConn{Conn: nc, r: bufio.NewReaderSize(nc, 512)}
	steps := []struct{ send, want string }{{"", "220"}, {"EHLO idle.example.org\r\n", "250"}}
	for line := range strings.Lines(message) {
		want := "250"
		if line == "DATA\r\n" {
			want = "354"
		}
		steps = append(steps, struct{ send, want string }{line, want})
	}
	if message != "" {
		steps = append(steps, struct{ send, want string }{string(wire), "250"})
	}
	for _, s := range steps {
		if _, err = nc.Write([]byte(s.send)); err == nil {
			err = c.expect(s.want)
		}
		if err != nil {
			nc.Close()
			return nil, err
		}
	}
	return nc, nil
}
