package itest

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/auth/login/saslmech"
)

// A visit is one login of a foreign program: what it is called in the table of
// docs/guide/login.md, and what the service has to have seen.
type visit struct{ program, protocol, mechanism string }

// visits returns one visit for each protocol and mechanism.
func visits(program, protocols, mechanisms string) (list []visit) {
	for protocol := range strings.FieldsSeq(protocols) {
		for mechanism := range strings.FieldsSeq(mechanisms) {
			list = append(list, visit{program, protocol, mechanism})
		}
	}
	return list
}

// bearer reports whether a mechanism takes a token.
func bearer(mechanism string) bool { return mechanism == "OAUTHBEARER" || mechanism == "XOAUTH2" }

// secret is what v's client is configured with.
func (v visit) secret() string {
	if bearer(v.mechanism) {
		return token
	}
	return password
}

// TestLoginPeers lets foreign clients log in with every mechanism that they
// have, over all protocols. The service's own log says who came with what; no
// client may fall back to another mechanism.
func TestLoginPeers(t *testing.T) {
	needServer(t)
	t.Parallel()
	// What has both prefers OAUTHBEARER.
	d, office := newDoors(t), newDoors(t, saslmech.OAuthBearer)
	all := visits("curl", "smtp imap pop3", "PLAIN LOGIN CRAM-MD5 OAUTHBEARER XOAUTH2 EXTERNAL")
	all = append(all, visits("msmtp", "smtp", "PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256 OAUTHBEARER XOAUTH2 EXTERNAL")...)
	all = append(all, visits("mpop", "pop3", "USER PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256 OAUTHBEARER XOAUTH2 EXTERNAL")...)
	all = append(all, visits("swaks", "smtp", "PLAIN LOGIN CRAM-MD5")...)
	// Over IMAP mutt sends an initial response with CRAM-MD5, which the server
	// has to refuse (RFC 9051 §6.2.2).
	all = append(all, visits("mutt", "smtp pop3", "CRAM-MD5")...)
	all = append(all, visits("mutt", "smtp imap pop3", "PLAIN LOGIN SCRAM-SHA-1 SCRAM-SHA-256 OAUTHBEARER")...)
	all = append(all, visits("mbsync", "imap", "PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-512")...)
	all = append(all, visits("gsasl", "smtp imap", "PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-256-PLUS")...)
	run := map[string]func(*testing.T, *doors, visit){
		"curl": curlVisit, "msmtp": msmtpVisit, "mpop": mpopVisit, "swaks": swaksVisit, "mutt": muttVisit, "mbsync": mbsyncVisit, "gsasl": gsaslVisit,
	}
	for _, v := range all {
		t.Run(v.program+" "+v.protocol+" "+v.mechanism, func(t *testing.T) {
			peer(t, v.program)
			d := *d
			if v.mechanism == "XOAUTH2" {
				d = *office
			}
			d.t = t
			d.log.seen()
			run[v.program](t, &d, v)
			d.knows(v.protocol, v.mechanism)
		})
	}
}

// curlVisit starts TLS by command, or with the first octet where it shows a
// certificate.
func curlVisit(t *testing.T, d *doors, v visit) {
	scheme := v.protocol
	args := []string{"-sS", "--ssl-reqd", "--cacert", d.ca.path("ca.pem"), "--login-options", "AUTH=" + v.mechanism}
	switch {
	case v.mechanism == "EXTERNAL":
		scheme += "s"
		args = append(args, "--cert", d.ca.path("alice.pem"), "--key", d.ca.path("alice.key"), "-u", alice+":")
	case bearer(v.mechanism):
		args = append(args, "--oauth2-bearer", token, "-u", alice+":")
	default:
		args = append(args, "-u", alice+":"+password)
	}
	if v.protocol != "pop3" {
		args = append(args, "-X", "NOOP")
	}
	runPeer(t, false, "curl", append(args, scheme+"://localhost:"+d.ports[scheme]+"/")...)
}

// mtools are what msmtp and mpop have in common.
func mtools(d *doors, v visit) string {
	rc := fmt.Sprintf("account default\nhost localhost\nport %s\ntls on\ntls_starttls on\ntls_trust_file %s\nauth %s\nuser %s\npassword %q\n",
		d.ports[v.protocol], d.ca.path("ca.pem"), strings.ToLower(v.mechanism), alice, v.secret())
	if v.mechanism == "EXTERNAL" {
		rc += fmt.Sprintf("tls_cert_file %s\ntls_key_file %s\n", d.ca.path("alice.pem"), d.ca.path("alice.key"))
	}
	return rc
}

