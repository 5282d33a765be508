package imapserver

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// modelClient keeps what the RFCs say that a client may know: which messages
// there are, in order, their flags, and up to which mod-sequence it knows all. It
// fails the test when the server says something that is not allowed.
type modelClient struct {
	t    *testing.T
	name string
	on   feature // what it enables
	dial func() (net.Conn, error)
	nc   net.Conn
	r    *bufio.Reader
	tag  int

	hear func(line string) // sees each untagged response first; nil = nobody

	open  bool
	known []modelMessage

	rev2     bool // the server enabled it
	validity string
	highest  uint64 // HIGHESTMODSEQ as RFC 7162 §6 has a client compute it
	shown    uint64 // greatest MODSEQ since the last tagged response
	coded    bool   // HIGHESTMODSEQ came since the last tagged response

	// cache is what it keeps when the connection ends: flags by UID. It is what
	// VANISHED (EARLIER) and the FETCH responses of SELECT change.
	cache     map[string]string
	resyncing bool
}

type modelMessage struct {
	uid   string // "" = not fetched yet
	flags string // as sent; "" = not fetched yet
}

func newModelClient(t *testing.T, name string, dial func() (net.Conn, error)) *modelClient {
	return newModelClientOn(t, name, 0, dial)
}

// newModelClientOn returns a client that enables features.
func newModelClientOn(t *testing.T, name string, on feature, dial func() (net.Conn, error)) *modelClient {
	c := &modelClient{t: t, name: name, on: on, dial: dial}
	t.Cleanup(func() { c.nc.Close() })
	c.connect()
	return c
}

func (c *modelClient) has(f feature) bool { return c.on&f != 0 }

func (c *modelClient) connect() {
	nc, err := c.dial()
	if err != nil {
		c.t.Fatal(err)
	}
	c.nc, c.r, c.open, c.known = nc, bufio.NewReader(nc), false, nil
	c.line()
	c.run("LOGIN alice secret")
	for f, name := range map[feature]string{rev2: "IMAP4rev2", condstore: "CONDSTORE", qresync: "QRESYNC", uidOnly: "UIDONLY"} {
		if c.has(f) && !strings.HasPrefix(c.run("ENABLE "+name), "OK") {
			c.t.Fatalf("%s: ENABLE %s", c.name, name)
		}
	}
	if c.has(rev2) && !c.rev2 {
		c.t.Fatalf("%s: IMAP4rev2 was not enabled", c.name)
	}
}

func (c *modelClient) line() string {
	l, err := c.r.ReadString('\n')
	if err != nil {
		c.t.Fatalf("%s: %v", c.name, err)
	}
	return strings.TrimSuffix(l, "\r\n")
}

// send sends a command and returns its tag.
func (c *modelClient) send(command string) string {
	c.tag++
	tag := fmt.Sprintf("%s%d", c.name, c.tag)
	if _, err := io.WriteString(c.nc, tag+" "+command+"\r\n"); err != nil {
		c.t.Fatal(err)
	}
	return tag
}

// run sends a command and takes its responses into the model; it returns the
// tagged one.
func (c *modelClient) run(command string) string {
	tag := c.send(command)
	verb, _, _ := strings.Cut(command, " ")
	c.forget(command)
	for {
		l := c.line()
		if rest, ok := strings.CutPrefix(l, tag+" "); ok {
			c.tagged(rest)
			return rest
		}
		if c.hear != nil {
			c.hear(l)
		}
		c.untagged(verb, l)
	}
}

// drop sends a command, hears some of its responses, and loses the connection.
func (c *modelClient) drop(command string, lines int) {
	tag := c.send(command)
	verb, _, _ := strings.Cut(command, " ")
	c.forget(command)
	for range lines {
		l := c.line()
		if strings.HasPrefix(l, tag+" ") {
			c.tagged(strings.TrimPrefix(l, tag+" "))
			break
		}
		c.untagged(verb, l)
	}
	// The server carries out what it has read. When it has closed, too, nothing of
	// it is still to come.
	if half, ok := c.nc.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
		io.Copy(io.Discard, c.nc)
	}
	c.nc.Close()
}

// forget drops the flags that a command is about to change without a word.
func (c *modelClient) forget(command string) {
	if strings.Contains(command, "SILENT") {
		for i := range c.known {
			c.known[i].flags = ""
		}
	}
}

