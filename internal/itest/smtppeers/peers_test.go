package smtppeers

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mailstead/mailstead/internal/itest/freeport"
)

// missing skips the test, or fails it where peers are required.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("MAILSTEAD_PEERS") == "required" {
		t.Fatalf("%s, and MAILSTEAD_PEERS=required", what)
	}
	t.Skip(what)
}

func notShort(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("drives foreign programs; not run with -short")
	}
}

// unpacked is the directory of an unpacked package, which holds file.
func unpacked(t *testing.T, pkg, file string) string {
	t.Helper()
	notShort(t)
	dir := filepath.Join(os.Getenv("MAILSTEAD_SMTP_PEERS"), pkg)
	if _, err := os.Stat(filepath.Join(dir, file)); err != nil || os.Getenv("MAILSTEAD_SMTP_PEERS") == "" {
		missing(t, pkg+" is not there; MAILSTEAD_SMTP_PEERS may name a directory with its unpacked packages")
	}
	if os.Geteuid() != 0 {
		missing(t, pkg+" cannot be run: it changes its user, which needs root")
	}
	return dir
}

// program is the path of an installed program.
func program(t *testing.T, name string) string {
	t.Helper()
	notShort(t)
	path, err := exec.LookPath(name)
	if err != nil {
		missing(t, name+" is not installed")
	}
	return path
}

// accounts are the users that the servers want to find.
const accounts = `root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
postfix:x:2001:2001::/nonexistent:/usr/sbin/nologin
Debian-exim:x:2003:2003::/nonexistent:/usr/sbin/nologin
opensmtpd:x:2004:2004::/nonexistent:/usr/sbin/nologin
opensmtpq:x:2005:2005::/nonexistent:/usr/sbin/nologin
dovecot:x:2006:2006::/nonexistent:/usr/sbin/nologin
dovenull:x:2007:2007::/nonexistent:/usr/sbin/nologin
vmail:x:2008:2008::/nonexistent:/usr/sbin/nologin
`

const groups = `root:x:0:
nogroup:x:65534:
postfix:x:2001:
postdrop:x:2002:
Debian-exim:x:2003:
opensmtpd:x:2004:
opensmtpq:x:2005:
dovecot:x:2006:
dovenull:x:2007:
vmail:x:2008:
`

// namespace starts a program where the unpacked packages seem to be installed,
// these users exist, /run, /var/spool and /var/lib are empty, and nothing of
// that is seen outside.
const namespace = `set -e
mount -t overlay overlay -o "lowerdir=$1:/usr" /usr
mount --bind "$0/passwd" /etc/passwd
mount --bind "$0/group" /etc/group
for d in /run /var/spool /var/lib; do mount -t tmpfs none $d; done
mkdir -p /var/lib/opensmtpd/empty
shift
exec "$@"`

// inside is a command line that runs args in the namespace of dir.
func inside(dir string, roots []string, args ...string) *exec.Cmd {
	var lower []string
	for _, r := range roots {
		lower = append(lower, filepath.Join(r, "usr"))
	}
	return exec.Command("unshare", append([]string{"-m", "sh", "-c", namespace, dir, strings.Join(lower, ":")}, args...)...)
}

// workDir is a directory that all users of a server may enter. Its path is
// short: sockets lie in it.
func workDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "peer")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "passwd"), accounts)
	write(t, filepath.Join(dir, "group"), groups)
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// output gathers what a daemon writes; it is shown when the test fails.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// daemon starts a server in its namespace and waits until addr accepts. It
// ends, with all its processes, at the end of the test.
func daemon(t *testing.T, dir, addr string, roots []string, args ...string) {
	t.Helper()
	cmd := inside(dir, roots, args...)
	start(t, cmd, filepath.Join(dir, "log"))
	waitFor(t, cmd, addr)
}

func start(t *testing.T, cmd *exec.Cmd, logs string) {
	t.Helper()
	out := &output{}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		kill := time.AfterFunc(5*time.Second, func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		cmd.Wait()
		kill.Stop()
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // whoever stayed behind
		if t.Failed() {
			t.Logf("%s:\n%s", cmd.Args, tail(out.String()))
			files, _ := filepath.Glob(logs + "*")
			for _, f := range files {
				text, _ := os.ReadFile(f)
				t.Logf("%s:\n%s", f, tail(string(text)))
			}
		}
	})
}

// tail is the end of an output, enough to see what went wrong.
func tail(s string) string { return s[max(0, len(s)-8000):] }

// waitFor waits until the daemon accepts.
func waitFor(t *testing.T, cmd *exec.Cmd, addr string) *output {
	t.Helper()
	eventually(t, 30*time.Second, fmt.Sprintf("%s does not accept on %s", cmd.Args, addr), func() bool {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return false
		}
		c.Close()
		return true
	})
	return cmd.Stdout.(*output)
}

// freePort is an address of the loopback interface that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	addr, err := freeport.Addr()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

func portOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

// run runs a foreign program to its end and returns its output.
func run(t *testing.T, stdin, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	return finish(t, cmd)
}

func finish(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "HOME="+cmd.Dir, "LC_ALL=C.UTF-8", "NODE_PATH="+filepath.Join(os.Getenv("MAILSTEAD_SMTP_PEERS"), "node_modules"))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	defer kill.Stop()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd.Args, err, tail(out.String()))
	}
	return out.String()
}

// eventually asks again until done says yes, for at most limit. It is for
// foreign processes only, which tell nobody when they are done.
func eventually(t *testing.T, limit time.Duration, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(limit); !done(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("after %v: %s", limit, what)
		}
	}
}