func msmtpVisit(t *testing.T, d *doors, v visit) {
	rc := writeFile(t, "msmtprc", []byte(mtools(d, v)+"from "+alice+"\n"))
	runPeer(t, false, "sh", "-c", "printf 'Subject: x\n\nx\n' | msmtp -C "+rc+" "+bob)
}

func mpopVisit(t *testing.T, d *doors, v visit) {
	rc := mtools(d, v) + "keep on\ndelivery mbox " + filepath.Join(t.TempDir(), "mbox") + "\nuidls_file " + filepath.Join(t.TempDir(), "uidls") + "\n"
	runPeer(t, false, "mpop", "-C", writeFile(t, "mpoprc", []byte(rc)), "--quiet")
}

func swaksVisit(t *testing.T, d *doors, v visit) {
	runPeer(t, false, "swaks", "--server", "localhost", "--port", d.ports["smtp"], "--tls", "--tls-verify", "--tls-ca-path", d.ca.path("ca.pem"),
		"--auth", v.mechanism, "--auth-user", alice, "--auth-password", password, "--quit-after", "AUTH")
}

// muttVisit opens a mailbox, or sends a message.
func muttVisit(t *testing.T, d *doors, v visit) {
	user := url.QueryEscape(alice)
	where := "localhost:" + d.ports[v.protocol] + "/"
	mechanism := strings.ToLower(v.mechanism)
	rc := fmt.Sprintf("set ssl_starttls=yes ssl_force_tls=yes certificate_file=%q ssl_ca_certificates_file=%q\n", d.ca.path("ca.pem"), d.ca.path("ca.pem")) +
		fmt.Sprintf("set folder=%q\n", t.TempDir()) + "set quit=yes sleep_time=0 header_cache=\"\" record=\"\" mail_check=0 pop_delete=no move=no\n"
	if bearer(v.mechanism) {
		rc += fmt.Sprintf("set %s_oauth_refresh_command=\"echo %s\"\n", v.protocol, token)
	}
	if v.protocol == "smtp" {
		rc += fmt.Sprintf("set smtp_url=\"smtp://%s@%s\" smtp_pass=%q smtp_authenticators=%q from=%q hostname=localhost\n", user, where, password, mechanism, alice)
		rc = writeFile(t, "muttrc", []byte(rc))
		runPeer(t, false, "sh", "-c", "echo x | mutt -n -F "+rc+" -s x "+bob)
		return
	}
	name := strings.TrimSuffix(v.protocol, "3")
	rc += fmt.Sprintf("set %s_user=%q %s_pass=%q %s_authenticators=%q\n", name, alice, name, password, name, mechanism)
	rc = strings.ReplaceAll(rc, v.protocol+"_oauth", name+"_oauth") + "push \"<exit>\"\n"
	rc = writeFile(t, "muttrc", []byte(rc))
	runPeer(t, false, "script", "-qec", fmt.Sprintf("mutt -n -F %s -f %s://%s", rc, name, where), os.DevNull)
}

func mbsyncVisit(t *testing.T, d *doors, v visit) {
	rc := fmt.Sprintf("IMAPAccount x\nHost localhost\nPort %s\nSSLType STARTTLS\nSystemCertificates no\nCertificateFile %s\nUser %s\nPass %q\nAuthMechs %s\n\n"+
		"IMAPStore far\nAccount x\n\nMaildirStore near\nPath %s/\n\nChannel c\nFar :far:\nNear :near:\nPatterns INBOX\nCreate Near\nSyncState *\n",
		d.ports["imap"], d.ca.path("ca.pem"), alice, password, v.mechanism, t.TempDir())
	runPeer(t, false, "mbsync", "-c", writeFile(t, "mbsyncrc", []byte(rc)), "-l", "c")
}

func gsaslVisit(t *testing.T, d *doors, v visit) {
	args := []string{"--" + v.protocol, "--mechanism=" + v.mechanism, "--authentication-id=" + alice, "--password=" + password, "--x509-ca-file=" + d.ca.path("ca.pem")}
	if !strings.HasSuffix(v.mechanism, "-PLUS") {
		// It would say that the server cannot bind, which this one takes for
		// the work of somebody between the two.
		args = append(args, "--no-cb")
	}
	runPeer(t, false, "gsasl", append(args, "localhost", d.ports[v.protocol])...)
}
