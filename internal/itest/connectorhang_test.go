package itest

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// staller is a proxy behind which a server falls silent: after so many octets of
// its own, both connections stay open and nothing passes any more.
func staller(t *testing.T, server string, after int64) (addr string, silent <-chan struct{}) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	reached, end := make(chan struct{}), make(chan struct{})
	tell := sync.OnceFunc(func() { close(reached) })
	var wg sync.WaitGroup
	serve := func(c net.Conn) {
		defer c.Close()
		s, err := net.Dial("tcp", server)
		if err != nil {
			return
		}
		defer s.Close()
		go func() { // ends with the client
			io.Copy(s, c)
			s.Close()
		}()
		if _, err := io.CopyN(c, s, after); err != nil {
			return
		}
		tell()
		<-end
	}
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { serve(c) })
		}
	})
	t.Cleanup(func() { l.Close(); close(end); wg.Wait() })
	return l.Addr().String(), reached
}

// TestConnectorHang: servers fall silent at every stage of a session, from before
// the greeting to within a message, and behind the first ones. A source that works
// is collected meanwhile; SIGTERM ends the program although they hang; and when
// they are well again all is there once.
func TestConnectorHang(t *testing.T) {
	needServer(t)
	const n = 20
	s := newServer(t)
	fillBoth(t, s, 0, 2)
	source := func(name, protocol, addr string) string {
		host, port, _ := net.SplitHostPort(addr)
		return fmt.Sprintf("[[source]]\nname = %q\nprotocol = %q\nhost = %q\nport = %s\ntls = \"none\"\nuser = %q\npassword = %q\nrecipient = \"x@example.org\"\nevery = \"1s\"\n",
			name, protocol, host, port, alice, password)
	}
	stages := []int64{0, 10, 200, 500, 900, 1500, 3000}
	silentSources, wellSources := "", ""
	var silent []<-chan struct{}
	for _, after := range stages {
		for _, protocol := range []string{"pop3", "imap"} {
			o := ourOrigin(t)
			o.fill(t, n)
			server := o.pop3
			if protocol == "imap" {
				server = o.imap
			}
			addr, reached := staller(t, server, after)
			name := fmt.Sprint(protocol, after)
			silentSources += source(name, protocol, addr)
			wellSources += source(name, protocol, server)
			silent = append(silent, reached)
		}
	}
	head := fmt.Sprintf("[limits]\nsessions-per-host = %d\n", 2*len(stages)+1)
	c := newConnector(t, head+silentSources+pop3Source(s, ""))
	c.start()
	for i, reached := range silent {
		select {
		case <-reached:
		case <-time.After(20 * time.Second):
			t.Fatalf("no session came so far as %d octets", stages[i/2])
		}
	}
	eventually(t, 20*time.Second, "the source that works is held up", func() bool {
		st := c.status()
		return len(st.Sources) > 0 && st.Sources[len(st.Sources)-1].Counts.Removed == 2
	})
	begin := time.Now()
	c.terminate()
	if took := time.Since(begin); took > 15*time.Second {
		t.Errorf("SIGTERM took %v", took)
	}
	c.configure(head + wellSources)
	c.run(0, "once")
	count := map[string]int{}
	for _, m := range inAccount(t, c.dir, "x@example.org") {
		count[strings.SplitN(m[strings.Index(m, "\nX-Number: ")+1:], "\r\n", 2)[0]]++
	}
	for i := range n {
		if got := count[fmt.Sprint("X-Number: ", i)]; got != 2*len(stages) {
			t.Errorf("message %d is there %d times, for %d sources", i, got, 2*len(stages))
		}
	}
}
