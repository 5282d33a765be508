package itest

import (
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// foreign is a server of somebody else that our clients log in to.
type foreign struct {
	imap, pop3 string // addresses; "" = not served
	user       string // what alice is called
	token      string // for alice; "" = takes none
}

const dovecotServerConf = `
base_dir = %[1]s/run
state_dir = %[1]s/run
log_path = %[1]s/dovecot.log
auth_verbose = yes
import_environment = TZ LD_LIBRARY_PATH
protocols = imap pop3
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_failure_delay = 0
mail_max_userip_connections = 0
default_login_user = nobody
default_internal_user = nobody
default_internal_group = nogroup
first_valid_uid = 1
mail_location = maildir:%[1]s/mail/%%u
auth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256 oauthbearer xoauth2
passdb {
  driver = passwd-file
  args = scheme=PLAIN username_format=%%u %[1]s/users
}
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = %[1]s/oauth2.conf
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=%[1]s/mail/%%u
}
service imap-login {
  chroot =
  inet_listener imap {
    port = %[2]s
  }
  inet_listener imaps {
    port = 0
  }
}
service pop3-login {
  chroot =
  inet_listener pop3 {
    port = %[3]s
  }
  inet_listener pop3s {
    port = 0
  }
}
service anvil {
  chroot =
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service stats {
  chroot =
}
service auth {
  unix_listener auth-postfix {
    mode = 0666
  }
}
`

// newDovecot runs Dovecot for alice, on loopback without TLS. dir is where its
// socket for Postfix lies.
func newDovecot(t *testing.T) (f *foreign, dir string) {
	t.Helper()
	return newDovecotWith(t, "")
}

// newDovecotWith is newDovecot with more configuration.
func newDovecotWith(t *testing.T, more string) (f *foreign, dir string) {
	t.Helper()
	root := unpacked(t, "MAILSTEAD_DOVECOT", "a directory with the unpacked packages of Dovecot")
	dir = sharedDir(t)
	ports := freeAddrs(t, []string{"imap", "pop3"})
	_, imapPort, _ := net.SplitHostPort(ports["imap"])
	_, pop3Port, _ := net.SplitHostPort(ports["pop3"])
	f = &foreign{user: alice, imap: ports["imap"], pop3: ports["pop3"]}
	for name, text := range map[string]string{
		"dovecot.conf": fmt.Sprintf(dovecotServerConf, dir, imapPort, pop3Port) + more,
		"users":        alice + ":" + "{PLAIN.b64}" + base64.StdEncoding.EncodeToString([]byte(password)) + "\n",
		"oauth2.conf": "introspection_mode = local\nlocal_validation_key_dict = fs:posix:prefix=" + dir + "/keys/\n" +
			"username_attribute = email\nactive_attribute = active\nactive_value = true\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f.token = dovecotToken(t, filepath.Join(dir, "keys"))
	for _, sub := range []string{"mail", "run"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if err := exec.Command("chmod", "-R", "a+rX", dir).Run(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "mail"), 0o777); err != nil {
		t.Fatal(err)
	}
	cmd := overlaid(t, root, nil, "/usr/sbin/dovecot", "-F", "-c", filepath.Join(dir, "dovecot.conf"))
	runForeign(t, cmd, filepath.Join(dir, "dovecot.log"))
	eventually(t, 20*time.Second, "dovecot does not listen", func() bool { return listens(f.imap) && listens(f.pop3) })
	return f, dir
}

// overlaid is a command that sees the files of unpacked packages in their
// places, and others in the place of files of the host, in a mount namespace of
// its own: paths and users are built into servers.
func overlaid(t *testing.T, root string, files map[string]string, name string, args ...string) *exec.Cmd {
	t.Helper()
	mount := fmt.Sprintf("mount -t overlay overlay -o lowerdir=%s/usr:/usr /usr", root)
	for path, text := range files {
		mount += fmt.Sprintf(" && mount --bind %s %s", writeFile(t, filepath.Base(path), []byte(text)), path)
	}
	mount += " && exec \"$@\""
	try := func(args ...string) *exec.Cmd {
		return exec.Command("unshare", append([]string{"-m", "sh", "-c", mount, "sh"}, args...)...)
	}
	if out, err := try("true").CombinedOutput(); err != nil {
		if os.Getenv("MAILSTEAD_PEERS") == "required" {
			t.Fatalf("no overlay can be mounted, and MAILSTEAD_PEERS=required: %v, %s", err, out)
		}
		t.Skipf("no overlay can be mounted: %v, %s", err, out)
	}
	cmd := try(append([]string{name}, args...)...)
	libs, err := filepath.Glob(filepath.Join(root, "lib/*-linux-gnu"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+strings.Join(libs, ":"))
	return cmd
}

// runForeign starts a server of somebody else and ends it with the test; log is
// shown when the test fails.
func runForeign(t *testing.T, cmd *exec.Cmd, log string) {
	t.Helper()
	out := &lockedBuffer{}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		stop := time.AfterFunc(10*time.Second, func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		cmd.Wait()
		stop.Stop()
		if t.Failed() {
			text, _ := os.ReadFile(log)
			t.Logf("%s: %s\n%s", cmd.Path, out.tail(), text)
		}
	})
}

func listens(addr string) bool {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err == nil {
		c.Close()
	}
	return err == nil
}

// visitForeign logs in with every mechanism that the server offers and we have,
// and with a wrong secret, over both protocols. want are those it has to offer.
func visitForeign(t *testing.T, f *foreign, want ...string) {
	for _, imap := range []bool{true, false} {
		addr, protocol := f.imap, "imap"
		if !imap {
			addr, protocol = f.pop3, "pop3"
		}
		if addr == "" {
			continue
		}
		offered := dialLine(t, addr, imap, nil).mechanisms()
		for _, mechanism := range want {
			t.Run(protocol+" "+mechanism, func(t *testing.T) {
				if !slices.Contains(offered, mechanism) {
					t.Fatalf("offered are %q", offered)
				}
				if err := dialLine(t, addr, imap, nil).login(ourClient(mechanism, f.user, f.token)); err != nil {
					t.Error(err)
				}
				if err := dialLine(t, addr, imap, nil).login(ourClient(mechanism, f.user, wrong)); err == nil {
					t.Error("a wrong secret is accepted")
				}
			})
		}
	}
}

// TestLoginToDovecot drives our client mechanisms against Dovecot.
func TestLoginToDovecot(t *testing.T) {
	needServer(t)
	f, _ := newDovecot(t)
	visitForeign(t, f, strings.Fields("PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256 OAUTHBEARER XOAUTH2")...)
}
