package srs_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/deliver/srs"
	"github.com/mailstead/mailstead/smtp"
)

func at(day int) func() time.Time {
	return func() time.Time { return time.Unix(int64(day)*86400+3600, 0) }
}

func path(t testing.TB, s string) smtp.Path {
	t.Helper()
	p, err := smtp.ParseForwardPath("<"+s+">", true)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return p.Path
}

func schemes() map[string]*srs.Scheme {
	return map[string]*srs.Scheme{
		"first":  {Domain: "fwd.example", Secrets: []string{"first-secret", "old-secret"}, Now: at(20785)},
		"second": {Domain: "second.example", Secrets: []string{"old-secret"}, Separator: '+', HashLength: 6, Now: at(20785)},
		"third":  {Domain: "third.example", Secrets: []string{"first-secret"}, Now: at(20785)},
	}
}

// What other programs make, we make and understand, in upper, lower and mixed case.
func TestVectors(t *testing.T) {
	f, err := os.Open("testdata/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for sc := bufio.NewScanner(f); sc.Scan(); {
		w := strings.Fields(sc.Text())
		if len(w) != 3 || w[0] == "#" {
			continue
		}
		n++
		s, in := schemes()[w[0]], splitLong(w[1])
		got, err := s.Forward(smtp.ReversePath{Path: in})
		if want := splitLong(w[2]); len(want.Local) > smtp.MaxLocalPart {
			if !errors.Is(err, srs.ErrTooLong) || got.Path != in {
				t.Errorf("%s: %v %v", w[1], got, err)
			}
		} else if err != nil || got.Path != want {
			t.Errorf("%s: %v %v, want %v", w[1], got, err, want)
		}
		want := strings.Replace(in.String(), "SRS1+abcd=foo.com=-abcd=XX=foo.com=bar@other.example", "SRS0-abcd=XX=foo.com=bar@foo.com", 1)
		for _, form := range []string{w[2], strings.ToLower(w[2]), strings.ToUpper(w[2])} {
			if got, err := s.Reverse(splitLong(form)); err != nil || !strings.EqualFold(got.String(), want) {
				t.Errorf("reverse %s: %v %v, want %s", form, got, err, want)
			}
		}
	}
	if n != 12 {
		t.Fatalf("%d vectors", n)
	}
}

// splitLong takes local-parts of any length.
func splitLong(s string) smtp.Path {
	i := strings.LastIndexByte(s, '@')
	return smtp.Path{Local: s[:i], Domain: s[i+1:]}
}

func TestAge(t *testing.T) {
	s := schemes()["first"]
	p, err := s.Forward(smtp.ReversePath{Path: path(t, "alice@example.com")})
	if err != nil {
		t.Fatal(err)
	}
	for day, want := range map[int]error{
		20784: nil, 20783: srs.ErrExpired, 20785 + 21: nil, 20785 + 22: srs.ErrExpired,
		20785 + 1024: nil, // the days come again: a limit of the scheme
	} {
		s.Now = at(day)
		if _, err := s.Reverse(p.Path); !errors.Is(err, want) {
			t.Errorf("day %+d: %v, want %v", day-20785, err, want)
		}
	}
	s.Now, s.MaxAge = at(20785+3), 36*time.Hour // two days
	if _, err := s.Reverse(p.Path); !errors.Is(err, srs.ErrExpired) {
		t.Errorf("MaxAge: %v", err)
	}
}

