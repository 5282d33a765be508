package smtppeers

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpserver"
)

// TestSwaks: swaks to our server, in each way that it has.
func TestSwaks(t *testing.T) {
	swaks := program(t, "swaks")
	dir := workDir(t)
	id := newIdentity(t, dir)
	text := message("swaks", 10)
	write(t, filepath.Join(dir, "message"), text)
	for name, tt := range map[string]struct {
		cfg   smtpserver.Config
		flags []string
		rcpts int
	}{
		"STARTTLS, pipelining": {smtpserver.Config{RequireTLS: true, RequireAuth: true}, []string{"-tls", "-au", user, "-ap", password, "-a", "PLAIN", "-pipeline"}, 2},
		"implicit TLS":         {smtpserver.Config{ImplicitTLS: true, RequireAuth: true}, []string{"-tlsc", "-au", user, "-ap", password, "-a", "PLAIN"}, 2},
		"plain":                {smtpserver.Config{}, nil, 2},
		"PRDR":                 {smtpserver.Config{}, []string{"-prdr"}, 2},
		"LMTP":                 {smtpserver.Config{LMTP: true}, []string{"-protocol", "LMTP"}, 2},
	} {
		tt.cfg.TLSConfig = id.server
		s := newSink(t, tt.cfg)
		args := []string{"-s", "127.0.0.1", "-p", portOf(s.addr), "-f", "from@example.org", "-t", "one@example.net,two@example.net", "-d", "@" + filepath.Join(dir, "message"), "-n"}
		out := run(t, "", swaks, append(args, tt.flags...)...)
		m := s.wait(t, 1)[0]
		if !strings.HasPrefix(m.data, text[:len(text)-2]) || len(m.rcpts) != tt.rcpts || tt.cfg.RequireAuth && (m.mail.Peer.Identity != user || m.mail.Peer.TLS == nil) {
			t.Errorf("%s: %v, %.300q\n%s", name, m.rcpts, m.data, out)
		}
		if (name == "PRDR") != m.mail.Params.PRDR {
			t.Errorf("%s: %+v", name, m.mail.Params)
		}
	}
}

const msmtprc = `account default
host 127.0.0.1
port %s
protocol %s
from from@example.org
tls on
tls_starttls %s
tls_trust_file %s
auth plain
user relay
password secret
dsn_notify failure,delay
dsn_return headers
`

// TestMsmtp: msmtp to our server under TLS with DSN, by SMTP and LMTP.
func TestMsmtp(t *testing.T) {
	msmtp := program(t, "msmtp")
	dir := workDir(t)
	id := newIdentity(t, dir)
	for _, cfg := range []smtpserver.Config{{}, {ImplicitTLS: true}, {LMTP: true}} {
		cfg.TLSConfig, cfg.RequireTLS, cfg.RequireAuth = id.server, true, true
		s := newSink(t, cfg)
		protocol, starttls := "smtp", "on"
		if cfg.LMTP {
			protocol = "lmtp"
		}
		if cfg.ImplicitTLS {
			starttls = "off"
		}
		rc := filepath.Join(dir, "msmtprc")
		write(t, rc, fmt.Sprintf(msmtprc, portOf(s.addr), protocol, starttls, id.cert))
		if err := os.Chmod(rc, 0o600); err != nil {
			t.Fatal(err)
		}
		text := message("msmtp", 100)
		run(t, strings.ReplaceAll(text, "\r\n", "\n"), msmtp, "-C", rc, "one@example.net", "two@example.net")
		m := s.wait(t, 1)[0]
		if m.data != text || len(m.rcpts) != 2 || m.mail.Params.Return != smtp.ReturnHeaders || m.rcpts[0].Params.Notify != smtp.NotifyFailure|smtp.NotifyDelay || m.mail.Peer.Identity != user {
			t.Errorf("%s: %+v %v %+v: %.300q", protocol, m.mail.Params, len(m.rcpts), m.rcpts[0].Params, m.data)
		}
	}
}

// TestCurl: curl to our server under TLS, also with addresses in UTF-8.
func TestCurl(t *testing.T) {
	curl := program(t, "curl")
	dir := workDir(t)
	id := newIdentity(t, dir)
	text := message("curl", 100)
	write(t, filepath.Join(dir, "message"), text)
	for _, implicit := range []bool{false, true} {
		s := newSink(t, smtpserver.Config{TLSConfig: id.server, ImplicitTLS: implicit, RequireTLS: true, RequireAuth: true})
		url := "smtp://localhost:" + portOf(s.addr) + "/localhost"
		if implicit {
			url = "smtps://localhost:" + portOf(s.addr) + "/localhost"
		}
		run(t, "", curl, "--silent", "--show-error", "--ssl-reqd", "--cacert", id.cert, "--url", url, "--user", user+":"+password, "--login-options", "AUTH=PLAIN",
			"--mail-from", "grüße@example.org", "--mail-rcpt", "ö@example.net", "--mail-rcpt", "two@example.net", "--upload-file", filepath.Join(dir, "message"))
		m := s.wait(t, 1)[0]
		if m.data != text || len(m.rcpts) != 2 || !m.mail.Params.UTF8 || m.mail.ReversePath.Local != "grüße" || m.mail.Peer.Identity != user {
			t.Errorf("%+v %v: %.300q", m.mail, m.rcpts, m.data)
		}
	}
}
