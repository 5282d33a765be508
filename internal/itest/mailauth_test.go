package itest

import (
	"bytes"
	"crypto"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/arc"
	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dkim"
	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/auth/dnsx/dnsxtest"
)

// mailZone is what the DNS has for the tests of who a message is from; all
// clients are at 127.0.0.1.
const mailZone = `
	pass.example              TXT      v=spf1 ip4:127.0.0.1 -all
	_dmarc.pass.example       TXT      v=DMARC1; p=reject
	reject.example            TXT      v=spf1 -all
	_dmarc.reject.example     TXT      v=DMARC1; p=reject
	quarantine.example        TXT      v=spf1 -all
	_dmarc.quarantine.example TXT      v=DMARC1; p=quarantine
	none.example              TXT      v=spf1 -all
	_dmarc.none.example       TXT      v=DMARC1; p=none
	later.example             SERVFAIL
	_dmarc.later.example      TXT      v=DMARC1; p=reject
	unknown.example           SERVFAIL
	_dmarc.unknown.example    SERVFAIL
`

// authored is a message from somebody at a domain.
func authored(domain string) []byte {
	return fmt.Appendf(nil, "From: Joe <joe@%s>\r\nTo: <%s>\r\nSubject: hello\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@%s>\r\n\r\n.text\r\n", domain, alice, domain)
}

// sendMX sends a message to alice and returns the reply to it.
func sendMX(t *testing.T, s *mailserver, from string, msg []byte) string {
	t.Helper()
	sc := dialogue(t, s, "smtp", []step{
		{"EHLO client.example", "250"}, {"MAIL FROM:<" + from + ">", "250"}, {"RCPT TO:<" + alice + ">", "250"}, {"DATA", "354"},
	})
	if err := sc.send(dotStuff(msg) + ".\r\n"); err != nil {
		t.Fatal(err)
	}
	reply, err := sc.reply()
	if err != nil {
		t.Fatal(err)
	}
	sc.mustCmd(t, "221", "QUIT")
	return reply
}

// fieldsOf are the unfolded fields of this name in front of a message.
func fieldsOf(front, name string) (values []string) {
	unfolded := regexp.MustCompile(`\r\n[ \t]+`).ReplaceAllString(front, " ")
	for line := range strings.Lines(unfolded) {
		if n, v, _ := strings.Cut(line, ":"); strings.EqualFold(n, name) {
			values = append(values, strings.TrimSpace(v))
		}
	}
	return values
}

// TestInspection: what the MX port makes of who a message is from.
func TestInspection(t *testing.T) {
	dns := dnsxtest.New(t, mailZone)
	tests := []struct {
		name, domain, reply, mailbox, reason, results string
		flags                                         []string
	}{
		{"pass", "pass.example", "250", "INBOX", "", "spf=pass dmarc=pass", nil},
		{"policy none", "none.example", "250", "INBOX", "", "spf=fail dmarc=fail", nil},
		{"no policy", "nothing.example", "250", "INBOX", "", "spf=none dmarc=none", nil},
		{"reject", "reject.example", "550 5.7.26", "", "", "", nil},
		{"quarantine", "quarantine.example", "250", "Junk", "DMARC policy of quarantine.example", "spf=fail dmarc=fail", nil},
		{"no answer, and a policy", "later.example", "451 4.7.", "", "", "", nil},
		{"no answer at all", "unknown.example", "250", "INBOX", "", "spf=temperror dmarc=temperror", nil},
		{"reject into Junk", "reject.example", "250", "Junk", "DMARC policy of reject.example", "spf=fail dmarc=fail", []string{"-dmarc-reject", "quarantine"}},
		{"reject accepted", "reject.example", "250", "INBOX", "", "spf=fail dmarc=fail", []string{"-dmarc-reject", "accept"}},
		{"quarantine refused", "quarantine.example", "550 5.7.26", "", "", "", []string{"-dmarc-quarantine", "reject"}},
		{"no answer accepted", "later.example", "250", "INBOX", "", "spf=temperror dmarc=temperror", []string{"-dmarc-temperror", "accept"}},
		{"no answer at all, deferred", "unknown.example", "451 4.7.", "", "", "", []string{"-dmarc-temperror", "defer"}},
		{"off", "reject.example", "250", "INBOX", "", "", []string{"-auth", "off"}},
	}
	common := newServer(t, "-resolver", dns.Addr())
	seen := map[string]int{} // messages of common by mailbox
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, n := common, 1
			if len(test.flags) > 0 {
				s = newServer(t, append([]string{"-resolver", dns.Addr()}, test.flags...)...)
			} else if test.mailbox != "" {
				seen[test.mailbox]++
				n = seen[test.mailbox]
			}
			sent := authored(test.domain)
			forged := append([]byte("Authentication-Results: mx.example.org; dmarc=pass header.from=evil.example\r\nX-Quarantine: forged\r\n"), sent...)
			reply := sendMX(t, s, "joe@"+test.domain, forged)
			if !strings.HasPrefix(reply, test.reply) {
				t.Fatalf("reply %q, want %s", reply, test.reply)
			}
			if test.mailbox == "" {
				return
			}
			ic := s.login(t, alice, test.mailbox)
			checkInspected(t, ic.waitFor(n)[n-1], append([]byte("X-Quarantine: forged\r\n"), sent...), "joe@"+test.domain, test.results, test.reason)
		})
	}
}

