package itest

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"net"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
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
// the collector is killed: our own, and getmail and fetchmail beside it.
//
// MAILSTEAD_CUTS says how many cuts, and how many kills, and has getmail and
// fetchmail run beside ours, whose losses and doubles are reported; without it
// there are 6, of 60 messages. 100 are made of 1,000 messages.

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
			text := fmt.Sprintf("From: <a@example.org>\r\nTo: <b@example.org>\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n"+
				"Message-ID: <%d@example.org>\r\nX-Number: %d\r\nSubject: %d\r\n\r\n%s", i, i, i, strings.Repeat("0123456789.\r\n", i%200))
			if !yield(&imapclient.NewMessage{Size: int64(len(text)), Body: strings.NewReader(text)}, nil) {
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

// cutter is a proxy that breaks connections.
type cutter struct {
	addr   string
	server string
	wg     sync.WaitGroup

	mu   sync.Mutex
	rnd  *rand.Rand
	left int // cuts that are still to come
	most int // octets in front of one, at most
	hit  func()
}

func newCutter(t *testing.T, server string, seed uint64, cuts, most int) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &cutter{addr: l.Addr().String(), server: server, rnd: rand.New(rand.NewPCG(seed, 1)), left: cuts, most: most}
	p.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() { p.serve(c.(*net.TCPConn)) })
		}
	})
	t.Cleanup(func() { l.Close(); p.wg.Wait() })
	return p
}

// plan is behind how many octets the next connection breaks; -1 = it does not.
func (p *cutter) plan() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left <= 0 {
		return -1
	}
	if p.rnd.IntN(4) == 0 {
		return p.rnd.IntN(2000)
	}
	return p.rnd.IntN(p.most)
}

func (p *cutter) serve(c *net.TCPConn) {
	defer c.Close()
	s, err := net.Dial("tcp", p.server)
	if err != nil {
		return
	}
	defer s.Close()
	b := &budget{left: p.plan()}
	b.cut = sync.OnceFunc(func() {
		p.mu.Lock()
		p.left--
		hit := p.hit
		p.mu.Unlock()
		if hit != nil {
			hit()
		}
		c.SetLinger(0)
		s.(*net.TCPConn).SetLinger(0)
		c.Close()
		s.Close()
	})
	var wg sync.WaitGroup
	for _, way := range [][2]*net.TCPConn{{c, s.(*net.TCPConn)}, {s.(*net.TCPConn), c}} {
		wg.Go(func() {
			b.copy(way[1], way[0])
			way[1].CloseWrite()
		})
	}
	wg.Wait()
}

// onHit is called at each cut, in place of it where it kills the client.
func (p *cutter) onHit(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hit = f
}

func (p *cutter) cutsLeft() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.left
}

// budget is what may pass, in both directions.
type budget struct {
	mu   sync.Mutex
	left int // negative = all
	cut  func()
}

func (b *budget) copy(dst, src net.Conn) {
	buf := make([]byte, 4096)
	for {
		n, err := src.Read(buf)
		b.mu.Lock()
		pass, over := n, false
		if b.left >= 0 {
			pass = min(n, b.left)
			b.left -= pass
			over = pass < n
		}
		b.mu.Unlock()
		if _, writeErr := dst.Write(buf[:pass]); writeErr != nil {
			return
		}
		if over {
			b.cut()
			return
		}
		if err != nil {
			return
		}
	}
}

// collecting is a program that collects.
type collecting struct {
	name string
	// command is a run of it.
	command func(ctx context.Context) *exec.Cmd
	// arrived are the numbers of the messages that it has delivered.
	arrived func(t *testing.T) []string
	// done says whether it may have ended this way with nothing left to do.
	done func(err error) bool
}

// workerBinary is collectworker.
var workerBinary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(built.dir, "collectworker")
	out, err := exec.Command("go", "build", "-o", path, "./collectworker").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, out)
	}
	return path, err
})

func ourCollector(t *testing.T, protocol, addr, user string) collecting {
	t.Helper()
	bin, err := workerBinary()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	run := func(ctx context.Context, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, bin, args...)
		cmd.Env = append(os.Environ(), "MAIL_PASSWORD="+password)
		return cmd
	}
	return collecting{
		name:    "ours",
		command: func(ctx context.Context) *exec.Cmd { return run(ctx, dir, protocol, addr, user) },
		arrived: func(t *testing.T) []string {
			out, err := run(t.Context(), dir).Output()
			if err != nil {
				t.Fatal(err)
			}
			return strings.Fields(string(out))
		},
		done: func(err error) bool { return err == nil },
	}
}

// numbersIn are the numbers of the messages in a Maildir.
func numbersIn(t *testing.T, dir string) (numbers []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "new", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		h, _ := textproto.NewReader(bufio.NewReader(bytes.NewReader(append(b, "\n\n"...)))).ReadMIMEHeader()
		numbers = append(numbers, h.Get("X-Number"))
	}
	return numbers
}

// shellDelivery is a shell command that delivers what it reads into a Maildir.
func shellDelivery(dir string) string {
	return fmt.Sprintf("cat >%[1]s/tmp/$$ && mv %[1]s/tmp/$$ %[1]s/new/$$.$(date +%%s%%N)", dir)
}

