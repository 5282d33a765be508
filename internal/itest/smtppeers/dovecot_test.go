package smtppeers

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/smtp/smtpclient"
	"github.com/mailstead/mailstead/smtp/smtpserver"
)

const dovecotConf = `base_dir = %[1]s/run
state_dir = %[1]s/state
log_path = %[1]s/log
protocols = lmtp
listen = 127.0.0.1
hostname = dovecot.example
ssl = yes
ssl_cert = <%[1]s/cert.pem
ssl_key = <%[1]s/key.pem
mail_location = maildir:%[1]s/mail/%%n
passdb {
  driver = passwd-file
  args = %[1]s/users
}
lmtp_proxy = yes
userdb {
  driver = static
  args = uid=vmail gid=vmail home=%[1]s/mail/%%n
}
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = %[2]s
  }
}
`

// TestDovecot: our client to Dovecot's LMTP, one reply for each recipient.
func TestDovecot(t *testing.T) {
	root := unpacked(t, "dovecot-lmtpd", "usr/lib/dovecot/lmtp")
	dir := workDir(t)
	id := newIdentity(t, dir)
	addr := freePort(t)
	conf := filepath.Join(dir, "dovecot.conf")
	write(t, conf, fmt.Sprintf(dovecotConf, dir, portOf(addr)))
	s := newSink(t, smtpserver.Config{LMTP: true, TLSConfig: id.server, RequireTLS: true})
	proxied := ":::::::proxy host=127.0.0.1 port=" + portOf(s.addr) + " starttls=any-cert nopassword\n"
	write(t, filepath.Join(dir, "users"), "one@example.net:{plain}x\ntwo@example.net:{plain}x\nthree@example.net"+proxied+"refused@example.net"+proxied+"late@example.net"+proxied)
	const vmail = 2008
	if err := os.Mkdir(filepath.Join(dir, "mail"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(filepath.Join(dir, "mail"), vmail, vmail); err != nil {
		t.Fatal(err)
	}
	daemon(t, dir, addr, []string{root}, "/usr/sbin/dovecot", "-F", "-c", conf)
	d := smtpclient.Dialer{LMTP: true, TLS: smtpclient.TLSRequired, TLSConfig: id.client}
	c := dial(t, d, addr)
	if caps := c.Capabilities(); !caps.Pipelining || !caps.Chunking {
		t.Fatalf("%+v", caps)
	}
	texts := []string{message("small", 1), message("large", 20_000)}
	for _, text := range texts {
		send(t, c, envelope(t, "from@example.org", "one@example.net", "nobody@example.net", "two@example.net"), text, "delivered(.) failed(RCPT) delivered(.)")
	}
	for _, name := range []string{"one", "two"} {
		files, err := filepath.Glob(filepath.Join(dir, "mail", name, "new", "*"))
		if err != nil || len(files) != len(texts) {
			t.Fatalf("%s has %d messages, %v", name, len(files), err)
		}
		found := 0
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range texts {
				if strings.HasSuffix(string(data), strings.ReplaceAll(text, "\r\n", "\n")) {
					found++
				}
			}
		}
		if found != len(texts) {
			t.Errorf("%s has %d of %d messages", name, found, len(texts))
		}
	}
	proxyDovecot(t, c, s)
	queueDovecot(t, d, addr, dir)
}

// queueDovecot: our queue to Dovecot, one outcome for each recipient.
func queueDovecot(t *testing.T, d smtpclient.Dialer, addr, dir string) {
	t.Helper()
	text := message("queued", 500)
	end := newOutbound(t, d, addr).send(t, text, "one@example.net", "nobody@example.net", "two@example.net", "late@example.net")
	for to, want := range map[string]string{"one": "delivered", "two": "delivered", "nobody": "failed 5.1.1", "late": "failed 5.7.1"} {
		if got := end[to+"@example.net"]; !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", to, got, want)
		}
	}
	for _, name := range []string{"one", "two"} {
		found := 0
		files, _ := filepath.Glob(filepath.Join(dir, "mail", name, "new", "*"))
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err == nil && strings.HasSuffix(string(data), strings.ReplaceAll(text, "\r\n", "\n")) {
				found++
			}
		}
		if found != 1 {
			t.Errorf("%s has the queued message %d times", name, found)
		}
	}
}

// proxyDovecot: our client to Dovecot, which hands the message on to our server,
// by BDAT and with the reply that each recipient got there.
func proxyDovecot(t *testing.T, c *smtpclient.Client, s *sink) {
	t.Helper()
	for n, text := range []string{message("proxied", 1), message("large and proxied", 20_000)} {
		env := envelope(t, "from@example.org", "three@example.net", "refused@example.net", "one@example.net", "late@example.net")
		send(t, c, env, text, "delivered(.) failed(RCPT) delivered(.) failed(.)")
		m := s.wait(t, n+1)[n]
		if !strings.HasSuffix(m.data, text) || len(m.rcpts) != 2 || m.mail.Peer.TLS == nil || m.mail.Peer.Protocol != "LMTPS" {
			t.Errorf("%s for %v: %.500q", m.mail.Peer.Protocol, m.rcpts, m.data)
		}
	}
	if !s.said("BDAT") {
		t.Error("Dovecot sent no BDAT")
	}
}
