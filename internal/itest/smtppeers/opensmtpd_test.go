package smtppeers

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/mailstead/mailstead/smtp/smtpclient"
	"github.com/mailstead/mailstead/smtp/smtpserver"
)

const opensmtpdConf = `table secrets file:%[1]s/secrets
table refused { "refused@example.net" }
listen on 127.0.0.1 port %[2]s hostname opensmtpd.example
action "out" relay host "smtp+tls://ours@127.0.0.1:%[3]s" auth <secrets> tls no-verify
match from any for rcpt-to <refused> reject
match from any for any action "out"
`

// TestOpenSMTPD: our client to OpenSMTPD, OpenSMTPD to our server. Debian's 6.8
// cannot be a TLS server: with OpenSSL 3 the process that speaks TLS does not
// find the key that another one holds. Without TLS it offers no AUTH either.
func TestOpenSMTPD(t *testing.T) {
	root := unpacked(t, "opensmtpd", "usr/sbin/smtpd")
	dir := workDir(t)
	id := newIdentity(t, dir)
	s := newSink(t, smtpserver.Config{TLSConfig: id.server, RequireTLS: true, RequireAuth: true})
	addr := freePort(t)
	conf := filepath.Join(dir, "smtpd.conf")
	write(t, conf, fmt.Sprintf(opensmtpdConf, dir, portOf(addr), portOf(s.addr)))
	write(t, filepath.Join(dir, "secrets"), "ours "+user+":"+password+"\n")
	if err := os.Chmod(conf, 0o600); err != nil {
		t.Fatal(err)
	}
	daemon(t, dir, addr, []string{root}, "/usr/sbin/smtpd", "-d", "-v", "-f", conf)
	chain(t, dial(t, smtpclient.Dialer{}, addr), s, traits{noTLS: true, dsn: true, queueID: true, protocol: "ESMTPSA"})
	queued(t, smtpclient.Dialer{}, addr, s)
}
