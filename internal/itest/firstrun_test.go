package itest

import (
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// stop ends the program politely.
func (s *mailserver) stop() {
	s.t.Helper()
	s.terminate()
	if err := s.wait(5 * time.Second); err != nil {
		s.t.Fatalf("after SIGTERM: %v", err)
	}
}

// TestFirstRun asserts the accounts of a server that was given none.
func TestFirstRun(t *testing.T) {
	s := newBareServer(t)
	s.start()
	file := filepath.Join(s.data, "first-run.txt")
	first, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`\Aalice@example\.org:(\S{12,})\nbob@example\.org:(\S{12,})\n\z`).FindSubmatch(first)
	if m == nil {
		t.Fatalf("first-run.txt: %q", first)
	}
	for path, want := range map[string]fs.FileMode{file: 0o600, s.data: 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want mode %v", path, info.Mode(), err, want)
		}
	}
	ic := s.dialIMAP(t)
	ic.ok("LOGIN alice@example.org %s", m[1])
	exists := ""
	ic.command(func(line string, _ []string) {
		if strings.HasSuffix(line, " EXISTS") {
			exists = line
		}
	}, "SELECT INBOX")
	if exists != "* 0 EXISTS" {
		t.Errorf("the new INBOX: %q", exists)
	}
	for range 2 { // printed at every start, the same ones
		for _, password := range m[1:] {
			if !strings.Contains(s.log.tail(), string(password)) {
				t.Error("a password is not printed")
			}
		}
		s.stop()
		s.start()
	}
	if again, _ := os.ReadFile(file); string(again) != string(first) {
		t.Error("another start made other passwords")
	}
}

// TestNoFirstRun asserts that nobody has an account that was not asked for as
// soon as a listener is open to others, or with -user.
func TestNoFirstRun(t *testing.T) {
	lmtp := freeAddrs(t, []string{"lmtp"})["lmtp"]
	open := newBareServer(t, "-lmtp", strings.Replace(lmtp, "127.0.0.1", "0.0.0.0", 1))
	open.start()
	dialogue(t, open, "smtp", []step{{"EHLO client.example", "250"}, {"MAIL FROM:<>", "250"}, {"RCPT TO:<" + alice + ">", "550 5.1.1"}})
	for _, s := range []*mailserver{open, newServer(t)} {
		if _, err := os.Stat(filepath.Join(s.data, "first-run.txt")); err == nil {
			t.Errorf("%v made first-run.txt", s.args)
		}
	}
}

// TestWeb asserts what the web face shows, and that no password is in it.
func TestWeb(t *testing.T) {
	s := newServer(t)
	for path, want := range map[string]int{"/healthz": 200, "/debug/vars": 200, "/debug/pprof/": 200, "/debug/pprof/heap": 200, "/": 404, "/debug/pprof/cmdline": 404} {
		status, body := s.get(t, path)
		if status != want {
			t.Errorf("%s: status %d, want %d", path, status, want)
		}
		if strings.Contains(body, password) {
			t.Errorf("%s shows a password", path)
		}
	}
	addr := freeAddrs(t, []string{"http"})["http"]
	s = newServer(t, "-http", strings.Replace(addr, "127.0.0.1", "0.0.0.0", 1))
	if status, _ := s.get(t, "/debug/pprof/"); status != 404 {
		t.Errorf("profiles for everybody: status %d", status)
	}
}

func (s *mailserver) get(t *testing.T, path string) (status int, body string) {
	t.Helper()
	resp, err := http.Get(fmt.Sprintf("http://%s%s", s.ports["http"], path))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}
