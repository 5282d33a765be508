package itest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMbsyncKilled synchronises two ways and kills mbsync in the middle of it,
// then the server. Runs after that complete it: nothing is lost, nothing is
// there twice, and the next run has nothing to do.
func TestMbsyncKilled(t *testing.T) {
	needServer(t)
	t.Parallel()
	const n = 800
	s := newServer(t)
	peer(t, "mbsync")
	ic := s.login(t, alice, "INBOX")
	ic.ok("CREATE Pull")
	var msgs [][]byte
	for i := range n {
		msgs = append(msgs, small(i))
	}
	ic.appendAll("Pull", msgs...)
	dir := t.TempDir()
	push := newMaildir(t, filepath.Join(dir, "Push"))
	for i := range n {
		name := filepath.Join(push, "cur", fmt.Sprintf("1790000000.%d_1.host:2,FS", i))
		if err := os.WriteFile(name, unix(small(n+i)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rc := mbsyncrc(t, s, dir)
	pulled := func() int {
		files, _ := filepath.Glob(filepath.Join(dir, "Pull", "[nc]*", "*")) // new and cur
		return len(files)
	}

	pushed := func() int { return s.count(t, "Push") }

	// mbsync dies when a part is pulled, and once more when a part is pushed; then
	// the server dies when more is pushed.
	for _, kill := range []struct {
		what  string
		at    int
		count func() int
		end   func(mbsync *killable)
	}{
		{"mbsync, pulling", n / 4, pulled, (*killable).kill},
		{"mbsync, pushing", n / 4, pushed, (*killable).kill},
		{"the server", n / 2, pushed, func(mbsync *killable) {
			s.kill()
			mbsync.wait()
			s.start()
		}},
	} {
		run := startMbsync(t, rc)
		eventually(t, time.Minute, "mbsync does not work", func() bool { return kill.count() >= kill.at || run.ended() })
		kill.end(run)
		if at := kill.count(); at < kill.at || at >= n {
			t.Errorf("%s: killed with %d messages there, too late to be in the middle", kill.what, at)
		}
		eventually(t, time.Minute, "the server goes on for a client that is gone", func() bool { return s.imapSessions(t) <= 1 })
		t.Logf("%s: killed with %d of %d messages pulled and %d pushed", kill.what, pulled(), n, pushed())
	}

	runPeer(t, false, "mbsync", "-c", rc, "-a")
	for name, dir := range map[string]string{"near": dir, "far": ""} {
		for i, mailbox := range []string{"Pull", "Push"} {
			checkOnce(t, name+" "+mailbox, n*i, n, s.bodiesOf(t, mailbox, dir))
		}
	}
	was, files := state(t, s), listing(t, dir)
	runPeer(t, false, "mbsync", "-c", rc, "-a")
	if now := state(t, s); now != was {
		t.Errorf("the next run changed the server: %s, then %s", was, now)
	}
	if now := listing(t, dir); !slices.Equal(now, files) {
		t.Errorf("the next run changed the Maildir: %d files, then %d", len(files), len(now))
	}
}

// imapSessions is how many IMAP connections the server serves, with those whose
// client is gone: what such a client has sent is still carried out.
func (s *mailserver) imapSessions(t *testing.T) (n int) {
	t.Helper()
	profile := get(t, "http://"+s.ports["http"]+"/debug/pprof/goroutine?debug=1")
	_, profile, _ = strings.Cut(profile, "\n") // the total
	for stack := range strings.SplitSeq(profile, "\n\n") {
		var goroutines int
		if strings.Contains(stack, "imapserver.(*conn).serve") {
			fmt.Sscan(strings.TrimSpace(stack), &goroutines)
		}
		n += goroutines
	}
	return n
}

// newMaildir makes a Maildir and returns its path.
func newMaildir(t *testing.T, dir string) string {
	t.Helper()
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// count is how many messages a mailbox of alice's holds; 0 where there is none.
func (s *mailserver) count(t *testing.T, mailbox string) (n int) {
	t.Helper()
	ic := s.login(t, alice, "INBOX")
	defer ic.c.Close()
	ic.command(func(line string, _ []string) {
		if _, counted, ok := strings.Cut(line, "(MESSAGES "); ok {
			fmt.Sscan(counted, &n)
		}
	}, "STATUS %s (MESSAGES)", mailbox)
	return n
}

// bodiesOf are the bodies of all messages of a mailbox: of the Maildir in dir,
// or of the server's where dir is empty.
func (s *mailserver) bodiesOf(t *testing.T, mailbox, dir string) (bodies []string) {
	t.Helper()
	if dir == "" {
		ic := s.login(t, alice, mailbox)
		for _, m := range ic.bodies() {
			bodies = append(bodies, string(unix(bodyOf([]byte(m)))))
		}
		return bodies
	}
	for _, file := range listing(t, filepath.Join(dir, mailbox)) {
		if filepath.Base(filepath.Dir(file)) == "tmp" {
			continue // what a killed program left
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, string(bodyOf(b)))
	}
	return bodies
}

// checkOnce asserts that the bodies are those of the n messages from first on,
// each once.
func checkOnce(t *testing.T, what string, first, n int, bodies []string) {
	t.Helper()
	times := map[string]int{}
	for _, b := range bodies {
		times[b]++
	}
	var lost, doubled []int
	for i := first; i < first+n; i++ {
		switch got := times[string(bodyOf(unix(small(i))))]; {
		case got == 0:
			lost = append(lost, i)
		case got > 1:
			doubled = append(doubled, i)
		}
	}
	if len(bodies) != n || lost != nil || doubled != nil {
		t.Errorf("%s: %d messages, want %d; lost %v, doubled %v", what, len(bodies), n, lost, doubled)
	}
}

// A running program of somebody else that is to be killed.
type killable struct {
	cmd  *exec.Cmd
	done chan struct{}
}

func startMbsync(t *testing.T, rc string) *killable {
	t.Helper()
	k := &killable{exec.Command(peer(t, "mbsync"), "-c", rc, "-a"), make(chan struct{})}
	k.cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	if err := k.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(k.done)
		k.cmd.Wait()
	}()
	t.Cleanup(k.kill)
	return k
}

func (k *killable) ended() bool {
	select {
	case <-k.done:
		return true
	default:
		return false
	}
}

func (k *killable) wait() { <-k.done }

func (k *killable) kill() {
	k.cmd.Process.Kill() // it may have ended
	<-k.done
}
