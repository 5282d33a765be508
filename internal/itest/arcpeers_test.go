package itest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/auth/arc"
	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dkim"
)

// arcPeer is an implementation that seals and verifies, with RSA: in the chains of
// neither of them there is Ed25519.
type arcPeer struct{ name, program, script, probe string }

func arcPeers(t *testing.T) []arcPeer {
	return []arcPeer{
		{"dkimpy", "/usr/bin/python3", script(t, "arc_peer.py"), "/usr/lib/python3/dist-packages/authres/__init__.py"},
		{"Mail-DKIM", "/usr/bin/perl", script(t, "arc_peer.pl"), "/usr/share/perl5/Mail/AuthenticationResults/Parser.pm"},
	}
}

// copyARC copies the messages of a directory with Authentication-Results of a
// host in front, where sealers of others read how the chain is.
func (b *dkimBench) copyARC(t *testing.T, from, to, id, state string) {
	t.Helper()
	files, err := os.ReadDir(filepath.Join(b.dir, from))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d messages, %v", from, len(files), err)
	}
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(b.dir, from, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		b.write(t, filepath.Join(to, f.Name()), fmt.Sprintf("Authentication-Results: %s; arc=%s;\r\n\tdmarc=pass header.from=example.org\r\n%s", id, state, text))
	}
}

// sealARC seals the messages of a directory with ours.
func (b *dkimBench) sealARC(t *testing.T, from, to string, s *arc.Sealer) {
	t.Helper()
	files, err := os.ReadDir(filepath.Join(b.dir, from))
	if err != nil {
		t.Fatal(err)
	}
	v := &arc.Verifier{Resolver: b.zone}
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(b.dir, from, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		message := string(text)
		judged, err := v.Verify(t.Context(), strings.NewReader(message))
		if err != nil {
			t.Fatal(err)
		}
		field := authres.Field{ID: "ours.example.org", Statements: []authres.Statement{judged.Statement()}}
		fields, err := s.Seal(strings.NewReader(message), judged, field)
		if err != nil {
			t.Fatalf("%s: %+v: %v", f.Name(), judged, err)
		}
		name := f.Name()
		if s.Key.Selector == "ed" {
			name += ".ed"
		}
		b.write(t, filepath.Join(to, name), string(fields)+message)
	}
}

// readARC verifies the messages of a directory with ours.
func (b *dkimBench) readARC(t *testing.T, dir string, sets int) {
	t.Helper()
	files, err := os.ReadDir(filepath.Join(b.dir, dir))
	if err != nil || len(files) != b.count {
		t.Fatalf("%d messages in %s, want %d: %v", len(files), dir, b.count, err)
	}
	v := &arc.Verifier{Resolver: b.zone}
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(b.dir, dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		r, err := v.Verify(t.Context(), strings.NewReader(string(text)))
		if err != nil || r.Result != authres.Pass || len(r.Sets) != sets || r.OldestPass != 0 {
			t.Errorf("%s/%s: %+v, %v", dir, f.Name(), r, err)
		}
	}
}

// TestARCPeers: what one implementation seals verifies in the others, and they
// seal behind each other, over 40 messages.
func TestARCPeers(t *testing.T) {
	needServer(t)
	t.Parallel()
	b := newDKIMBench(t)
	b.copyARC(t, "messages", "in", "one.example.org", "none")
	var ours []string // directories of chains with RSA
	for _, header := range []dkim.Canonicalization{dkim.Relaxed, dkim.Simple} {
		for _, body := range []dkim.Canonicalization{dkim.Relaxed, dkim.Simple} {
			for _, k := range b.keys {
				dir := fmt.Sprintf("arc/%v-%v.%s", header, body, k.Selector)
				b.sealARC(t, "in", dir, &arc.Sealer{Key: k, Header: header, Body: body})
				b.readARC(t, dir, 1)
				if k.Selector == "rsa" {
					ours = append(ours, dir)
				}
			}
		}
	}
	for _, p := range arcPeers(t) {
		t.Run(p.name, func(t *testing.T) {
			if _, err := os.Stat(p.probe); err != nil {
				missingPeer(t, p.name+" with its parser of Authentication-Results")
			}
			for _, dir := range ours {
				p.verify(t, b, dir)
			}
			first := "arc/" + p.name
			p.seal(t, b, "in", first)
			b.readARC(t, first, 1)
			// Ours behind theirs, and theirs behind ours, twice.
			b.sealARC(t, first, first+"-ours", &arc.Sealer{Key: b.keys[0]})
			b.readARC(t, first+"-ours", 2)
			p.verify(t, b, first+"-ours")
			b.copyARC(t, "arc/simple-simple.rsa", first+"-in", "two.example.org", "pass")
			p.sealAs(t, b, "two.example.org", first+"-in", first+"-behind")
			b.readARC(t, first+"-behind", 2)
			b.copyARC(t, first+"-ours", first+"-in3", "three.example.org", "pass")
			p.sealAs(t, b, "three.example.org", first+"-in3", first+"-three")
			b.readARC(t, first+"-three", 3)
		})
	}
}

// seal seals the messages of a directory.
func (p *arcPeer) seal(t *testing.T, b *dkimBench, from, to string) {
	t.Helper()
	p.sealAs(t, b, "one.example.org", from, to)
}

func (p *arcPeer) sealAs(t *testing.T, b *dkimBench, id, from, to string) {
	t.Helper()
	target := filepath.Join(b.dir, to)
	if err := os.MkdirAll(target, 0o700); err != nil {
		t.Fatal(err)
	}
	runPeer(t, false, p.program, p.script, "seal", id, b.dir, filepath.Join(b.dir, from), target)
}

// verify asserts that every message of a directory passes.
func (p *arcPeer) verify(t *testing.T, b *dkimBench, dir string) {
	t.Helper()
	passes(t, runPeer(t, false, p.program, p.script, "verify", filepath.Join(b.dir, "zone"), filepath.Join(b.dir, dir)), b.count)
}
