package smtppeers

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
	"github.com/mailstead/mailstead/smtp/smtpserver"
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
smtputf8_enable = yes
smtputf8_autodetect_classes = all
alias_maps =
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = check_recipient_access inline:{ refused@example.net=REJECT }
smtpd_tls_security_level = may
smtpd_tls_chain_files = %[1]s/both.pem
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = %[1]s/auth
smtpd_tls_auth_only = yes
relayhost = [127.0.0.1]:%[2]s
smtp_tls_security_level = encrypt
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = inline:{ { [127.0.0.1]:%[2]s = relay:secret } }
smtp_sasl_security_options = noanonymous
smtp_sasl_mechanism_filter = plain
`

const postfixMaster = `%[1]s inet n - n - - smtpd
postlog unix-dgram n - n - 1 postlogd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
`

// startPostfix starts Postfix with a relay host.
func startPostfix(t *testing.T, root, dir, relay string) (addr string) {
	t.Helper()
	const postfix, postdrop = 2001, 2002
	addr = freePort(t)
	write(t, filepath.Join(dir, "etc/main.cf"), fmt.Sprintf(postfixMain, dir, portOf(relay)))
	write(t, filepath.Join(dir, "etc/master.cf"), fmt.Sprintf(postfixMaster, addr))
	for name, gid := range map[string]int{
		"queue": 0, "queue/pid": 0, "data": postfix, "queue/maildrop": postdrop, "queue/public": postdrop, "queue/active": postfix, "queue/bounce": postfix,
		"queue/corrupt": postfix, "queue/defer": postfix, "queue/deferred": postfix, "queue/flush": postfix, "queue/hold": postfix,
		"queue/incoming": postfix, "queue/private": postfix, "queue/saved": postfix, "queue/trace": postfix,
	} {
		path, uid := filepath.Join(dir, name), postfix
		if gid == 0 {
			uid = 0
		}
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	answerLogins(t, filepath.Join(dir, "auth"))
	roots := []string{root, filepath.Join(root, "../libsasl2-modules")}
	daemon(t, dir, addr, roots, "/usr/lib/postfix/sbin/master", "-d", "-c", filepath.Join(dir, "etc"))
	return addr
}

// answerLogins answers Postfix's questions in Dovecot's authentication
// protocol: PLAIN, one account.
func answerLogins(t *testing.T, socket string) {
	t.Helper()
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(socket, 0o666); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go answerAuth(c)
		}
	}()
}

func answerAuth(c net.Conn) {
	defer c.Close()
	fmt.Fprint(c, "VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t0123456789abcdef0123456789abcdef\nDONE\n")
	want := "resp=" + base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00"+password))
	for in := bufio.NewScanner(c); in.Scan(); {
		f := strings.Split(in.Text(), "\t")
		switch {
		case f[0] != "AUTH":
		case f[len(f)-1] == want:
			fmt.Fprintf(c, "OK\t%s\tuser=%s\n", f[1], user)
		default:
			fmt.Fprintf(c, "FAIL\t%s\n", f[1])
		}
	}
}

// TestPostfix: our client to smtpd, Postfix's smtp to our server.
func TestPostfix(t *testing.T) {
	root := unpacked(t, "postfix", "usr/lib/postfix/sbin/master")
	dir := workDir(t)
	id := newIdentity(t, dir)
	s := newSink(t, smtpserver.Config{TLSConfig: id.server, RequireTLS: true, RequireAuth: true})
	addr := startPostfix(t, root, dir, s.addr)
	d := smtpclient.Dialer{TLS: smtpclient.TLSRequired, TLSConfig: id.client, Auth: login}
	chain(t, dial(t, d, addr), s, traits{utf8: true, chunking: true, dsn: true, queueID: true, protocol: "ESMTPSA"})
	queued(t, d, addr, s)
	if s.said("PRDR") {
		t.Error("Postfix knows PRDR now")
	}
}

// TestSMTPSource: Postfix's load generator to our server, by SMTP and LMTP.
func TestSMTPSource(t *testing.T) {
	root := unpacked(t, "postfix", "usr/sbin/smtp-source")
	for _, lmtp := range []bool{false, true} {
		s := newSink(t, smtpserver.Config{LMTP: lmtp})
		flags := []string{"-s", "5", "-m", "50", "-l", "20000", "-r", "3", "-f", "from@example.org", "-t", "one@example.net"}
		if lmtp {
			flags = append(flags, "-L")
		}
		dir := workDir(t)
		write(t, filepath.Join(dir, "main.cf"), "compatibility_level = 3.6\n")
		t.Setenv("MAIL_CONFIG", dir)
		finish(t, inside(dir, []string{root}, append(append([]string{"smtp-source"}, flags...), "127.0.0.1:"+portOf(s.addr))...))
		for _, m := range s.wait(t, 50) {
			if len(m.rcpts) != 3 || len(m.data) < 20000 || m.mail.ReversePath != (smtp.ReversePath{Path: smtp.Path{Local: "from", Domain: "example.org"}}) {
				t.Fatalf("%d octets for %d recipients from %v", len(m.data), len(m.rcpts), m.mail.ReversePath)
			}
		}
	}
}
