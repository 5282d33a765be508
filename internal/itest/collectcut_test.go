package itest

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/saslmech"
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/imap/imapserver"
	"github.com/mailstead/mailstead/pop3/pop3server"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
)

// Collecting from real servers while connections are cut behind any octet and
// the program that collects is killed: examples/connector, with getmail and
// fetchmail beside it.
//
// MAILSTEAD_CUTS says how many cuts, and how many kills, has the connector deliver
// into each kind of target, and getmail and fetchmail run beside it, whose losses
// and doubles are reported; without it there are 6, of 60 messages. 100 are made
// of 1,000 messages.

func cutCount(t *testing.T) (cuts, messages int) {
	cuts, messages = 6, 60
	if v := os.Getenv("MAILSTEAD_CUTS"); v != "" {
		var err error
		if cuts, err = strconv.Atoi(v); err != nil {
			t.Fatal(err)
		}
		messages = min(1000, cuts*10)
	}
	return cuts, messages
}

// origin is a mailbox on a server.
type origin struct{ *foreign }

func (o origin) dial(t *testing.T) *imapclient.Client {
	t.Helper()
	user := login.Client{
		Credentials: saslmech.Credentials{Username: o.user, Password: password}, Policy: saslmech.Policy{AllowPlaintext: true},
	}
	c, err := (&imapclient.Dialer{TLS: imapclient.TLSNever, Auth: user}).Dial(t.Context(), "tcp", o.imap)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// fill puts messages there.
func (o origin) fill(t *testing.T, n int) {
	t.Helper()
	c := o.dial(t)
	defer c.Close()
	messages := func(yield func(*imapclient.NewMessage, error) bool) {
		for i := range n {
			letter := fmt.Sprintf("From: <a@example.org>\r\nTo: <b@example.org>\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n"+
				"Message-ID: <%d@example.org>\r\nX-Number: %d\r\nSubject: %d\r\n\r\n%s", i, i, i, text(i))
			if !yield(&imapclient.NewMessage{Size: int64(len(letter)), Body: strings.NewReader(letter)}, nil) {
				return
			}
		}
	}
	for _, err := range c.AppendAll(t.Context(), imap.Inbox, iter.Seq2[*imapclient.NewMessage, error](messages)) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if left := o.left(t); left != n {
		t.Fatalf("%d messages on the server, want %d", left, n)
	}
}

// text is that of message i.
func text(i int) string { return strings.Repeat("0123456789.\r\n", i%200) + "end\r\n" }

// empty removes what a program has left there.
func (o origin) empty(t *testing.T) {
	t.Helper()
	c := o.dial(t)
	defer c.Close()
	m, err := c.Select(t.Context(), imap.Inbox, imapclient.SelectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if m.Exists == 0 {
		return
	}
	flags := imap.StoreOptions{Mode: imap.StoreAdd, Flags: store.Deleted, Silent: true}
	if _, err := c.Store(t.Context(), imap.UIDSet{{First: 1, Last: m.UIDNext - 1}}, flags); err != nil {
		t.Fatal(err)
	}
	if err := c.Expunge(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// left is how many messages are there.
func (o origin) left(t *testing.T) int {
	t.Helper()
	c := o.dial(t)
	defer c.Close()
	m, err := c.Select(t.Context(), imap.Inbox, imapclient.SelectOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	return int(m.Exists)
}

// ourOrigin runs our servers, out of memory.
func ourOrigin(t *testing.T) origin {
	t.Helper()
	st := memstore.New(nil)
	if err := st.Create(t.Context(), alice, store.AccountInfo{}); err != nil {
		t.Fatal(err)
	}
	auth := authn.PasswordFunc(func(_ context.Context, _ *authn.Peer, user, pass string) (string, error) {
		if user != alice || pass != password {
			return "", authn.ErrRejected
		}
		return user, nil
	})
	is, err := imapserver.New(imapserver.Config{Store: st, Auth: auth, AllowPlaintextAuth: true})
	if err != nil {
		t.Fatal(err)
	}
	ps, err := pop3server.New(pop3server.Config{Store: st, Auth: auth, AllowPlaintextAuth: true})
	if err != nil {
		t.Fatal(err)
	}
	o := origin{&foreign{user: alice}}
	for _, s := range []struct {
		addr  *string
		serve func(net.Listener) error
		close func() error
	}{{&o.imap, is.Serve, is.Close}, {&o.pop3, ps.Serve, ps.Close}} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		*s.addr = l.Addr().String()
		go s.serve(l)
		t.Cleanup(func() { s.close() })
	}
	t.Cleanup(func() { st.Close() })
	return o
}

// collecting is a program that collects.
type collecting struct {
	name     string
	ours     bool
	inFlight bool // a kill may double what was in flight: the target knows no keys
	keeps    bool // the messages stay on the server

	// command is a run of it.
	command func(ctx context.Context) *exec.Cmd
	// arrived are the messages that it has delivered.
	arrived func(t *testing.T) []string
	// done says whether it may have ended this way with nothing left to do.
	done func(err error, out []byte) bool
}

// collector makes a program ready to collect from a server.
type collector func(t *testing.T, protocol, addr, user string) collecting

// collectTime is what a program of others gets before the rest goes uncut.
const collectTime = 4 * time.Minute

// until runs a program again and again, until all is collected.
func (c *collecting) until(t *testing.T, o origin, p *cutter, kill bool) (runs int) {
	t.Helper()
	begin := time.Now()
	for ; ; runs++ {
		switch late := time.Since(begin); {
		case late > 3*collectTime:
			t.Errorf("%s: %d messages are on the server after %d runs, %d cuts to come", c.name, o.left(t), runs, p.cutsLeft())
			return runs
		case late > collectTime && !p.done():
			t.Logf("%s: after %d runs: the other %d cuts are not made", c.name, runs, p.cutsLeft())
			p.giveUp()
		}
		out, err := c.once(t, p, kill)
		if c.done(err, out) && (c.keeps && p.done() || o.left(t) == 0) {
			return runs + 1
		}
		if err != nil && p.done() {
			t.Logf("%s: run %d: %v %s", c.name, runs, err, tail(out)[:min(300, len(tail(out)))])
		}
		<-time.After(50 * time.Millisecond) // the server notices that the maildrop is free
	}
}

// once runs a program.
func (c *collecting) once(t *testing.T, p *cutter, kill bool) (output []byte, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := c.command(ctx)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &out, time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if kill {
		p.onKill(func() bool { return cmd.Process.Kill() == nil })
	}
	err = cmd.Wait()
	return out.Bytes(), err
}

// judgeCollected counts what is lost and doubled, and what is no whole message.
func judgeCollected(arrived []string, n int) (lost, doubled, broken int) {
	count := make(map[int]int)
	for _, m := range arrived {
		m = strings.ReplaceAll(m, "\r\n", "\n")
		_, number, _ := strings.Cut(m, "\nX-Number: ")
		number, _, _ = strings.Cut(number, "\n")
		i, err := strconv.Atoi(number)
		if err != nil || i >= n || !strings.HasSuffix(m, "\n\n"+strings.ReplaceAll(text(i), "\r\n", "\n")) {
			broken++
			continue
		}
		count[i]++
	}
	for i := range n {
		if count[i] == 0 {
			lost++
		}
		doubled += max(0, count[i]-1)
	}
	return lost, doubled, broken
}

func TestCollectCuts(t *testing.T)  { collectAll(t, false) }
func TestCollectKills(t *testing.T) { collectAll(t, true) }

func collectAll(t *testing.T, kill bool) {
	needServer(t)
	t.Parallel()
	origins := []struct {
		name string
		open func(t *testing.T) origin
	}{
		{"ours", ourOrigin},
		{"dovecot", func(t *testing.T) origin { f, _ := newDovecot(t); return origin{f} }},
		{"cyrus", func(t *testing.T) origin { return origin{newCyrus(t)} }},
	}
	turn := 0
	if kill {
		turn = 1
	}
	for i, from := range origins {
		t.Run(from.name, func(t *testing.T) {
			o := from.open(t)
			for j, protocol := range []string{"pop3", "imap"} {
				for _, target := range chosenTargets(turn + i + j) {
					t.Run(protocol+" "+target, func(t *testing.T) { collectFrom(t, o, protocol, connectorCollector(target), kill) })
				}
				for _, p := range chosenPeers() {
					t.Run(protocol+" "+p.name, func(t *testing.T) { collectFrom(t, o, protocol, p.open, kill) })
				}
			}
		})
	}
}

// collectFrom judges one program: ours neither loses nor doubles, but what was in
// flight at a kill into a target that knows no keys. What others do is reported.
func collectFrom(t *testing.T, o origin, protocol string, open collector, kill bool) {
	cuts, n := cutCount(t)
	server := o.pop3
	if protocol == "imap" {
		server = o.imap
	}
	o.fill(t, n)
	p := newCutter(t, server, 7, cuts, 150*n)
	c := open(t, protocol, p.addr, o.user)
	begin := time.Now()
	runs := c.until(t, o, p, kill)
	left := o.left(t)
	o.empty(t)
	cuts -= p.cutsLeft()
	lost, doubled, broken := judgeCollected(c.arrived(t), n)
	t.Logf("%s, %s: %d messages, %d cuts, %d runs in %.0f s: %d lost, %d doubled, %d not whole, %d on the server",
		c.name, protocol, n, cuts, runs, time.Since(begin).Seconds(), lost, doubled, broken, left)
	allowed := 0
	if kill && c.inFlight {
		allowed = cuts
	}
	if c.ours && (lost > 0 || doubled > allowed || broken > 0 || left > 0) {
		t.Errorf("%d lost, %d doubled, %d not whole, %d on the server", lost, doubled, broken, left)
	}
}
