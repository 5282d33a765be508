package imapserver

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// modelClient keeps what RFC 3501 says that a client may know: which messages
// there are, in order, and their flags. It fails the test when the server says
// something that is not allowed.
type modelClient struct {
	t    *testing.T
	name string
	nc   net.Conn
	r    *bufio.Reader
	tag  int

	hear func(line string) // sees each untagged response first; nil = nobody

	open  bool
	known []modelMessage
}

type modelMessage struct {
	uid   string // "" = not fetched yet
	flags string // as sent; "" = not fetched yet
}

func newModelClient(t *testing.T, name string, dial func() (net.Conn, error)) *modelClient {
	nc, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	c := &modelClient{t: t, name: name, nc: nc, r: bufio.NewReader(nc)}
	c.line()
	c.run("LOGIN alice secret")
	return c
}

func (c *modelClient) line() string {
	l, err := c.r.ReadString('\n')
	if err != nil {
		c.t.Fatalf("%s: %v", c.name, err)
	}
	return strings.TrimSuffix(l, "\r\n")
}

// run sends a command and takes its responses into the model; it returns the
// tagged one.
func (c *modelClient) run(command string) string {
	c.tag++
	tag := fmt.Sprintf("%s%d", c.name, c.tag)
	if _, err := io.WriteString(c.nc, tag+" "+command+"\r\n"); err != nil {
		c.t.Fatal(err)
	}
	verb, _, _ := strings.Cut(command, " ")
	for {
		l := c.line()
		if rest, ok := strings.CutPrefix(l, tag+" "); ok {
			return rest
		}
		if c.hear != nil {
			c.hear(l)
		}
		c.untagged(verb, l)
	}
}

var (
	numbered  = regexp.MustCompile(`^\* (\d+) (EXISTS|EXPUNGE|FETCH)(?: \((.*)\))?$`)
	uidItem   = regexp.MustCompile(`UID (\d+)`)
	flagsItem = regexp.MustCompile(`FLAGS \(([^)]*)\)`)
)

func (c *modelClient) untagged(verb, l string) {
	m := numbered.FindStringSubmatch(l)
	if m == nil {
		if strings.HasPrefix(l, "* BYE") {
			c.t.Fatalf("%s: %s", c.name, l)
		}
		return
	}
	n, _ := strconv.Atoi(m[1])
	if m[2] == "EXISTS" {
		if n < len(c.known) && c.open {
			c.t.Fatalf("%s: EXISTS went from %d to %d", c.name, len(c.known), n)
		}
		for len(c.known) < n {
			c.known = append(c.known, modelMessage{})
		}
		return
	}
	if n < 1 || n > len(c.known) {
		c.t.Fatalf("%s: %q with %d messages", c.name, l, len(c.known))
	}
	if m[2] == "EXPUNGE" {
		switch verb {
		case "FETCH", "STORE", "SEARCH":
			c.t.Fatalf("%s: EXPUNGE in %s", c.name, verb)
		}
		c.known = append(c.known[:n-1], c.known[n:]...)
		return
	}
	k := &c.known[n-1]
	if u := uidItem.FindStringSubmatch(m[3]); u != nil {
		if k.uid != "" && k.uid != u[1] {
			c.t.Fatalf("%s: message %d was UID %s, is UID %s", c.name, n, k.uid, u[1])
		}
		k.uid = u[1]
	}
	if f := flagsItem.FindStringSubmatch(m[3]); f != nil {
		k.flags = f[1]
	}
}

// selectBox opens a mailbox.
func (c *modelClient) selectBox(name string) {
	c.known, c.open = nil, false
	if r := c.run("SELECT " + name); !strings.HasPrefix(r, "OK") {
		c.t.Fatalf("%s: SELECT %s: %s", c.name, name, r)
	}
	c.open = true
}
