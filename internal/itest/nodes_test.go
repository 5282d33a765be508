package itest

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailstead/mailstead/store/postgres/pgtest"
	"github.com/mailstead/mailstead/store/s3/s3test"
)

// gw is the object store of all tests.
var gw s3test.Shared

// cluster is two servers on one database, which syncs as in production. Only the first is told of the
// users, so that the second knows them from the database.
func cluster(t *testing.T, flags ...string) (a, b *mailserver) {
	t.Helper()
	server := pgtest.Start(t)
	flags = append([]string{
		"-store", server.TCP(pgtest.Name(t, server)), "-hostname", "mx.example.org", "-domain", "example.org",
	}, flags...)
	a = newBareServer(t, append(flags, "-user", alice+":"+password, "-user", bob+":"+password)...)
	b = newBareServer(t, flags...)
	a.start()
	b.start()
	return a, b
}

// bucket is the URL of a fresh bucket, in which the test leaves objects.
func bucket(t *testing.T) string {
	t.Helper()
	c := s3test.Bucket(t, gw.Server(t))
	t.Cleanup(func() {
		if t.Skipped() {
			return
		}
		if entries, err := os.ReadDir(gw.Server(t).Dir(c.Bucket)); err != nil || len(entries) == 0 {
			t.Errorf("nothing lies in the bucket: %v", err)
		}
	})
	u := url.URL{
		Scheme: "s3", User: url.UserPassword(c.AccessKey, c.SecretKey), Host: c.Endpoint, Path: "/" + c.Bucket,
		RawQuery: url.Values{"tls": {"0"}, "region": {c.Region}}.Encode(),
	}
	return u.String()
}

// seenWithin is how soon a node shows what another one did.
const seenWithin = time.Second

// TestNodes asserts that two servers on one database are one mail system, with
// bodies in the database and in an object store.
func TestNodes(t *testing.T) {
	needServer(t)
	t.Parallel()
	for name, blobs := range map[string]func(*testing.T) string{
		"Database": func(*testing.T) string { return "database:" },
		"S3":       bucket,
	} {
		t.Run(name, func(t *testing.T) {
			a, b := cluster(t, "-blobs", blobs(t))
			t.Run("Idle", func(t *testing.T) { nodesIdle(t, a, b) })
			t.Run("Append", func(t *testing.T) { nodesAppend(t, a, b) })
			t.Run("Flags", func(t *testing.T) { nodesFlags(t, a, b) })
			t.Run("LargeBody", func(t *testing.T) { nodesLarge(t, a, b) })
			t.Run("Maildrop", func(t *testing.T) { nodesMaildrop(t, a, b) })
			t.Run("BothWays", func(t *testing.T) { nodesBothWays(t, a, b) })
			t.Run("Drain", func(t *testing.T) { nodesDrain(t, a, b) })
		})
	}
}

// idle begins IDLE, and returns what waits for a response and ends it.
func (ic *imapConn) idle() (until func(what string, seen func(line string) bool)) {
	ic.t.Helper()
	fmt.Fprint(ic.c, "idle IDLE\r\n")
	if line, _ := ic.line(); !strings.HasPrefix(line, "+") {
		ic.t.Fatalf("IDLE: %q", line)
	}
	return func(what string, seen func(string) bool) {
		ic.t.Helper()
		start := time.Now()
		for {
			if line, _ := ic.line(); seen(line) { // fails after 30 s
				break
			}
		}
		took := time.Since(start)
		ic.t.Logf("%s after %v", what, took.Round(time.Millisecond))
		if took > seenWithin {
			ic.t.Errorf("%s after %v, want %v at most", what, took, seenWithin)
		}
		fmt.Fprint(ic.c, "DONE\r\n")
		for {
			if line, _ := ic.line(); strings.HasPrefix(line, "idle ") {
				return
			}
		}
	}
}

func nodesIdle(t *testing.T, a, b *mailserver) {
	ic := b.login(t, alice, "INBOX")
	until := ic.idle()
	if err := a.mx(t).deliver("sender@remote.example", alice, message(1), false); err != nil {
		t.Fatal(err)
	}
	until("a message for the other node was seen", func(line string) bool { return line == "* 1 EXISTS" })
	checkDelivered(t, []byte(ic.waitFor(1)[0]), message(1), "sender@remote.example")
}

func nodesAppend(t *testing.T, a, b *mailserver) {
	reader := a.login(t, alice, "Drafts")
	until := reader.idle()
	b.login(t, alice, "INBOX").appendAll("Drafts", message(2))
	until("an APPEND at the other node was seen", func(line string) bool { return line == "* 1 EXISTS" })
	if got := reader.bodies(); len(got) != 1 || got[0] != string(message(2)) {
		t.Errorf("%d bodies, not what was appended", len(got))
	}
}

// nodesFlags sets flags at each node and sees them at the other.
func nodesFlags(t *testing.T, a, b *mailserver) {
	a.login(t, alice, "INBOX").appendAll("Archive", message(3))
	at := []*imapConn{a.login(t, alice, "Archive"), b.login(t, alice, "Archive")}
	for i, flag := range []string{`\Flagged`, "$Forwarded", `\Answered`, `\Seen`} {
		setter, watcher := at[i%2], at[(i+1)%2]
		until := watcher.idle()
		setter.ok("STORE 1 +FLAGS (%s)", flag)
		until(flag+" of the other node was seen", func(line string) bool {
			return strings.HasPrefix(line, "* 1 FETCH") && strings.Contains(line, flag)
		})
	}
	at[0].ok("STORE 1 -FLAGS (\\Seen)")
	until := at[0].idle()
	at[1].ok("STORE 1 +FLAGS (\\Deleted)")
	at[1].ok("EXPUNGE")
	until("an EXPUNGE at the other node was seen", func(line string) bool { return line == "* 1 EXPUNGE" })
}