// checkInspected asserts what stands in front of a delivered message.
func checkInspected(t *testing.T, delivered string, sent []byte, from, results, reason string) {
	t.Helper()
	fields, err := front([]byte(delivered), sent, from)
	if err != nil {
		t.Error(err)
		return
	}
	if got := strings.Join(fieldsOf(fields, "X-Quarantine"), "|"); got != reason {
		t.Errorf("X-Quarantine %q, want %q", got, reason)
	}
	found := fieldsOf(fields, authres.Name)
	if results == "" {
		if len(found) > 0 {
			t.Errorf("results %q where nothing is judged", found)
		}
		return
	}
	if len(found) != 1 || !strings.HasPrefix(found[0], "mx.example.org;") || strings.Contains(fields, "evil.example") {
		t.Fatalf("results %q", found)
	}
	for want := range strings.FieldsSeq(results) {
		if !strings.Contains(found[0], want) {
			t.Errorf("results %q, want %s", found[0], want)
		}
	}
}

// TestDeadResolver: a resolver that does not answer delays a message by at most
// 5 s, and refuses none.
func TestDeadResolver(t *testing.T) {
	dns := dnsxtest.New(t, "* SILENT")
	s := newServer(t, "-resolver", dns.Addr())
	sent := authored("reject.example")
	began := time.Now()
	reply := sendMX(t, s, "joe@reject.example", append([]byte("DKIM-Signature: v=1; a=rsa-sha256; d=reject.example; s=s; h=from; bh=; b=\r\n"), sent...))
	if took := time.Since(began); !strings.HasPrefix(reply, "250") || took > 5*time.Second {
		t.Errorf("%q after %v", reply, took)
	}
	delivered := s.login(t, alice, "INBOX").waitFor(1)[0]
	if !strings.Contains(delivered, "dmarc=temperror") {
		t.Errorf("%.600q", delivered)
	}
}

// TestLoopbackPeer: a peer on loopback is not judged by the system's resolver.
func TestLoopbackPeer(t *testing.T) {
	s := newServer(t)
	sent := authored("reject.example")
	if reply := sendMX(t, s, "joe@reject.example", sent); !strings.HasPrefix(reply, "250") {
		t.Fatal(reply)
	}
	checkInspected(t, s.login(t, alice, "INBOX").waitFor(1)[0], sent, "joe@reject.example", "", "")
}

// TestJunkIsMadeAgain: a message under suspicion is never in INBOX, also where
// its user has no mailbox for junk any more.
func TestJunkIsMadeAgain(t *testing.T) {
	dns := dnsxtest.New(t, mailZone)
	s := newServer(t, "-resolver", dns.Addr())
	ic := s.login(t, alice, "INBOX")
	ic.ok("DELETE Junk")
	if reply := sendMX(t, s, "joe@quarantine.example", authored("quarantine.example")); !strings.HasPrefix(reply, "250") {
		t.Fatal(reply)
	}
	eventually(t, delivery, "Junk is not made", func() bool {
		found := false
		ic.command(func(line string, _ []string) {
			found = found || strings.Contains(line, `\Junk`) && strings.HasSuffix(line, " Junk")
		}, "LIST \"\" Junk")
		return found
	})
	if got := s.login(t, alice, "Junk").waitFor(1); !strings.Contains(got[0], "X-Quarantine: ") {
		t.Errorf("%.400q", got)
	}
}

// dkimKeys writes keys for -dkim, and their records into a zone.
func dkimKeys(t *testing.T, dns *dnsxtest.Server) (flags []string, zone string) {
	t.Helper()
	dir := t.TempDir()
	for selector, make := range map[string]func() (crypto.Signer, error){
		"rsa": func() (crypto.Signer, error) { return dkim.GenerateRSA(2048) }, "ed": dkim.GenerateEd25519,
	} {
		key, err := make()
		if err != nil {
			t.Fatal(err)
		}
		text, err := dkim.MarshalPrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, selector+".pem")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		record, err := dkim.Record(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		name := selector + "._domainkey.example.org"
		dns.Add(t, name, "TXT", record)
		zone += name + " " + record + "\n"
		flags = append(flags, "-dkim", "example.org:"+selector+":"+file)
	}
	return flags, zone
}

