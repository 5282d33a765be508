package itest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// cyrusRoot is where the packages of Cyrus IMAP lie.
func cyrusRoot(t *testing.T) string {
	return unpacked(t, "MAILSTEAD_CYRUS", "a directory with the unpacked packages of Cyrus IMAP")
}

// TestLoginCyrusClients lets imtest, pop3test and smtptest log in: libsasl2,
// with what Debian builds of it.
func TestLoginCyrusClients(t *testing.T) {
	needServer(t)
	root := cyrusRoot(t)
	d := newDoors(t)
	programs := map[string]string{"imap": "imtest", "pop3": "pop3test", "smtp": "smtptest"}
	for _, v := range visits("", "smtp imap pop3", "PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-512") {
		t.Run(programs[v.protocol]+" "+v.mechanism, func(t *testing.T) {
			d := *d
			d.t = t
			d.log.seen()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			cmd := fromRoot(ctx, t, root, "usr/lib/cyrus/bin/"+programs[v.protocol], "-t", "", "-m", v.mechanism,
				"-a", alice, "-u", alice, "-w", password, "-p", d.ports[v.protocol], "localhost")
			cmd.Stdin = strings.NewReader(map[string]string{"imap": ". LOGOUT\r\n", "pop3": "QUIT\r\n", "smtp": "QUIT\r\n"}[v.protocol])
			out, err := cmd.CombinedOutput()
			if err != nil || !bytes.Contains(out, []byte("Authenticated.")) {
				t.Errorf("%v\n%s", err, tail(out))
			}
			d.knows(v.protocol, v.mechanism)
		})
	}
}

const cyrusConf = `configdirectory: %[1]s/conf
defaultpartition: default
partition-default: %[1]s/spool
cyrus_user: cyrus
servername: localhost
allowplaintext: yes
failedloginpause: 0
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: %[1]s/sasldb
sasl_mech_list: PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-512
autocreate_quota: 0
imapidlepoll: 1
syslog_prefix: cyrus
`

const cyrusServices = `SERVICES {
  imap cmd="/usr/lib/cyrus/bin/imapd -C %[1]s/imapd.conf" listen="%[2]s" prefork=0
  pop3 cmd="/usr/lib/cyrus/bin/pop3d -C %[1]s/imapd.conf" listen="%[3]s" prefork=0
}
`

// newCyrus runs Cyrus for alice, whose user lies in a sasldb, on loopback without
// TLS.
func newCyrus(t *testing.T) *foreign {
	t.Helper()
	return newCyrusWith(t, "")
}

// newCyrusWith is newCyrus with more configuration.
func newCyrusWith(t *testing.T, more string) *foreign {
	t.Helper()
	root, dir := cyrusRoot(t), sharedDir(t)
	f := &foreign{user: "alice"}
	addrs := freeAddrs(t, []string{"imap", "pop3"})
	f.imap, f.pop3 = addrs["imap"], addrs["pop3"]
	for name, text := range map[string]string{
		"imapd.conf": fmt.Sprintf(cyrusConf, dir) + more, "cyrus.conf": fmt.Sprintf(cyrusServices, dir, f.imap, f.pop3),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const cyrus = 2009
	users := map[string]string{
		"/etc/passwd": "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/false\ncyrus:x:2009:2009::/:/bin/sh\n",
		"/etc/group":  "root:x:0:\nnogroup:x:65534:\ncyrus:x:2009:\nmail:x:8:cyrus\n",
	}
	add := overlaid(t, root, users, "/usr/sbin/saslpasswd2", "-p", "-c", "-f", filepath.Join(dir, "sasldb"), "-u", "localhost", "alice")
	add.Stdin = strings.NewReader(password)
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("saslpasswd2: %v, %s", err, out)
	}
	for _, name := range []string{"sasldb", "conf", "conf/db", "conf/proc", "conf/socket", "conf/log", "conf/lock", "conf/msg", "conf/user", "conf/quota", "spool"} {
		path := filepath.Join(dir, name)
		if name != "sasldb" {
			if err := os.MkdirAll(path, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chown(path, cyrus, cyrus); err != nil {
			t.Fatal(err)
		}
	}
	cmd := overlaid(t, root, users, "/usr/lib/cyrus/bin/master", "-D", "-C", filepath.Join(dir, "imapd.conf"), "-M", filepath.Join(dir, "cyrus.conf"), "-p", filepath.Join(dir, "pid"))
	runForeign(t, cmd, filepath.Join(dir, "log"))
	eventually(t, 20*time.Second, "cyrus does not listen", func() bool { return listens(f.imap) && listens(f.pop3) })
	return f
}

// TestLoginToCyrus drives our client mechanisms against Cyrus's imapd and pop3d.
func TestLoginToCyrus(t *testing.T) {
	needServer(t)
	visitForeign(t, newCyrus(t), strings.Fields("PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-512")...)
}
