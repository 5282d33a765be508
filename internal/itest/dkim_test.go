package itest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dkim"
	"github.com/mailstead/mailstead/auth/dnsx"
)

// dkimZone is a resolver over the records of a test.
type dkimZone map[string]string

func (z dkimZone) Lookup(_ context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	if text, ok := z[name]; ok && t == dnsx.TXT {
		return &dnsx.Answer{Texts: []string{text}}, nil
	}
	return nil, &dnsx.Error{Name: name, Type: t, Kind: dnsx.ErrNXDomain}
}

// dkimBench is what the implementations share: a directory of messages, keys
// in the forms that they read, and the records.
type dkimBench struct {
	dir, messages, ours string
	count               int // of messages
	zone                dkimZone
	keys                []dkim.Key
}

// dkimMessages is a matrix of well-formed messages.
func dkimMessages() []string {
	headers := []string{
		"From: a@example.org\r\nSubject: x\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\n",
		"From: \"A, B\" <a@example.org>\r\nTo: b@example.net,\r\n\tc@example.net\r\nSubject: two  spaces\r\nMessage-ID: <1@example.org>\r\n",
		"Received: from x by y;\r\n Fri, 20 Nov 2026 10:00:00 +0000\r\nReceived: from z by x;\r\n\tFri, 20 Nov 2026 09:00:00 +0000\r\nFROM: a@example.org\r\nSUBJECT: x\r\n",
		"From: a@example.org\r\nSubject:  x\r\nTo:\tb@example.net\r\n", // from oddSpaces on
	}
	bodies := []string{
		"text\r\n", "two\r\n\r\nparagraphs\r\n\r\n\r\n", " leading\r\n", "trailing \t \r\nx  y\tz\r\n", "\ttab first\r\n \r\nlast\r\n",
		"MIME-like: text\r\n\r\nmore\r\n", "b\xc3\xbccher\r\n", strings.Repeat("a line of some words\r\n", 500), strings.Repeat("x", 900) + "\r\n.\r\n..\r\n",
		strings.Repeat("TWFpbHN0ZWFkIG1haWwgYnVpbGRpbmcgYmxvY2tzTWFpbHN0ZWFkIG1haWwgYnVpbGRpbmcg\r\n", 50),
	}
	var out []string
	for _, h := range headers {
		for _, b := range bodies {
			out = append(out, h+"\r\n"+b)
		}
	}
	return out
}

// oddSpaces is the first of dkimMessages with something other than one space
// behind a colon.
const oddSpaces = 30

func newDKIMBench(t *testing.T) *dkimBench {
	t.Helper()
	dir := t.TempDir()
	b := &dkimBench{dir: dir, messages: filepath.Join(dir, "messages"), ours: filepath.Join(dir, "ours"), zone: dkimZone{}}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, e, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b.keys = []dkim.Key{{Domain: "example.org", Selector: "rsa", Signer: r}, {Domain: "example.org", Selector: "ed", Signer: e}}
	var zone strings.Builder
	for _, k := range b.keys {
		record, err := dkim.Record(k.Signer.Public())
		if err != nil {
			t.Fatal(err)
		}
		name := k.Selector + "._domainkey.example.org"
		b.zone[name] = record
		fmt.Fprintln(&zone, name, record)
	}
	b.write(t, "zone", zone.String())
	b.write(t, "rsa.pem", string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(r)})))
	pkcs8, err := x509.MarshalPKCS8PrivateKey(e)
	if err != nil {
		t.Fatal(err)
	}
	b.write(t, "ed.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})))
	b.write(t, "ed.seed", base64.StdEncoding.EncodeToString(e.Seed()))
	for i, message := range dkimMessages() {
		b.count++
		b.write(t, fmt.Sprintf("messages/m%02d", i), message)
		for _, header := range []dkim.Canonicalization{dkim.Relaxed, dkim.Simple} {
			for _, body := range []dkim.Canonicalization{dkim.Relaxed, dkim.Simple} {
				for _, k := range b.keys {
					fields, err := (&dkim.Signer{Keys: []dkim.Key{k}, Header: header, Body: body}).Sign(strings.NewReader(message))
					if err != nil {
						t.Fatal(err)
					}
					b.write(t, fmt.Sprintf("ours/m%02d.%v-%v.%s", i, header, body, k.Selector), string(fields)+message)
				}
			}
		}
	}
	return b
}

func (b *dkimBench) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(b.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// read verifies every message of a directory with ours.
func (b *dkimBench) read(t *testing.T, dir string, want int) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != want {
		t.Fatalf("%d messages in %s, want %d: %v", len(files), dir, want, err)
	}
	v := &dkim.Verifier{Resolver: b.zone}
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		report, err := v.Verify(t.Context(), strings.NewReader(string(text)))
		if err != nil || len(report.Results) != 1 || report.Results[0].Result != authres.Pass {
			t.Errorf("%s: %+v, %v", f.Name(), report, err)
		}
	}
}

// passes asserts that an implementation says pass to each of want signatures.
func passes(t *testing.T, output string, want int) {
	t.Helper()
	n := 0
	for line := range strings.Lines(output) {
		n++
		if !strings.HasSuffix(line, " pass\n") {
			t.Error(strings.TrimSpace(line))
		}
	}
	if n != want {
		t.Errorf("%d verdicts, want %d", n, want)
	}
}

