package auth

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mailstead/mailstead/auth/arc"
	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dkim"
	"github.com/mailstead/mailstead/auth/dnsx"
)

// sample is a message with all that decides about it.
type sample struct {
	name    string
	message string
	session Session
	records map[string][]string
}

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

// rfc8463 is the example of RFC 8463 Appendix A.
const rfc8463 = `DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.

`

var rfc8463Records = map[string][]string{
	"brisbane._domainkey.football.example.com TXT": {"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="},
	"test._domainkey.football.example.com TXT": {"v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWR" +
		"iGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutAC" +
		"DfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3" +
		"Ip3G+2kryOTIKT+l/K4w3QIDAQAB"},
	"_dmarc.football.example.com TXT": {"v=DMARC1; p=reject"},
	"football.example.com TXT":        {"v=spf1 mx include:other.example.com ?exists:%{ir}.%{v}.%{l}.bl.example.com -all"},
	"football.example.com MX":         {"mx1.example.com", "mx2.example.com"},
	"mx1.example.com A":               {"192.0.2.128"},
	"mx2.example.com A":               {"192.0.2.129"},
	"other.example.com TXT":           {"v=spf1 a:mail.other.example.com redirect=last.example.com"},
	"mail.other.example.com A":        {"192.0.2.130"},
	"last.example.com TXT":            {"v=spf1 ptr ip4:192.0.2.131 -all"},
	"131.2.0.192.in-addr.arpa PTR":    {"mx.last.example.com"},
	"mx.last.example.com A":           {"192.0.2.131"},
}

// samples are messages and sessions of the appendices of the RFCs, and of every
// way in which a message passes or fails.
func samples(t *testing.T) []sample {
	w := newWorld(t)
	sub := strings.Replace(plain, "joe@", "joe@news.", 1)
	far := Session{IP: stranger, Helo: "mx.list.example", MailFrom: "a@list.example"}
	tree := map[string][]string{
		"_dmarc.example.org TXT": {"v=DMARC1; p=reject; sp=quarantine; np=reject"}, "_dmarc.org TXT": {"v=DMARC1; p=none; psd=y"},
		"news.example.org A": {"192.0.2.7"},
	}
	with := func(more map[string][]string) map[string][]string {
		all := map[string][]string{}
		for _, m := range []map[string][]string{w.records, more} {
			for k, v := range m {
				all[k] = v
			}
		}
		return all
	}
	list := []sample{
		{"SPF alone", plain, session, w.records},
		{"signed", sign(t, plain, w.keys...), session, w.records},
		{"signed, forwarded", sign(t, plain, w.keys...), far, w.records},
		{"neither", plain, far, w.records},
		{"changed", strings.Replace(sign(t, plain, w.keys...), "Hello", "Hallo", 1), far, w.records},
		{"below", sign(t, sub, w.keys[1]), far, with(tree)},
		{"below, unsigned", sub, far, with(tree)},
		{"below, not there", strings.Replace(plain, "joe@", "joe@not.there.", 1), far, with(tree)},
		{"below, by SPF", sub, session, with(tree)},
		{"strict", sub, session, with(map[string][]string{"_dmarc.example.org TXT": {"v=DMARC1; p=quarantine; aspf=s; adkim=s"}})},
		{"null sender", plain, Session{IP: client, Helo: "mx.example.org"}, w.records},
	}
	relisted := w.relisted(t, sign(t, plain, w.keys[0]), session)
	twice := w.relisted(t, relisted, fromList)
	list = append(list, sample{"by a list", relisted, fromList, w.records}, sample{"by two", twice, fromList, w.records},
		sample{"by a list, changed", strings.Replace(relisted, "footer", "virus", 1), fromList, w.records})
	for last := 127; last < 133; last++ {
		ip := netip.AddrFrom4([4]byte{192, 0, 2, byte(last)})
		s := Session{IP: ip, Helo: "mx.example.com", MailFrom: "joe@football.example.com"}
		list = append(list, sample{fmt.Sprintf("RFC 8463 from .%d", last), crlf(rfc8463), s, rfc8463Records})
		unsigned := crlf(rfc8463[strings.Index(rfc8463, "From:"):])
		list = append(list, sample{fmt.Sprintf("RFC 7208 from .%d", last), unsigned, s, rfc8463Records})
	}
	return list
}

// faulty answers as a zone does, but for what change makes of it.
type faulty struct {
	zone   *zone
	change func(n int, name string, t dnsx.Type, a *dnsx.Answer, err error) (*dnsx.Answer, error)

	mu sync.Mutex
	n  int
}

func (f *faulty) Lookup(_ context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	f.mu.Lock()
	f.n++
	n := f.n
	f.mu.Unlock()
	name = strings.ToLower(name)
	a, err := f.zone.answer(name, t)
	return f.change(n, name, t, a, err)
}