// tagged ends a command: what it told counts (RFC 7162 §6).
func (c *modelClient) tagged(rest string) {
	if m := highestItem.FindStringSubmatch(rest); m != nil {
		c.setHighest(m[1])
	}
	if !c.coded {
		c.highest = max(c.highest, c.shown)
	}
	c.shown, c.coded = 0, false
}

func (c *modelClient) setHighest(s string) {
	n, _ := strconv.ParseUint(s, 10, 63)
	if n < c.highest {
		c.t.Fatalf("%s: HIGHESTMODSEQ went down from %d to %d", c.name, c.highest, n)
	}
	c.highest, c.coded = n, true
}

var (
	numbered    = regexp.MustCompile(`^\* (\d+) (EXISTS|EXPUNGE|FETCH|UIDFETCH|RECENT)(?: \((.*)\))?$`)
	uidItem     = regexp.MustCompile(`UID (\d+)`)
	flagsItem   = regexp.MustCompile(`FLAGS \(([^)]*)\)`)
	modSeqItem  = regexp.MustCompile(`MODSEQ \((\d+)\)`)
	highestItem = regexp.MustCompile(`\[HIGHESTMODSEQ (\d+)\]`)
	validItem   = regexp.MustCompile(`\[UIDVALIDITY (\d+)\]`)
	vanished    = regexp.MustCompile(`^\* VANISHED (\(EARLIER\) )?([\d,:]+)$`)
)

func (c *modelClient) untagged(verb, l string) {
	if m := highestItem.FindStringSubmatch(l); m != nil {
		c.setHighest(m[1])
	}
	if strings.HasPrefix(l, "* ENABLED IMAP4rev2") {
		c.rev2 = true
	}
	if m := validItem.FindStringSubmatch(l); m != nil {
		c.validity = m[1]
	}
	if m := vanished.FindStringSubmatch(l); m != nil {
		c.vanish(verb, m[1] != "", m[2])
		return
	}
	if strings.HasPrefix(l, "* BYE") || c.has(rev2) && (strings.HasPrefix(l, "* SEARCH") || strings.Contains(l, `\Recent`)) {
		c.t.Fatalf("%s: %s", c.name, l)
	}
	m := numbered.FindStringSubmatch(l)
	if m == nil {
		return
	}
	n, _ := strconv.Atoi(m[1])
	switch m[2] {
	case "RECENT":
		if c.has(rev2) {
			c.t.Fatalf("%s: %s", c.name, l)
		}
	case "EXISTS":
		c.exists(n)
	case "EXPUNGE":
		c.expunge(verb, n)
	default:
		c.fetched(verb, l, n, m[2] == "UIDFETCH", m[3])
	}
}

func (c *modelClient) exists(n int) {
	if n < len(c.known) && c.open {
		c.t.Fatalf("%s: EXISTS went from %d to %d", c.name, len(c.known), n)
	}
	for len(c.known) < n {
		c.known = append(c.known, modelMessage{})
	}
}

// mayExpunge fails the test where messages may not go (RFC 3501 §7.4.1).
func (c *modelClient) mayExpunge(verb string) {
	switch verb {
	case "FETCH", "STORE", "SEARCH":
		c.t.Fatalf("%s: a message went in %s", c.name, verb)
	}
}

func (c *modelClient) expunge(verb string, n int) {
	c.mayExpunge(verb)
	if n < 1 || n > len(c.known) || c.has(qresync|uidOnly) {
		c.t.Fatalf("%s: EXPUNGE of %d with %d messages", c.name, n, len(c.known))
	}
	c.known = slices.Delete(c.known, n-1, n)
}

// vanish takes messages out by UID.
func (c *modelClient) vanish(verb string, earlier bool, set string) {
	if !c.has(qresync | uidOnly) {
		c.t.Fatalf("%s: VANISHED %s", c.name, set)
	}
	if !earlier {
		c.mayExpunge(verb)
	}
	for r := range strings.SplitSeq(set, ",") {
		first, last, ok := strings.Cut(r, ":")
		if !ok {
			last = first
		}
		for uid := number(first); uid <= number(last); uid++ {
			if earlier {
				delete(c.cache, strconv.Itoa(uid))
				if i := slices.IndexFunc(c.known, func(m modelMessage) bool { return m.uid == strconv.Itoa(uid) }); i >= 0 {
					c.t.Fatalf("%s: UID %d vanished earlier, and is number %d", c.name, uid, i+1)
				}
				continue
			}
			i := c.place(uid)
			c.known = slices.Delete(c.known, i, i+1)
		}
	}
}

