package itest

import (
	"bytes"
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

	msgauth "github.com/emersion/go-msgauth/dkim"

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
	dir, messages string
	count         int // of messages
	zone          dkimZone
	keys          []dkim.Key
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
	b := &dkimBench{dir: dir, messages: filepath.Join(dir, "messages"), zone: dkimZone{}}
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

// A dkimPeer is an implementation. sign signs all messages in four
// canonicalizations with the keys that it knows, as OUT/mNN.CANON.KEY; verify
// says which files of a directory it passes, of those that it judges.
type dkimPeer struct {
	name   string
	keys   string // of "rsa ed"
	sign   func(b *dkimBench, t *testing.T, out string)
	verify func(b *dkimBench, t *testing.T, dir string) map[string]bool
}

// signs reports whether a peer's signature of a kind is to be had: OpenDKIM in its
// test mode makes one space of what stands behind a colon, and its signatures
// with Ed25519 and a simple header verify with nobody.
func (p *dkimPeer) signs(message int, canon, key string) bool {
	simple := strings.HasPrefix(canon, "simple-")
	return strings.Contains(p.keys, key) && (p.name != "OpenDKIM" || !simple || message < oddSpaces && key != "ed")
}

// verifies reports whether a peer can judge such a signature.
func (p *dkimPeer) verifies(message int, canon, key string) bool {
	return strings.Contains(p.keys, key) && (p.name != "OpenDKIM" || strings.HasPrefix(canon, "relaxed-") || message < oddSpaces)
}

// dkimPeers are those that are installed; others are named in the log.
func dkimPeers(t *testing.T) []dkimPeer {
	t.Helper()
	list := []dkimPeer{
		{name: "ours", keys: "rsa ed", sign: (*dkimBench).nothing, verify: (*dkimBench).ourVerify},
		{name: "go-msgauth", keys: "rsa ed", sign: (*dkimBench).msgauthSign, verify: (*dkimBench).msgauthVerify},
	}
	for _, p := range []struct{ name, keys, program, script, probe string }{
		{"dkimpy", "rsa ed", "/usr/bin/python3", "dkim_peer.py", "/usr/lib/python3/dist-packages/dkim/__init__.py"},
		{"Mail-DKIM", "rsa", "/usr/bin/perl", "dkim_peer.pl", "/usr/share/perl5/Mail/DKIM.pm"},
		{"OpenDKIM", "rsa ed", "opendkim", "", "/usr/sbin/opendkim"},
	} {
		_, err := os.Stat(p.probe)
		switch {
		case err != nil && os.Getenv("MAILSTEAD_PEERS") == "required":
			t.Fatalf("%s is not installed, and MAILSTEAD_PEERS=required", p.name)
		case err != nil:
			t.Logf("%s is not installed: its pairs are left out", p.name)
		case p.script == "":
			list = append(list, dkimPeer{p.name, p.keys, (*dkimBench).openDKIMSign, (*dkimBench).openDKIMVerify})
		default:
			list = append(list, scriptPeer(t, p.name, p.keys, p.program, p.script))
		}
	}
	return list
}

// scriptPeer is a peer that a script of testdata drives.
func scriptPeer(t *testing.T, name, keys, program, file string) dkimPeer {
	path := script(t, file)
	return dkimPeer{name, keys, func(b *dkimBench, t *testing.T, out string) {
		runPeer(t, false, program, path, "sign", b.dir, b.messages, out)
	}, func(b *dkimBench, t *testing.T, dir string) map[string]bool {
		passed := map[string]bool{}
		for line := range strings.Lines(runPeer(t, false, program, path, "verify", filepath.Join(b.dir, "zone"), dir)) {
			file, result, _ := strings.Cut(strings.TrimSpace(line), " ")
			passed[file] = result == "pass"
		}
		return passed
	}}
}

// TestDKIMMatrix: what each implementation signs verifies in each of them, over 40
// messages, four canonicalizations and two algorithms.
func TestDKIMMatrix(t *testing.T) {
	needServer(t)
	t.Parallel()
	b := newDKIMBench(t)
	peers := dkimPeers(t)
	for _, signer := range peers {
		dir := filepath.Join(b.dir, signer.name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		signer.sign(b, t, dir)
		for _, verifier := range peers {
			t.Run(signer.name+"/"+verifier.name, func(t *testing.T) {
				got := verifier.verify(b, t, dir)
				want := 0
				for i := range b.count {
					for _, canon := range []string{"relaxed-relaxed", "relaxed-simple", "simple-relaxed", "simple-simple"} {
						for _, k := range b.keys {
							if !signer.signs(i, canon, k.Selector) || !verifier.verifies(i, canon, k.Selector) {
								continue
							}
							want++
							if name := fmt.Sprintf("m%02d.%s.%s", i, canon, k.Selector); !got[name] {
								t.Errorf("%s does not pass", name)
							}
						}
					}
				}
				if t.Logf("%d signatures", want); want < 120 {
					t.Errorf("%d signatures only", want)
				}
			})
		}
	}
}

// nothing: newDKIMBench has signed already.
func (b *dkimBench) nothing(*testing.T, string) {}

// each calls f with the name and text of each file of a directory.
func (b *dkimBench) each(t *testing.T, dir string, f func(name string, text []byte)) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(dir, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		f(file.Name(), text)
	}
}

func (b *dkimBench) ourVerify(t *testing.T, dir string) map[string]bool {
	passed := map[string]bool{}
	v := &dkim.Verifier{Resolver: b.zone}
	b.each(t, dir, func(name string, text []byte) {
		report, err := v.Verify(t.Context(), bytes.NewReader(text))
		passed[name] = err == nil && len(report.Results) == 1 && report.Results[0].Result == authres.Pass
	})
	return passed
}

func (b *dkimBench) msgauthSign(t *testing.T, out string) {
	for i, message := range dkimMessages() {
		for _, header := range []msgauth.Canonicalization{"relaxed", "simple"} {
			for _, body := range []msgauth.Canonicalization{"relaxed", "simple"} {
				for _, k := range b.keys {
					var text bytes.Buffer
					err := msgauth.Sign(&text, strings.NewReader(message), &msgauth.SignOptions{
						Domain: k.Domain, Selector: k.Selector, Signer: k.Signer, HeaderCanonicalization: header, BodyCanonicalization: body,
					})
					if err != nil {
						t.Fatal(err)
					}
					b.write(t, fmt.Sprintf("%s/m%02d.%s-%s.%s", filepath.Base(out), i, header, body, k.Selector), text.String())
				}
			}
		}
	}
}

func (b *dkimBench) msgauthVerify(t *testing.T, dir string) map[string]bool {
	passed := map[string]bool{}
	options := &msgauth.VerifyOptions{LookupTXT: func(name string) ([]string, error) {
		return []string{b.zone[strings.TrimSuffix(name, ".")]}, nil
	}}
	b.each(t, dir, func(name string, text []byte) {
		list, err := msgauth.VerifyWithOptions(bytes.NewReader(text), options)
		passed[name] = err == nil && len(list) == 1 && list[0].Err == nil
	})
	return passed
}

// openDKIMVerify verifies with OpenDKIM in its test mode: no daemon runs.
func (b *dkimBench) openDKIMVerify(t *testing.T, dir string) map[string]bool {
	b.write(t, "verify.conf", "Mode v\nSocket local:"+b.dir+"/s\nTestDNSData file:"+b.dir+"/zone\nMaximumHeaders 0\n")
	passed := map[string]bool{}
	for line := range strings.Lines(runPeer(t, false, "opendkim", "-x", filepath.Join(b.dir, "verify.conf"), "-vv", "-t", b.list(t, dir))) {
		if file, verdict, ok := strings.Cut(line, ": verification (s="); ok {
			passed[filepath.Base(file)] = strings.HasSuffix(verdict, " succeeded\n")
		}
	}
	return passed
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

// openDKIMSign signs with OpenDKIM; the fields come out in the order of messages.
func (b *dkimBench) openDKIMSign(t *testing.T, out string) {
	algorithm := map[string]string{"rsa": "rsa-sha256", "ed": "ed25519-sha256"}
	for _, canon := range []string{"relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple"} {
		for _, k := range b.keys {
			b.write(t, "sign.conf", strings.Join([]string{
				"Mode s", "Domain example.org", "Selector " + k.Selector, "KeyFile " + b.dir + "/" + k.Selector + ".pem", "Canonicalization " + canon,
				"SignatureAlgorithm " + algorithm[k.Selector], "InternalHosts 0.0.0.0/0", "RequireSafeKeys no", "Socket local:" + b.dir + "/s", "",
			}, "\n"))
			output := runPeer(t, false, "opendkim", "-x", filepath.Join(b.dir, "sign.conf"), "-vv", "-t", b.list(t, b.messages))
			fields := strings.Split(output, "### INSHEADER: idx=0 hname='DKIM-Signature' hvalue='")[1:]
			if len(fields) != b.count {
				t.Fatalf("%d fields: %s", len(fields), tail([]byte(output)))
			}
			for i, message := range dkimMessages() {
				field, _, _ := strings.Cut(fields[i], "'")
				field = "DKIM-Signature: " + strings.ReplaceAll(field, "\n", "\r\n") + "\r\n"
				b.write(t, fmt.Sprintf("%s/m%02d.%s.%s", filepath.Base(out), i, strings.ReplaceAll(canon, "/", "-"), k.Selector), field+message)
			}
		}
	}
}

// missingPeer skips or, where peers are required, fails.
func missingPeer(t *testing.T, name string) {
	t.Helper()
	if os.Getenv("MAILSTEAD_PEERS") == "required" {
		t.Fatalf("%s is not installed, and MAILSTEAD_PEERS=required", name)
	}
	t.Skipf("%s is not installed", name)
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