// TestDKIMPeers: what one implementation signs verifies in the others, over 40
// messages, four canonicalizations and two algorithms.
func TestDKIMPeers(t *testing.T) {
	needServer(t)
	peers := []struct {
		name, program, script, probe string
		keys                         int // how many of the two it knows
	}{
		{"dkimpy", "/usr/bin/python3", script(t, "dkim_peer.py"), "/usr/lib/python3/dist-packages/dkim/__init__.py", 2},
		{"Mail-DKIM", "/usr/bin/perl", script(t, "dkim_peer.pl"), "/usr/share/perl5/Mail/DKIM.pm", 1},
	}
	b := newDKIMBench(t)
	for _, p := range peers {
		t.Run(p.name, func(t *testing.T) {
			if _, err := os.Stat(p.probe); err != nil {
				missingPeer(t, p.name)
			}
			all := 4 * p.keys * b.count
			theirs := filepath.Join(b.dir, p.name)
			if err := os.Mkdir(theirs, 0o700); err != nil {
				t.Fatal(err)
			}
			runPeer(t, false, p.program, p.script, "sign", b.dir, b.messages, theirs)
			b.read(t, theirs, all)
			passes(t, runPeer(t, false, p.program, p.script, "verify", filepath.Join(b.dir, "zone"), b.ours), all)
		})
	}
}

// TestDKIMOpenDKIM is the same with OpenDKIM, in its test mode: no daemon runs.
// That mode makes one space of what stands behind a colon, so messages from
// oddSpaces on are left out where the header is simple; so are its signatures
// with Ed25519 and a simple header, which do not verify with anybody.
func TestDKIMOpenDKIM(t *testing.T) {
	needServer(t)
	program := peer(t, "opendkim")
	b := newDKIMBench(t)
	b.write(t, "verify.conf", "Mode v\nSocket local:"+b.dir+"/s\nTestDNSData file:"+b.dir+"/zone\nMaximumHeaders 0\n")
	output := runPeer(t, false, program, "-x", filepath.Join(b.dir, "verify.conf"), "-vv", "-t", b.list(t, b.ours))
	verified := 0
	for line := range strings.Lines(output) {
		if strings.Contains(line, ": verification (s=") && (strings.Contains(line, ".relaxed-") || !strings.Contains(line, "ours/m3")) {
			verified++
			if !strings.HasSuffix(line, " succeeded\n") {
				t.Error(strings.TrimSpace(line))
			}
		}
	}
	if want := 4*b.count + 4*oddSpaces; verified != want {
		t.Errorf("%d signatures of ours judged, want %d", verified, want)
	}
	n := 0
	for _, canon := range []string{"relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple"} {
		for _, k := range b.keys {
			if k.Selector == "ed" && strings.HasPrefix(canon, "simple/") {
				continue
			}
			n += b.openDKIMSign(t, program, canon, k.Selector)
		}
	}
	b.read(t, filepath.Join(b.dir, "opendkim"), n)
}

// list is the names of all files of a directory, with commas.
func (b *dkimBench) list(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(files, ",")
}

// openDKIMSign signs messages, and returns how many; the fields come out in
// their order.
func (b *dkimBench) openDKIMSign(t *testing.T, program, canon, selector string) int {
	t.Helper()
	algorithm := map[string]string{"rsa": "rsa-sha256", "ed": "ed25519-sha256"}[selector]
	b.write(t, "sign.conf", strings.Join([]string{
		"Mode s", "Domain example.org", "Selector " + selector, "KeyFile " + b.dir + "/" + selector + ".pem", "Canonicalization " + canon,
		"SignatureAlgorithm " + algorithm, "InternalHosts 0.0.0.0/0", "RequireSafeKeys no", "Socket local:" + b.dir + "/s", "",
	}, "\n"))
	output := runPeer(t, false, program, "-x", filepath.Join(b.dir, "sign.conf"), "-vv", "-t", b.list(t, b.messages))
	fields := strings.Split(output, "### INSHEADER: idx=0 hname='DKIM-Signature' hvalue='")[1:]
	if len(fields) != b.count {
		t.Fatalf("%d fields: %s", len(fields), tail([]byte(output)))
	}
	n := 0
	for i, message := range dkimMessages() {
		if i >= oddSpaces && strings.HasPrefix(canon, "simple/") {
			break
		}
		n++
		field, _, _ := strings.Cut(fields[i], "'")
		field = "DKIM-Signature: " + strings.ReplaceAll(field, "\n", "\r\n") + "\r\n"
		b.write(t, fmt.Sprintf("opendkim/m%02d.%s.%s", i, strings.ReplaceAll(canon, "/", "-"), selector), field+message)
	}
	return n
}

// missingPeer skips or, where peers are required, fails.
func missingPeer(t *testing.T, name string) {
	t.Helper()
	if os.Getenv("MAILSTEAD_PEERS") == "required" {
		t.Fatalf("%s is not installed, and MAILSTEAD_PEERS=required", name)
	}
	t.Skipf("%s is not installed", name)
}
