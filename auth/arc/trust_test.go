package arc_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/auth/arc"
	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dkim"
	"github.com/mailstead/mailstead/internal/mailsig"
)

// firstSet is a set of instance 1 whose signature has other tags than a Sealer
// writes: h= names is signed, and tags stand in front of it.
func firstSet(t *testing.T, k dkim.Key, tags, names, message string) string {
	t.Helper()
	m := mailsig.NewMessage(0)
	limit := int64(-1)
	if strings.Contains(tags, " l=0;") {
		limit = 0
	}
	body := m.Body(mailsig.Relaxed, limit)
	m.Write([]byte(message))
	m.End()
	aar := "ARC-Authentication-Results: i=1; one.example; dmarc=pass header.from=example.org"
	end := func(w *mailsig.Writer, s *mailsig.Sink) string {
		w.Piece(" b=")
		w.Hash(s, mailsig.Relaxed)
		sig, err := mailsig.RSASHA256.Sign(k.Signer, s.Sum())
		if err != nil {
			t.Fatal(err)
		}
		w.Base64(sig)
		return string(w.Bytes())
	}
	w := mailsig.NewWriter("ARC-Message-Signature")
	for _, p := range []string{" i=1;", " a=rsa-sha256;", " c=relaxed/relaxed;", " d=one.example;", " s=r;", tags, " h=" + names + ";", " bh=" + base64.StdEncoding.EncodeToString(body.Digest()) + ";"} {
		w.Piece(p)
	}
	s := mailsig.NewSink()
	s.HashNames(mailsig.Relaxed, m.Index().Cursor(), strings.Split(names, ":"))
	ams := end(w, s)
	s = mailsig.NewSink()
	for _, f := range []string{aar, ams} {
		b := mailsig.Cut([]byte(f))
		s.Header(mailsig.Relaxed, &b, mailsig.Part{Field: b.Fields[0]})
		s.CRLF()
	}
	w = mailsig.NewWriter("ARC-Seal")
	w.Piece(" i=1; a=rsa-sha256; cv=none; d=one.example; s=r;")
	return strings.Join([]string{end(w, s), ams, aar, message}, "\r\n")
}

// TestEvidence: whose word counts (R4).
func TestEvidence(t *testing.T) {
	r, e, z := testKeys(t)
	one := sealed(t, &arc.Sealer{Key: r}, z, plain)
	two := sealed(t, &arc.Sealer{Key: e}, z, one)
	set := one[:len(one)-len(plain)]
	// Somebody puts the set of a sealer that is trusted in front of a message of
	// his own. He has seen it pass before, so that he may seal "pass".
	stolen := strings.Replace(set+plain, "text", "buy this", 1)
	f, err := (&arc.Sealer{Key: e}).Seal(strings.NewReader(stolen), judge(t, &arc.Verifier{Resolver: z}, one), results("x", "example.org", authres.Fail))
	if err != nil {
		t.Fatal(err)
	}
	stolen = string(f) + stolen
	testing := zone{"r._domainkey.one.example": strings.Replace(z["r._domainkey.one.example"], "k=rsa", "t=y", 1), "e._domainkey.two.example": z["e._domainkey.two.example"]}
	for name, test := range map[string]struct {
		message string
		z       zone
		trusted string
		want    string // instance and whether it passed; "" = no evidence
	}{
		"trusted": {one, z, "one.example", "1 true"}, "not trusted": {one, z, "two.example", ""}, "nobody": {one, z, "", ""},
		"the first of two": {two, z, "one.example two.example", "1 true"}, "the second alone": {two, z, "two.example", "2 true"},
		"unchanged behind the trusted": {two, z, "one.example", "1 true"}, "another message": {stolen, z, "one.example", ""},
		"changed by one who is trusted": {stolen, z, "ONE.example. Two.example", "1 true"}, "whose own word": {stolen, z, "two.example", "2 false"},
		"key for testing": {one, testing, "one.example", ""}, "behind a key for testing": {two, testing, "one.example two.example", "2 true"},
		"broken": {strings.Replace(one, "text", "other", 1), z, "one.example", ""}, "none": {plain, z, "one.example", ""},
		"h=":            {firstSet(t, r, "", "from:to", plain), z, "one.example", "1 true"},
		"From left out": {firstSet(t, r, "", "to", plain), z, "one.example", ""}, "nothing signed": {firstSet(t, r, "", "", plain), z, "one.example", ""},
		"a From left out": {firstSet(t, r, "", "from", "From: x@example.net\r\n"+plain), z, "one.example", ""},
		"l=":              {firstSet(t, r, " l=0;", "from", plain), z, "one.example", ""},
		"below a domain":  {one, z, ".example", "1 true"}, "another label": {one, z, "ne.example", ""},
	} {
		got := judge(t, &arc.Verifier{Resolver: test.z}, test.message)
		if wantPass := name != "broken" && name != "none"; (got.Result == authres.Pass) != wantPass {
			t.Errorf("%s: %+v", name, got)
		}
		evidence, text := got.Evidence(arc.TrustDomains(strings.Fields(test.trusted)...)), ""
		if evidence != nil {
			text = strings.TrimSpace(string(rune('0'+evidence.Instance)) + " " + map[bool]string{true: "true", false: "false"}[evidence.Passed("EXAMPLE.org")])
			if evidence.Passed("example.net") || evidence.Passed("") {
				t.Errorf("%s: passed for another author", name)
			}
		}
		if text != test.want {
			t.Errorf("%s: %q, want %q", name, text, test.want)
		}
	}
	if judge(t, &arc.Verifier{Resolver: z}, one).Evidence(nil) != nil || (*arc.Evidence)(nil).Passed("example.org") {
		t.Error("nobody is trusted, and believed")
	}
}

// TestPassed: one result against it outweighs any number for it.
func TestPassed(t *testing.T) {
	for text, want := range map[string]bool{
		"x; dmarc=pass header.from=example.org": true, "x; dmarc=pass (p=none) header.from=Example.ORG.": true, "x; dmarc=pass": false, "x; dmarc=fail header.from=example.org": false,
		"x; dkim=pass header.d=example.org": false, "x; dmarc=pass header.from=example.org; dmarc=fail header.from=example.org": false,
		"x; dmarc=fail header.from=other.example; dmarc=pass header.from=example.org": true, "x; none": false,
	} {
		f, err := authres.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := (&arc.Evidence{Results: f}).Passed("example.org"); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	if trust := arc.TrustDomains("bücher.example", "", "."); !trust("xn--bcher-kva.example") || trust("") || trust("x") {
		t.Error("trust")
	}
}
