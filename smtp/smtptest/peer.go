package smtptest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// NewPeer starts a server for one connection that follows a script, one step
// a line, and fails the test when the client leaves it. It returns its
// address.
//
//	S: 220 hello        sends the text and CRLF
//	R: "raw\r\n"        sends a Go string as it is
//	C: EHLO ...         reads a line, which has to start with the text
//	D:                  reads a body up to its end mark
//	X:                  closes the connection
//
// Behind the last step it waits for the client to close.
func NewPeer(tb testing.TB, script string) (addr string) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("smtptest: %v", err)
	}
	var work sync.WaitGroup
	work.Go(func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		if err := follow(c, script); err != nil {
			tb.Errorf("smtptest: %v", err)
		}
	})
	tb.Cleanup(func() {
		l.Close()
		work.Wait()
	})
	return l.Addr().String()
}

func follow(c net.Conn, script string) error {
	r := bufio.NewReader(c)
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		op, text, _ := strings.Cut(line, ":")
		text = strings.TrimPrefix(text, " ")
		var err error
		switch op {
		case "S":
			_, err = io.WriteString(c, text+"\r\n")
		case "R":
			if text, err = strconv.Unquote(text); err == nil {
				_, err = io.WriteString(c, text)
			}
		case "C":
			var got string
			if got, err = r.ReadString('\n'); err == nil && !strings.HasPrefix(got, text) {
				err = fmt.Errorf("client sent %q", got)
			}
		case "D":
			_, err = readDots(r)
		case "X":
			return nil
		default:
			err = fmt.Errorf("unknown step")
		}
		if err != nil {
			return fmt.Errorf("at %q: %w", line, err)
		}
	}
	io.Copy(io.Discard, r)
	return nil
}
