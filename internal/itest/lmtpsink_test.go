package itest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestLMTPSinkBehindPostfix asserts that Postfix hands mail to examples/lmtpsink,
// over TCP and a Unix socket, as its README says, and that each recipient has the
// message as it was sent.
func TestLMTPSinkBehindPostfix(t *testing.T) {
	needServer(t)
	bin := filepath.Join(t.TempDir(), "lmtpsink")
	build := exec.Command("go", "build", "-o", bin, "./lmtpsink")
	build.Dir = filepath.Join("..", "..", "examples")
	postfixRoot(t)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("examples/lmtpsink cannot be built: %v\n%s", err, out)
	}
	for _, network := range []string{"inet", "unix"} {
		t.Run(network, func(t *testing.T) {
			dir := t.TempDir()
			listen := freeAddrs(t, []string{"lmtp"})["lmtp"]
			if network == "unix" {
				listen = filepath.Join(dir, "socket")
			}
			p := newPostfix(t, "relay_domains = example.org", "relay_transport = lmtp:"+network+":"+listen)
			if network == "unix" {
				// Postfix's client runs as its own user.
				for d := dir; d != os.TempDir() && len(d) > 1; d = filepath.Dir(d) {
					if err := os.Chmod(d, 0o755); err != nil {
						t.Fatal(err)
					}
				}
				listen = "unix:" + listen
			}
			// The sink is not there yet: Postfix keeps the message and tries again.
			sendThrough(t, p.addr, message(1), "Bob@example.org", "ann@example.org")
			sink := exec.Command(bin, "-lmtp", listen, "-socket-mode", "0666", "-dir", filepath.Join(dir, "mail"))
			sink.Stderr = os.Stderr
			if err := sink.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				sink.Process.Signal(syscall.SIGTERM)
				sink.Wait()
			})
			sendThrough(t, p.addr, message(2), "bob@example.org")
			want := map[string]int{"bob@example.org": 2, "ann@example.org": 1}
			for address, n := range want {
				files := filepath.Join(dir, "mail", address, "new", "*")
				eventually(t, 30*time.Second, "not all mail arrives for "+address, func() bool {
					got, _ := filepath.Glob(files)
					return len(got) == n
				})
			}
			for address := range want {
				got, _ := filepath.Glob(filepath.Join(dir, "mail", address, "new", "*"))
				checkSunk(t, got)
			}
		})
	}
}

// sendThrough gives a message to an SMTP server.
func sendThrough(t *testing.T, addr string, msg []byte, recipients ...string) {
	t.Helper()
	sc, err := (&mailserver{ports: map[string]string{"smtp": addr}}).dialSMTP("smtp")
	if err != nil {
		t.Fatal(err)
	}
	defer sc.c.Close()
	sc.mustCmd(t, "250", "EHLO client.example")
	sc.mustCmd(t, "250", "MAIL FROM:<sender@remote.example>")
	for _, to := range recipients {
		sc.mustCmd(t, "250", "RCPT TO:<"+to+">")
	}
	sc.mustCmd(t, "354", "DATA")
	if err := sc.send(dotStuff(msg) + ".\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := sc.want("250"); err != nil {
		t.Fatal(err)
	}
	sc.mustCmd(t, "221", "QUIT")
}

// checkSunk asserts that each file is one of the messages, behind trace fields.
func checkSunk(t *testing.T, files []string) {
	t.Helper()
	seen := make(map[int]bool)
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(b), "Return-Path: <sender@remote.example>\r\nReceived: from postfix.example") || !strings.Contains(string(b), "with LMTP id ") {
			t.Errorf("%s begins with %.300q", f, b)
		}
		for id := 1; id <= 2; id++ {
			if strings.HasSuffix(string(b), string(message(id))) {
				seen[id] = true
			}
		}
	}
	if len(seen) != len(files) {
		t.Errorf("%d files, and %d messages in them", len(files), len(seen))
	}
}
