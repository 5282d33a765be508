package smtppeers

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/mailstead/mailstead/smtp/smtpclient"
	"github.com/mailstead/mailstead/smtp/smtpserver"
)

const eximConf = `primary_hostname = exim.example
spool_directory = %[1]s/spool
log_file_path = %[1]s/log-%%s
pid_file_path = %[1]s/exim.pid
keep_environment =
local_interfaces = 127.0.0.1
daemon_smtp_ports = %[2]s
tls_advertise_hosts = *
tls_certificate = %[1]s/both.pem
tls_privatekey = %[1]s/both.pem
auth_advertise_hosts = ${if def:tls_in_cipher{*}}
dsn_advertise_hosts = *
smtputf8_advertise_hosts = *
prdr_enable = true
acl_smtp_rcpt = rcpt
acl_smtp_data_prdr = prdr
allow_utf8_domains = true
keep_malformed = 1d
bounce_return_size_limit = 10K

begin acl
rcpt:
  deny local_parts = refused
       message = no such user
  accept authenticated = *
  deny
prdr:
  deny local_parts = late
       message = not wanted
  accept

begin routers
all:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = ours

begin transports
ours:
  driver = smtp
  port = %[3]s
  allow_localhost
  hosts_require_tls = *
  tls_verify_hosts =
  hosts_require_auth = *
  hosts_try_prdr = *
  hosts_try_chunking = *

begin retry
* * F,1h,1m

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{{eq{$auth2}{relay}}{eq{$auth3}{secret}}}}
  server_set_id = $auth2
  client_send = ^relay^secret
`

// startExim starts Exim; what it takes goes to relay.
func startExim(t *testing.T, root, dir, relay string) (addr string) {
	t.Helper()
	const exim = 2003
	addr = freePort(t)
	conf := filepath.Join(dir, "exim.conf")
	write(t, conf, fmt.Sprintf(eximConf, dir, portOf(addr), portOf(relay)))
	if err := os.Mkdir(filepath.Join(dir, "spool"), 0o750); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, filepath.Join(dir, "spool"), filepath.Join(dir, "both.pem")} {
		if err := os.Chown(path, exim, exim); err != nil {
			t.Fatal(err)
		}
	}
	daemon(t, dir, addr, []string{root}, "/usr/sbin/exim4", "-C", conf, "-bdf", "-q1m")
	return addr
}

// TestExim: our client to Exim, Exim to our server.
func TestExim(t *testing.T) {
	root := unpacked(t, "exim4-daemon-light", "usr/sbin/exim4")
	dir := workDir(t)
	id := newIdentity(t, dir)
	s := newSink(t, smtpserver.Config{TLSConfig: id.server, RequireTLS: true, RequireAuth: true})
	addr := startExim(t, root, dir, s.addr)
	d := smtpclient.Dialer{TLS: smtpclient.TLSRequired, TLSConfig: id.client, Auth: login}
	chain(t, dial(t, d, addr), s, traits{utf8: true, chunking: true, sends: true, dsn: true, queueID: true, protocol: "ESMTPSA"})
	queued(t, d, addr, s)

	// PRDR: at Exim one recipient is refused behind the body, and Exim asks us
	// for it too.
	c := dial(t, d, addr)
	if !c.Capabilities().PRDR {
		t.Fatalf("%+v", c.Capabilities())
	}
	before := len(s.wait(t, 1))
	send(t, c, envelope(t, "from@example.org", "one@example.net", "late@example.net", "two@example.net"), message("prdr", 1), "delivered(.) failed(.) delivered(.)")
	got := s.wait(t, before+1)[before]
	if len(got.rcpts) != 2 || !got.mail.Params.PRDR {
		t.Errorf("%+v for %v", got.mail.Params, got.rcpts)
	}
}