func TestSecrets(t *testing.T) {
	s := schemes()["first"]
	old, err := (&srs.Scheme{Domain: "fwd.example", Secrets: []string{"old-secret"}, Now: s.Now}).Forward(smtp.ReversePath{Path: path(t, "a@example.com")})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Reverse(old.Path); err != nil || got.String() != "a@example.com" {
		t.Errorf("an old secret: %v %v", got, err)
	}
	s.Secrets = s.Secrets[:1]
	if _, err := s.Reverse(old.Path); !errors.Is(err, srs.ErrHash) {
		t.Errorf("a secret that is gone: %v", err)
	}
	for local, want := range map[string]error{
		"SRS0=asb=JR=example.com=alice": srs.ErrHash, "SRS0==JR=example.com=alice": srs.ErrHash,
		"SRS0=asbx=JR=example.com=alicf": srs.ErrHash, "SRS0=asbx=JS=example.com=alice": srs.ErrHash,
		"SRS0=asbx=JR=example.com": srs.ErrNotSRS, "SRS0": srs.ErrNotSRS, "SRS1=asbx=a": srs.ErrNotSRS, "alice": srs.ErrNotSRS,
	} {
		if _, err := s.Reverse(smtp.Path{Local: local, Domain: "fwd.example"}); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", local, err, want)
		}
	}
	if _, err := s.Reverse(path(t, "SRS0=asbx=JR=example.com=alice@other.example")); !errors.Is(err, srs.ErrNotSRS) {
		t.Errorf("another domain: %v", err)
	}
}

func TestForwardKeeps(t *testing.T) {
	s := schemes()["first"]
	s.IsLocal = func(d string) bool { return d == "ours.example" }
	for _, p := range []smtp.ReversePath{{}, {Path: path(t, "a@ours.example")}, {Path: path(t, "b@FWD.example")}} {
		if got, err := s.Forward(p); err != nil || got != p {
			t.Errorf("%v: %v %v", p, got, err)
		}
	}
	long := smtp.ReversePath{Path: path(t, strings.Repeat("x", 60)+"@example.com")}
	if got, err := s.Forward(long); !errors.Is(err, srs.ErrTooLong) || got != long {
		t.Errorf("%v %v", got, err)
	}
	quoted := smtp.ReversePath{Path: smtp.Path{Local: "a b", Domain: "[192.0.2.1]"}}
	got, err := s.Forward(quoted)
	if err != nil || path(t, got.String()) != got.Path {
		t.Fatalf("%v %v", got, err)
	}
	if back, err := s.Reverse(got.Path); err != nil || back != quoted.Path {
		t.Errorf("%v %v", back, err)
	}
}

func TestValidate(t *testing.T) {
	for _, s := range []srs.Scheme{
		{},
		{Domain: "a.example"},
		{Domain: "a.example", Secrets: []string{"short"}},
		{Domain: "a.example", Secrets: []string{"long enough"}, Separator: '/'},
		{Domain: "a.example", Secrets: []string{"long enough"}, HashLength: 28},
		{Domain: "a.example", Secrets: []string{"long enough"}, MinHash: 5},
		{Domain: "a.example", Secrets: []string{"long enough"}, MaxAge: 2000 * 24 * time.Hour},
	} {
		if err := s.Validate(); !errors.Is(err, srs.ErrConfig) {
			t.Errorf("%+v: %v", s, err)
		}
		p := smtp.ReversePath{Path: path(t, "a@b.example")}
		if got, err := s.Forward(p); err == nil || got != p {
			t.Errorf("%+v rewrites", s)
		}
		if _, err := s.Reverse(path(t, "SRS0=abcd=JR=b.example=a@a.example")); err == nil {
			t.Errorf("%+v reverses", s)
		}
	}
}