// place is the index of the message with a UID, or of one of which that is not
// known yet and that may have it.
func (c *modelClient) place(uid int) int {
	if c.has(uidOnly) {
		return c.placeUID(uid)
	}
	free := -1
	for i, m := range c.known {
		switch {
		case m.uid == "" && free < 0:
			free = i
		case m.uid == "":
		case number(m.uid) == uid:
			return i
		case number(m.uid) < uid:
			free = -1
		case number(m.uid) > uid && free < 0:
			c.t.Fatalf("%s: no message can be UID %d: %v", c.name, uid, c.known)
		case number(m.uid) > uid:
			return free
		}
	}
	if free < 0 {
		c.t.Fatalf("%s: no message can be UID %d: %v", c.name, uid, c.known)
	}
	return free
}

// placeUID is place for a client without numbers: those of which it knows no UID
// stand behind the others.
func (c *modelClient) placeUID(uid int) int {
	c.sort()
	i := slices.IndexFunc(c.known, func(m modelMessage) bool { return number(m.uid) == uid || m.uid == "" })
	if i < 0 {
		c.t.Fatalf("%s: no message can be UID %d: %v", c.name, uid, c.known)
	}
	return i
}

// sort puts the messages in order where no numbers do.
func (c *modelClient) sort() {
	if c.has(uidOnly) {
		slices.SortFunc(c.known, func(a, b modelMessage) int {
			return int(uint32(number(a.uid))-1) - int(uint32(number(b.uid))-1)
		})
	}
}

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// fetched takes in a FETCH response, or a UIDFETCH response, whose number is the
// UID.
func (c *modelClient) fetched(verb, l string, n int, byUID bool, items string) {
	if byUID != c.has(uidOnly) {
		c.t.Fatalf("%s: %q", c.name, l)
	}
	uid := ""
	if u := uidItem.FindStringSubmatch(items); u != nil {
		uid = u[1]
	}
	seq := n - 1
	if byUID {
		uid, seq = strconv.Itoa(n), c.place(n)
	}
	if seq < 0 || seq >= len(c.known) {
		c.t.Fatalf("%s: %q with %d messages", c.name, l, len(c.known))
	}
	m := modSeqItem.FindStringSubmatch(items)
	unasked := verb != "FETCH" && verb != "UID"
	if c.has(condstore|qresync) && unasked && (m == nil || uid == "") || c.has(rev2) && unasked && uid == "" {
		c.t.Fatalf("%s: %q lacks UID or MODSEQ", c.name, l)
	}
	if m != nil {
		v, _ := strconv.ParseUint(m[1], 10, 63)
		c.shown = max(c.shown, v)
	}
	k := &c.known[seq]
	if uid != "" {
		if k.uid != "" && k.uid != uid {
			c.t.Fatalf("%s: message %d was UID %s, is UID %s", c.name, n, k.uid, uid)
		}
		k.uid = uid
	}
	if f := flagsItem.FindStringSubmatch(items); f != nil {
		k.flags = f[1]
		if _, ok := c.cache[uid]; ok && c.resyncing {
			c.cache[uid] = f[1]
		}
	}
}

// selectBox opens a mailbox.
func (c *modelClient) selectBox(name string) {
	c.known, c.open, c.highest = nil, false, 0
	if r := c.run("SELECT " + name); !strings.HasPrefix(r, "OK") {
		c.t.Fatalf("%s: SELECT %s: %s", c.name, name, r)
	}
	c.open = true
}

// comeBack connects again and opens the mailbox with QRESYNC. The cache then
// holds, of what the client knew, what is there.
func (c *modelClient) comeBack(name string) {
	c.cache = make(map[string]string)
	for _, m := range c.known {
		if m.uid != "" && m.flags != "" {
			c.cache[m.uid] = m.flags
		}
	}
	c.shown, c.coded = 0, false
	c.nc.Close()
	c.connect()
	c.resyncing = true
	if r := c.run(fmt.Sprintf("SELECT %s (QRESYNC (%s %d))", name, c.validity, c.highest)); !strings.HasPrefix(r, "OK") {
		c.t.Fatalf("%s: SELECT %s: %s", c.name, name, r)
	}
	c.open, c.resyncing = true, false
}