// nodesLarge: a body too large for a row of the catalogue.
func nodesLarge(t *testing.T, a, b *mailserver) {
	large := sized(3 << 20)
	if err := a.mx(t).deliver("sender@remote.example", bob, large, false); err != nil {
		t.Fatal(err)
	}
	checkDelivered(t, []byte(b.login(t, bob, "INBOX").waitFor(1)[0]), large, "sender@remote.example")
	b.login(t, bob, "INBOX").appendAll("Drafts", large)
	if got := a.login(t, bob, "Drafts").waitFor(1)[0]; got != string(large) {
		t.Errorf("%d octets, not those that were appended", len(got))
	}
}

// nodesMaildrop: one POP3 session at a time, wherever it is (RFC 1939 §3).
func nodesMaildrop(t *testing.T, a, b *mailserver) {
	first := a.pop3(t, bob)
	second := b.pop3(t, "")
	second.command("+OK", "USER "+bob)
	second.command("-ERR [IN-USE]", "PASS "+password)
	if ids := first.uidl(); len(ids) != 1 {
		t.Errorf("%d messages", len(ids))
	}
	first.command("+OK", "DELE 1")
	first.command("+OK", "QUIT")
	if ids := b.pop3WhenFreeAs(t, bob).uidl(); len(ids) != 0 {
		t.Errorf("%d messages behind the QUIT at the other node", len(ids))
	}
}

// pop3WhenFreeAs logs in once the maildrop is free.
func (s *mailserver) pop3WhenFreeAs(t *testing.T, user string) (pc *pop3Conn) {
	t.Helper()
	eventually(t, 10*time.Second, "the maildrop stays locked", func() bool {
		pc = s.pop3(t, "")
		pc.command("+OK", "USER "+user)
		fmt.Fprintf(pc.c, "PASS %s\r\n", password)
		return strings.HasPrefix(pc.want(""), "+OK")
	})
	return pc
}

// nodesBothWays sends through both at once; every message arrives once.
func nodesBothWays(t *testing.T, a, b *mailserver) {
	const each = 40
	var wg sync.WaitGroup
	for i, s := range []*mailserver{a, b, a, b} {
		wg.Go(func() {
			sc := s.mx(t)
			for k := range each {
				if err := sc.deliver("sender@remote.example", bob, message(1000+i*each+k), k%2 == 0); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	want := b.login(t, bob, "INBOX").waitFor(4 * each)
	got := a.login(t, bob, "INBOX").waitFor(4 * each)
	if !slices.Equal(got, want) {
		t.Error("the nodes show different mailboxes")
	}
	seen := make(map[int]bool)
	for _, m := range got {
		id, _ := messageID([]byte(m))
		seen[id] = true
	}
	if len(seen) != 4*each {
		t.Errorf("%d different messages of %d", len(seen), 4*each)
	}
}

// nodesDrain ends the first node; the other goes on alone.
func nodesDrain(t *testing.T, a, b *mailserver) {
	ic := b.login(t, alice, "INBOX")
	a.terminate()
	if err := a.wait(10 * time.Second); err != nil {
		t.Errorf("end of the first node: %v", err)
	}
	if err := b.mx(t).deliver("sender@remote.example", alice, message(5), false); err != nil {
		t.Fatal(err)
	}
	ic.waitFor(2)
}

// TestNodesTakeOver kills a node while it has jobs, some of them under way, and
// asserts that the other delivers all of them: what was leased when the lease
// ends, the rest at once.
func TestNodesTakeOver(t *testing.T) {
	needServer(t)
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for leases to expire")
	}
	hole := newHole(t)
	host := newSmartHost(t)
	a, b := cluster(t)
	a.terminate()
	b.terminate()
	for _, s := range []*mailserver{a, b} {
		if err := s.wait(10 * time.Second); err != nil {
			t.Fatal(err)
		}
	}
	a.args = append(a.args, "-relay", hole.addr)
	b.args = append(b.args, "-relay", host.addr)
	a.start()
	submit(t, a, fromAlice(message(1)), "x@foreign.example")
	hole.waitFor(t, 1) // its attempt is under way
	a.kill()
	killed := time.Now()
	b.start()
	eventually(t, time.Minute, "the other node does not take over", func() bool { return len(host.messages()) > 0 })
	t.Logf("delivered %v after the kill", time.Since(killed).Round(time.Second))
	if wait := time.Since(killed); wait < 15*time.Second {
		t.Errorf("after %v: the lease cannot have ended", wait)
	}
	time.Sleep(2 * time.Second)
	got := host.messages()
	if len(got) != 1 || !bytes.HasSuffix(got[0].data, bodyOf(message(1))) {
		t.Errorf("%d messages at the smart host, want one", len(got))
	}
}

// hole accepts connections and says nothing.
type hole struct {
	addr string
	got  chan struct{}
}

func newHole(t *testing.T) *hole {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &hole{ln.Addr().String(), make(chan struct{}, 100)}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			h.got <- struct{}{}
			wg.Go(func() {
				defer c.Close()
				io.Copy(io.Discard, c)
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
	})
	return h
}

func (h *hole) waitFor(t *testing.T, n int) {
	t.Helper()
	for range n {
		select {
		case <-h.got:
		case <-time.After(20 * time.Second):
			t.Fatal("no connection")
		}
	}
}
