package itest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
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

// The accounts of every server under test.
const (
	alice    = "alice@example.org"
	bob      = "bob@example.org"
	password = "secret:1"
)

// binaries is where TestMain keeps the programs built for the tests.
type binaries struct {
	dir   string
	build func() (string, error)
}

// A mailserver is one running examples/mailserver. Its data directory and its
// ports stay the same when it is started again.
type mailserver struct {
	t       *testing.T
	data    string
	args    []string
	ports   map[string]string // listener name to address
	cmd     *exec.Cmd
	log     *lockedBuffer
	exited  chan struct{} // closed when cmd has ended
	exitErr error         // valid then
}

func listeners() []string {
	return []string{"smtp", "submission", "submissions", "lmtp", "imap", "imaps", "pop3", "pop3s", "http"}
}

// program returns the mail server under test: MAILSTEAD_MAILSERVER, or
// examples/mailserver built once.
func program(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("MAILSTEAD_MAILSERVER"); path != "" {
		return path
	}
	path, err := built.build()
	if err != nil {
		t.Fatalf("examples/mailserver cannot be built: %v", err)
	}
	return path
}

var built binaries

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "itest-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	built = binaries{dir, sync.OnceValues(func() (string, error) {
		path := filepath.Join(dir, "mailserver")
		cmd := exec.Command("go", "build", "-o", path, "./mailserver")
		cmd.Dir = filepath.Join("..", "..", "examples")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%w\n%s", err, out)
		}
		return path, nil
	})}
	code := m.Run()
	gw.End()
	os.RemoveAll(dir)
	os.Exit(code)
}

// newServer starts a server with two accounts on free loopback ports and stops
// it with the test.
func newServer(t *testing.T, flags ...string) *mailserver {
	t.Helper()
	s := newBareServer(t, append([]string{
		"-hostname", "mx.example.org", "-domain", "example.org",
		"-user", alice + ":" + password, "-user", bob + ":" + password,
	}, flags...)...)
	s.start()
	return s
}

// newBareServer is a server that is not started yet, with nothing but a new
// data directory, free ports and these flags.
func newBareServer(t *testing.T, flags ...string) *mailserver {
	t.Helper()
	needServer(t)
	s := &mailserver{t: t, data: filepath.Join(t.TempDir(), "deep", "data"), ports: map[string]string{}}
	s.args = []string{"-data", s.data}
	for name, addr := range freeAddrs(t, listeners()) {
		s.ports[name] = addr
		s.args = append(s.args, "-"+name, addr)
	}
	s.args = append(s.args, flags...)
	s.portsFrom(flags)
	t.Cleanup(func() {
		if s.running() {
			s.kill()
		}
		if t.Failed() && s.log != nil {
			t.Logf("end of the server's log:\n%s", s.log.tail())
		}
	})
	return s
}

// portsFrom notes the listeners that flags move or close; one that listens on
// all addresses is reached over loopback.
func (s *mailserver) portsFrom(flags []string) {
	for i := 0; i+1 < len(flags); i++ {
		name := strings.TrimPrefix(flags[i], "-")
		switch addr := flags[i+1]; {
		case s.ports[name] == "":
		case addr == "off":
			delete(s.ports, name)
		default:
			s.ports[name] = strings.Replace(addr, "0.0.0.0", "127.0.0.1", 1)
		}
	}
}

// freeAddrs picks ports that were free a moment ago, and that differ.
func freeAddrs(t *testing.T, names []string) map[string]string {
	t.Helper()
	addrs, taken := map[string]string{}, map[string]bool{}
	for _, name := range names {
		for addrs[name] == "" || taken[addrs[name]] {
			addr, err := freeport.Addr()
			if err != nil {
				t.Fatal(err)
			}
			addrs[name] = addr
		}
		taken[addrs[name]] = true
	}
	return addrs
}

// start runs the program and waits until every listener accepts, at most the
// 10 s that the contract allows after a crash.
func (s *mailserver) start() {
	s.t.Helper()
	s.log = &lockedBuffer{}
	s.cmd = exec.Command(program(s.t), s.args...)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.exited = make(chan struct{})
	go func(cmd *exec.Cmd, exited chan struct{}) {
		s.exitErr = cmd.Wait()
		close(exited)
	}(s.cmd, s.exited)
	eventually(s.t, 10*time.Second, "the server is not ready", func() bool {
		if !s.running() {
			s.t.Fatalf("the server ended: %v\n%s", s.exitErr, s.log.tail())
		}
		return s.healthy()
	})
	for name, addr := range s.ports {
		c, err := net.DialTimeout("tcp", addr, 5*time.Second)
		if err != nil {
			s.t.Fatalf("healthy, but -%s does not accept: %v", name, err)
		}
		c.Close()
	}
}

func (s *mailserver) healthy() bool {
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.ports["http"]+"/healthz", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func (s *mailserver) running() bool {
	if s.exited == nil {
		return false
	}
	select {
	case <-s.exited:
		return false
	default:
		return true
	}
}

// terminate sends SIGTERM; wait then returns how the program ended.
func (s *mailserver) terminate() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
}

func (s *mailserver) wait(limit time.Duration) error {
	select {
	case <-s.exited:
		return s.exitErr
	case <-time.After(limit):
		return errors.New("still running")
	}
}

// kill ends the program at once and waits for it.
func (s *mailserver) kill() {
	s.cmd.Process.Kill()
	<-s.exited
}

// hostPort splits the address of a listener for programs that want two arguments.
func (s *mailserver) hostPort(listener string) (host, port string) {
	s.t.Helper()
	host, port, err := net.SplitHostPort(s.ports[listener])
	if err != nil {
		s.t.Fatal(err)
	}
	return host, port
}

// A lockedBuffer collects the log of a running program.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) tail() string {
	if l == nil {
		return ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(tail(l.b.Bytes()))
}
