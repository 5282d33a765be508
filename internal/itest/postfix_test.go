package itest

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A postfix is one running Postfix, with a queue and a configuration of its own.
type postfix struct {
	t    *testing.T
	root string // where its packages lie; "" = installed
	conf string
	addr string // of its SMTP port
	log  string
}

// postfixRoot is where Postfix's packages lie: MAILSTEAD_POSTFIX names a
// directory with them unpacked; "" = installed.
func postfixRoot(t *testing.T) string {
	t.Helper()
	root := os.Getenv("MAILSTEAD_POSTFIX")
	_, err := os.Stat(filepath.Join("/", root, "usr/lib/postfix/sbin/master"))
	switch required := os.Getenv("MAILSTEAD_PEERS") == "required"; {
	case err != nil && required:
		t.Fatalf("postfix is not there (MAILSTEAD_POSTFIX=%q), and MAILSTEAD_PEERS=required", root)
	case err != nil:
		t.Skip("postfix is not installed; MAILSTEAD_POSTFIX may name a directory with its unpacked packages")
	case os.Getuid() != 0 && required:
		t.Fatal("postfix runs as root only, and MAILSTEAD_PEERS=required")
	case os.Getuid() != 0:
		t.Skip("postfix runs as root only")
	}
	return root
}

// newPostfix starts Postfix with these lines of main.cf and stops it with the
// test. It listens on loopback and delivers as main.cf says.
func newPostfix(t *testing.T, lines ...string) *postfix {
	t.Helper()
	needServer(t)
	p := &postfix{t: t, root: postfixRoot(t)}
	dir := t.TempDir()
	// Its daemons run as another user, who has to come this far.
	for d := dir; d != os.TempDir() && len(d) > 1; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	p.conf, p.log = filepath.Join(dir, "conf"), filepath.Join(dir, "log", "maillog")
	p.addr = freeAddrs(t, []string{"smtp"})["smtp"]
	p.directories(dir)
	lib := filepath.Join("/", p.root, "usr/lib")
	main := append([]string{
		"compatibility_level = 3.6", "myhostname = postfix.example", "mydestination =", "mynetworks = 127.0.0.0/8",
		"inet_protocols = ipv4", "alias_maps =", "alias_database =", "local_recipient_maps =", "smtputf8_enable = yes",
		"mail_owner = daemon", "setgid_group = mail", "default_privs = nobody",
		"queue_directory = " + filepath.Join(dir, "queue"), "data_directory = " + filepath.Join(dir, "data"),
		"daemon_directory = " + filepath.Join(lib, "postfix/sbin"), "command_directory = " + filepath.Join("/", p.root, "usr/sbin"),
		"shlib_directory = " + filepath.Join(lib, "postfix"), "meta_directory = " + p.conf,
		"maillog_file = " + p.log, "maillog_file_prefixes = " + dir,
		"import_environment = MAIL_CONFIG TZ LANG=C LD_LIBRARY_PATH",
		"minimal_backoff_time = 1s", "queue_run_delay = 1s", "maximal_backoff_time = 5s",
	}, lines...)
	p.write("main.cf", strings.Join(main, "\n")+"\n")
	p.write("master.cf", p.addr+` inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 1 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
lmtp unix - - n - - lmtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
`)
	p.start()
	return p
}

// directories makes the queue, as post-install does it.
func (p *postfix) directories(dir string) {
	p.t.Helper()
	owner, err := user.Lookup("daemon")
	if err != nil {
		p.t.Fatal(err)
	}
	uid, _ := strconv.Atoi(owner.Uid)
	group, err := user.LookupGroup("mail")
	if err != nil {
		p.t.Fatal(err)
	}
	gid, _ := strconv.Atoi(group.Gid)
	for _, d := range []struct {
		name     string
		mode     os.FileMode
		uid, gid int
	}{
		{"conf", 0o755, 0, 0},
		{"log", 0o755, 0, 0},
		{"queue", 0o755, 0, 0},
		{"queue/pid", 0o755, 0, 0},
		{"data", 0o700, uid, 0},
		{"queue/incoming", 0o700, uid, 0},
		{"queue/active", 0o700, uid, 0},
		{"queue/bounce", 0o700, uid, 0},
		{"queue/corrupt", 0o700, uid, 0},
		{"queue/defer", 0o700, uid, 0},
		{"queue/deferred", 0o700, uid, 0},
		{"queue/flush", 0o700, uid, 0},
		{"queue/hold", 0o700, uid, 0},
		{"queue/private", 0o700, uid, 0},
		{"queue/saved", 0o700, uid, 0},
		{"queue/trace", 0o700, uid, 0},
		{"queue/public", 0o710, uid, gid},
		{"queue/maildrop", 0o730, uid, gid},
	} {
		name := filepath.Join(dir, d.name)
		if err := os.MkdirAll(name, d.mode); err != nil {
			p.t.Fatal(err)
		}
		if err := os.Chown(name, d.uid, d.gid); err != nil {
			p.t.Fatal(err)
		}
		if err := os.Chmod(name, d.mode); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (p *postfix) write(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.conf, name), []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// start runs Postfix's master in the foreground until the end of the test.
func (p *postfix) start() {
	p.t.Helper()
	lib := filepath.Join("/", p.root, "usr/lib")
	cmd := exec.Command(filepath.Join(lib, "postfix/sbin/master"), "-c", p.conf, "-d")
	libs, _ := filepath.Glob(filepath.Join(lib, "*-linux-gnu"))
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+strings.Join(append(libs, filepath.Join(lib, "postfix")), ":"))
	out := &lockedBuffer{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		cmd.Wait()
		close(exited)
	}()
	p.t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		select {
		case <-exited:
		case <-time.After(2 * time.Second):
			cmd.Process.Kill()
			<-exited
		}
		if p.t.Failed() {
			b, _ := os.ReadFile(p.log)
			p.t.Logf("postfix: %s\n%s", out.tail(), tail(b))
		}
	})
	eventually(p.t, 10*time.Second, "postfix does not answer", func() bool {
		select {
		case <-exited:
			p.t.Fatalf("postfix ended: %s", out.tail())
		default:
		}
		sc, err := (&mailserver{ports: map[string]string{"smtp": p.addr}}).dialSMTP("smtp")
		if err == nil {
			sc.c.Close()
		}
		return err == nil
	})
}
