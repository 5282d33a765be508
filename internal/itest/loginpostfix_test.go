package itest

import (
	"fmt"

	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/smtp/smtpclient"
)

const postfixMain = `compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
maillog_file = %[1]s/log
maillog_file_prefixes = %[1]s
myhostname = postfix.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
mail_owner = postfix
setgid_group = postdrop
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = %[2]s
smtpd_sasl_security_options = noanonymous
`

const postfixMaster = `%[1]s inet n - n - - smtpd
postlog unix-dgram n - n - 1 postlogd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
`

// newPostfix runs Postfix's smtpd, which asks Dovecot who a client is.
func newPostfix(t *testing.T, socket string) (addr string) {
	t.Helper()
	root := filepath.Join(unpacked(t, "MAILSTEAD_SMTP_PEERS", "a directory with the unpacked packages of other mail servers"), "postfix")
	dir := sharedDir(t)
	const postfix, postdrop = 2001, 2002
	addr = freeAddrs(t, []string{"smtp"})["smtp"]
	for name, text := range map[string]string{
		"etc/main.cf": fmt.Sprintf(postfixMain, dir, socket), "etc/master.cf": fmt.Sprintf(postfixMaster, addr),
	} {
		if err := os.MkdirAll(filepath.Join(dir, "etc"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	owned := map[string][2]int{"queue": {}, "queue/pid": {}, "queue/maildrop": {postfix, postdrop}, "queue/public": {postfix, postdrop}, "data": {postfix, postfix}}
	for name := range strings.FieldsSeq("active bounce corrupt defer deferred flush hold incoming private saved trace") {
		owned["queue/"+name] = [2]int{postfix, postfix}
	}
	for name, ids := range owned {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, ids[0], ids[1]); err != nil {
			t.Fatal(err)
		}
	}
	users := map[string]string{
		"/etc/passwd": "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/false\npostfix:x:2001:2001::/:/bin/false\n",
		"/etc/group":  "root:x:0:\nnogroup:x:65534:\npostfix:x:2001:\npostdrop:x:2002:\n",
	}
	cmd := overlaid(t, root, users, "/usr/lib/postfix/sbin/master", "-d", "-c", filepath.Join(dir, "etc"))
	runForeign(t, cmd, filepath.Join(dir, "log"))
	eventually(t, 20*time.Second, "postfix does not listen", func() bool { return listens(addr) })
	return addr
}

// sharedDir is a directory that processes of other users may enter.
func sharedDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "peer-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestLoginToPostfix logs smtpclient in with every mechanism of a Postfix whose
// users are Dovecot's, and with a wrong secret.
func TestLoginToPostfix(t *testing.T) {
	needServer(t)
	dovecot, dir := newDovecot(t)
	addr := newPostfix(t, filepath.Join(dir, "run/auth-postfix"))
	dial := func(t *testing.T) *smtpclient.Client {
		t.Helper()
		c, err := (&smtpclient.Dialer{Hello: "client.example", TLS: smtpclient.TLSNever}).Dial(t.Context(), "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	for mechanism := range strings.FieldsSeq("PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256 OAUTHBEARER XOAUTH2") {
		t.Run(mechanism, func(t *testing.T) {
			c := dial(t)
			if offered := c.Capabilities().Mechanisms; !slices.Contains(offered, mechanism) {
				t.Fatalf("offered are %q", offered)
			}
			if err := c.Auth(t.Context(), ourClient(mechanism, alice, dovecot.token)); err != nil {
				t.Error(err)
			}
			if err := dial(t).Auth(t.Context(), ourClient(mechanism, alice, wrong)); err == nil {
				t.Error("a wrong secret is accepted")
			}
		})
	}
}