// TestSubmissionSigned: what swaks submits is signed with both keys of the domain
// in From, and verifies here and with dkimpy, delivered and relayed.
func TestSubmissionSigned(t *testing.T) {
	dns := dnsxtest.New(t, "")
	flags, zone := dkimKeys(t, dns)
	h := newSmartHost(t)
	s := newServer(t, append(flags, "-relay", h.addr)...)
	sent := fromAlice(message(17)) // 2500 lines
	host, port := s.hostPort("submission")
	runPeer(t, false, "swaks", "--server", host, "--port", port, "--from", alice, "--to", alice+",one@foreign.example", "--data",
		"@"+stuffed(t, writeFile(t, "message.eml", sent)), "--no-data-fixup", "--tls", "--auth", "PLAIN", "--auth-user", alice, "--auth-password", password)
	delivered := s.login(t, alice, "INBOX").waitFor(1)[0]
	checkDelivered(t, []byte(delivered), sent, alice)
	eventually(t, delivery, "the smart host does not get the message", func() bool { return len(h.messages()) == 1 })
	dir := t.TempDir()
	for name, text := range map[string]string{"delivered": delivered, "relayed": string(h.messages()[0].data)} {
		v := &dkim.Verifier{Resolver: &dnsx.Client{Servers: []netip.AddrPort{dns.AddrPort()}}}
		report, err := v.Verify(t.Context(), strings.NewReader(text))
		if err != nil || len(report.Results) != 2 {
			t.Fatalf("%s: %+v, %v", name, report, err)
		}
		for _, r := range report.Results {
			if r.Result != authres.Pass || r.Domain != "example.org" || r.Weak != 0 {
				t.Errorf("%s: %+v", name, r)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if !fileExists("/usr/lib/python3/dist-packages/dkim/__init__.py") {
		missingPeer(t, "dkimpy")
	}
	passes(t, runPeer(t, false, "/usr/bin/python3", script(t, "dkim_peer.py"), "verify", writeFile(t, "zone", []byte(zone)), dir), 4)
}

// TestNotSigned: a user's mail under another domain is not signed, and neither is
// what comes in at the MX port or by LMTP.
func TestNotSigned(t *testing.T) {
	dns := dnsxtest.New(t, mailZone)
	flags, _ := dkimKeys(t, dns)
	s := newServer(t, append(flags, "-domain", "other.example", "-resolver", dns.Addr())...)
	submit(t, s, authored("other.example"), alice)
	if reply := sendMX(t, s, "joe@pass.example", authored("pass.example")); !strings.HasPrefix(reply, "250") {
		t.Fatal(reply)
	}
	for _, got := range s.login(t, alice, "INBOX").waitFor(2) {
		if strings.Contains(got, "DKIM-Signature") {
			t.Errorf("signed: %.600q", got)
		}
	}
}

// TestBadKeys: keys that cannot sign end the program before it serves.
func TestBadKeys(t *testing.T) {
	needServer(t)
	for _, value := range []string{
		"example.org", "example.org:s", "example.org:s:/does/not/exist", "example.org:s:" + writeFile(t, "k.pem", []byte("hunter2")),
		"no domain:s:" + writeFile(t, "k.pem", nil),
	} {
		out := runPeer(t, true, program(t), "-dkim", value)
		if !strings.Contains(out, "mailserver: -dkim: ") || strings.Contains(out, "hunter2") {
			t.Errorf("%s: %q", value, out)
		}
	}
}

// TestTrustedSealer: what a list of trust has sealed passes, though the author's
// domain asks to reject it.
func TestTrustedSealer(t *testing.T) {
	dns := dnsxtest.New(t, mailZone)
	key, err := dkim.GenerateEd25519()
	if err != nil {
		t.Fatal(err)
	}
	record, err := dkim.Record(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	dns.Add(t, "s._domainkey.lists.example", "TXT", record)
	sealer := &arc.Sealer{Key: dkim.Key{Domain: "lists.example", Selector: "s", Signer: key}}
	sent := authored("reject.example")
	set, err := sealer.Seal(bytes.NewReader(sent), nil, authres.Field{ID: "mx.lists.example", Statements: []authres.Statement{
		{Method: authres.DMARC, Result: authres.Pass, Properties: []authres.Property{{Type: "header", Name: "from", Value: "reject.example"}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	sealed := append(set, sent...)
	s := newServer(t, "-resolver", dns.Addr(), "-trusted-sealer", "lists.example")
	if reply := sendMX(t, s, "bounces@lists.example", sealed); !strings.HasPrefix(reply, "250") {
		t.Fatal(reply)
	}
	checkInspected(t, s.login(t, alice, "INBOX").waitFor(1)[0], sealed, "bounces@lists.example", "arc=pass dmarc=fail", "")
	if reply := sendMX(t, s, "bounces@lists.example", bytes.Replace(sealed, []byte("hello"), []byte("hullo"), 1)); !strings.HasPrefix(reply, "550 5.7.26") {
		t.Errorf("changed behind the seal: %s", reply)
	}
}