func TestReceivers(t *testing.T) {
	s := schemes()["first"]
	var got *smtp.Envelope
	sink := smtp.ReceiveFunc(func(_ context.Context, env *smtp.Envelope, r io.Reader) error {
		got = env
		_, err := io.Copy(io.Discard, r)
		return err
	})
	send := func(r smtp.Receiver, from string, to ...string) []error {
		got = nil
		m := &smtp.Mail{ID: "x"}
		if from != "" {
			m.ReversePath.Path = path(t, from)
		}
		tx, err := r.Begin(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		var rs []*smtp.Recipient
		for _, a := range to {
			rs = append(rs, &smtp.Recipient{ForwardPath: smtp.ForwardPath{Path: path(t, a)}})
		}
		errs := tx.Rcpt(t.Context(), rs)
		if _, err := tx.Data(t.Context(), smtp.NewBody(strings.NewReader("x"), 1)); err != nil {
			t.Fatal(err)
		}
		return errs
	}
	send(smtp.Chain(sink, s.Forwarding()), "alice@example.com", "b@example.net")
	if got.Mail.ReversePath.String() != "SRS0=asbx=JR=example.com=alice@fwd.example" {
		t.Errorf("forwarded as %v", got.Mail.ReversePath)
	}
	long := strings.Repeat("x", 60) + "@example.com"
	if send(smtp.Chain(sink, s.Forwarding()), long, "b@example.net"); got.Mail.ReversePath.String() != long {
		t.Errorf("a long one: %v", got.Mail.ReversePath)
	}
	rewritten := "SRS0=asbx=JR=example.com=alice@fwd.example"
	errs := send(smtp.Chain(sink, s.Bounces()), "", "SRS0=asbx=JR=example.com=alicf@fwd.example", "c@fwd.example", rewritten)
	if !smtp.IsPermanent(errs[0]) || errs[1] != nil || errs[2] != nil {
		t.Errorf("%v", errs)
	}
	if len(got.Recipients) != 2 || got.Recipients[0].ForwardPath.String() != "c@fwd.example" || got.Recipients[1].ForwardPath.String() != "alice@example.com" {
		t.Errorf("recipients %v", got.Recipients)
	}
	if errs := send(smtp.Chain(sink, s.Bounces()), "spam@example.net", rewritten); smtp.ReplyOf(errs[0]).Enhanced.Subject != 7 {
		t.Errorf("mail of a sender to a rewritten path: %v", errs)
	}
	s.AnySender = true
	if errs := send(smtp.Chain(sink, s.Bounces()), "auto@example.net", rewritten); errs[0] != nil {
		t.Errorf("AnySender: %v", errs)
	}
}

// What Forward makes, Reverse undoes; what Reverse takes is what Forward made.
// A domain in U-labels does not make a local-part of ours that only hosts with
// SMTPUTF8 take: nobody can downgrade one, and the sender's own can be.
func TestUnicodeDomain(t *testing.T) {
	s := schemes()["first"]
	for in, want := range map[string]string{
		"alice@exämple.com": "alice@xn--exmple-cua.com",
		"jörg@exämple.com":  "jörg@exämple.com", // needs SMTPUTF8 anyhow
	} {
		p := path(t, in)
		fwd, err := s.Forward(smtp.ReversePath{Path: p})
		if err != nil || fwd.NeedsUTF8() != (p.Local != "alice") {
			t.Errorf("%s became %v: %v", in, fwd, err)
		}
		if back, err := s.Reverse(fwd.Path); err != nil || back != path(t, want) {
			t.Errorf("%v came back as %v, want %s: %v", fwd, back, want, err)
		}
	}
}

func FuzzScheme(f *testing.F) {
	for _, s := range []string{"alice@example.com", "SRS0=asbx=JR=example.com=alice@fwd.example", "SRS1=kYEb=fwd.example==asbx=JR=example.com=alice@fwd.example", `"a b"@[192.0.2.1]`, "SRS1-=@x.example", "jörg@exämple.com"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := smtp.ParseForwardPath("<"+text+">", true)
		if err != nil || p.Domain == "" {
			return
		}
		s := schemes()["first"]
		if back, err := s.Reverse(p.Path); err == nil {
			if again, err := s.Forward(smtp.ReversePath{Path: back}); err == nil && !strings.EqualFold(again.Domain, "fwd.example") && !strings.EqualFold(back.Domain, "fwd.example") {
				t.Fatalf("%v reverses to %v, and that is sent as %v", p, back, again)
			}
		}
		fwd, err := s.Forward(smtp.ReversePath(p))
		if err != nil || fwd.Path == p.Path {
			return
		}
		if _, err := smtp.ParseForwardPath("<"+fwd.String()+">", true); err != nil {
			t.Fatalf("%v cannot be sent: %v", fwd, err)
		}
		back, err := s.Reverse(fwd.Path)
		if err != nil {
			t.Fatalf("%v became %v: %v", p, fwd, err)
		}
		if same := back.Local == p.Local && (back.Domain == p.Domain || p.Path.NeedsUTF8()); !same && !strings.HasPrefix(strings.ToUpper(p.Local), "SRS") {
			t.Fatalf("%v became %v and %v", p, fwd, back)
		}
	})
}