// TestNoAnswerMakesNothingBetter is invariants V1 and V2: each question fails in
// turn, alone and with all behind it, in every way.
func TestNoAnswerMakesNothingBetter(t *testing.T) {
	for _, s := range samples(t) {
		z := &zone{records: s.records}
		clean, _ := (&Verifier{Resolver: z}).Verify(t.Context(), s.session, strings.NewReader(s.message))
		slices.Sort(z.asked)
		asked := slices.Compact(slices.Clone(z.asked))
		for _, kind := range []error{dnsx.ErrServFail, dnsx.ErrTimeout, dnsx.ErrBogus, dnsx.ErrBudget} {
			fail := func(which string, bad func(n int, question string) bool) {
				f := &faulty{zone: z, change: func(n int, name string, typ dnsx.Type, a *dnsx.Answer, err error) (*dnsx.Answer, error) {
					if bad(n, name+" "+typ.String()) {
						return nil, &dnsx.Error{Name: name, Type: typ, Kind: kind}
					}
					return a, err
				}}
				r, _ := (&Verifier{Resolver: f}).Verify(t.Context(), s.session, strings.NewReader(s.message))
				what := fmt.Sprintf("%s: %s, %v", s.name, which, kind)
				notBetter(t, what, clean, r)
				decidedNoBetter(t, what, clean, r)
			}
			for _, q := range asked {
				fail(q, func(_ int, question string) bool { return q == question })
				fail("all but "+q, func(_ int, question string) bool { return q != question })
			}
			for k := range len(z.asked) + 3 {
				fail(fmt.Sprint("from ", k), func(n int, _ string) bool { return n > k })
			}
		}
	}
}

// TestBrokenAnswerMakesNothingBetter: each text is broken at each place in turn.
// A broken tag for strict alignment counts as not there, by RFC 9989 §4.7, and is
// left out.
func TestBrokenAnswerMakesNothingBetter(t *testing.T) {
	damages := func(text string) []string {
		out := []string{"", "\x00", text + "\x01", strings.Repeat(text, 2), strings.Repeat("x", 65_000)}
		for i := 0; i < len(text); i += 1 + len(text)/40 {
			out = append(out, text[:i]+"\x01"+text[i:], text[:i]+";;=\x02"+text[i+1:])
		}
		return out
	}
	for _, s := range samples(t) {
		z := &zone{records: s.records}
		clean, _ := (&Verifier{Resolver: z}).Verify(t.Context(), s.session, strings.NewReader(s.message))
		slices.Sort(z.asked)
		for _, q := range slices.Compact(z.asked) {
			if !strings.HasSuffix(q, " TXT") || len(s.records[q]) == 0 || strings.Contains(s.records[q][0], "aspf=s") {
				continue
			}
			for _, text := range damages(s.records[q][0]) {
				f := &faulty{zone: z, change: func(_ int, name string, typ dnsx.Type, a *dnsx.Answer, err error) (*dnsx.Answer, error) {
					if name+" "+typ.String() == q {
						return &dnsx.Answer{Texts: []string{text}}, nil
					}
					return a, err
				}}
				r, _ := (&Verifier{Resolver: f}).Verify(t.Context(), s.session, strings.NewReader(s.message))
				notBetter(t, fmt.Sprintf("%s: %s is %.100q", s.name, q, text), clean, r)
			}
		}
	}
}

// TestBrokenMessageMakesNothingBetter: an octet of the header is broken, missing,
// or the last one.
func TestBrokenMessageMakesNothingBetter(t *testing.T) {
	for _, s := range samples(t) {
		v := &Verifier{Resolver: &zone{records: s.records}}
		clean, _ := v.Verify(t.Context(), s.session, strings.NewReader(s.message))
		end := strings.Index(s.message, "\r\n\r\n")
		for i := 0; i < end; i += 1 + end/150 {
			for _, message := range []string{s.message[:i] + "\x00" + s.message[i+1:], s.message[:i] + s.message[i+1:], s.message[:i], s.message[:i] + "\r" + s.message[i:]} {
				r, _ := v.Verify(t.Context(), s.session, strings.NewReader(message))
				for _, x := range r.DKIM.Results {
					x.Index = min(x.Index, len(clean.DKIM.Results)-1)
				}
				if r.DMARC.Result == authres.Pass && clean.DMARC.Result != authres.Pass {
					t.Errorf("%s: %q passes", s.name, message)
				}
			}
		}
	}
}

// notBetter: nothing passes that did not.
func notBetter(t *testing.T, what string, clean, r *Result) {
	t.Helper()
	better := r.SPF.Result == authres.Pass && clean.SPF.Result != authres.Pass ||
		r.Helo.Result == authres.Pass && clean.Helo.Result != authres.Pass ||
		r.IPRev.Result == authres.Pass && clean.IPRev.Result != authres.Pass ||
		r.DMARC.Result == authres.Pass && clean.DMARC.Result != authres.Pass ||
		r.ARC.Result == authres.Pass && clean.ARC.Result != authres.Pass
	for _, x := range r.DKIM.Results {
		better = better || x.Result == authres.Pass && !slices.ContainsFunc(clean.DKIM.Results, func(y dkim.Result) bool {
			return x.Index == y.Index && y.Result == authres.Pass
		})
	}
	if better {
		t.Errorf("%s: %s, was %s", what, words(r), words(clean))
	}
}

// decidedNoBetter: what is not accepted is not accepted without an answer, what
// is not refused is not refused, and no policy is taken for none.
func decidedNoBetter(t *testing.T, what string, clean, r *Result) {
	t.Helper()
	if r.DMARC.Result == authres.None && clean.DMARC.Result != authres.None {
		t.Errorf("%s: %s, was %s", what, words(r), words(clean))
	}
	p := &Policy{OnTempError: Defer, Sealers: arc.TrustDomains("list.example")}
	was, is := p.Decide(clean).Action, p.Decide(r).Action
	if was != Accept && is == Accept || was != Reject && is == Reject || was == Accept && is == Quarantine {
		t.Errorf("%s: %v, was %v: %s, was %s (%v)", what, is, was, words(r), words(clean), r.DMARC.Err)
	}
	p.OnTempError = Default
	if is := p.Decide(r).Action; was != Reject && is == Reject {
		t.Errorf("%s: %v, was %v", what, is, was)
	}
}