func getmailCollector(t *testing.T, protocol, addr, user string) collecting {
	t.Helper()
	bin := peer(t, "getmail")
	state, maildir := t.TempDir(), newMaildir(t, filepath.Join(t.TempDir(), "mail"))
	host, port, _ := net.SplitHostPort(addr)
	class, mailboxes := "SimplePOP3Retriever", ""
	if protocol == "imap" {
		class, mailboxes = "SimpleIMAPRetriever", `mailboxes = ("INBOX",)`
	}
	rc := writeFile(t, "getmailrc", fmt.Appendf(nil, "[retriever]\ntype = %s\nserver = %s\nport = %s\nusername = %s\npassword = %s\ntimeout = 10\n%s\n"+
		"[destination]\ntype = MDA_external\npath = /bin/sh\nallow_root_commands = true\narguments = (\"-c\", %q)\n"+
		"[options]\nread_all = false\ndelete = true\ndelivered_to = false\nreceived = false\n", class, host, port, user, password, mailboxes, shellDelivery(maildir)+"; sleep 0.02"))
	return collecting{
		name: "getmail",
		command: func(ctx context.Context) *exec.Cmd {
			return exec.CommandContext(ctx, bin, "--getmaildir="+state, "--rcfile="+rc)
		},
		arrived: func(t *testing.T) []string { return numbersIn(t, maildir) },
		done:    func(err error) bool { return err == nil },
	}
}

func fetchmailCollector(t *testing.T, protocol, addr, user string) collecting {
	t.Helper()
	bin := peer(t, "fetchmail")
	home, maildir := t.TempDir(), newMaildir(t, filepath.Join(t.TempDir(), "mail"))
	host, port, _ := net.SplitHostPort(addr)
	rc := writeFile(t, "rc", fmt.Appendf(nil, "set no bouncemail\npoll %s protocol %s service %s no dns timeout 10 %s\nuser %q password %q sslproto '' no rewrite no dropdelivered\n"+
		"fetchall mda \"%s\"\n", host, protocol, port, map[string]string{"pop3": "uidl"}[protocol], user, password, strings.ReplaceAll(shellDelivery(maildir), `"`, `\"`)))
	return collecting{
		name: "fetchmail",
		command: func(ctx context.Context) *exec.Cmd {
			cmd := exec.CommandContext(ctx, bin, "-f", rc, "--nodetach", "--nosyslog", "--idfile", filepath.Join(home, "ids"), "--pidfile", filepath.Join(home, "pid"))
			cmd.Env = append(os.Environ(), "HOME="+home)
			return cmd
		},
		arrived: func(t *testing.T) []string { return numbersIn(t, maildir) },
		done: func(err error) bool {
			status, exited := err.(*exec.ExitError)
			return err == nil || exited && status.ExitCode() == 1 // there is no mail
		},
	}
}

// until runs a program again and again, until all is collected.
func (c *collecting) until(t *testing.T, o origin, p *cutter, kill bool) (runs int) {
	t.Helper()
	deadline := time.Now().Add(8 * time.Minute)
	for ; ; runs++ {
		if time.Now().After(deadline) {
			t.Fatalf("%s: %d messages are on the server after %d runs, %d cuts to come", c.name, o.left(t), runs, p.cutsLeft())
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		cmd := c.command(ctx)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &out, time.Second
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		p.onHit(nil)
		if kill {
			p.onHit(func() { cmd.Process.Kill() })
		}
		err := cmd.Wait()
		cancel()
		if c.done(err) && o.left(t) == 0 {
			return runs + 1
		}
		if err != nil && p.cutsLeft() <= 0 {
			t.Logf("%s: run %d: %v %s", c.name, runs, err, tail(out.Bytes())[:min(300, out.Len())])
		}
		<-time.After(50 * time.Millisecond) // the server notices that the maildrop is free
	}
}

// judge counts what is lost and doubled.
func judgeCollected(numbers []string, n int) (lost, doubled, strange int) {
	count := make(map[string]int)
	for _, s := range numbers {
		count[s]++
	}
	for i := range n {
		switch c := count[strconv.Itoa(i)]; {
		case c == 0:
			lost++
		case c > 1:
			doubled += c - 1
		}
		delete(count, strconv.Itoa(i))
	}
	for _, c := range count {
		strange += c
	}
	return lost, doubled, strange
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
	collectors := []func(t *testing.T, protocol, addr, user string) collecting{ourCollector}
	if os.Getenv("MAILSTEAD_CUTS") != "" {
		collectors = append(collectors, getmailCollector, fetchmailCollector)
	}
	for _, from := range origins {
		t.Run(from.name, func(t *testing.T) {
			o := from.open(t)
			for _, protocol := range []string{"pop3", "imap"} {
				for i, name := range []string{"ours", "getmail", "fetchmail"}[:len(collectors)] {
					t.Run(protocol+" "+name, func(t *testing.T) { collectFrom(t, o, protocol, collectors[i], kill) })
				}
			}
		})
	}
}

// collectFrom judges one program: ours neither loses nor doubles. What others do
// is reported.
func collectFrom(t *testing.T, o origin, protocol string, open func(t *testing.T, protocol, addr, user string) collecting, kill bool) {
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
	lost, doubled, strange := judgeCollected(c.arrived(t), n)
	t.Logf("%s, %s: %d messages, %d cuts, %d runs in %.0f s: %d lost, %d doubled, %d not whole",
		c.name, protocol, n, cuts-p.cutsLeft(), runs, time.Since(begin).Seconds(), lost, doubled, strange)
	if c.name == "ours" && (lost > 0 || doubled > 0 || strange > 0) {
		t.Errorf("%d lost, %d doubled, %d not whole", lost, doubled, strange)
	}
}
